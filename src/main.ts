import { readFileSync } from "node:fs";
import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { isatty } from "node:tty";
import { IpcheckError } from "./base/errors";
import { EXIT_BUG, exitCodeFor } from "./base/exit-codes";
import { openFileStream } from "./base/file-stream";
import { Output } from "./base/output";
import { composeCheck } from "./commands/check";
import type { Host } from "./commands/host";

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
    // Cron's own words, hour after hour: understood without loading the command tree.
    const plain = readPlainCheck(args);
    if (plain) return await composeCheck(plain, host);
    const { runProgram } = await import("./cli.js");
    return await runProgram(args, host.version, {
      print: (text) => output.print(text),
      check: (options) => composeCheck(options, host),
      vigenere: async (key, password, options) =>
        (await import("./commands/vigenere.js")).composeVigenere(key, password, options, host),
      init: async (options) => (await import("./commands/init.js")).composeInit(options, host),
      doctor: async (options) => (await import("./commands/doctor.js")).composeDoctor(options, host),
      status: async (options) => (await import("./commands/status.js")).composeStatus(options, host),
      history: async (options) => (await import("./commands/history.js")).composeHistory(options, host),
      schedule: async (action, options) =>
        (await import("./commands/schedule.js")).composeSchedule(action, options, host),
    });
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

// A failed write is told to whoever wrote; the event, unheard, would end the process with a stack.
function quietly<T extends NodeJS.WriteStream>(stream: T): T {
  if (stream.listenerCount("error") === 0) stream.on("error", () => undefined);
  return stream;
}

function readHost(output: Output): Host {
  const packageDirectory = join(__dirname, "..");
  const { version } = JSON.parse(readFileSync(join(packageDirectory, "package.json"), "utf8"));
  return {
    version,
    userAgent: `ipcheck/${version} (node ${process.versions.node})`,
    output,
    monotonicMs: () => Number(process.hrtime.bigint() / 1_000_000n),
    execPath: process.execPath,
    isStdinTerminal: isatty(0),
    isStderrTerminal: isatty(2),
    openStdin: () => process.stdin,
    openStderr: () => quietly(process.stderr),
    env: process.env,
    platform: process.platform,
    home: orUndefined(homedir),
    uid: process.getuid?.(),
    hostName: hostname(),
    userName: orUndefined(() => userInfo().username) ?? process.env["USER"] ?? "user",
    packageDirectory,
  };
}

// Both throw where the user has no passwd entry: containers, some systemd set-ups.
function orUndefined(read: () => string): string | undefined {
  try {
    return read() || undefined;
  } catch {
    return undefined;
  }
}
