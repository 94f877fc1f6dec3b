import type { Family } from "./address";
import type { Candidate, Verdict, Voice } from "./quorum";

/** What a look needs to know of one family. */
export interface LookRequest {
  family: Family;
  recorded: string | undefined;
  candidate: Candidate | undefined;
  /** Hosts to be left alone → until (ISO 8601 UTC). */
  rests: Readonly<Record<string, string>>;
}

/** What one service said; `service` is its host, with the port where it is not the usual one. */
export interface Hearing {
  service: string;
  operator: string;
  voice: Voice;
  /** How long it took to answer; 0 where it was not asked. */
  ms: number;
}

/** What a look in one family came to. */
export interface View {
  family: Family;
  verdict: Exclude<Verdict, { kind: "ask" }>;
  hearings: Hearing[];
  /** How many requests were made. */
  requests: number;
  /** Hosts that asked to be left alone → until. */
  newRests: Record<string, string>;
  /** What the last HTTP Date header said: this machine's clock may be wrong. */
  serverDate: Date | undefined;
}
