/** What they mean to users: `EXIT_MEANINGS`. */
export const EXIT_CODES = {
  usage: 2,
  config: 2,
  "no-address": 3,
  state: 4,
  undelivered: 5,
  locked: 6,
  output: 1,
} as const;

/** Why a run could not do all of its work. */
export type ErrorCode = keyof typeof EXIT_CODES;

/** A known way to fail: printed as one `error:` line and, where there is one, one `hint:` line. */
export class IpcheckError extends Error {
  override readonly name = "IpcheckError";
  readonly hint: string | undefined;
  /** Lines that belong between the error and its hint, such as one reason per service. */
  readonly details: readonly string[];

  constructor(
    readonly code: ErrorCode,
    message: string,
    { hint, details = [], cause }: { hint?: string | undefined; details?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.hint = hint;
    this.details = details;
  }
}

/** A known failure as what it is; anything else is thrown on. */
export function asIpcheckError(error: unknown): IpcheckError {
  if (error instanceof IpcheckError) return error;
  throw error;
}

/** The person has stopped answering questions (Ctrl-C). */
export class StoppedError extends IpcheckError {
  constructor(remains = "nothing was written") {
    super("usage", `stopped; ${remains}`);
  }
}

/** An error with a code, as those of the system have one. */
export function codedError(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

/** The `code` of a Node.js system error (`ENOSPC`, `ECONNREFUSED`), or an empty string. */
export function systemCode(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : "";
}

/** Whether an error code speaks of TLS: a certificate that is not trusted, or a handshake that failed. */
export function isTlsCode(code: string): boolean {
  return /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_|EPROTO)/.test(code);
}

/** What the exit codes mean, by their numbers. */
export const EXIT_MEANINGS = [
  "done: unchanged, or changed, recorded and mailed",
  "a bug, or the result could not be written to standard output",
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
