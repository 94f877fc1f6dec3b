/** How long a service that says 429 or 503 without a time is left alone: an hourly run asks it again. */
const DEFAULT_REST_MS = 30 * 60_000;

/** No longer than this, whatever the service says. */
const LONGEST_REST_MS = 24 * 3_600_000;

/** When a service may be asked again, by its Retry-After field in seconds or as a date (RFC 9110, 10.2.3). */
export function coolDownUntil(retryAfter: string | string[] | undefined, now: Date): Date {
  const text = typeof retryAfter === "string" ? retryAfter.trim() : "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : new Date(text).getTime() - now.getTime();
  const restMs = Number.isNaN(ms) || ms <= 0 ? DEFAULT_REST_MS : Math.min(ms, LONGEST_REST_MS);
  return new Date(now.getTime() + restMs);
}

/** Whether a service is still left alone. A rest longer than a day was not set by us: the clock jumped. */
export function isCoolingDown(until: string | undefined, now: Date): boolean {
  if (until === undefined) return false;
  const ms = new Date(until).getTime() - now.getTime();
  return ms > 0 && ms <= LONGEST_REST_MS;
}
