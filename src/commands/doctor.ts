import { findMissing } from "../base/command";
import type { Deadline } from "../base/deadline";
import { asIpcheckError, exitCodeFor, IpcheckError, systemCode } from "../base/errors";
import { trustOptions } from "../base/network";
import { type Progress, startProgress } from "../base/output";
import { quote } from "../base/text";
import { localTime } from "../base/time";
import { describeSetting } from "../config/secrets";
import { ConfigError, isUnconfigured, loadSettings, type Settings } from "../config/settings";
import { VARIABLE_NAMES } from "../config/variables";
import { isLoopbackHost } from "../lookup/address";
import { seenAddress } from "../lookup/lookup-result";
import { readInterfaceAddresses } from "../lookup/source-address";
import { fetchLogin } from "../notify/deliver";
import { pingHeartbeat } from "../notify/heartbeat";
import { probeMail, sendTestMail } from "../notify/test-mail";
import { inspectLock } from "../state/lock";
import type { LoadedState } from "../state/state";
import { probeWrite } from "../state/state-file";
import { openStore, type Store } from "../state/store";
import {
  diagnoseAlarm,
  diagnoseClock,
  diagnoseLock,
  diagnoseLookup,
  diagnoseNetwork,
  diagnoseOutbox,
  diagnoseSchedule,
  diagnoseSource,
  diagnoseState,
  type Finding,
  failure,
  LAST_LOOK,
  ok,
  skipped,
  warning,
} from "./diagnosis";
import { deliveryContext, type GlobalOptions, type Host, lookAtAllFamilies, recordedIn } from "./host";
import { type Addresses, checkReach } from "./reach";
import { findSchedules } from "./schedule";

/** The switches of `doctor`. */
interface DoctorOptions {
  send?: boolean;
  /** The port to be reached at; true for the usual one. */
  reach?: number | true;
  json?: boolean;
}

const MARKS: Record<Finding["status"], string> = {
  ok: "ok     ",
  warning: "warning",
  error: "ERROR  ",
  skipped: "skipped",
};

/** `ipcheck doctor`: looks at everything the job needs, touches nothing. Resolves to the exit code of the gravest finding. */
export async function runDoctor(options: DoctorOptions & GlobalOptions, host: Host): Promise<number> {
  const { output } = host;
  const progress = host.isStderrTerminal && !options.json ? startProgress(host.openStderr()) : undefined;
  const checks: Finding[] = [];
  try {
    for await (const check of examine(options, progress, host)) {
      checks.push(check);
      progress?.end();
      if (options.json) continue;
      await output.printText(`${MARKS[check.status]}  ${check.title}: ${check.text}`, { indent: 11 });
      if (check.hint !== undefined && check.status !== "ok")
        await output.printText(`         hint: ${check.hint}`, { indent: 11 });
    }
  } finally {
    progress?.end();
  }
  const errors = checks.flatMap(({ status, code }) => (status === "error" && code ? [{ code }] : []));
  // What is configured wrongly comes before what fails because of it.
  const exitCode = errors.some(({ code }) => code === "config") ? 2 : exitCodeFor(errors);
  if (options.json) await output.printJson({ exitCode, checks });
  else await output.print(summary(checks));
  return exitCode;
}

function summary(checks: readonly Finding[]): string {
  const count = (status: Finding["status"]) => checks.filter((check) => check.status === status).length;
  const [errors, warnings, skips] = [count("error"), count("warning"), count("skipped")];
  if (errors + warnings === 0) return "\nall is well";
  const rest = skips > 0 ? `, ${skips} skipped` : "";
  return `\n${errors} error${errors === 1 ? "" : "s"}, ${warnings} warning${warnings === 1 ? "" : "s"}${rest}`;
}

