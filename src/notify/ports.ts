import type { LookRequest, LookupResult } from "../lookup/lookup-result";
import type { Outcome } from "../state/outbox";
import type { AddressEvent, LoadedState, State } from "../state/state";

/** One mail to be written: what it tells, and to whom. */
export interface Notice {
  /** Stable for the same events: the Message-ID is made of it. */
  id: string;
  recipients: readonly string[];
  events: readonly AddressEvent[];
}

/** Everything `check` needs from the world; picked in its command, replaced as a whole for a dry run. */
export interface Dependencies {
  now(): Date;
  random(): number;
  createId(): string;
  look(request: LookRequest): Promise<LookupResult>;
  /** @throws IpcheckError `state` */
  load(): LoadedState;
  /** Moves an unreadable state file away and returns its new path. @throws IpcheckError `state` */
  quarantine(): string;
  /** Replaces the state; `lastLookAt` becomes the file's mtime. @throws IpcheckError `state` */
  save(state: State, lastLookAt: Date | undefined): void;
  /** Notes a quiet look without writing content. @throws IpcheckError `state` */
  touch(lastLookAt: Date): void;
  /** @throws IpcheckError `state` */
  appendHistory(events: readonly AddressEvent[]): void;
  /** Mails one notice; every recipient gets an outcome. Never throws. */
  mail(notice: Notice): Promise<ReadonlyMap<string, Outcome>>;
  /** Runs the user's command for one change. Never throws. */
  runHook(event: AddressEvent): Promise<Outcome>;
  /** Prints a change as a result, on stdout, where nobody is configured to be mailed. */
  announce(event: AddressEvent): Promise<void>;
}
