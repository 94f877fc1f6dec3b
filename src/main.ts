import { getServers } from "node:dns";
import { existsSync, readFileSync, writeSync } from "node:fs";
import { homedir, hostname, uptime, userInfo } from "node:os";
import { join } from "node:path";
import { isatty } from "node:tty";
import { Deadline } from "./base/deadline";
import { EXIT_BUG, exitCodeFor, IpcheckError } from "./base/errors";
import { openFileStream } from "./base/file-stream";
import { resolverOptions } from "./base/network";
import { Output } from "./base/output";
import { runCheck } from "./commands/check";
import type { Host } from "./commands/host";

/** The streams that were written to. */
const opened = new Set<NodeJS.WriteStream>();

/** Until when names may be looked up: the end of the run, on the monotonic clock. */
let resolverEndsAt = 0;

/** Name look-ups that hang may outlive the deadline by this. */
const RESOLVER_GRACE_MS = 5000;

/** Runs the program and ends the process with its exit code, whatever still holds the event loop. */
export async function start(): Promise<void> {
  // Node ends with 0 when nothing is left to wait for, though a promise is still open.
  process.once("beforeExit", () => {
    endAtOnce("the run stopped in the middle: nothing was left to wait for");
  });
  const exitCode = await main();
  // process.exit() drops what a pipe has not taken yet.
  await Promise.all([...opened].map((stream) => new Promise<void>((resolve) => stream.write("", () => resolve()))));
  await waitForResolver();
  end(exitCode);
}

/**
 * Node waits at its exit for threads in getaddrinfo, which nothing can interrupt. RES_OPTIONS bounds them where the
 * name is asked of the DNS, but not where another name service (mDNS, NIS) is asked.
 */
async function waitForResolver(): Promise<void> {
  const endsAt = Math.max(resolverEndsAt, monotonicMs()) + RESOLVER_GRACE_MS;
  while (isResolving() && !canExec() && monotonicMs() < endsAt) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isResolving(): boolean {
  return process.getActiveResourcesInfo().includes("GetAddrInfoReqWrap");
}

/** Whether this process can turn into another program, which leaves all threads behind: from Node.js 22.15 on. */
function canExec(): boolean {
  return "execve" in process && process.platform !== "win32" && existsSync("/bin/sh");
}

function end(exitCode: number): never {
  if (isResolving()) {
    if (canExec()) (process as unknown as ProcessWithExecve).execve("/bin/sh", ["sh", "-c", `exit ${exitCode}`], {});
    sayAtOnce("error: a name look-up does not end; the process kills itself, and its exit code is lost");
    process.kill(process.pid, "SIGKILL");
  }
  process.exit(exitCode);
}

interface ProcessWithExecve {
  execve(file: string, args: string[], env: Record<string, string>): never;
}

/** Ends a run that waits for something that never happens, in spite of every time-out: a bug, ours or a library's. */
function endAtOnce(what: string): never {
  sayAtOnce(`error: ${what}; please report it`);
  sayAtOnce("hint: what is recorded stands, and the next run goes on");
  end(EXIT_BUG);
}

function sayAtOnce(text: string): void {
  try {
    writeSync(2, `ipcheck: ${text}\n`);
  } catch {
    // Standard error is gone; the process must end all the same.
  }
}

/** Runs the program on this process and resolves to its exit code; the only reader of `process`. */
export async function main(): Promise<number> {
  const output = new Output(
    () => openFileStream(1) ?? quietly(process.stdout),
    () => quietly(process.stderr),
    isatty(1),
  );
  try {
    const host = readHost(output);
    const args = process.argv.slice(2);
    // What cron runs every hour is understood without loading the command tree.
    const plain = readPlainCheck(args);
    if (plain) return await runCheck(plain, host);
    const { runProgram } = await import("./cli.js");
    return await runProgram(args, host);
  } catch (error) {
    await output.fail(error);
    return error instanceof IpcheckError ? exitCodeFor([error]) : EXIT_BUG;
  }
}

/** `ipcheck`, `ipcheck check` and the same with `--config FILE`; undefined for anything else. */
function readPlainCheck(args: readonly string[]): { config?: string } | undefined {
  const [flag, config, ...rest] = args[0] === "check" ? args.slice(1) : args;
  if (flag === undefined) return {};
  const isConfig = flag === "-c" || flag === "--config";
  const isFile = isConfig && config !== undefined && !config.startsWith("-") && rest.length === 0;
  return isFile ? { config } : undefined;
}

// Whoever writes learns of a failure from the write itself; without a listener the event would crash the process.
function quietly<T extends NodeJS.WriteStream>(stream: T): T {
  if (!opened.has(stream)) stream.on("error", () => undefined);
  opened.add(stream);
  return stream;
}

function readHost(output: Output): Host {
  // A copy: commands that we start must not inherit what is set below for this process.
  const env = { ...process.env };
  // By default two look-ups at a time, and others wait behind one that hangs.
  process.env["UV_THREADPOOL_SIZE"] ??= "24";
  // It has no effect, because every connection sets rejectUnauthorized; but Node would warn of it in every run.
  delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
  const packageDirectory = join(__dirname, "..");
  const { version } = JSON.parse(readFileSync(join(packageDirectory, "package.json"), "utf8"));
  return {
    version,
    nodeVersion: process.versions.node,
    userAgent: `ipcheck/${version}`,
    output,
    monotonicMs,
    uptimeMs,
    startDeadline(deadlineMs) {
      // Read by each thread of glibc at its first look-up.
      process.env["RES_OPTIONS"] = resolverOptions(deadlineMs, countNameServers(), env["RES_OPTIONS"]);
      resolverEndsAt = monotonicMs() + deadlineMs;
      return new Deadline(deadlineMs, monotonicMs, () => {
        endAtOnce("the run went on long after its deadline (IPCHECK_DEADLINE)");
      });
    },
    execPath: process.execPath,
    isStdinTerminal: isatty(0),
    isStderrTerminal: isatty(2),
    openStdin: () => process.stdin,
    openStderr: () => quietly(process.stderr),
    env,
    platform: process.platform,
    home: orUndefined(homedir),
    uid: process.getuid?.(),
    gid: process.getgid?.(),
    hostName: orUndefined(hostname) ?? "localhost",
    userName: orUndefined(() => userInfo().username) ?? process.env["USER"] ?? "user",
    packageDirectory,
  };
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

function uptimeMs(): number {
  try {
    return uptime() * 1000;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function countNameServers(): number {
  try {
    return getServers().length;
  } catch {
    return 0;
  }
}

// homedir() and userInfo() throw where the user has no passwd entry: containers, some systemd set-ups.
function orUndefined(read: () => string): string | undefined {
  try {
    return read() || undefined;
  } catch {
    return undefined;
  }
}
