import { spawn } from "node:child_process";
import { quote } from "./quote";

/** How a command of the user's ended. */
export interface CommandResult {
  stdout: string;
  /** Undefined when it ended with 0; otherwise what happened, with its last line on stderr. */
  failure: string | undefined;
}

/** More output than this is not kept. */
const MAX_OUTPUT_BYTES = 64 * 1024;

/**
 * Runs `command` in the user's shell with exactly `env`, for `timeoutMs` at most; then it and all it
 * started are killed. Never rejects.
 */
export function runCommand(
  command: string,
  options: { env: NodeJS.ProcessEnv; timeoutMs: number; signal: AbortSignal },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const isGroup = process.platform !== "win32";
    const child = spawn(command, {
      shell: true,
      env: options.env,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that what the shell started can be stopped with it.
      detached: isGroup,
    });
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    let isLate = false;
    const kill = () => {
      isLate = true;
      try {
        if (isGroup && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
        else child.kill("SIGKILL");
      } catch {
        // It ended in this very moment.
      }
    };
    const timer = setTimeout(kill, options.timeoutMs);
    options.signal.addEventListener("abort", kill, { once: true });
    if (options.signal.aborted) kill();
    const end = (failure: string | undefined) => {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", kill);
      child.stdout.destroy();
      child.stderr.destroy();
      const lastLine = stderr().trim().split("\n").at(-1) ?? "";
      const said = lastLine ? `; its last words: ${quote(lastLine)}` : "";
      resolve({ stdout: stdout(), failure: failure && `${failure}${said}` });
    };
    child.once("error", (error) => end(`could not be started (${quote(error.message)})`));
    child.once("exit", (code, signal) => {
      const failure = isLate
        ? `did not end within ${Math.round(options.timeoutMs / 1000)} s`
        : signal
          ? `was ended by ${signal}`
          : code === 0
            ? undefined
            : `ended with exit code ${code}`;
      // Its output is complete when the pipes close; a daemon that it started may hold them for ever.
      const grace = setTimeout(() => end(failure), 200);
      child.once("close", () => {
        clearTimeout(grace);
        end(failure);
      });
    });
  });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_OUTPUT_BYTES) chunks.push(chunk);
  });
  stream.on("error", () => undefined);
  return () => Buffer.concat(chunks).toString("utf8");
}
