import type { Family } from "../lookup/address";

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
