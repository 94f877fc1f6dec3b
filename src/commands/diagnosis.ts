import type { ErrorCode } from "../base/errors";
import { quote } from "../base/text";
import { formatDuration, localTime, plausibleElapsedMs } from "../base/time";
import { CLOCK_TOLERANCE_MS, EARLIEST_PLAUSIBLE, explain, type FailureKind, mostSpecific } from "../lookup/failures";
import { describe, explainLookup, type LookupResult, seenAddress } from "../lookup/lookup-result";
import { PLAIN_HTTP } from "../lookup/services";
import type { InterfaceAddress } from "../lookup/source-address";
import type { Obstacle } from "../schedule/plan";
import { isOverdue, type LockCondition } from "../state/lock";
import { channelName, HOOK, type LoadedState, type State } from "../state/state";
import type { FoundSchedule } from "./schedule";
import { describePending, pendingChannels, type StatusRules } from "./status";

/** One line of `doctor`: what was looked at, how it is, and what to do. */
export interface Finding {
  title: string;
  /** `skipped`: something that it depends on is in error. */
  status: "ok" | "warning" | "error" | "skipped";
  text: string;
  hint?: string | undefined;
  /** Which exit code an error stands for. */
  code?: ErrorCode | undefined;
}

export function ok(title: string, text: string, hint?: string): Finding {
  return { title, status: "ok", text, hint };
}

export function warning(title: string, text: string, hint?: string): Finding {
  return { title, status: "warning", text, hint };
}

export function failure(title: string, code: ErrorCode, text: string, hint?: string): Finding {
  return { title, status: "error", code, text, hint };
}

const CLOCK_WARNING_MS = 5 * 60_000;
/** Twice the interval and an hour: a run was missed. */
const staleAfterMs = (everyMinutes = 60) => (2 * everyMinutes + 60) * 60_000;

/** What was not looked at, because it depends on something that is in error; `hint` names a way to try it by hand. */
export function skipped(title: string, cause: string, hint?: string): Finding {
  return { title, status: "skipped", text: `it needs ${cause}`, hint };
}

/** The title of a finding that a wrong clock makes worthless. */
export const LAST_LOOK = "last good look";

/** This machine's clock against a service's Date header. */
export function diagnoseClock(now: Date, serverDate: Date | undefined): Finding {
  const title = "clock";
  const clock = localTime(now.toISOString());
  if (!serverDate) {
    return now.getTime() < EARLIEST_PLAUSIBLE
      ? failure(title, "no-address", `says ${clock}, which is long over`, CLOCK_HINT)
      : warning(title, `says ${clock}; no service answered with a time to compare it with`);
  }
  const offMs = Math.abs(now.getTime() - serverDate.getTime());
  if (offMs < CLOCK_WARNING_MS) return ok(title, `says ${clock}, as the services do`);
  const direction = now < serverDate ? "behind" : "ahead";
  const text = `says ${clock}, ${formatDuration(offMs)} ${direction} of the services`;
  return offMs < CLOCK_TOLERANCE_MS ? warning(title, text, CLOCK_HINT) : failure(title, "no-address", text, CLOCK_HINT);
}

const CLOCK_HINT = "wait for NTP (timedatectl shows it), or set the time: certificates and durations depend on it";

/**
 * What cuts the machine off from everybody, where no service could be asked in any family for one and the same
 * reason: it comes before all that depends on it.
 */
export function diagnoseNetwork(results: readonly LookupResult[]): Finding | undefined {
  const votes = results.flatMap(({ responses }) => responses.map(({ vote }) => vote));
  const failures = votes.flatMap((vote) => ("address" in vote ? [] : [vote]));
  const kind = mostSpecific(failures.filter((failure) => failure.kind !== "no-ipv6"));
  const command = NETWORK_COMMANDS[kind];
  const isCutOff = failures.length === votes.length && failures.every((one) => [kind, "no-ipv6"].includes(one.kind));
  if (command === undefined || !isCutOff) return undefined;
  const { sentence, hint } = explain(kind);
  return failure("network", "no-address", sentence, `${command}; ${hint}`);
}

const NETWORK_COMMANDS: Partial<Record<FailureKind, string>> = {
  "no-network": "'ip route' shows whether there is a way out",
  dns: "'getent hosts api.ipify.org' tries to resolve a name",
};

