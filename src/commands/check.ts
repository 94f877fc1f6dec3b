import { randomUUID } from "node:crypto";
import type { Deadline } from "../base/deadline";
import { IpcheckError } from "../base/errors";
import { EXIT_BUG, exitCodeFor } from "../base/exit-codes";
import { machineSeed } from "../base/machine-id";
import { trustOptions } from "../base/tls-trust";
import { loadSettings, type Settings } from "../config/settings";
import { look } from "../lookup/lookup";
import type { CheckRules } from "../notify/rules";
import { LockedError, takeLock } from "../state/lock";
import { speakOnceADay } from "../state/once-a-day";
import { openStore, type Store } from "../state/store";
import { announcement, type CheckOptions, printJsonReport, printReport } from "./check-report";
import { type CheckReport, check, type Dependencies } from "./check-run";
import { withoutEffects } from "./dry-run";
import type { GlobalOptions, Host } from "./host";

/** `ipcheck check`: loads the configuration, takes the lock, runs, pings. Resolves to the exit code. */
export async function composeCheck(options: CheckOptions & GlobalOptions, host: Host): Promise<number> {
  const settings = loadSettings(options.config, host, host.output.redactor.secrets);
  const store = openStore(settings.stateFile, host);
  // To the very end: a warning that nobody reads must not hold the lock for ever.
  const deadline = host.startDeadline(settings.deadlineMs);
  try {
    if (options.dryRun) return (await run(options, settings, store, deadline, host)).exitCode;
    return await runAlone(options, settings, store, deadline, host);
  } finally {
    deadline.clear();
  }
}

/** The run that writes: with the lock, and heard by the monitor however it ends. */
async function runAlone(
  options: CheckOptions,
  settings: Settings,
  store: Store,
  deadline: Deadline,
  host: Host,
): Promise<number> {
  try {
    store.prepare();
    const lock = await takeLock(store.path, { uid: host.uid, deadlineMs: settings.deadlineMs });
    try {
      store.cleanUp();
      const result = await run(options, settings, store, deadline, host);
      await warn(settings, { ...result, strangers: lock.strangers }, isInteractive(options, host), store, host);
      return result.exitCode;
    } finally {
      await lock.release();
    }
  } catch (error) {
    // The run at work pings for itself, unless it hangs.
    if (!(error instanceof LockedError) || error.isOverdue) await ping(settings, false, host);
    throw error;
  }
}

/** A person is watching: on a terminal, or by asking for it. */
function isInteractive({ verbose, dryRun }: CheckOptions, host: Host): boolean {
  return verbose || dryRun || host.isStderrTerminal;
}

async function run(
  options: CheckOptions,
  settings: Settings,
  store: Store,
  deadline: Deadline,
  host: Host,
): Promise<{ exitCode: number; report: CheckReport }> {
  const { output } = host;
  const plan: string[] = [];
  let isPrinted = false;
  const announce: Dependencies["announce"] = async (events, report) => {
    // One document: what it announces is said when it is printed.
    if (!options.json) for (const event of events) await output.print(announcement(event), { isOwed: true });
    else await printJsonReport(report, { ...options, exitCode: exitCodeOf(report), plan, isOwed: true }, output);
    isPrinted = options.json === true;
  };
  const rules: CheckRules = {
    ...settings,
    hasHook: settings.onChange !== undefined,
    isInteractive: isInteractive(options, host),
  };
  /** What was sent all the same, in a plainer form. */
  const bugs: unknown[] = [];
  const onBug = (bug: unknown) => bugs.push(bug);
  const real = buildDependencies(settings, store, deadline, { announce, onBug }, host);
  const result = await check(rules, options.dryRun ? withoutEffects(real, store.findObstacle, plan) : real);
  const report = { ...result, bugs: [...result.bugs, ...bugs] };
  const exitCode = exitCodeOf(report);
  const failure = await printReport(report, { ...options, exitCode, plan, isPrinted }, output).catch(asIpcheckError);
  if (failure) await output.fail(failure);
  return { exitCode: exitCode || exitCodeFor(failure ? [failure] : []), report };
}

function asIpcheckError(error: unknown): IpcheckError {
  if (error instanceof IpcheckError) return error;
  throw error;
}

function exitCodeOf({ errors, bugs }: CheckReport): number {
  return bugs.length > 0 ? EXIT_BUG : exitCodeFor(errors);
}

function buildDependencies(
  settings: Settings,
  store: Store,
  deadline: Deadline,
  { announce, onBug }: { announce: Dependencies["announce"]; onBug: (bug: unknown) => void },
  host: Host,
): Dependencies {
  const { env, output } = host;
  const { signal } = deadline;
  const now = () => new Date();
  const redact = (text: string) => output.redactor.redact(text);
  const { serviceUrls, acceptRanges, ipv6PrefixLength, timeoutMs, extraCa } = settings;
  const lookup = {
    serviceUrls,
    acceptRanges,
    ipv6PrefixLength,
    timeoutMs,
    userAgent: host.userAgent,
    tls: trustOptions(extraCa),
    seed: machineSeed(host.hostName),
    now,
    monotonicMs: host.monotonicMs,
    redact,
    signal: deadline.lookSignal,
  };
  return {
    now,
    random: Math.random,
    createId: randomUUID,
    look: (request) => look(request, lookup),
    load: store.load,
    quarantine: () => store.quarantine(now()),
    save: store.save,
    touch: store.touch,
    appendHistory: store.appendHistory,
    async mail(notice) {
      // Loaded only here: on a quiet day neither the library nor the templates are read from the card.
      const { deliver } = await import("../notify/deliver.js");
      const { remainingMs } = deadline;
      const { redactor } = output;
      return deliver(notice, settings, {
        ...host,
        historyFile: store.historyFile,
        signal,
        remainingMs,
        redactor,
        onBug,
      });
    },
    async runHook(event) {
      const { runHook } = await import("../notify/hook.js");
      return runHook(settings.onChange ?? "", event, { env, redact });
    },
    announce,
  };
}

/** What is no failure of the run is said once a day: permissions, a monitor that does not hear us, a strange lock. */
async function warn(
  settings: Settings,
  { exitCode, report, strangers }: { exitCode: number; report: CheckReport; strangers: string | undefined },
  isInteractive: boolean,
  store: Store,
  host: Host,
): Promise<void> {
  const { warnings, heartbeatUrl } = settings;
  const unheard = await ping(settings, exitCode === 0, host);
  let state = report.after;
  const say = async (topic: string, about: string | undefined, lines: readonly string[]) => {
    const spoken = speakOnceADay(state, topic, about, { now: new Date(), isInteractive });
    state = spoken.state;
    if (spoken.speaks) for (const line of lines) await host.output.warn(line);
  };
  await say("settings", warnings.join("\n") || undefined, warnings);
  await say("lock", strangers && "strangers", [strangers ?? ""]);
  await say("heartbeat", unheard && "not heard", [`the heartbeat was not heard: ${heartbeatUrl?.host} ${unheard}`]);
  if (state !== report.after) store.save(state, report.lastLookAt);
}

/** Resolves to why the monitor did not hear us, or undefined. */
async function ping({ heartbeatUrl, extraCa }: Settings, isSuccess: boolean, host: Host): Promise<string | undefined> {
  if (!heartbeatUrl) return undefined;
  const { pingHeartbeat } = await import("../notify/heartbeat.js");
  return pingHeartbeat(heartbeatUrl, { isSuccess, userAgent: host.userAgent, tls: trustOptions(extraCa) });
}
