import { readFileSync } from "node:fs";
import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { EXIT_BUG, exitCodeFor } from "./cli/exit-codes";
import { Output } from "./cli/output";
import { runProgram } from "./cli/program";
import { composeCheck } from "./compose/check";
import type { Host } from "./compose/host";
import { IpcheckError } from "./core/errors";

/** Runs the program on this process and resolves to its exit code; the only reader of `process`. */
export async function main(): Promise<number> {
  const output = new Output(process.stdout, process.stderr);
  // A reader that went away (| head) is no failure of ours.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  try {
    const host = readHost(output);
    // `check` is on everybody's path every hour; the others are loaded when they are called.
    return await runProgram(process.argv.slice(2), host.version, {
      print: (text) => output.print(text),
      check: (options) => composeCheck(options, host),
      vigenere: async (key, password, options) =>
        (await import("./compose/vigenere.js")).composeVigenere(key, password, options, host),
      init: async (options) => (await import("./compose/init.js")).composeInit(options, host),
      doctor: async (options) => (await import("./compose/doctor.js")).composeDoctor(options, host),
      status: async (options) => (await import("./compose/reading.js")).composeStatus(options, host),
      history: async (options) => (await import("./compose/reading.js")).composeHistory(options, host),
      schedule: async (action, options) =>
        (await import("./compose/schedule.js")).composeSchedule(action, options, host),
    });
  } catch (error) {
    await output.fail(error);
    return error instanceof IpcheckError ? exitCodeFor([error]) : EXIT_BUG;
  }
}

function readHost(output: Output): Host {
  const packageDirectory = join(__dirname, "..");
  const { version } = JSON.parse(readFileSync(join(packageDirectory, "package.json"), "utf8"));
  return {
    version,
    userAgent: `ipcheck/${version} (node ${process.versions.node})`,
    output,
    execPath: process.execPath,
    stdin: process.stdin,
    stderr: process.stderr,
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