/** What each service said, one line each, then what it amounts to. */
export function diagnoseLookup(lookupResult: LookupResult, recorded: string | undefined): Finding[] {
  const family = `IPv${lookupResult.family}`;
  const services = lookupResult.responses.map((response): Finding => {
    const isAnswer = "address" in response.vote;
    const text = `${describe(response)} (${response.operator}, ${family}, ${response.ms} ms)`;
    return { title: "echo service", status: isAnswer ? "ok" : "warning", text };
  });
  const operators = new Set(lookupResult.responses.map(({ operator }) => operator));
  if (operators.has(PLAIN_HTTP)) {
    services.push(
      warning(
        "echo services",
        "those asked over plain http count as one operator together: whoever sits on the line can give their answers",
        "name https:// URLs in IPCHECK_SERVICES",
      ),
    );
  }
  const { decision } = lookupResult;
  const address = seenAddress(lookupResult);
  if (address !== undefined && "by" in decision) {
    const text = `${decision.by.length} of ${operators.size} say ${address} (${family})`;
    return [...services, ok("agreement", text)];
  }
  const error = explainLookup(lookupResult, recorded);
  return [...services, failure("agreement", "no-address", error.message, error.hint)];
}

/** Whether the IPv6 address that the services see is one that lasts. */
export function diagnoseSource(lookupResult: LookupResult, addresses: readonly InterfaceAddress[]): Finding[] {
  const title = "IPv6 address";
  const { askedFrom } = lookupResult;
  if (askedFrom !== undefined) {
    const text = `${askedFrom} lasts (it is no temporary one), so the services are asked from it`;
    return [ok(title, text)];
  }
  const seen = seenAddress(lookupResult);
  if (!addresses.some(({ address, isTemporary }) => address === seen && isTemporary)) return [];
  return [
    warning(
      title,
      `${seen} is a temporary one (privacy extensions) and gone within a day, and none that lasts can be asked from`,
      "give this machine one that lasts: with NetworkManager set ipv6.ip6-privacy to 0",
    ),
  ];
}

/** The state as found, and when the last good look was. */
export function diagnoseState(
  path: string,
  { state, condition, lastLookAt, stateOnDisk }: LoadedState,
  everyMinutes: number | undefined,
  now: Date,
): Finding[] {
  const title = "state";
  const file = quote(path);
  if (condition === "absent") return [ok(title, `${file} does not exist yet; the first run writes it`)];
  if (condition === "damaged") {
    return [
      failure(title, "state", `${file} cannot be read as a state`, "the next run keeps it aside and begins anew"),
    ];
  }
  const checks: Finding[] = [ok(title, `${file} has ${addressesIn(stateOnDisk ?? state)}`)];
  if (stateOnDisk) {
    checks.push(
      warning(
        title,
        `the file cannot be written; ${addressesIn(state)} is in the runtime folder, and lost when the machine restarts`,
        "'ipcheck check -v' says why",
      ),
    );
  }
  if (lastLookAt) checks.push(diagnoseLastLook(lastLookAt, state, everyMinutes, now));
  return checks;
}

function addressesIn({ families }: State): string {
  const recorded = Object.entries(families).flatMap(([family, familyState]) =>
    familyState?.recorded ? [`${familyState.recorded.address} (IPv${family})`] : [],
  );
  return recorded.join(" and ") || "no address yet";
}

function diagnoseLastLook(lastLookAt: Date, state: State, everyMinutes: number | undefined, now: Date): Finding {
  const title = LAST_LOOK;
  const ago = plausibleElapsedMs(lastLookAt, now);
  if (ago === undefined) {
    const text = "at a time that cannot be true: the clock was wrong then or is now";
    return warning(title, text, CLOCK_HINT);
  }
  const text = `${formatDuration(ago)} ago (${localTime(lastLookAt.toISOString())})`;
  if (ago <= staleAfterMs(everyMinutes)) return ok(title, text);
  const failedAt = Object.values(state.families).flatMap((family) => family?.outage?.failedAt ?? []);
  const isRunning = failedAt.some((at) => {
    const ms = plausibleElapsedMs(at, now);
    return ms !== undefined && ms <= staleAfterMs(everyMinutes);
  });
  return isRunning
    ? warning(title, `${text}: runs are made, and fail`, "'ipcheck status' says why")
    : warning(
        title,
        `${text}, and no run since`,
        "'ipcheck schedule show' shows what is installed, 'journalctl -t CRON' or 'journalctl -u ipcheck' what ran",
      );
}

