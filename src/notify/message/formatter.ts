import { type DurationPart, formatDuration, isPlausibleTime, plausibleElapsedMs, splitDuration } from "../../base/time";
import { type Catalog, fill } from "./languages";

/** Times, durations, counts and lists as a language writes them. */
export type Formatter = ReturnType<typeof makeFormatter>;

export function makeFormatter(words: Catalog, timeZone: string | undefined) {
  const formats = formatsFor(words.locale, timeZone);
  return {
    ...formats,
    time: (at: string) => (isPlausibleTime(at) ? formats.time(at) : words.unknownTime),
    /** From one recorded time to another. */
    between(from: string, to: string): string {
      const ms = plausibleElapsedMs(from, to);
      return ms === undefined ? words.unknownDuration : formats.duration(ms);
    },
    changes(count: number): string {
      return fill(words.changes[formats.plural(count)] ?? words.changes.other, { count: formats.number(count) });
    },
    outages: (count: number) => fill(words.outages, { count: formats.number(count) }),
  };
}

type Formats = ReturnType<typeof intlFormats>;

// What decorates a mail must not cost the mail: Intl can be left out of the build.
function formatsFor(locale: string, timeZone: string | undefined): Formats {
  try {
    return intlFormats(locale, safeTimeZone(timeZone));
  } catch {
    return PLAIN;
  }
}

/**
 * A time zone that Intl takes: the candidate, else the system's, else UTC. TZ can be set to what ICU reports
 * by a name that it does not take back: empty, 'GMT+1' on Node.js 20.
 */
export function safeTimeZone(candidate?: string): string {
  try {
    const timeZone = candidate ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    new Intl.DateTimeFormat("en", { timeZone });
    return timeZone || "UTC";
  } catch {
    return "UTC";
  }
}

function intlFormats(locale: string, timeZone: string) {
  const clock = new Intl.DateTimeFormat(locale, {
    weekday: "long",
    day: "numeric",
    month: "long",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
    timeZone,
  });
  const numbers = new Intl.NumberFormat(locale);
  const plurals = new Intl.PluralRules(locale);
  const lists = new Intl.ListFormat(locale);
  const inUnit = ({ value, unit }: DurationPart) =>
    new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(value);
  return {
    time: (at: string) => clock.format(new Date(at)),
    /** A date that both times share is written once. */
    range: (from: string, to: string) => clock.formatRange(new Date(from), new Date(to)),
    duration: (ms: number) => splitDuration(ms).map(inUnit).join(" "),
    number: (value: number) => numbers.format(value),
    plural: (count: number) => plurals.select(count),
    list: (items: readonly string[]) => lists.format(items),
  };
}

const PLAIN: Formats = {
  time: inUtc,
  range: (from, to) => `${inUtc(from)} – ${inUtc(to)}`,
  duration: formatDuration,
  number: String,
  plural: (count) => (count === 1 ? "one" : "other"),
  list: (items) => items.join(", "),
};

function inUtc(at: string): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
