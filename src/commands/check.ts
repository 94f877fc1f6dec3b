import { randomUUID } from "node:crypto";
import type { Deadline } from "../base/deadline";
import { asIpcheckError, EXIT_BUG, exitCodeFor, IpcheckError } from "../base/errors";
import { trustOptions } from "../base/network";
import { type Progress, startProgress } from "../base/output";
import { isUnconfigured, loadSettings, type Settings } from "../config/settings";
import { look } from "../lookup/lookup";
import type { CheckRules } from "../notify/dispatch";
import { LockedError, takeLock } from "../state/lock";
import { speakOnceADay } from "../state/recording";
import type { AddressEvent, State } from "../state/state";
import { openStore, type Store } from "../state/store";
import { announcement, type CheckOptions, printJsonReport, printReport } from "./check-report";
import { type CheckReport, check, type Dependencies, withoutEffects } from "./check-run";
import { deliveryContext, type GlobalOptions, type Host, lookupOptions } from "./host";

/** `ipcheck check`: loads the configuration, takes the lock, runs, pings. Resolves to the exit code. */
export async function runCheck(options: CheckOptions & GlobalOptions, host: Host): Promise<number> {
  const settings = loadSettings(options.config, host, host.output.redactor.secrets);
  const store = openStore(settings.stateFile, host);
  // Until the very end: a warning that cannot be written, because nobody reads, must not hold the lock for ever.
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
    // The run that holds the lock pings for itself, unless it hangs.
    const isOverlap = error instanceof LockedError && !error.isOverdue;
    const exitCode = error instanceof IpcheckError ? exitCodeFor([error]) : EXIT_BUG;
    if (!isOverlap) await ping(settings, exitCode, undefined, host);
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
  let announced: readonly AddressEvent[] = [];
  const progress =
    host.isStderrTerminal && !options.quiet && !options.json ? startProgress(host.openStderr()) : undefined;
  const announce: Dependencies["announce"] = async (events, report) => {
    progress?.end();
    // With --json the events are announced by printing the one object.
    if (!options.json) for (const event of events) await output.printText(announcement(event), { isOwed: true });
    else await printJsonReport(report, { ...options, exitCode: exitCodeOf(report), plan, isOwed: true }, output);
    announced = events;
  };
  const rules: CheckRules = {
    ...settings,
    hasHook: settings.onChange !== undefined,
    isInteractive: isInteractive(options, host),
  };
  /** Why notices had to be sent in a plainer form. */
  const bugs: unknown[] = [];
  const onBug = (bug: unknown) => bugs.push(bug);
  const real = buildDependencies(settings, store, deadline, { announce, onBug, progress }, host);
  try {
    const run = await check(rules, options.dryRun ? withoutEffects(real, store, plan) : real);
    const report = { ...run, bugs: [...run.bugs, ...bugs] };
    const exitCode = exitCodeOf(report);
    progress?.end();
    const failure = await printReport(report, { ...options, exitCode, plan, announced }, output).catch(asIpcheckError);
    // A failed announcement has been reported already, with its consequences.
    const isSaid = report.errors.some(
      (one) => failure && !report.muted.has(one) && one.message.includes(failure.message),
    );
    if (failure && !isSaid) await output.fail(failure);
    if (rules.isInteractive && !options.quiet && isUnconfigured(settings)) await output.note(UNCONFIGURED);
    return { exitCode: exitCode || exitCodeFor(failure ? [failure] : []), report };
  } finally {
    progress?.end();
  }
}

const UNCONFIGURED = "nothing is configured, so nobody is mailed: 'ipcheck init' asks a few questions and sets it up";

function exitCodeOf({ errors, bugs }: CheckReport): number {
  return bugs.length > 0 ? EXIT_BUG : exitCodeFor(errors);
}

function buildDependencies(
  settings: Settings,
  store: Store,
  deadline: Deadline,
  {
    announce,
    onBug,
    progress,
  }: { announce: Dependencies["announce"]; onBug: (bug: unknown) => void; progress: Progress | undefined },
  host: Host,
): Dependencies {
  const { env, output } = host;
  const now = () => new Date();
  const lookup = {
    ...lookupOptions(settings, deadline, host),
    onAsk: (service: string) => progress?.show(`asking ${service} …`),
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
      progress?.show(`mailing through ${settings.smtp.host} …`);
      // Loaded only here: on a quiet day neither the library nor the templates are read from the card.
      const { deliver } = await import("../notify/deliver.js");
      return deliver(notice, settings, { ...deliveryContext(store, deadline, host), onBug });
    },
    async runHook(event) {
      progress?.show("running the command in IPCHECK_ON_CHANGE …");
      const { runHook } = await import("../notify/hook.js");
      const { language, machineName, sshLine, onChange = "" } = settings;
      const { hostName, version } = host;
      const facts = { language, machineName, sshLine, hostName, version, now: now() };
      return runHook(onChange, event, { env, redact: output.redactor.redact, facts, onBug });
    },
    announce,
  };
}

/** Warnings, which are no failure of the run, once a day each: permissions, an unheard heartbeat, a stranger's lock. */
async function warn(
  settings: Settings,
  { exitCode, report, strangers }: { exitCode: number; report: CheckReport; strangers: string | undefined },
  isInteractive: boolean,
  store: Store,
  host: Host,
): Promise<void> {
  const { warnings, heartbeatUrl } = settings;
  const unheard = await ping(settings, exitCode, report.after, host);
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
async function ping(
  settings: Settings,
  exitCode: number,
  state: State | undefined,
  { userAgent, output }: Host,
): Promise<string | undefined> {
  const { heartbeatUrl, extraCa } = settings;
  if (!heartbeatUrl) return undefined;
  const { describeRun, pingHeartbeat } = await import("../notify/heartbeat.js");
  const body = describeRun(exitCode, settings, state);
  const { redact } = output.redactor;
  return pingHeartbeat(heartbeatUrl, {
    isSuccess: exitCode === 0,
    body,
    userAgent,
    tls: trustOptions(extraCa),
    redact,
  });
}
