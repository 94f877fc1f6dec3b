import type { Family } from "../lookup/address";
import type { Outcome } from "../state/outbox";
import type { AddressEvent, Keeping, State } from "../state/state";

/** One mail to be written: what it tells, and to whom. */
export interface Notice {
  /** Stable for the same events: the Message-ID is made of it. */
  id: string;
  recipients: readonly string[];
  events: readonly AddressEvent[];
  /** How much of the run's time that is left it may take: others wait for theirs. @default 1 */
  share?: number;
  /** The state file cannot be used, so this will be repeated until it is mended: its system error code. */
  stateError?: string;
  /** Why an earlier try to deliver it failed. */
  lateReason?: string;
}

/** What telling people needs from the world. */
export interface DispatchDependencies {
  now(): Date;
  random(): number;
  /** Keeps the state where it can; `lastLookAt` becomes the file's mtime. */
  save(state: State, lastLookAt: Date | undefined): Keeping;
  /** @throws IpcheckError `state` */
  appendHistory(events: readonly AddressEvent[]): void;
  /** Mails one notice; every recipient gets an outcome. */
  mail(notice: Notice): Promise<ReadonlyMap<string, Outcome>>;
  /** Runs the user's command for one change. */
  runHook(event: AddressEvent): Promise<Outcome>;
}

/** What `check` needs of the configuration. */
export interface CheckRules {
  families: readonly Family[];
  recipients: readonly string[];
  hasHook: boolean;
  mailIntervalMs: number;
  reportOutageMs: number | undefined;
  heartbeatMailMs: number | undefined;
  /** Names the mail settings in force: a pause set under others is over. */
  revision: () => string;
  /** A person is watching: speak of every failure, and try deferred recipients at once. */
  isInteractive: boolean;
}
