import { randomUUID } from "node:crypto";
import { runCheck } from "../cli/check";
import { announcement, type CheckOptions } from "../cli/check-report";
import type { GlobalOptions } from "../cli/program";
import { loadSettings, type Settings } from "../config/settings";
import type { World } from "../core/ports";
import type { CheckRules } from "../core/rules";
import { takeLock } from "../io/lock";
import { look } from "../io/lookup";
import { openStateFile, type StateFile } from "../io/state-file";
import { Deadline } from "./deadline";
import type { Host } from "./host";

/** `ipcheck check`: loads the configuration, takes the lock, runs, pings. Resolves to the exit code. */
export async function composeCheck(options: CheckOptions & GlobalOptions, host: Host): Promise<number> {
  const { output } = host;
  const settings = loadSettings(options.envFile, host, output.redactor.secrets);
  for (const warning of settings.warnings) await output.warn(warning);
  const store = openStateFile(settings.stateFile);
  if (options.dryRun) return checkWith(options, settings, store, host);

  store.prepare();
  const release = await takeLock(store.path, host.uid);
  let exitCode: number | undefined;
  try {
    store.cleanUp();
    exitCode = await checkWith(options, settings, store, host);
    return exitCode;
  } finally {
    await release();
    if (settings.heartbeatUrl) await ping(settings.heartbeatUrl, exitCode === 0, options, host);
  }
}

async function checkWith(options: CheckOptions, settings: Settings, store: StateFile, host: Host): Promise<number> {
  const deadline = new Deadline(settings.deadlineMs);
  // A person is watching: on a terminal, or by asking for it.
  const isLoud = options.verbose || options.dryRun || host.isStderrTerminal;
  const rules: CheckRules = { ...settings, hasHook: settings.onChange !== undefined, isLoud };
  try {
    return await runCheck(options, rules, buildWorld(settings, store, deadline, host), host.output);
  } finally {
    deadline.clear();
  }
}

function buildWorld(settings: Settings, store: StateFile, deadline: Deadline, host: Host): World {
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
    keepAside: () => store.keepAside(now()),
    async mail(notice) {
      // Loaded only here: on a quiet day neither the library nor the templates are read from the card.
      const { deliver } = await import("../io/deliver.js");
      return deliver(notice, settings, { ...host, historyFile: store.historyFile, signal, redactor: output.redactor });
    },
    async runHook(occurrence) {
      const { runHook } = await import("../io/hook.js");
      return runHook(settings.onChange ?? "", occurrence, { env, signal });
    },
    announce: (occurrence) => output.print(announcement(occurrence)),
  };
}

async function ping(url: URL, isSuccess: boolean, { verbose }: CheckOptions, host: Host): Promise<void> {
  const { pingHeartbeat } = await import("../io/heartbeat.js");
  const failure = await pingHeartbeat(url, isSuccess, host.userAgent);
  if (failure !== undefined && verbose)
    await host.output.warn(`the heartbeat at ${url.host} was not heard: ${failure}`);
}
