import type { Family } from "./address";
import type { Candidate, Decision, Vote } from "./quorum";

/** What a look needs to know of one family. */
export interface LookRequest {
  family: Family;
  recorded: string | undefined;
  candidate: Candidate | undefined;
  /** The look before found a contradiction. */
  isContradicted?: boolean | undefined;
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
