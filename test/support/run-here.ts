import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import os from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Deadline } from "../../src/base/deadline";
import { EXIT_BUG, exitCodeFor, IpcheckError } from "../../src/base/errors";
import type { Output } from "../../src/base/output";
import { runProgram } from "../../src/cli";
import type { Host } from "../../src/commands/host";
import { captureOutput } from "./capture";
import { watch } from "./oracle";
import { type RunOptions, type RunResult, runIpcheck } from "./run-ipcheck";
import { IS_LONG } from "./sample";

/** The run is a process of its own all the same: on another Node.js, and where a night has time. */
const IS_SPAWNED = IS_LONG || process.env["IPCHECK_TEST_NODE"] !== undefined;

/** Commands that start what they find on the PATH of their process, which must not be this machine's crontab. */
const STARTS_PROGRAMS = ["schedule", "init", "doctor"];

/** As fake-clock.cjs has it. */
const A_MONTH_S = 30 * 86_400;

const ROOT = join(__dirname, "..", "..");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

/** What the clock of a run is ahead of the real one, and for how long its machine has been running. */
const clock = new AsyncLocalStorage<{ aheadMs: number; uptimeSeconds: number }>();
const RealDate = Date;
const realUptime = os.uptime;

globalThis.Date = class extends RealDate {
  constructor(...args: []) {
    if (args.length === 0) super(Date.now());
    else super(...args);
  }

  static override now(): number {
    return RealDate.now() + (clock.getStore()?.aheadMs ?? 0);
  }
} as DateConstructor;
os.uptime = () => clock.getStore()?.uptimeSeconds ?? realUptime();
syncBuiltinESMExports();

/**
 * Runs a command as `runIpcheck` does, but in the process of the test, which takes a tenth of the time: everything
 * except `main.ts` and the bundle. What Node and the C library read at their start (TZ, NODE_EXTRA_CA_CERTS) is the
 * test's own. Where the options want a process, there is one.
 */
export async function runHere(options: RunOptions = {}): Promise<RunResult> {
  const { args = [], env = {}, input = "", now, preload = [], through, cwd, onStart } = options;
  const isProcess = IS_SPAWNED || preload.length > 0 || through || cwd || onStart;
  if (isProcess || args.some((word) => STARTS_PROGRAMS.includes(word))) return runIpcheck(options);
  const judge = watch({ ...options, env });
  const start = performance.now();
  const { said, output } = captureOutput();
  const aheadMs = now === undefined ? 0 : new RealDate(now).getTime() - RealDate.now();
  const uptimeSeconds = Number(env["FAKE_UPTIME"] ?? A_MONTH_S);
  const exitCode = await clock.run({ aheadMs, uptimeSeconds }, () => runCommand(args, hostOf(output, env, input)));
  judge({ exitCode, ...said });
  return { exitCode, signal: null, ...said, ms: performance.now() - start };
}

async function runCommand(args: readonly string[], host: Host): Promise<number> {
  try {
    return await runProgram(args, host);
  } catch (error) {
    await host.output.fail(error);
    return error instanceof IpcheckError ? exitCodeFor([error]) : EXIT_BUG;
  }
}

function hostOf(output: Output, env: NodeJS.ProcessEnv, input: string): Host {
  const monotonicMs = () => Math.floor(performance.now());
  return {
    version,
    nodeVersion: process.versions.node,
    userAgent: `ipcheck/${version}`,
    output,
    monotonicMs,
    uptimeMs: () => os.uptime() * 1000,
    startDeadline: (deadlineMs) => new Deadline(deadlineMs, monotonicMs),
    execPath: process.execPath,
    isStdinTerminal: false,
    isStderrTerminal: false,
    openStdin: () => Readable.from([Buffer.from(input)]) as unknown as NodeJS.ReadStream,
    openStderr: () => process.stderr,
    env: { PATH: process.env["PATH"], ...env },
    platform: process.platform,
    home: env["HOME"],
    uid: process.getuid?.(),
    gid: process.getgid?.(),
    hostName: os.hostname(),
    userName: os.userInfo().username,
    packageDirectory: ROOT,
  };
}
