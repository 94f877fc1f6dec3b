import type { Family } from "../lookup/address";
import { isGood } from "../lookup/explanation";
import type { View } from "../lookup/lookup-result";
import type { State } from "../state/state";
import type { Notice } from "./ports";

/** A notice as of a change to the address seen now, marked as a test; for any address where none was seen. */
export function testNotice(
  { families, recipients }: { families: readonly Family[]; recipients: readonly string[] },
  state: State | undefined,
  views: readonly View[],
  now: Date,
): Notice {
  const view = views.find(isGood);
  const family = view?.family ?? families[0] ?? 4;
  const recorded = state?.families[family]?.recorded;
  // Where nothing could be seen the mail path can still be tried.
  const placeholder = family === 4 ? "192.0.2.1" : "2001:db8::1";
  const seen = view && "address" in view.verdict ? view.verdict.address : undefined;
  return {
    id: `test-${now.getTime().toString(36)}`,
    recipients,
    occurrences: [
      {
        id: "test",
        kind: "test",
        family,
        at: now.toISOString(),
        address: seen ?? recorded?.address ?? placeholder,
        ...(recorded && { old: recorded.address }),
        ...(recorded?.since && { oldSince: recorded.since }),
        confirmedBy: view?.hearings.flatMap(({ operator, voice }) => ("address" in voice ? [operator] : [])) ?? [],
        told: [],
      },
    ],
  };
}
