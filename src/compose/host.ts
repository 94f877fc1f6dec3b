import type { Output } from "../cli/output";
import type { Surroundings } from "../config/env-file";

/** The process as the commands see it: handed down by main, which alone reads `process`. */
export interface Host extends Surroundings {
  version: string;
  /** How we introduce ourselves to servers. */
  userAgent: string;
  output: Output;
  /** The node that runs us. */
  execPath: string;
  stdin: NodeJS.ReadStream;
  stderr: NodeJS.WriteStream;
}
