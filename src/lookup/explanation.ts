import { IpcheckError } from "../base/errors";
import { explain, type LookupFailure, mostTelling } from "./failures";
import type { Hearing, View } from "./lookup-result";

/** True when a view gave an address that can be relied on. */
export function isGood({ verdict }: View): boolean {
  return verdict.kind === "unchanged" || verdict.kind === "confirmed" || verdict.kind === "accepted";
}

/** In one sentence why a look came to nothing; empty for a good one. */
export function reasonOf(view: View): string {
  const { verdict } = view;
  switch (verdict.kind) {
    case "silence":
      return explain(mostTelling(failuresOf(view))).sentence;
    case "unconfirmed":
      return `only ${verdict.by.join()} says ${verdict.address}, and no second operator could confirm it`;
    case "contradiction":
      return "the services contradict each other";
    default:
      return "";
  }
}

/** The failed look as an error: what, why, each service's own reason, and what to do. */
export function explainView(view: View, recorded: string | undefined): IpcheckError {
  const stands = recorded === undefined ? "" : `; ${recorded} stays recorded`;
  return new IpcheckError("no-address", `no trustworthy IPv${view.family} address: ${reasonOf(view)}${stands}`, {
    hint: hintOf(view),
    details: view.hearings.map(describe),
  });
}

/** One line on what one service said. */
export function describe({ service, voice }: Hearing): string {
  return `${service} ${"address" in voice ? `answered ${voice.address}` : voice.detail}`;
}

function hintOf(view: View): string {
  const { verdict } = view;
  if (verdict.kind === "contradiction") {
    return "nothing was recorded; a proxy, a VPN or a second line may be in use: the next run asks again, 'ipcheck doctor' shows each answer";
  }
  if (verdict.kind !== "unconfirmed") return explain(mostTelling(failuresOf(view))).hint;
  if (new Set(view.hearings.map(({ operator }) => operator)).size < 2) {
    return "all services in IPCHECK_SERVICES belong to one operator: add one of another";
  }
  return verdict.runs > 0
    ? "it is accepted when the third run in a row hears nothing else; the next run asks again"
    : "nothing was recorded; the next run asks again, 'ipcheck doctor' shows each answer";
}

function failuresOf({ hearings }: View): LookupFailure[] {
  return hearings.flatMap(({ voice }) => ("address" in voice ? [] : [voice]));
}
