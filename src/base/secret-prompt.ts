import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";

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
