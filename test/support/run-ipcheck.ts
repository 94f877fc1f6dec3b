import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type Unwatched, watch } from "./oracle";

const ROOT = join(__dirname, "..", "..");

/** The program's entry point, as npm links it. */
export const BIN = join(ROOT, "bin", "ipcheck.js");

/** Shifts or sets the child's wall clock; see the file. */
const FAKE_CLOCK = join(ROOT, "test", "support", "fake-clock.cjs");

const TYPIST = join(ROOT, "test", "support", "typist.py");

/** The node that runs the program; another version's, when the version matrix says so. */
const NODE = process.env["IPCHECK_TEST_NODE"] ?? process.execPath;

export interface RunOptions {
  args?: readonly string[];
  /** The whole environment besides PATH: nothing of the caller's leaks in. */
  env?: Readonly<Record<string, string>>;
  /** What stands on standard input; it is closed after it. */
  input?: string;
  /** The wall clock of the run: a time it begins with. Timers run as always. */
  now?: Date | string;
  /** Modules loaded before the program. */
  preload?: readonly string[];
  cwd?: string;
  killAfterMs?: number;
  /** Wraps the command: a shell that redirects, a terminal, another user. */
  through?: (command: readonly string[]) => readonly string[];
  onStart?: (child: ChildProcess) => void;
  /** Promises that this test breaks, or hides the evidence for, and why. */
  unwatched?: Unwatched;
}

export interface RunResult {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  ms: number;
}

/** What a quiet run does. */
export const SILENCE = { exitCode: 0, stdout: "", stderr: "" };
/** One error and one hint, and nothing else. */
export const ERROR_AND_HINT = /^ipcheck: error: [^\n]+\nipcheck: hint: [^\n]+\n$/;

/** Questions with their answers; see typist.py. */
export type Dialogue = readonly (number | readonly string[])[];

/** Runs the command on a pseudo-terminal where each question, as soon as it stands there, is answered. */
export function typing(dialogue: Dialogue): NonNullable<RunOptions["through"]> {
  return (command) => ["python3", TYPIST, JSON.stringify(dialogue), ...command];
}

/** Runs the built program once, without a terminal, as cron does. */
export async function runIpcheck(options: RunOptions = {}): Promise<RunResult> {
  const preload = [...(options.preload ?? []), ...(options.now === undefined ? [] : [FAKE_CLOCK])];
  const nodeArgs = preload.flatMap((path) => ["--require", path]);
  const judge = watch({ env: {}, ...options });
  const start = performance.now();
  const command = [NODE, ...nodeArgs, BIN, ...(options.args ?? [])];
  const [program = NODE, ...words] = options.through?.(command) ?? command;
  const child = spawn(program, words, {
    cwd: options.cwd ?? "/",
    env: {
      PATH: process.env["PATH"] ?? "",
      ...(options.now !== undefined && { FAKE_CLOCK_NOW: new Date(options.now).toISOString() }),
      ...options.env,
    },
    stdio: "pipe",
  });
  options.onStart?.(child);
  // A run that never ends is a failure with a name, not a test that hangs.
  let isStuck = false;
  const timer = setTimeout(() => {
    isStuck = child.kill("SIGKILL");
  }, options.killAfterMs ?? 25_000);
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  const streams = Promise.all([text(child.stdout), text(child.stderr)]);
  const [exitCode, signal] = await once(child, "close");
  clearTimeout(timer);
  const ms = performance.now() - start;
  const [stdout, stderr] = await streams;
  judge({ exitCode, stdout, stderr, isStuck });
  return { exitCode, signal, stdout, stderr, ms };
}
