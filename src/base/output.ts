import { IpcheckError, systemCode } from "./errors";
import { toJson } from "./quote";
import { Redactor } from "./redaction";
import { wrap } from "./screen";

/** A stream of the process, as far as printing needs it. */
export interface Stream {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string, done?: (error?: Error | null) => void): boolean;
}

/**
 * Everything that is printed goes through here: results to stdout, the rest to stderr. A result that
 * could not be written was not given, so printing rejects with an IpcheckError `output`; complaints on
 * stderr are made as well as can be. Nothing is redacted here besides the stack of a bug: see redaction.ts.
 */
export class Output {
  readonly redactor = new Redactor();
  private opened: Stream | undefined;

  /** The streams are opened when the first byte is ready: a quiet run opens neither. */
  constructor(
    private readonly openStdout: () => Stream,
    private readonly openStderr: () => Stream,
    /** Whether a person sees standard output. */
    readonly isTerminal: boolean,
  ) {}

  get stdout(): Stream {
    this.opened ??= this.openStdout();
    return this.opened;
  }

  /**
   * A result, on stdout. Resolves when it is handed to the kernel. A reader that went away (`| head`) has
   * read what it wanted, except where the text stands in for a mail (`isOwed`): that nobody read.
   * @throws IpcheckError `output`
   */
  async print(text: string, { isOwed = false } = {}): Promise<void> {
    const error = await write(this.stdout, `${text}\n`);
    if (!error) return;
    // After the first EPIPE the stream is destroyed, and says that from then on.
    const code = systemCode(error);
    const isReaderGone = code === "EPIPE" || code === "ERR_STREAM_DESTROYED";
    if (isReaderGone && !isOwed) return;
    throw new IpcheckError("output", `cannot write to standard output (${code || "unknown error"})`, {
      hint: isReaderGone
        ? "nobody reads it any more: what stands in for a mail is printed again by the next run"
        : "what could not be written was not said: see where the output goes, and whether the disk is full",
      cause: error,
    });
  }

  /** Sentences, on stdout, wrapped where it is a terminal; as `print`. */
  printText(text: string, options: { isOwed?: boolean; indent?: number } = {}): Promise<void> {
    return this.print(wrap(text, columnsOf(this.stdout), options.indent ?? 2), options);
  }

  /** One object, on stdout; as `print`. */
  printJson(value: object, options?: { isOwed?: boolean }): Promise<void> {
    return this.print(toJson(value, 2), options);
  }

  /** A line for people, on stderr. Never rejects: who cannot complain still has an exit code. */
  async note(text: string, label = ""): Promise<void> {
    const stream = this.openStderr();
    await write(stream, `${wrap(`ipcheck: ${label}${text}`, columnsOf(stream), "ipcheck: ".length)}\n`);
  }

  warn(text: string): Promise<void> {
    return this.note(text, "warning: ");
  }

  /** A known failure as error, details and hint; anything else is a bug and keeps its stack. */
  async fail(error: unknown): Promise<void> {
    if (!(error instanceof IpcheckError)) {
      const stack = this.redactor.redact(error instanceof Error ? (error.stack ?? error.message) : String(error));
      await this.note("this is a bug in ipcheck, please report it with the lines below", "error: ");
      await write(this.openStderr(), `${stack}\n`);
      return;
    }
    await this.note(error.message, "error: ");
    for (const detail of error.details) await this.note(detail, "  ");
    if (error.hint !== undefined) await this.note(error.hint, "hint: ");
  }
}

/** The width of a terminal; undefined for a pipe or a file, whose lines are for programs. */
function columnsOf({ isTTY, columns }: Stream): number | undefined {
  return isTTY ? columns : undefined;
}

/** Resolves to what went wrong, or undefined. */
function write(stream: Stream, text: string): Promise<Error | undefined> {
  return new Promise((resolve) => {
    stream.write(text, (error) => resolve(error ?? undefined));
  });
}
