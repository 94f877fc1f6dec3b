const WEEK_MS = 7 * 24 * 3_600_000;
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** Local time as people say it: `14:03` of today, `Tuesday 14:03` of the last week, else as `localTime`. */
export function recentTime(at: string, now: Date): string {
  const date = new Date(at);
  const full = localTime(at);
  if (full.slice(0, 10) === localTime(now.toISOString()).slice(0, 10)) return full.slice(11);
  const isOfLastWeek = date <= now && now.getTime() - date.getTime() < WEEK_MS - 24 * 3_600_000;
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
