/** Why a run could not do all of its work; each has its exit code in `exit-codes.ts`. */
export type ErrorCode = "usage" | "config" | "no-address" | "state" | "undelivered" | "locked" | "output";

/** A known way to fail: printed as one `error:` line and, where there is one, one `hint:` line. */
export class IpcheckError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** Lines that belong between the error and its hint, such as one reason per service. */
  readonly details: readonly string[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string | undefined; details?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "IpcheckError";
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? [];
  }
}

/** The person has stopped answering questions (Ctrl-C). */
export class StoppedError extends IpcheckError {
  constructor(remains = "nothing was written") {
    super("usage", `stopped; ${remains}`);
    this.name = "StoppedError";
  }
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
