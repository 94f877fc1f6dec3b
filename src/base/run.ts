import { spawn } from "node:child_process";
import { systemCode } from "./errors";
import { quote } from "./quote";

/** A program of the system failed; the message is plain. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly stderr: string,
  ) {
    super(message);
  }
}

/**
 * Runs a program of the system. Its output as latin-1, both ways, so that every byte of somebody's table survives.
 * @throws CommandError
 */
export function run(program: string, args: string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "pipe" });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.once("error", (error) => {
      const why = systemCode(error) === "ENOENT" ? "is not installed" : `cannot be run (${systemCode(error)})`;
      reject(new CommandError(`${program} ${why}`, ""));
    });
    child.once("close", (code) => {
      const said = Buffer.concat(stderr).toString("utf8").trim();
      if (code === 0) resolve(Buffer.concat(stdout).toString("latin1"));
      else reject(new CommandError(`${program} ${args[0]} failed: ${quote(said || `exit code ${code}`)}`, said));
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(Buffer.from(input, "latin1"));
  });
}
