import { StoppedError } from "./errors";

/** A choice among several, as it is shown. */
interface Choice {
  value: string;
  label: string;
  hint?: string;
}

/** Questions on a terminal. They are drawn on stderr: results of ours go to stdout. */
export class TerminalPrompter {
  constructor(
    private readonly input: NodeJS.ReadStream,
    private readonly output: NodeJS.WriteStream,
  ) {}

  async text(question: {
    message: string;
    initial?: string;
    validate?: (text: string) => string | undefined;
  }): Promise<string> {
    const { text } = await import("@clack/prompts");
    const { message, initial, validate } = question;
    const answer = await text({
      ...this.streams(),
      message,
      ...(initial !== undefined && { initialValue: initial }),
      ...(validate && { validate: (value) => validate(value ?? "") }),
    });
    return insist(answer);
  }

  async secret(message: string): Promise<string> {
    const { password } = await import("@clack/prompts");
    const validate = (value: string | undefined) => (value ? undefined : "something is needed here");
    return insist(await password({ ...this.streams(), message, validate }));
  }

  async select(question: { message: string; options: Choice[]; initial?: string }): Promise<string> {
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

  private streams() {
    return { input: this.input, output: this.output };
  }
}

/** @throws StoppedError for the symbol that Ctrl-C gives */
function insist<T>(answer: T): Exclude<T, symbol> {
  if (typeof answer === "symbol") throw new StoppedError();
  return answer as Exclude<T, symbol>;
}