async function* examine(
  options: DoctorOptions & GlobalOptions,
  progress: Progress | undefined,
  host: Host,
): AsyncGenerator<Finding> {
  yield ok("ipcheck", `${host.version}, Node.js ${host.nodeVersion}, ${host.platform}`);
  let settings: Settings;
  try {
    settings = loadSettings(options.config, host, host.output.redactor.secrets);
  } catch (error) {
    yield* configProblems(error);
    yield skipped(
      "state, echo services, mail server",
      "a configuration without mistakes",
      "run 'ipcheck doctor' again",
    );
    yield diagnoseSchedule(await findSchedule(host));
    return;
  }
  yield* configuration(settings);
  if (host.env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") yield UNVERIFIED_TLS;
  const seen: Addresses = {};
  const deadline = host.startDeadline(settings.deadlineMs);
  try {
    const schedule = await findSchedule(host);
    const store = openStore(settings.stateFile, host);
    const loaded = loadOrError(store);
    yield* writability(store);
    const findings =
      loaded instanceof IpcheckError
        ? [failure("state", "state", loaded.message, loaded.hint)]
        : diagnoseState(store.path, loaded, schedule?.everyMinutes, new Date());
    // Held back until the clock has been checked: a wrong one makes the last look seem long ago.
    const isLate = ({ title, status }: Finding) => title === LAST_LOOK && status !== "ok";
    yield* findings.filter((finding) => !isLate(finding));
    yield diagnoseLock(await inspectLock(store.path, { uid: host.uid }), settings.deadlineMs);
    const known = loaded instanceof IpcheckError ? undefined : loaded;
    progress?.show("asking the echo services …");
    const lookupResults = await lookAtAllFamilies(settings, known, deadline, host);
    const network = diagnoseNetwork(lookupResults);
    if (network) yield network;
    const serverDates = lookupResults.flatMap(({ serverDate }) => serverDate ?? []);
    const clock = diagnoseClock(new Date(), serverDates[0]);
    yield clock;
    const isWrong = clock.status === "error";
    yield* findings.filter(isLate).map((late) => (isWrong ? skipped(LAST_LOOK, "a clock that is right") : late));
    const cause = network ? "the network" : isWrong ? "a clock that is right" : undefined;
    if (network) yield skipped("echo services", "the network", "'curl -4 https://api.ipify.org' asks one by hand");
    for (const lookupResult of network ? [] : lookupResults) {
      const { family } = lookupResult;
      for (const finding of diagnoseLookup(lookupResult, recordedIn(known, family))) {
        yield cause !== undefined && finding.status === "error" ? skipped(finding.title, cause) : finding;
      }
      yield* diagnoseSource(lookupResult, family === 6 ? readInterfaceAddresses() : []);
      seen[family] = seenAddress(lookupResult) ?? recordedIn(known, family);
    }
    progress?.show(`asking ${settings.smtp.host} …`);
    const isMailUsable = yield* mailServer(settings, cause, deadline, host);
    if (options.send && !isMailUsable) {
      yield skipped("test mail", "the mail server");
    } else if (options.send && settings.recipients.length === 0) {
      yield failure("test mail", "config", "nobody to send it to", "set IPCHECK_TO");
    } else if (options.send) {
      const context = deliveryContext(store, deadline, host);
      yield* testMail(sendTestMail(settings, { state: known?.state, lookupResults }, context));
    }
    if (known) yield* diagnoseOutbox(known.state, settings, isMailUsable, new Date());
    let pinged: Finding | undefined;
    if (settings.heartbeatUrl) {
      pinged =
        cause !== undefined ? skipped("heartbeat", cause) : await heartbeat(settings, settings.heartbeatUrl, host);
      yield pinged;
    }
    yield diagnoseSchedule(schedule);
    // A monitor that hears nothing cannot tell a run that went well from one that failed.
    yield pinged?.status === "warning"
      ? skipped("alarm", "a heartbeat that is heard")
      : diagnoseAlarm(settings, schedule);
  } finally {
    deadline.clear();
  }
  // After the deadline was cleared: a person may be asked, and may take their time.
  const { reach } = options;
  if (reach !== undefined) yield* checkReach(reach === true ? undefined : reach, settings, host, seen);
}

const UNVERIFIED_TLS: Finding = warning(
  "environment",
  "NODE_TLS_REJECT_UNAUTHORIZED=0 asks for unverified certificates; ipcheck verifies them all the same",
  "remove it; for a certificate of your own, name a file with its issuer in IPCHECK_CA_FILE",
);

function loadOrError(store: Store): LoadedState | IpcheckError {
  try {
    const loaded = store.load();
    return loaded.error ?? loaded;
  } catch (error) {
    return asIpcheckError(error);
  }
}

function* configProblems(error: unknown): Generator<Finding> {
  if (!(error instanceof ConfigError)) throw error;
  const { problems, where, hint } = error;
  for (const text of problems.slice(0, -1)) yield failure("configuration", "config", text);
  yield failure("configuration", "config", `${problems.at(-1)}${where}`, hint);
}

function* configuration(settings: Settings): Generator<Finding> {
  const { envFile, origins, warnings, smtp, recipients } = settings;
  if (isUnconfigured(settings)) {
    yield warning(
      "configuration",
      "nothing is configured, so nobody is mailed",
      "'ipcheck init' asks a few questions and sets it up",
    );
    return;
  }
  yield ok("env file", envFile ? quote(envFile.path) : "none; only the environment is used");
  for (const name of VARIABLE_NAMES) {
    const origin = origins.get(name);
    if (origin === undefined) continue;
    yield ok("setting", `${describeSetting(name, origin.value)} (${origin.place})`);
  }
  for (const text of warnings) yield warning("permissions", text);
  if (recipients.length === 0) {
    yield warning("recipients", "nobody is mailed", "set IPCHECK_TO, or run 'ipcheck init'");
  } else if (smtp.password) {
    yield ok("password", `from ${smtp.password.origin}`);
  }
}

function* writability({ path, previewSave, findHistoryObstacle }: Store): Generator<Finding> {
  const found = probeWrite(path);
  const keeping = found === "ENOENT" ? previewSave() : undefined;
  // A folder that is not there yet is no fault, unless it cannot be made.
  const code = keeping && "error" in keeping ? systemCode(keeping.error.cause) : found;
  if (code === undefined || code === "ENOENT") {
    const obstacle = findHistoryObstacle();
    if (obstacle) yield failure("history", "state", obstacle.message, obstacle.hint);
    return;
  }
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  const [text, hint] = isFull
    ? [`the disk under ${quote(path)} is full (${code})`, "make room: a change could not be recorded"]
    : [
        `nothing can be written beside ${quote(path)} (${code})`,
        "look at the folder's owner and mode, and at the disk",
      ];
  yield failure("state folder", "state", text, hint);
}

/** Returns whether mails can be sent; without recipients nothing stands in the way. */
async function* mailServer(
  settings: Settings,
  cause: string | undefined,
  deadline: Deadline,
  host: Host,
): AsyncGenerator<Finding, boolean> {
  const { smtp, recipients, extraCa } = settings;
  const title = "mail server";
  if (recipients.length === 0) return true;
  const where = `${smtp.host}:${smtp.port}`;
  if (cause !== undefined && !isLoopbackHost(smtp.host)) {
    const command = `openssl s_client -connect ${where}${smtp.security === "starttls" ? " -starttls smtp" : ""}`;
    yield skipped(title, cause, smtp.security === "none" ? undefined : `'${command}' tries it by hand`);
    return false;
  }
  const { redactor } = host.output;
  const { signal } = deadline;
  const login = await fetchLogin(smtp, { env: host.env, signal, redactor });
  if ("ok" in login) {
    yield failure("password", "undelivered", login.reason, login.hint);
    yield skipped(title, "the password");
    return false;
  }
  const session = { server: smtp, login: login.value, extraCa, signal, timeoutMs: deadline.remainingMs() };
  const probe = await probeMail(session, redactor.redact);
  if (probe.isConnected) yield ok(title, `${where} answers`);
  if (probe.tls) {
    const { version, issuer, expiresAt } = probe.tls;
    const day = localTime(expiresAt.toISOString()).slice(0, 10);
    yield ok("encryption", `${version}, certificate by ${quote(issuer)}, valid until ${day}`);
  } else if (probe.isConnected) {
    yield ok("encryption", "none, as configured");
  }
  if (probe.isLoggedIn) yield ok("login", `${quote(smtp.user ?? "")} is accepted`);
  if (probe.failure) yield failure(title, "undelivered", probe.failure.reason, probe.failure.hint);
  return probe.failure === undefined;
}

/** Sends the very mail that a change would produce, through the true path, and writes no state. */
async function* testMail(outcomes: ReturnType<typeof sendTestMail>): AsyncGenerator<Finding> {
  for await (const [recipient, outcome] of outcomes) {
    yield outcome.ok
      ? ok("test mail", `the server took it for ${recipient}`)
      : failure("test mail", "undelivered", `${recipient}: ${outcome.reason}`, outcome.hint);
  }
}

/** A ping like that of a run that went well: a monitor has no way to be asked without one. */
async function heartbeat(settings: Settings, url: URL, { userAgent, output }: Host): Promise<Finding> {
  const title = "heartbeat";
  const tls = trustOptions(settings.extraCa);
  const body = `${settings.machineName}: asked for by 'ipcheck doctor'`;
  const { redact } = output.redactor;
  const why = await pingHeartbeat(url, { isSuccess: true, body, userAgent, tls, redact });
  if (why === undefined) return ok(title, `${url.host} has heard a ping`);
  return warning(
    title,
    `not heard: ${url.host} ${why}`,
    "copy IPCHECK_HEARTBEAT_URL from the monitor's page of this check once more; if it is right, look at the monitor and the way to it",
  );
}

async function findSchedule(host: Host) {
  const { value: found } = await findSchedules(host).next();
  if (!found) return undefined;
  const { scheduler, mailsOutput = false } = found;
  const hasMailer = findMissing(["/usr/sbin/sendmail"]).length === 0;
  const obstacle = await scheduler.findObstacle?.();
  return { ...found, name: scheduler.name, mailsOutput, hasMailer, obstacle };
}
