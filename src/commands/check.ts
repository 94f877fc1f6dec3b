import { randomUUID } from "node:crypto";
import { Deadline } from "../base/deadline";
import { exitCodeFor } from "../base/exit-codes";
import type { Output } from "../base/output";
import { loadSettings, type Settings } from "../config/settings";
import { look } from "../lookup/lookup";
import type { Dependencies } from "../notify/ports";
import type { CheckRules } from "../notify/rules";
import { takeLock } from "../state/lock";
import { openStateFile, type StateFile } from "../state/state-file";
import { announcement, type CheckOptions, printReport } from "./check-report";
import { check } from "./check-run";
import { withoutEffects } from "./dry-run";
import type { GlobalOptions, Host } from "./host";

/** `ipcheck check`: loads the configuration, takes the lock, runs, pings. Resolves to the exit code. */
export async function composeCheck(options: CheckOptions & GlobalOptions, host: Host): Promise<number> {
  const { output } = host;
  const settings = loadSettings(options.config, host, output.redactor.secrets);
  for (const warning of settings.warnings) await output.warn(warning);
  const store = openStateFile(settings.stateFile);
  if (options.dryRun) return checkWith(options, settings, store, host);

  store.prepare();
  const lock = await takeLock(store.path, { uid: host.uid, deadlineMs: settings.deadlineMs });
  let exitCode: number | undefined;
  try {
    if (lock.strangers !== undefined) await output.warn(lock.strangers);
    store.cleanUp();
    exitCode = await checkWith(options, settings, store, host);
    return exitCode;
  } finally {
    await lock.release();
    if (settings.heartbeatUrl) await ping(settings.heartbeatUrl, exitCode === 0, options, host);
  }
}

async function checkWith(options: CheckOptions, settings: Settings, store: StateFile, host: Host): Promise<number> {
  const deadline = new Deadline(settings.deadlineMs);
  // A person is watching: on a terminal, or by asking for it.
  const isInteractive = options.verbose || options.dryRun || host.isStderrTerminal;
  const rules: CheckRules = { ...settings, hasHook: settings.onChange !== undefined, isInteractive };
  try {
    return await runCheck(options, rules, buildWorld(settings, store, deadline, host), host.output);
  } finally {
    deadline.clear();
  }
}

function buildWorld(settings: Settings, store: StateFile, deadline: Deadline, host: Host): Dependencies {
  const { env, output } = host;
  const { signal } = deadline;
  const now = () => new Date();
  const redact = (text: string) => output.redactor.redact(text);
  const lookup = { ...settings, ...host, now, redact, signal: deadline.lookSignal };
  return {
    ...store,
    now,
    random: Math.random,
    createId: randomUUID,
    look: (request) => look(request, lookup),
    quarantine: () => store.quarantine(now()),
    async mail(notice) {
      // Loaded only here: on a quiet day neither the library nor the templates are read from the card.
      const { deliver } = await import("../notify/deliver.js");
      return deliver(notice, settings, { ...host, historyFile: store.historyFile, signal, redactor: output.redactor });
    },
    async runHook(event) {
      const { runHook } = await import("../notify/hook.js");
      return runHook(settings.onChange ?? "", event, { env, signal });
    },
    announce: (event) => output.print(announcement(event)),
  };
}

async function ping(url: URL, isSuccess: boolean, { verbose }: CheckOptions, host: Host): Promise<void> {
  const { pingHeartbeat } = await import("../notify/heartbeat.js");
  const failure = await pingHeartbeat(url, isSuccess, host.userAgent);
  if (failure !== undefined && verbose)
    await host.output.warn(`the heartbeat at ${url.host} was not heard: ${failure}`);
}

/** Runs `check` and prints what is to be printed; resolves to the exit code. */
export async function runCheck(
  options: CheckOptions,
  rules: CheckRules,
  dependencies: Dependencies,
  output: Output,
): Promise<number> {
  const plan: string[] = [];
  const report = await check(rules, options.dryRun ? withoutEffects(dependencies, plan) : dependencies);
  const exitCode = exitCodeFor(report.errors);
  await printReport(report, { ...options, exitCode, plan }, output);
  return exitCode;
}
