import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import { styleText } from "node:util";
import { StoppedError } from "./errors";

/** A choice among several, as it is shown. */
export interface Choice {
  value: string;
  label: string;
  hint?: string;
}

export interface TextQuestion {
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
  constructor(
    private readonly input: NodeJS.ReadStream,
    private readonly output: NodeJS.WriteStream,
  ) {}

  async text({ message, initial, validate }: TextQuestion): Promise<string> {
    const { text, S_BAR } = await import("@clack/prompts");
    const answer = await text({
      ...this.streams(),
      message: this.wrap(message, styleText("gray", S_BAR)),
      ...(initial !== undefined && { initialValue: initial }),
      validate: (value) => this.wrapError(validate(value ?? "")),
    });
    return insist(answer);
  }

  /** An empty answer is one only where `mayBeEmpty`. */
  async secret(message: string, { mayBeEmpty = false } = {}): Promise<string> {
    const { password, S_BAR } = await import("@clack/prompts");
    const answer = await password({
      ...this.streams(),
      message: this.wrap(message, styleText("gray", S_BAR)),
      validate: (value) => (value || mayBeEmpty ? undefined : "something is needed here"),
    });
    return insist(answer) ?? "";
  }

  async select(question: { message: string; options: Choice[]; initial?: string | undefined }): Promise<string> {
    const { select } = await import("@clack/prompts");
    const { message, options, initial } = question;
    return insist(
      await select({ ...this.streams(), message, options, ...(initial !== undefined && { initialValue: initial }) }),
    );
  }

  async confirm(message: string, initialValue = true): Promise<boolean> {
    const { confirm } = await import("@clack/prompts");
    return insist(await confirm({ ...this.streams(), message, initialValue }));
  }

  /** Lines between two questions. */
  async say(...lines: string[]): Promise<void> {
    const { log } = await import("@clack/prompts");
    log.step(lines.map((line) => this.wrap(line)).join("\n"), { output: this.output });
  }

  private streams() {
    return { input: this.input, output: this.output };
  }

  private wrapError(text: string | undefined): string | undefined {
    return text && this.wrap(text, " ");
  }

  /** Breaks between words; `bar` stands before every line but the first. */
  private wrap(text: string, bar = ""): string {
    const width = Math.max((this.output.columns || 80) - 4, 10);
    const lines = [""];
    for (const word of text.split(" ")) {
      const line = lines.at(-1);
      if (line && line.length + 1 + word.length > width) lines.push(word);
      else lines[lines.length - 1] = line ? `${line} ${word}` : word;
    }
    return lines.join(bar === "" ? "\n" : `\n${bar}  `);
  }
}

/** @throws StoppedError for the symbol that Ctrl-C gives */
function insist<T>(answer: T): Exclude<T, symbol> {
  if (typeof answer === "symbol") throw new StoppedError();
  return answer as Exclude<T, symbol>;
}

/** Asks for secrets: without echo on a terminal, elsewhere one line of standard input each. */
export class SecretPrompt {
  private lines: AsyncIterator<string> | undefined;
  private source: Interface | undefined;

  constructor(
    private readonly input: NodeJS.ReadStream,
    private readonly terminal: NodeJS.WriteStream,
  ) {}

  /** The answer without its line break; undefined at the end of the input, or after Ctrl-C. */
  async ask(question: string): Promise<string | undefined> {
    // One reader for all questions, opened before the first is shown: what is pasted ahead is not echoed.
    this.lines ??= this.open();
    if (this.input.isTTY) this.terminal.write(question);
    const next = await this.lines.next();
    if (this.input.isTTY) this.terminal.write("\n");
    return next.done ? undefined : next.value;
  }

  close(): void {
    this.source?.close();
    // A pipe whose writer lives on would keep the process waiting.
    this.input.unref?.();
  }

  private open(): AsyncIterator<string> {
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
    this.source = createInterface({
      input: this.input,
      output: silent,
      terminal: Boolean(this.input.isTTY),
      historySize: 0,
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    this.source.on("SIGINT", () => this.source?.close());
    return this.source[Symbol.asyncIterator]();
  }
}
