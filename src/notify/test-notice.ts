import type { Family } from "../lookup/address";
import { isGood } from "../lookup/explanation";
import type { LookupResult } from "../lookup/lookup-result";
import type { State } from "../state/state";
import type { Notice } from "./ports";

/** A notice as of a change to the address seen now, marked as a test; for any address where none was seen. */
export function testNotice(
  { families, recipients }: { families: readonly Family[]; recipients: readonly string[] },
  state: State | undefined,
  lookupResults: readonly LookupResult[],
  now: Date,
): Notice {
  const lookupResult = lookupResults.find(isGood);
  const family = lookupResult?.family ?? families[0] ?? 4;
  const recorded = state?.families[family]?.recorded;
  // Where nothing could be seen the mail path can still be tried.
  const placeholder = family === 4 ? "192.0.2.1" : "2001:db8::1";
  const seen = lookupResult && "address" in lookupResult.decision ? lookupResult.decision.address : undefined;
  const address = seen ?? recorded?.address ?? placeholder;
  return {
    id: `test-${now.getTime().toString(36)}`,
    recipients,
    events: [
      {
        id: "test",
        kind: "test",
        family,
        at: now.toISOString(),
        address,
        ...(recorded && recorded.address !== address && { old: recorded.address }),
        ...(recorded?.since && { oldSince: recorded.since }),
        confirmedBy:
          lookupResult?.responses.flatMap(({ operator, vote }) => ("address" in vote ? [operator] : [])) ?? [],
        told: [],
      },
    ],
  };
}
