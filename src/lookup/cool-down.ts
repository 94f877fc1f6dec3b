import { isDue } from "../base/duration";

/** How long a service that says 429 or 503 without a time is left alone: an hourly run asks it again. */
const DEFAULT_COOL_DOWN_MS = 30 * 60_000;

/** No longer than this, whatever the service says. */
const LONGEST_COOL_DOWN_MS = 24 * 3_600_000;

/** Services are asked in spite of a cool-down once an hour at most, less the seconds by which cron is early. */
const OVERRIDE_INTERVAL_MS = 3_600_000 - 30_000;

/** When a service may be asked again, by its Retry-After field in seconds or as a date (RFC 9110, 10.2.3). */
export function coolDownUntil(retryAfter: string | string[] | undefined, now: Date): Date {
  const text = typeof retryAfter === "string" ? retryAfter.trim() : "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : new Date(text).getTime() - now.getTime();
  const lengthMs = Number.isNaN(ms) || ms <= 0 ? DEFAULT_COOL_DOWN_MS : Math.min(ms, LONGEST_COOL_DOWN_MS);
  return new Date(now.getTime() + lengthMs);
}

/** Whether a service is still left alone. A time further off than a day was not set by us: the clock jumped. */
export function isCoolingDown(until: string | undefined, now: Date): boolean {
  if (until === undefined) return false;
  const ms = new Date(until).getTime() - now.getTime();
  return ms > 0 && ms <= LONGEST_COOL_DOWN_MS;
}

/** What is remembered of cool-downs from run to run. */
export interface CoolDownState {
  /** Services that asked to be left alone: host → until (ISO 8601 UTC). */
  coolDowns: Readonly<Record<string, string>>;
  /** When one did, or was asked in vain in spite of it; in an hour's time the first that did. */
  backedOffAt?: string;
}

/** Whether services may be asked although they cool down: an hour after the first asked to be left alone, or the last such try. */
export function mayOverrideCoolDowns({ backedOffAt }: CoolDownState, now: Date): boolean {
  return isDue(backedOffAt, OVERRIDE_INTERVAL_MS, now);
}

/**
 * `state` with what looks learned about cool-downs (`newCoolDowns` of each lookup result);
 * `state` itself where that is nothing.
 */
export function updateCoolDowns<S extends CoolDownState>(
  state: S,
  changes: readonly Readonly<Record<string, string | undefined>>[],
  now: Date,
): S {
  const changed = changes.flatMap((change) => Object.entries(change));
  if (changed.length === 0) return state;
  const merged = Object.fromEntries([...Object.entries(state.coolDowns), ...changed]);
  const coolDowns = Object.fromEntries(
    Object.entries(merged).flatMap(([host, until]) => (until && isCoolingDown(until, now) ? [[host, until]] : [])),
  );
  // The hour is not put off by each further refusal: one service that refuses every quarter of an hour would make us
  // blind for as long as all others cool down.
  const beginsHour = changed.some(([, until]) => until !== undefined) && mayOverrideCoolDowns(state, now);
  return { ...state, coolDowns, ...(beginsHour && { backedOffAt: now.toISOString() }) };
}
