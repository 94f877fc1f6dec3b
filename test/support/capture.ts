import { Output, type Stream } from "../../src/base/output";

/** An output whose streams keep what they get. */
export function captureOutput(stream: Pick<Stream, "isTTY" | "columns"> = {}) {
  const said = { stdout: "", stderr: "" };
  const open = (name: keyof typeof said) => (): Stream => ({
    ...stream,
    write(text, done) {
      said[name] += text;
      done?.();
      return true;
    },
  });
  return { said, output: new Output(open("stdout"), open("stderr"), stream.isTTY ?? false) };
}
