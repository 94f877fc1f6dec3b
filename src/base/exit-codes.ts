import type { ErrorCode } from "./errors";

/** What each exit code means is in the README's table. */
export const EXIT_CODES: Record<ErrorCode, number> = {
  usage: 2,
  config: 2,
  "no-address": 3,
  state: 4,
  undelivered: 5,
  locked: 6,
  output: 1,
};

/** The same for people, by exit code. */
export const EXIT_MEANINGS = [
  "done: unchanged, or changed, recorded and mailed",
  "a bug",
  "usage or configuration; nothing was asked, nothing written",
  "no trustworthy address could be had; what was recorded stands",
  "the state could not be read or written",
  "a change is recorded, but not everybody has been told yet",
  "another run is at work",
] as const;

/** Something that should never happen: the stack is printed. */
export const EXIT_BUG = 1;

/** When several apply the first of these wins, before anything that is not listed. */
const PRECEDENCE: readonly ErrorCode[] = ["state", "undelivered", "no-address"];

/** The exit code of a run that ended with these errors, 0 for none. */
export function exitCodeFor(errors: readonly { code: ErrorCode }[]): number {
  const first = PRECEDENCE.find((code) => errors.some((error) => error.code === code)) ?? errors[0]?.code;
  return first === undefined ? 0 : EXIT_CODES[first];
}
