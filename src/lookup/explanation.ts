import { IpcheckError } from "../base/errors";
import { explain, type LookupFailure, mostSpecific } from "./failures";
import type { LookupResult, ServiceResponse } from "./lookup-result";
import { PLAIN_HTTP } from "./services";

/** True when a look gave an address that can be relied on. */
export function isGood({ decision }: LookupResult): boolean {
  return decision.kind === "unchanged" || decision.kind === "confirmed" || decision.kind === "accepted";
}

/** In one sentence why a look came to nothing; empty for a good one. */
export function reasonOf(lookupResult: LookupResult): string {
  const { decision } = lookupResult;
  switch (decision.kind) {
    case "silence":
      return explain(mostSpecific(failuresOf(lookupResult))).sentence;
    case "unconfirmed":
      return decision.by.length === 1
        ? `only ${decision.by.join()} says ${decision.address}, and no second operator could confirm it`
        : `${decision.by.join(" and ")} say ${decision.address}, and no majority of the operators could confirm it`;
    case "contradiction":
      return "the services contradict each other";
    default:
      return "";
  }
}

/** The failed look as an error: what, why, each service's own reason, and what to do. */
export function explainLookup(lookupResult: LookupResult, recorded: string | undefined): IpcheckError {
  const stands = recorded === undefined ? "" : `; ${recorded} stays recorded`;
  return new IpcheckError(
    "no-address",
    `no trustworthy IPv${lookupResult.family} address: ${reasonOf(lookupResult)}${stands}`,
    {
      hint: hintOf(lookupResult),
      details: lookupResult.responses.map(describe),
    },
  );
}

/** One line on what one service said. */
export function describe({ service, vote }: ServiceResponse): string {
  return `${service} ${"address" in vote ? `answered ${vote.address}` : vote.detail}`;
}

function hintOf(lookupResult: LookupResult): string {
  const { decision } = lookupResult;
  if (decision.kind === "contradiction") {
    return "nothing was recorded; a proxy, a VPN or a second line may be in use: the next run asks again, 'ipcheck doctor' shows each answer";
  }
  if (decision.kind !== "unconfirmed") return explain(mostSpecific(failuresOf(lookupResult))).hint;
  if (new Set(lookupResult.responses.map(({ operator }) => operator)).size < 2) {
    return lookupResult.responses.some(({ operator }) => operator === PLAIN_HTTP)
      ? "all services in IPCHECK_SERVICES are asked over plain http, where anybody on the line can answer: add https:// URLs"
      : "all services in IPCHECK_SERVICES belong to one operator: add one of another";
  }
  return decision.runs > 0
    ? "it is accepted by the third run in a row, two hours after the first at the earliest, that hears nothing else; the next run asks again"
    : "nothing was recorded; the next run asks again, 'ipcheck doctor' shows each answer";
}

function failuresOf({ responses }: LookupResult): LookupFailure[] {
  return responses.flatMap(({ vote }) => ("address" in vote ? [] : [vote]));
}
