import { IpcheckError } from "../base/errors";
import type { Family } from "./address";
import { explain, type LookupFailure, mostSpecific } from "./failures";
import type { Decision, Tally, Vote } from "./quorum";
import { PLAIN_HTTP } from "./services";

/** What a look needs to know of one family. */
export interface LookupRequest extends Pick<Tally, "recorded" | "candidate" | "isContradicted"> {
  family: Family;
  /** Hosts to be left alone → until (ISO 8601 UTC). */
  coolDowns: Readonly<Record<string, string>>;
  /** Whether they may be asked all the same where nothing could be known otherwise. */
  mayOverrideCoolDowns?: boolean;
}

/** What one service said; `service` is its host, with the port where it is not the usual one. */
export interface ServiceResponse {
  service: string;
  operator: string;
  vote: Vote;
  /** How long it took to answer; 0 where it was not asked. */
  ms: number;
  /** It asked to be left alone until then. */
  until?: Date;
  /** What its HTTP Date header said. */
  serverDate?: Date;
}

/** What a look in one family came to. */
export interface LookupResult {
  family: Family;
  decision: Exclude<Decision, { kind: "ask" }>;
  responses: ServiceResponse[];
  /** How many requests were made. */
  requests: number;
  /** Hosts that asked to be left alone → until; undefined for one that answers again before its time. */
  newCoolDowns: Record<string, string | undefined>;
  /** What the last HTTP Date header said: this machine's clock may be wrong. */
  serverDate: Date | undefined;
  /** The address of this machine that was asked from because it lasts. */
  askedFrom?: string | undefined;
}

/** True when a look gave an address that can be relied on. */
export function isGood({ decision }: LookupResult): boolean {
  return decision.kind === "unchanged" || decision.kind === "confirmed" || decision.kind === "accepted";
}

/** The address that a good look saw: over IPv6 perhaps another one than is recorded, with the same prefix. */
export function seenAddress(lookupResult: LookupResult): string | undefined {
  const { decision } = lookupResult;
  if (!isGood(lookupResult) || !("address" in decision)) return undefined;
  return "seen" in decision ? decision.seen : decision.address;
}

/** In one sentence why a look came to nothing; empty for a good one. */
export function reasonOf(lookupResult: LookupResult): string {
  const { decision } = lookupResult;
  switch (decision.kind) {
    case "silence":
      return explain(mostSpecific(failuresOf(lookupResult))).sentence;
    case "no-quorum":
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
  if (decision.kind !== "no-quorum") return explain(mostSpecific(failuresOf(lookupResult))).hint;
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
