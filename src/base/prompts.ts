import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import { styleText } from "node:util";
import { StoppedError } from "./errors";
import { wrap } from "./output";

/** A choice among several, as it is shown. */
export interface Choice {
  value: string;
  label: string;
  hint?: string;
}

interface TextQuestion {
  message: string;
  initial?: string | undefined;
  validate: (text: string) => string | undefined;
}

/**
 * Questions on a terminal, drawn on stderr: results of ours go to stdout. The library wraps some of what it draws;
 * the rest is wrapped here, inside its frame.
 * @throws StoppedError (each of them) after Ctrl-C
 */
export class TerminalPrompter {
  private readonly streams: { input: NodeJS.ReadStream; output: NodeJS.WriteStream };

  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream) {
    this.streams = { input, output };
  }

  async text({ message, initial = "", validate }: TextQuestion): Promise<string> {
    const { text, S_BAR } = await import("@clack/prompts");
    const answer = await text({
      ...this.streams,
      message: this.wrap(message, styleText("gray", S_BAR)),
      initialValue: initial,
      validate: (value) => this.wrap(validate(value ?? "") ?? "", " ") || undefined,
    });
    return unlessStopped(answer);
  }

  /** An empty answer is one only where `mayBeEmpty`. */
  async secret(message: string, { mayBeEmpty = false } = {}): Promise<string> {
    const { password, S_BAR } = await import("@clack/prompts");
    const answer = await password({
      ...this.streams,
      message: this.wrap(message, styleText("gray", S_BAR)),
      validate: (value) => (value || mayBeEmpty ? undefined : "something is needed here"),
    });
    return unlessStopped(answer) ?? "";
  }

  async select(question: { message: string; options: Choice[]; initial?: string | undefined }): Promise<string> {
    const { select } = await import("@clack/prompts");
    const { message, options, initial = options[0]?.value ?? "" } = question;
    return unlessStopped(await select({ ...this.streams, message, options, initialValue: initial }));
  }

  async confirm(message: string, initialValue = true): Promise<boolean> {
    const { confirm } = await import("@clack/prompts");
    return unlessStopped(await confirm({ ...this.streams, message, initialValue }));
  }

  /** Lines between two questions. */
  async say(...lines: string[]): Promise<void> {
    const { log } = await import("@clack/prompts");
    log.step(lines.map((line) => this.wrap(line)).join("\n"), { output: this.streams.output });
  }

  /** Breaks between words; `bar` stands before every line but the first. */
  private wrap(text: string, bar = ""): string {
    const width = Math.max((this.streams.output.columns || 80) - 4, 10);
    return wrap(text, width).replaceAll("\n", bar === "" ? "\n" : `\n${bar}  `);
  }
}

/** @throws StoppedError for the symbol that Ctrl-C gives */
function unlessStopped<T>(answer: T): Exclude<T, symbol> {
  if (typeof answer === "symbol") throw new StoppedError();
  return answer as Exclude<T, symbol>;
}

/** Asks for secrets: without echo on a terminal, elsewhere one line of standard input each. */
export class SecretPrompt {
  private source: Interface | undefined;
  private lines: AsyncIterator<string> | undefined;

  constructor(
    private readonly input: NodeJS.ReadStream,
    private readonly terminal: NodeJS.WriteStream,
  ) {}

  /** The answer without its line break; undefined at the end of the input, or after Ctrl-C. */
  async ask(question: string): Promise<string | undefined> {
    const { input, terminal } = this;
    // One reader for all questions, opened before the first is shown: what is pasted ahead is not echoed.
    this.lines ??= this.open();
    if (input.isTTY) terminal.write(question);
    const next = await this.lines.next();
    if (input.isTTY) terminal.write("\n");
    return next.done ? undefined : next.value;
  }

  close(): void {
    this.source?.close();
    // A pipe whose writer lives on would keep the process waiting.
    this.input.unref?.();
  }

  private open(): AsyncIterator<string> {
    const { input } = this;
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
    const crlfDelay = Number.POSITIVE_INFINITY;
    const source = createInterface({ input, output: silent, terminal: input.isTTY, historySize: 0, crlfDelay });
    source.on("SIGINT", () => source.close());
    this.source = source;
    return source[Symbol.asyncIterator]();
  }
}
