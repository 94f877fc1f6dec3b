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
    return this.input.isTTY ? this.askOnTerminal(question) : this.nextLine();
  }

  close(): void {
    this.source?.close();
    // A pipe whose writer lives on would keep the process waiting.
    this.input.unref?.();
  }

  private askOnTerminal(question: string): Promise<string | undefined> {
    this.terminal.write(question);
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
    const line = createInterface({ input: this.input, output: silent, terminal: true, historySize: 0 });
    return new Promise((resolve) => {
      let answer: string | undefined;
      line.once("line", (text) => {
        answer = text;
        line.close();
      });
      line.once("SIGINT", () => line.close());
      line.once("close", () => {
        this.terminal.write("\n");
        resolve(answer);
      });
    });
  }

  private async nextLine(): Promise<string | undefined> {
    this.source ??= createInterface({ input: this.input, crlfDelay: Number.POSITIVE_INFINITY });
    this.lines ??= this.source[Symbol.asyncIterator]();
    const next = await this.lines.next();
    return next.done ? undefined : next.value;
  }
}
