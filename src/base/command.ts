import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, statSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { systemCode } from "./errors";
import { quote } from "./text";

/** How a command of the user's ended. */
interface CommandResult {
  stdout: string;
  /** Undefined when it ended with 0; otherwise what happened, with its last line on stderr. */
  failure: string | undefined;
}

interface CommandOptions {
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
  /** The end of the run, where the command has no time of its own. */
  signal?: AbortSignal;
}

/** More output than this is not kept: of stdout the first, of stderr the last. */
const MAX_OUTPUT_BYTES = 64 * 1024;

/** How long the rest of its output is waited for, after its end. */
const LAST_WORDS_MS = 1000;

/** A group of its own, so that what the shell started can be stopped with it. */
const HAS_GROUPS = process.platform !== "win32";

/** What ends this process, by request or by a limit; the terminal's own signals do not reach a child's group. */
const ENDING_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR2", "SIGXCPU"] as const;

/**
 * Runs `command` in the user's shell with exactly `env`, for `timeoutMs` at most. When that is over, when it has
 * ended, or when this process is told to end, all that it started is killed, apart from what made itself a session
 * of its own (daemons, `setsid`). Never rejects.
 */
export async function runCommand(command: string, options: CommandOptions): Promise<CommandResult> {
  const { env, timeoutMs, signal } = options;
  let child: ChildProcess | undefined;
  let stopped: string | undefined;
  const stop = (why: string) => {
    stopped ??= why;
    kill(child);
  };
  const onAbort = () => stop("did not end within the run's deadline");
  const timer = setTimeout(() => stop(`did not end within ${timeoutMs / 1000} s`), timeoutMs);
  // Before it starts: a signal may come in the very moment.
  const release = beforeOurEnd(() => kill(child));
  try {
    child = spawn(command, { shell: true, env, stdio: ["ignore", "pipe", "pipe"], detached: HAS_GROUPS });
    const [stdout, stderr] = [collect(child.stdout, "first"), collect(child.stderr, "last")];
    const closed = once(child, "close").catch(() => undefined);
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
    const [code, killedBy] = await once(child, "exit");
    const failure = code === null ? (stopped ?? `was killed by ${killedBy}`) : `ended with exit code ${code}`;
    // Its output is complete when the pipes close; what it left in the background may hold them for ever.
    await Promise.race([closed, delay(LAST_WORDS_MS, undefined, { ref: false })]);
    const lastWords = lastWordsOf(stderr());
    const said = lastWords ? `; its last words: ${quote(lastWords)}` : "";
    return { stdout: stdout(), failure: code === 0 ? undefined : `${failure}${said}` };
  } catch (error) {
    return { stdout: "", failure: explainStart(error) };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    release();
    kill(child);
    child?.stdout?.destroy();
    child?.stderr?.destroy();
  }
}

// A progress meter (curl's) overwrites its line: it ends in a carriage return, and is no words.
function lastWordsOf(text: string): string {
  const lines = text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.findLast((line) => /\p{L}{2}/u.test(line)) ?? lines.at(-1) ?? "";
}

function explainStart(error: unknown): string {
  const code = systemCode(error);
  if (code === "E2BIG") return "could not be started: the command and its environment are too large (E2BIG)";
  return `could not be started (${quote(error instanceof Error ? error.message : String(error))})`;
}

function kill(child: ChildProcess | undefined): void {
  if (child?.pid === undefined) return;
  try {
    if (HAS_GROUPS) process.kill(-child.pid, "SIGKILL");
    else child.kill("SIGKILL");
  } catch {
    // Nothing of it is left.
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
function collect(stream: Readable | null, part: "first" | "last"): () => string {
  let kept = Buffer.alloc(0);
  // Without a process there are no pipes; its error follows.
  stream?.on("data", (chunk: Buffer) => {
    if (part === "last") kept = Buffer.concat([kept, chunk]).subarray(-MAX_OUTPUT_BYTES);
    else if (kept.length < MAX_OUTPUT_BYTES) kept = Buffer.concat([kept, chunk]).subarray(0, MAX_OUTPUT_BYTES);
  });
  stream?.on("error", () => undefined);
  return () => kept.toString("utf8");
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
    const options = { encoding: "latin1", maxBuffer: Number.POSITIVE_INFINITY } as const;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const said = Buffer.from(stderr, "latin1").toString("utf8").trim();
      const inOneLine = said.replace(/\s*\n\s*/g, "; ");
      const code = systemCode(error);
      const failure = `${program} ${args[0]} failed: ${quote(inOneLine || `exit code ${error.code ?? error.signal}`)}`;
      const noStart = `${program} ${code === "ENOENT" ? "is not installed" : `cannot be run (${code})`}`;
      return reject(new CommandError(code ? noStart : failure, said));
    });
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input, "latin1");
  });
}

/** Those of `paths` that are no files this user can use: the first, a program, is to be executed, the rest to be read. */
export function findMissing(paths: readonly string[]): string[] {
  return paths.filter((path, index) => {
    try {
      accessSync(path, index === 0 ? constants.X_OK : constants.R_OK);
      return !statSync(path).isFile();
    } catch {
      return true;
    }
  });
}