/** What is owed, to whom and why; mails wait where the mail server is to blame, which has its own line. */
export function diagnoseOutbox(state: State, rules: StatusRules, isMailUsable: boolean, now: Date): Finding[] {
  const title = "outbox";
  const pending = pendingChannels(state, rules, now);
  if (pending.length === 0) return [ok(title, "nothing is owed to anybody")];
  return pending.map((owing): Finding => {
    const { channel, failures, reason, hint } = owing;
    const isMail = channel !== channelName(HOOK);
    if (isMail && !isMailUsable) return skipped(title, `the mail server: ${describePending(owing, now)}`);
    if (failures === 0 || owing.groupedUntil !== null) return ok(title, describePending(owing, now));
    const tries = failures === 1 ? "1 failed try" : `${failures} failed tries`;
    return failure(
      title,
      "undelivered",
      `${isMail ? quote(channel) : "the command"} has not been told after ${tries}: ${quote(reason ?? "unknown")}`,
      hint === null ? undefined : quote(hint),
    );
  });
}

/** Whether anybody would hear of runs that fail, or of a machine that is dead. */
export function diagnoseAlarm(
  settings: { heartbeatUrl: URL | undefined; heartbeatMailMs: number | undefined },
  schedule: { mailsOutput: boolean; hasMailer: boolean } | undefined,
): Finding {
  const title = "alarm";
  if (settings.heartbeatUrl) return ok(title, "the heartbeat's monitor notices when runs fail or stop");
  if (settings.heartbeatMailMs !== undefined) {
    const every = formatDuration(settings.heartbeatMailMs);
    return ok(title, `a mail at least every ${every}: when it is missing, something is wrong`);
  }
  const hint = "make a check at healthchecks.io or the like, and put its URL into IPCHECK_HEARTBEAT_URL";
  if (schedule?.mailsOutput && schedule.hasMailer) {
    return ok(title, "cron mails the errors of a run; nobody notices when the machine is dead", hint);
  }
  const why = schedule?.mailsOutput
    ? ": this machine has no program that could mail what cron hears"
    : schedule
      ? ": what they say goes to no mailbox"
      : "";
  return warning(title, `nobody would hear of runs that fail or stop${why}`, hint);
}

/** Whether a run holds the lock, and whether somebody else holds its name. */
export function diagnoseLock({ run, problem, cure }: LockCondition, deadlineMs: number): Finding {
  const title = "lock";
  if (problem !== undefined) {
    return warning(title, problem, cure);
  }
  if (!run) return ok(title, "free");
  const { pid, elapsedMs } = run;
  const who = pid === undefined ? "a run" : `a run with pid ${pid}`;
  const since = elapsedMs === undefined ? "" : ` for ${formatDuration(elapsedMs)}`;
  if (!isOverdue(run, deadlineMs)) return ok(title, `${who} has held it${since}`);
  const text = `${who} has held it${since}, longer than its deadline allows: no other run can work`;
  return failure(title, "locked", text, `end it with 'kill -9 ${pid}'`);
}

/** Of a schedule what is looked at here, with the name of its scheduler. */
type DiagnosedSchedule = Pick<FoundSchedule, "command" | "missing" | "isOutdated"> & {
  name: string;
  obstacle: Obstacle | undefined;
};

/** Whether the schedule that was found still leads to a node and a script. */
export function diagnoseSchedule(found: DiagnosedSchedule | undefined): Finding {
  const title = "schedule";
  if (!found) {
    return warning(title, "none is installed", "'ipcheck schedule install' does it");
  }
  if (found.missing.length > 0) {
    return failure(
      title,
      "config",
      `the ${found.name} runs ${found.missing.map((path) => quote(path)).join(" and ")}, which does not exist`,
      "node or ipcheck has moved: 'ipcheck schedule install' writes the new paths",
    );
  }
  if (found.isOutdated) {
    return failure(
      title,
      "config",
      `the ${found.name} says --env-file, which is called --config now: every run fails`,
      "'ipcheck schedule install' writes the new command",
    );
  }
  if (found.obstacle) {
    const text = `${found.obstacle.text}, so nothing is run by the ${found.name}`;
    return warning(title, text, found.obstacle.hint);
  }
  return ok(title, `${found.name} runs ${quote(found.command.join(" "))}`);
}
