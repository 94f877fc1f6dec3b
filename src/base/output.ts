import { IpcheckError } from "./errors";
import { Redactor } from "./redaction";

/** A stream of the process, as far as printing needs it. */
export interface Stream {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string, done?: (error?: Error | null) => void): boolean;
}

/** Everything that is printed goes through here: results to stdout, the rest to stderr, no secret to either. */
export class Output {
  readonly redactor = new Redactor();

  /** The streams are opened when the first byte is ready: a quiet run opens neither. */
  constructor(
    private readonly openStdout: () => Stream,
    private readonly openStderr: () => Stream,
    /** Whether a person sees standard output. */
    readonly isTerminal: boolean,
  ) {}

  get stdout(): Stream {
    return this.openStdout();
  }

  /** A result, on stdout. Resolves when it is handed to the kernel. */
  print(text: string): Promise<void> {
    return write(this.openStdout(), `${this.redactor.redact(text)}\n`);
  }

  /** A result that is itself a secret, such as an encoded password: asked for by name, so not redacted. */
  printSecret(text: string): Promise<void> {
    return write(this.openStdout(), `${text}\n`);
  }

  /** One object, on stdout. Strings are redacted before they are escaped. */
  printJson(value: object): Promise<void> {
    const redacted = JSON.stringify(
      value,
      (_, part) => (typeof part === "string" ? this.redactor.redact(part) : part),
      2,
    );
    return write(this.openStdout(), `${redacted}\n`);
  }

  /** A line for people, on stderr. The label stands outside the redaction: a key may be called 'error'. */
  note(text: string, label = ""): Promise<void> {
    return write(this.openStderr(), `ipcheck: ${label}${this.redactor.redact(text)}\n`);
  }

  warn(text: string): Promise<void> {
    return this.note(text, "warning: ");
  }

  /** A known failure as error, details and hint; anything else is a bug and keeps its stack. */
  async fail(error: unknown): Promise<void> {
    if (!(error instanceof IpcheckError)) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      await this.note(`this is a bug in ipcheck, please report it with the lines below\n${stack}`, "error: ");
      return;
    }
    await this.note(error.message, "error: ");
    for (const detail of error.details) await this.note(detail, "  ");
    if (error.hint !== undefined) await this.note(error.hint, "hint: ");
  }
}

// Resolves also when nobody reads any more (| head): that is no failure of ours.
function write(stream: Stream, text: string): Promise<void> {
  return new Promise((resolve) => {
    stream.write(text, () => resolve());
  });
}
