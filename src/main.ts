import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { runCheck } from "./cli/check";
import { announcement, type CheckOptions } from "./cli/check-report";
import { EXIT_BUG, exitCodeFor } from "./cli/exit-codes";
import { Output } from "./cli/output";
import { type Actions, type GlobalOptions, runProgram } from "./cli/program";
import type { Surroundings } from "./config/env-file";
import { loadSettings, type Settings } from "./config/settings";
import { IpcheckError } from "./core/errors";
import type { World } from "./core/ports";
import type { CheckRules } from "./core/rules";
import { takeLock } from "./io/lock";
import { look } from "./io/lookup";
import { openStateFile, type StateFile } from "./io/state-file";

/** What is left of the deadline for telling, after a look that took as long as it may. */
const TELLING_SHARE = 0.4;

/** Runs the program on this process and resolves to its exit code; the only reader of `process`. */
export async function main(): Promise<number> {
  const output = new Output(process.stdout, process.stderr);
  // A reader that went away (| head) is no failure of ours.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  try {
    const { version } = JSON.parse(readFileSync(join(__dirname, "..", "package.json"), "utf8"));
    const actions: Actions = {
      check: (options) => checkOnce(options, version, output),
      async vigenere(key, password, options) {
        const { runVigenere } = await import("./cli/vigenere.js");
        const { formatEnvLines } = await import("./config/env-lines.js");
        const { SecretPrompt } = await import("./io/ask.js");
        const prompt = new SecretPrompt(process.stdin, process.stderr);
        const tools = { ask: (question: string) => prompt.ask(question), formatEnvLines };
        try {
          return await runVigenere(key, password, options, tools, output);
        } finally {
          prompt.close();
        }
      },
    };
    return await runProgram(process.argv.slice(2), version, actions, (text) => output.print(text));
  } catch (error) {
    await output.fail(error);
    return error instanceof IpcheckError ? exitCodeFor([error]) : EXIT_BUG;
  }
}

async function checkOnce(options: CheckOptions & GlobalOptions, version: string, output: Output): Promise<number> {
  const settings = loadSettings(options.envFile, surroundings(), output.redactor.secrets);
  for (const warning of settings.warnings) await output.warn(warning);
  const store = await openStateFile(settings.stateFile);
  if (options.dryRun) return checkWith(store);
  await store.prepare();
  const release = await takeLock(store.path, process.getuid?.());
  try {
    return await checkWith(store);
  } finally {
    await release();
  }

  async function checkWith(stateFile: StateFile): Promise<number> {
    const deadline = new Deadline(settings.deadlineMs);
    try {
      const world = buildWorld(settings, stateFile, deadline, version, output);
      const isLoud = options.verbose || options.dryRun || process.stderr.isTTY === true;
      const { exitCode } = await runCheck(options, rulesOf(settings, isLoud), world, output);
      return exitCode;
    } finally {
      deadline.clear();
    }
  }
}

/** The end of the run and of its first part, on the monotonic clock: timers do not follow NTP. */
class Deadline {
  private readonly looking = new AbortController();
  private readonly all = new AbortController();
  private readonly timers: NodeJS.Timeout[];
  readonly lookSignal = this.looking.signal;
  readonly signal = this.all.signal;

  constructor(deadlineMs: number) {
    this.timers = [
      setTimeout(() => this.looking.abort(), deadlineMs * (1 - TELLING_SHARE)),
      setTimeout(() => this.all.abort(), deadlineMs),
    ];
  }

  clear(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }
}

function rulesOf(settings: Settings, isLoud: boolean): CheckRules {
  return { ...settings, hasHook: settings.onChange !== undefined, isLoud };
}

function buildWorld(settings: Settings, store: StateFile, deadline: Deadline, version: string, output: Output): World {
  const now = () => new Date();
  const lookup = {
    ...settings,
    userAgent: `ipcheck/${version} (node ${process.versions.node})`,
    hostName: hostname(),
    now,
    signal: deadline.lookSignal,
  };
  return {
    ...store,
    now,
    random: Math.random,
    createId: randomUUID,
    look: (request) => look(request, lookup),
    keepAside: () => store.keepAside(now()),
    async mail(notice) {
      // Loaded only here: on a quiet day neither the library nor the templates are read from the card.
      const { deliver } = await import("./io/deliver.js");
      const { redactor } = output;
      return deliver(notice, settings, { version, env: process.env, signal: deadline.signal, redactor });
    },
    async runHook(occurrence) {
      const { runHook } = await import("./io/hook.js");
      return runHook(settings.onChange ?? "", occurrence, { env: process.env, signal: deadline.signal });
    },
    announce: (occurrence) => output.print(announcement(occurrence)),
  };
}

function surroundings(): Surroundings {
  return {
    env: process.env,
    platform: process.platform,
    home: orUndefined(homedir),
    uid: process.getuid?.(),
    hostName: hostname(),
    userName: orUndefined(() => userInfo().username) ?? process.env["USER"] ?? "user",
    packageDirectory: join(__dirname, ".."),
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
