import { randomUUID } from "node:crypto";
import type { Deadline } from "../base/deadline";
import { EXIT_BUG, exitCodeFor, IpcheckError } from "../base/errors";
import { trustOptions } from "../base/network";
import { type Progress, startProgress } from "../base/output";
import { isUnconfigured, loadSettings, type Settings } from "../config/settings";
import { look } from "../lookup/lookup";
import { LockedError, takeLock } from "../state/lock";
import { speakOnceADay } from "../state/spoken";
import type { AddressEvent, State } from "../state/state";
import { openStore, type Store } from "../state/store";
import { announcement, type CheckOptions, printJsonReport, printReport } from "./check-report";
import { type CheckReport, type CheckRules, check, type Dependencies, withoutEffects } from "./check-run";
import { deliveryContext, type GlobalOptions, type Host, lookupOptions } from "./host";

/** One run: how it was called, what is configured, and what it works with. */
interface Run {
  options: CheckOptions;
  settings: Settings;
  store: Store;
  deadline: Deadline;
  host: Host;
  /** A person is watching: on a terminal, or by asking for it. */
  isInteractive: boolean;
}

/** `ipcheck check`: loads the configuration, takes the lock, runs, pings. Resolves to the exit code. */
export async function runCheck(options: CheckOptions & GlobalOptions, host: Host): Promise<number> {
  const settings = loadSettings(options.config, host, host.output.redactor.secrets);
  const store = openStore(settings.stateFile, host);
  const isInteractive = options.verbose || options.dryRun || host.isStderrTerminal;
  // Until the very end: a warning that cannot be written, because nobody reads, must not hold the lock for ever.
  const deadline = host.startDeadline(settings.deadlineMs);
  const run = { options, settings, store, deadline, host, isInteractive };
  try {
    return options.dryRun ? (await checkAndReport(run)).exitCode : await runLocked(run);
  } finally {
    deadline.clear();
  }
}

/** The run that writes: with the lock, and heard by the monitor however it ends. */
async function runLocked(run: Run): Promise<number> {
  const { settings, store, host } = run;
  try {
    store.prepare();
    const lock = await takeLock(store.path, { uid: host.uid, deadlineMs: settings.deadlineMs });
    try {
      store.cleanUp();
      const { exitCode, report } = await checkAndReport(run);
      const unheard = await ping(run, exitCode, report.after);
      await warn(run, report, { unheard, lockProblem: lock.problem });
      return exitCode;
    } finally {
      await lock.release();
    }
  } catch (error) {
    // The run that holds the lock pings for itself, unless it hangs.
    const isOverlap = error instanceof LockedError && !error.isOverdue;
    const exitCode = error instanceof IpcheckError ? exitCodeFor([error]) : EXIT_BUG;
    if (!isOverlap) await ping(run, exitCode, undefined);
    throw error;
  }
}

async function checkAndReport(run: Run): Promise<{ exitCode: number; report: CheckReport }> {
  const { options, settings, store, host, isInteractive } = run;
  const { output } = host;
  const plan: string[] = [];
  let announced: readonly AddressEvent[] = [];
  const isWatched = host.isStderrTerminal && !options.quiet && !options.json;
  const progress = isWatched ? startProgress(host.openStderr()) : undefined;
  const announce: Dependencies["announce"] = async (events, report) => {
    progress?.end();
    // With --json the events are announced by printing the one object.
    if (!options.json) for (const event of events) await output.printText(announcement(event), { isOwed: true });
    else await printJsonReport(report, { ...options, exitCode: exitCodeOf(report), plan, isOwed: true }, output);
    announced = events;
  };
  const rules: CheckRules = { ...settings, isInteractive };
  /** Why notices had to be sent in a plainer form. */
  const bugs: unknown[] = [];
  const real = buildDependencies(run, { announce, onBug: (bug) => bugs.push(bug), progress });
  try {
    const checked = await check(rules, options.dryRun ? withoutEffects(real, store, plan) : real);
    const report = { ...checked, bugs: [...checked.bugs, ...bugs] };
    const exitCode = exitCodeOf(report);
    progress?.end();
    const failure = await printReport(report, { ...options, exitCode, plan, announced }, output);
    if (isInteractive && !options.quiet && isUnconfigured(settings)) await output.note(UNCONFIGURED);
    return { exitCode: exitCode || exitCodeFor(failure ? [failure] : []), report };
  } finally {
    progress?.end();
  }
}

const UNCONFIGURED = "nothing is configured, so nobody is mailed: 'ipcheck init' asks a few questions and sets it up";

function exitCodeOf({ errors, bugs }: CheckReport): number {
  return bugs.length > 0 ? EXIT_BUG : exitCodeFor(errors);
}

interface Listeners extends Pick<Dependencies, "announce"> {
  onBug: (bug: unknown) => void;
  progress: Progress | undefined;
}

function buildDependencies(
  { settings, store, deadline, host }: Run,
  { announce, onBug, progress }: Listeners,
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
  { settings, store, host, isInteractive }: Run,
  { after, lastLookAt }: CheckReport,
  { unheard, lockProblem }: { unheard: string | undefined; lockProblem: string | undefined },
): Promise<void> {
  const { warnings, heartbeatUrl } = settings;
  let state = after;
  const say = async (topic: string, about: string | undefined, lines: readonly string[]) => {
    const spoken = speakOnceADay(state, topic, about, { now: new Date(), isInteractive });
    state = spoken.state;
    if (spoken.speaks) for (const line of lines) await host.output.warn(line);
  };
  await say("settings", warnings.join("\n") || undefined, warnings);
  await say("lock", lockProblem && "strangers", [lockProblem ?? ""]);
  await say("heartbeat", unheard && "not heard", [`the heartbeat was not heard: ${heartbeatUrl?.host} ${unheard}`]);
  if (state !== after) store.save(state, lastLookAt);
}

/** Resolves to why the monitor did not hear us, or undefined. */
async function ping({ settings, host }: Run, exitCode: number, state: State | undefined): Promise<string | undefined> {
  const { heartbeatUrl, extraCa } = settings;
  if (!heartbeatUrl) return undefined;
  const { describeRun, pingHeartbeat } = await import("../notify/heartbeat.js");
  const body = describeRun(exitCode, settings, state);
  const { userAgent, output } = host;
  const { redact } = output.redactor;
  return pingHeartbeat(heartbeatUrl, {
    isSuccess: exitCode === 0,
    body,
    userAgent,
    tls: trustOptions(extraCa),
    redact,
  });
}
