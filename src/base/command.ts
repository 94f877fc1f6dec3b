import { type ChildProcess, spawn } from "node:child_process";
import { systemCode } from "./errors";
import { quote } from "./text";

/** How a command of the user's ended. */
export interface CommandResult {
  stdout: string;
  /** Undefined when it ended with 0; otherwise what happened, with its last line on stderr. */
  failure: string | undefined;
}

export interface CommandOptions {
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
  /** The end of the run, where the command has no time of its own. */
  signal?: AbortSignal;
}

/** More output than this is not kept: of stdout the first, of stderr the last. */
const MAX_OUTPUT_BYTES = 64 * 1024;

/** A group of its own, so that what the shell started can be stopped with it. */
const HAS_GROUPS = process.platform !== "win32";

/** What ends this process, by request or by a limit; the terminal's own signals do not reach a child's group. */
const ENDING_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR2", "SIGXCPU"] as const;

/**
 * Runs `command` in the user's shell with exactly `env`, for `timeoutMs` at most. When that is over, when it has
 * ended, or when this process is told to end, all that it started is killed, apart from what made itself a session
 * of its own (daemons, `setsid`). Never rejects.
 */
export function runCommand(command: string, options: CommandOptions): Promise<CommandResult> {
  return new Promise<CommandResult>((resolve) => start(command, options, resolve)).catch((error) => ({
    stdout: "",
    failure: explainStart(error),
  }));
}

function start(command: string, options: CommandOptions, resolve: (result: CommandResult) => void): void {
  let child: ReturnType<typeof spawnShell> | undefined;
  // Before it starts: a signal may come in the very moment.
  const release = beforeOurEnd(() => child && kill(child));
  try {
    child = spawnShell(command, options.env);
    watch(child, options, release, resolve);
  } catch (error) {
    release();
    throw error;
  }
}

function spawnShell(command: string, env: NodeJS.ProcessEnv) {
  return spawn(command, { shell: true, env, stdio: ["ignore", "pipe", "pipe"], detached: HAS_GROUPS });
}

function watch(
  child: ReturnType<typeof spawnShell>,
  options: CommandOptions,
  release: () => void,
  resolve: (result: CommandResult) => void,
): void {
  let ended: string | undefined;
  const endBy = (why: string) => {
    ended ??= why;
    kill(child);
  };
  const onAbort = () => endBy("did not end within the run's deadline");
  const timer = setTimeout(() => endBy(`did not end within ${options.timeoutMs / 1000} s`), options.timeoutMs);
  const leave = () => {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
    release();
  };
  child.once("error", (error) => {
    leave();
    resolve({ stdout: "", failure: explainStart(error) });
  });
  // Without a process there are no pipes; the error follows.
  if (child.pid === undefined) return;
  const stdout = collect(child.stdout, "first");
  const stderr = collect(child.stderr, "last");
  options.signal?.addEventListener("abort", onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  child.once("exit", (code, signal) => {
    leave();
    const failure = code === null ? (ended ?? `was killed by ${signal}`) : code === 0 ? undefined : exitedWith(code);
    const end = () => {
      clearTimeout(grace);
      kill(child);
      child.stdout.destroy();
      child.stderr.destroy();
      // A progress meter (curl's) overwrites its line: it ends in a carriage return, and is no words.
      const lines = stderr()
        .split(/[\r\n]+/)
        .filter((line) => line.trim() !== "");
      const lastWords = lines.findLast((line) => /\p{L}{2}/u.test(line)) ?? lines.at(-1) ?? "";
      const said = lastWords ? `; its last words: ${quote(lastWords.trim())}` : "";
      resolve({ stdout: stdout(), failure: failure && `${failure}${said}` });
    };
    // Its output is complete when the pipes close; what it left in the background may hold them for ever.
    const grace = setTimeout(end, 200);
    child.once("close", end);
  });
}

function exitedWith(code: number): string {
  return `ended with exit code ${code}`;
}

function explainStart(error: unknown): string {
  const code = systemCode(error);
  if (code === "E2BIG") return "could not be started: the command and its environment are too large (E2BIG)";
  return `could not be started (${quote(error instanceof Error ? error.message : String(error))})`;
}

function kill(child: ChildProcess): void {
  try {
    if (HAS_GROUPS && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    else child.kill("SIGKILL");
  } catch {
    // It ended in this very moment.
  }
}

/** Calls `act` when a signal ends this process, or when it exits; until the function that is returned is called. */
function beforeOurEnd(act: () => void): () => void {
  const onSignal = (signal: NodeJS.Signals) => {
    act();
    release();
    process.kill(process.pid, signal);
  };
  const release = () => {
    process.off("exit", act);
    for (const signal of ENDING_SIGNALS) process.off(signal, onSignal);
  };
  process.on("exit", act);
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);
  return release;
}

/** Reads all of it, for a full pipe would stop the command, and keeps the first or the last of it. */
function collect(stream: NodeJS.ReadableStream, part: "first" | "last"): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    if (part === "first" && size >= MAX_OUTPUT_BYTES) return;
    size += chunk.length;
    chunks.push(chunk);
    for (
      let first = chunks[0];
      part === "last" && first && size - first.length >= MAX_OUTPUT_BYTES;
      first = chunks[0]
    ) {
      size -= first.length;
      chunks.shift();
    }
  });
  stream.on("error", () => undefined);
  return () => {
    const all = Buffer.concat(chunks);
    return (part === "first" ? all.subarray(0, MAX_OUTPUT_BYTES) : all.subarray(-MAX_OUTPUT_BYTES)).toString("utf8");
  };
}

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
