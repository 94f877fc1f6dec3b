import type { Family } from "./address";
import type { Candidate, Verdict, Voice } from "./consensus";
import type { Outcome } from "./outbox";
import type { Occurrence, State } from "./state";

/** The state as it was found. */
export interface Recollection {
  state: State;
  /** When the last good look was: the state file's mtime; undefined where there is no file. */
  lastLookAt: Date | undefined;
  /** `legacy`: one address in plain text was taken over. `damaged`: not readable as a state. */
  condition: "sound" | "absent" | "legacy" | "damaged";
}

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

/** One mail to be written: what it tells, and to whom. */
export interface Notice {
  /** Stable for the same occurrences: the Message-ID is made of it. */
  id: string;
  recipients: readonly string[];
  occurrences: readonly Occurrence[];
}

/** Everything `check` does to the world; picked in main, replaced as a whole for a dry run. */
export interface World {
  now(): Date;
  random(): number;
  createId(): string;
  look(request: LookRequest): Promise<View>;
  /** @throws IpcheckError `state` */
  recall(): Recollection;
  /** Moves an unreadable state file away and returns its new path. @throws IpcheckError `state` */
  keepAside(): string;
  /** Replaces the state; `lastLookAt` becomes the file's mtime. @throws IpcheckError `state` */
  remember(state: State, lastLookAt: Date | undefined): void;
  /** Notes a quiet look without writing content. @throws IpcheckError `state` */
  touch(lastLookAt: Date): void;
  /** @throws IpcheckError `state` */
  appendHistory(occurrences: readonly Occurrence[]): void;
  /** Mails one notice; every recipient gets an outcome. Never throws. */
  mail(notice: Notice): Promise<ReadonlyMap<string, Outcome>>;
  /** Runs the user's command for one change. Never throws. */
  runHook(occurrence: Occurrence): Promise<Outcome>;
  /** Prints a change as a result, on stdout, where nobody is configured to be mailed. */
  announce(occurrence: Occurrence): Promise<void>;
}
