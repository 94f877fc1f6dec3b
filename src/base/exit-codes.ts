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

/** Something that should never happen: the stack is printed. */
export const EXIT_BUG = 1;

/** When several apply the first of these wins, before anything that is not listed. */
const PRECEDENCE: readonly ErrorCode[] = ["state", "undelivered", "no-address"];

/** The exit code of a run that ended with these errors, 0 for none. */
export function exitCodeFor(errors: readonly { code: ErrorCode }[]): number {
  const first = PRECEDENCE.find((code) => errors.some((error) => error.code === code)) ?? errors[0]?.code;
  return first === undefined ? 0 : EXIT_CODES[first];
}
