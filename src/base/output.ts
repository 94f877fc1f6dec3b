import { IpcheckError, systemCode } from "./errors";
import { Redactor } from "./redaction";
import { quote, toJson } from "./text";

/** A stream of the process, as far as printing needs it. */
export interface Stream {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string, done?: (error?: Error | null) => void): boolean;
}

/**
 * Everything that is printed goes through here: results to stdout, the rest to stderr. Printing
 * rejects with an IpcheckError `output` when a result could not be written; a failed write to stderr is
 * ignored. Nothing is redacted here besides the stack of a bug: see redaction.ts.
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

  /** A line for people, on stderr. Never rejects: what cannot be written there does not change the exit code. */
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

/** What the place where results are shown can do. */
export interface Screen {
  columns: number;
  isUnicode: boolean;
  bold(text: string): string;
  accent(text: string): string;
}

const DEFAULT_COLUMNS = 80;

/** Looks at the stream and at what the user wants: NO_COLOR (no-color.org), TERM=dumb, the locale. */
export function screenOf(stream: Pick<Stream, "isTTY" | "columns">, env: NodeJS.ProcessEnv): Screen {
  const hasColor = Boolean(stream.isTTY) && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  const { COLUMNS = "" } = env;
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  const style = (open: number, close: number) => (text: string) =>
    hasColor ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return {
    columns: stream.columns || (/^\d+$/.test(COLUMNS) && Number(COLUMNS)) || DEFAULT_COLUMNS,
    isUnicode: /utf-?8/i.test(locale),
    bold: style(1, 22),
    accent: style(36, 39),
  };
}

/**
 * Breaks each line of `text` at spaces so that it fits into `columns`; what continues a line begins with `indent`
 * spaces. A longer word, such as a URL or a path, stays whole; a long list is broken after commas. Without `columns` nothing is broken.
 */
export function wrap(text: string, columns: number | undefined, indent = 0): string {
  if (!columns) return text;
  const margin = " ".repeat(Math.min(indent, Math.floor(columns / 4)));
  const lines = text.split("\n").map((line) => wrapLine(line, columns, margin));
  return lines.join("\n");
}

function wrapLine(line: string, columns: number, margin: string): string {
  const lines: string[] = [];
  let last = line.slice(0, line.length - line.trimStart().length);
  for (const word of line.trimStart().split(/(?<= )/)) {
    for (const piece of margin.length + word.length > columns ? word.split(/(?<=,)/) : [word]) {
      if (last.trim() !== "" && [...(last + piece).trimEnd()].length > columns) {
        lines.push(last.trimEnd());
        last = margin;
      }
      last += piece;
    }
  }
  return [...lines, last.trimEnd()].join("\n");
}

/** What is being done, on the terminal of a person who waits. */
export interface Progress {
  show(text: string): void;
  /** Erases the line, until the next is shown; before anything else is printed. */
  end(): void;
}

/** Shorter waits show nothing. */
const SHOWN_AFTER_MS = 1000;

/** A line on a terminal that appears after a second, is replaced by the next and erased at the end. */
export function startProgress(stream: Pick<Stream, "write" | "columns">): Progress {
  let text = "";
  let isVisible = false;
  const draw = () => {
    isVisible = true;
    // A line that wraps could not be erased.
    stream.write(`\r\u001b[K${quote(text, Math.max(1, (stream.columns ?? DEFAULT_COLUMNS) - 2))}`);
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    show(next) {
      text = next;
      timer ??= setTimeout(draw, SHOWN_AFTER_MS).unref();
      if (isVisible) draw();
    },
    end() {
      clearTimeout(timer);
      timer = undefined;
      if (isVisible) stream.write("\r\u001b[K");
      isVisible = false;
    },
  };
}
