import type { LookRequest, View } from "../lookup/lookup-result";
import type { Outcome } from "../state/outbox";
import type { Occurrence, Recollection, State } from "../state/state";

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
