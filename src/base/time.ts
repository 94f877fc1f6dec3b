const UNITS = [
  { unit: "day", unitMs: 86_400_000 },
  { unit: "hour", unitMs: 3_600_000 },
  { unit: "minute", unitMs: 60_000 },
  { unit: "second", unitMs: 1000 },
] as const;

/** Reads `90s`, `15m`, `3h` or `30d`; returns milliseconds, or undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  const unitMs = UNITS.find(({ unit }) => unit[0] === match?.[2])?.unitMs;
  return unitMs && Number(match?.[1]) * unitMs;
}

/** Milliseconds from `from` to `to`; never negative, because clocks run backwards (RTC-less boards, NTP). */
export function elapsedMs(from: string | Date, to: string | Date): number {
  const ms = new Date(to).getTime() - new Date(from).getTime();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

/** No address was recorded before: a time that lies there was written under a clock that had not been set yet. */
const EARLIEST = Date.UTC(2020, 0, 1);

/** Whether a recorded time can be true: it can be read, and no clock without a battery wrote it. */
export function isPlausibleTime(at: string | Date): boolean {
  return new Date(at).getTime() >= EARLIEST;
}

/**
 * How long something recorded lasted, in milliseconds; undefined where that cannot be known, because one of
 * the two times cannot be true or the clock was set back in between.
 */
export function plausibleElapsedMs(from: string | Date, to: string | Date): number | undefined {
  const ms = new Date(to).getTime() - new Date(from).getTime();
  return isPlausibleTime(from) && ms >= 0 ? ms : undefined;
}

/** Whether `intervalMs` have passed since `last`. A time in the future is a clock that jumped: due. */
export function isDue(last: string | undefined, intervalMs: number, now: Date): boolean {
  if (last === undefined || new Date(last) > now) return true;
  return elapsedMs(last, now) >= intervalMs;
}

/** The two largest units of a duration in English: `3 days 4 hours`. For mails see the language tables. */
export function formatDuration(ms: number): string {
  const parts = splitDuration(ms).map(({ value, unit }) => `${value} ${unit}${value === 1 ? "" : "s"}`);
  return parts.join(" ");
}

/** A duration in its two largest units, rounded to the smaller of them: `[{3, day}, {4, hour}]`. */
export function splitDuration(ms: number): DurationPart[] {
  const larger = UNITS.findIndex(({ unit, unitMs }) => ms >= unitMs || unit === "second");
  const { unitMs: smallerMs } = UNITS[larger + 1] ?? UNITS[3];
  let rest = Math.round(ms / smallerMs) * smallerMs;
  const parts = UNITS.map(({ unit, unitMs }) => {
    const value = Math.floor(rest / unitMs);
    rest -= value * unitMs;
    return { value, unit };
  }).filter(({ value }) => value > 0);
  return parts.length > 0 ? parts.slice(0, 2) : [{ value: 0, unit: "second" }];
}

export interface DurationPart {
  value: number;
  unit: (typeof UNITS)[number]["unit"];
}

/** Further back, and the weekday would be that of today. */
const MAX_WEEKDAY_AGE_MS = 6 * 86_400_000;
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** Local time as people say it: `14:03` of today, `Tuesday 14:03` of the last week, else as `localTime`. */
export function recentTime(at: string, now: Date): string {
  const date = new Date(at);
  const full = localTime(at);
  if (full.slice(0, 10) === localTime(now.toISOString()).slice(0, 10)) return full.slice(11);
  const isOfLastWeek = date <= now && now.getTime() - date.getTime() < MAX_WEEKDAY_AGE_MS;
  return isOfLastWeek ? `${WEEKDAYS[date.getDay()]} ${full.slice(11)}` : full;
}

/** Local time as people write it in tables: `2026-06-01 04:00`. */
export function localTime(at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "an unknown time";
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
