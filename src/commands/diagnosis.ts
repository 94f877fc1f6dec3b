import { formatDuration, plausibleElapsedMs } from "../base/duration";
import type { ErrorCode } from "../base/errors";
import { quote } from "../base/quote";
import { describe, explainLookup, isGood } from "../lookup/explanation";
import type { LookupResult } from "../lookup/lookup-result";
import { PLAIN_HTTP } from "../lookup/services";
import type { InterfaceAddress } from "../lookup/source-address";
import { isOverdue, type LockCondition } from "../state/lock";
import type { LoadedState } from "../state/state";
import { HOOK, type State } from "../state/state";

/** One line of `doctor`: what was looked at, how it is, and what to do. */
export interface Finding {
  title: string;
  status: "ok" | "warning" | "error";
  text: string;
  hint?: string | undefined;
  /** Which exit code an error stands for. */
  code?: ErrorCode | undefined;
}

const CLOCK_WARNING_MS = 5 * 60_000;
const CLOCK_ERROR_MS = 24 * 3_600_000;
/** Twice the usual interval and something on top: a look was missed. */
const STALE_AFTER_MS = 3 * 3_600_000;

/** This machine's clock against a service's Date header. */
export function diagnoseClock(now: Date, serverDate: Date | undefined): Finding {
  const title = "clock";
  const clock = `${now.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  if (!serverDate) {
    return now.getTime() < Date.UTC(2026, 0, 1)
      ? { title, status: "error", code: "no-address", text: `says ${clock}, which is long over`, hint: CLOCK_HINT }
      : { title, status: "warning", text: `says ${clock}; no service answered with a time to compare it with` };
  }
  const offMs = Math.abs(now.getTime() - serverDate.getTime());
  if (offMs < CLOCK_WARNING_MS) return { title, status: "ok", text: `says ${clock}, as the services do` };
  const direction = now < serverDate ? "behind" : "ahead";
  const text = `says ${clock}, ${formatDuration(offMs)} ${direction} of the services`;
  return offMs < CLOCK_ERROR_MS
    ? { title, status: "warning", text, hint: CLOCK_HINT }
    : { title, status: "error", code: "no-address", text, hint: CLOCK_HINT };
}

const CLOCK_HINT = "wait for NTP (timedatectl shows it), or set the time: certificates and durations depend on it";

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
    services.push({
      title: "echo services",
      status: "warning",
      text: "those asked over plain http count as one operator together: whoever sits on the line can give their answers",
      hint: "name https:// URLs in IPCHECK_SERVICES",
    });
  }
  const { decision } = lookupResult;
  const address = seenAddress(lookupResult);
  if (address !== undefined && "by" in decision) {
    const text = `${decision.by.length} of ${operators.size} say ${address} (${family})`;
    return [...services, { title: "agreement", status: "ok", text }];
  }
  const error = explainLookup(lookupResult, recorded);
  return [
    ...services,
    { title: "agreement", status: "error", code: "no-address", text: error.message, hint: error.hint },
  ];
}

/** The address that a look came to. */
export function seenAddress(lookupResult: LookupResult): string | undefined {
  const { decision } = lookupResult;
  if (!isGood(lookupResult) || !("address" in decision)) return undefined;
  return "seen" in decision ? decision.seen : decision.address;
}

/** Whether the IPv6 address that the services see is one that lasts. */
export function diagnoseSource(lookupResult: LookupResult, addresses: readonly InterfaceAddress[]): Finding[] {
  const title = "IPv6 address";
  const { askedFrom } = lookupResult;
  if (askedFrom !== undefined) {
    const text = `${askedFrom} lasts (it is no temporary one), so the services are asked from it`;
    return [{ title, status: "ok", text }];
  }
  const seen = seenAddress(lookupResult);
  if (!addresses.some(({ address, isTemporary }) => address === seen && isTemporary)) return [];
  return [
    {
      title,
      status: "warning",
      text: `${seen} is a temporary one (privacy extensions) and gone within a day, and none that lasts can be asked from`,
      hint: "give this machine one that lasts: with NetworkManager set ipv6.ip6-privacy to 0",
    },
  ];
}

/** The state as found, what is owed, and when the last good look was. */
export function diagnoseState(path: string, { state, condition, lastLookAt }: LoadedState, now: Date): Finding[] {
  const title = "state";
  const file = quote(path);
  if (condition === "absent")
    return [{ title, status: "ok", text: `${file} does not exist yet; the first run writes it` }];
  if (condition === "damaged") {
    return [
      {
        title,
        status: "error",
        code: "state",
        text: `${file} cannot be read as a state`,
        hint: "the next run keeps it aside and begins anew",
      },
    ];
  }
  const recorded = Object.entries(state.families).flatMap(([family, familyState]) =>
    familyState?.recorded ? [`${familyState.recorded.address} (IPv${family})`] : [],
  );
  const checks: Finding[] = [
    { title, status: "ok", text: `${file} has ${recorded.length > 0 ? recorded.join(" and ") : "no address yet"}` },
    ...diagnoseOutbox(state),
  ];
  if (lastLookAt) {
    const ago = plausibleElapsedMs(lastLookAt, now);
    const isStale = ago === undefined || ago > STALE_AFTER_MS;
    checks.push({
      title: "last good look",
      status: isStale ? "warning" : "ok",
      text:
        ago === undefined
          ? "at a time that cannot be true: the clock was wrong then or is now"
          : `${formatDuration(ago)} ago`,
      hint: ago === undefined ? CLOCK_HINT : isStale ? "is the schedule installed? 'ipcheck schedule show'" : undefined,
    });
  }
  return checks;
}

function diagnoseOutbox(state: State): Finding[] {
  const title = "outbox";
  if (state.outbox.length === 0) return [{ title, status: "ok", text: "nothing is owed to anybody" }];
  const failing = Object.entries(state.channels).filter(([, channel]) => channel.failures > 0);
  if (failing.length === 0) return [{ title, status: "ok", text: `${state.outbox.length} to tell with the next run` }];
  return failing.map(([name, { reason = "unknown", hint, failures }]) => ({
    title,
    status: "error",
    code: "undelivered",
    text: `${name === HOOK ? "the command" : quote(name)} has not been told after ${failures} tries: ${quote(reason)}`,
    hint: hint && quote(hint),
  }));
}

/** Whether a run holds the lock, and whether somebody else holds its name. */
export function diagnoseLock({ run, strangers }: LockCondition, deadlineMs: number): Finding {
  const title = "lock";
  if (strangers !== undefined) {
    return { title, status: "warning", text: strangers, hint: "ask whoever runs that process to end it" };
  }
  if (!run) return { title, status: "ok", text: "free" };
  const { pid, elapsedMs } = run;
  const who = pid === undefined ? "a run" : `a run with pid ${pid}`;
  const since = elapsedMs === undefined ? "" : ` for ${formatDuration(elapsedMs)}`;
  if (!isOverdue(run, deadlineMs)) return { title, status: "ok", text: `${who} has held it${since}` };
  const text = `${who} has held it${since}, longer than its deadline allows: no other run can work`;
  return { title, status: "error", code: "locked", text, hint: `end it with 'kill -9 ${pid}'` };
}

interface FoundSchedule {
  name: string;
  command: string[];
  missing: string[];
  /** Has an option of version 1.0.0 that is an error now. */
  isOutdated: boolean;
}

/** Whether the schedule that was found still leads to a node and a script. */
export function diagnoseSchedule(found: FoundSchedule | undefined): Finding {
  const title = "schedule";
  if (!found) {
    return { title, status: "warning", text: "none is installed", hint: "'ipcheck schedule install' does it" };
  }
  if (found.missing.length > 0) {
    return {
      title,
      status: "error",
      code: "config",
      text: `the ${found.name} runs ${found.missing.map((path) => quote(path)).join(" and ")}, which does not exist`,
      hint: "node or ipcheck has moved: 'ipcheck schedule install' writes the new paths",
    };
  }
  if (found.isOutdated) {
    return {
      title,
      status: "error",
      code: "config",
      text: `the ${found.name} says --env-file, which is called --config now: every run fails`,
      hint: "'ipcheck schedule install' writes the new command",
    };
  }
  return { title, status: "ok", text: `${found.name} runs ${quote(found.command.join(" "))}` };
}
