import type { Deadline } from "../base/deadline";
import type { Output } from "../base/output";
import type { Environment } from "../config/env-file";

/** The process as the commands see it: handed down by main, which alone reads `process`. */
export interface Host extends Environment {
  version: string;
  nodeVersion: string;
  /** How we introduce ourselves to servers. */
  userAgent: string;
  output: Output;
  /** A clock that no NTP sets, in ms. */
  monotonicMs: () => number;
  /** Begins a run that must be over after `deadlineMs`, its name look-ups included. */
  startDeadline: (deadlineMs: number) => Deadline;
  /** The node that runs us. */
  execPath: string;
  /** Whether a person is there: to be asked, and to read complaints. */
  isStdinTerminal: boolean;
  isStderrTerminal: boolean;
  /** Opened when they are needed. */
  openStdin: () => NodeJS.ReadStream;
  openStderr: () => NodeJS.WriteStream;
}

/** The options of every command. */
export interface GlobalOptions {
  /** The env file to read. */
  config?: string;
}
