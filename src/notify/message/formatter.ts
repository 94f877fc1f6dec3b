import { formatDuration, isPlausibleTime, plausibleElapsedMs, splitDuration } from "../../base/time";
import type { Catalog } from "./languages";

/**
 * A time zone that Intl takes: the candidate, else the system's, else UTC. TZ can be set to what ICU reports
 * by a name that it does not take back: empty, 'GMT+1' on Node.js 20.
 */
export function safeTimeZone(candidate?: string): string {
  return attempt(
    () => checked(candidate ?? Intl.DateTimeFormat().resolvedOptions().timeZone),
    () => "UTC",
  );
}

function checked(timeZone: string): string {
  new Intl.DateTimeFormat("en", { timeZone });
  return timeZone || "UTC";
}

/** Times, durations, counts and lists as a language writes them; plainer where Intl cannot. */
export class Formatter {
  private readonly timeZone: string;

  constructor(
    private readonly words: Catalog,
    timeZone: string | undefined,
  ) {
    this.timeZone = safeTimeZone(timeZone);
  }

  time(at: string): string {
    if (!isPlausibleTime(at)) return this.words.unknownTime;
    return attempt(
      () => this.clock().format(new Date(at)),
      () => inUtc(at),
    );
  }

  /** Two recorded times, what they have in common said once. */
  range(from: string, to: string): string {
    return attempt(
      () => this.clock().formatRange(new Date(from), new Date(to)),
      () => `${inUtc(from)} – ${inUtc(to)}`,
    );
  }

  /** From one recorded time to another. */
  between(from: string, to: string): string {
    const ms = plausibleElapsedMs(from, to);
    return ms === undefined ? this.words.unknownDuration : this.duration(ms);
  }

  duration(ms: number): string {
    return attempt(
      () =>
        splitDuration(ms)
          .map(({ value, unit }) =>
            new Intl.NumberFormat(this.words.locale, { style: "unit", unit, unitDisplay: "long" }).format(value),
          )
          .join(" "),
      () => formatDuration(ms),
    );
  }

  changes(count: number): string {
    const { locale, changes: forms } = this.words;
    const rule = attempt(
      () => new Intl.PluralRules(locale).select(count),
      () => (count === 1 ? "one" : "other"),
    );
    const form = forms[rule] ?? forms.other ?? String;
    return form(this.number(count));
  }

  outages(count: number): string {
    return this.words.outages(this.number(count));
  }

  list(items: readonly string[]): string {
    return attempt(
      () => new Intl.ListFormat(this.words.locale).format(items),
      () => items.join(", "),
    );
  }

  private clock(): Intl.DateTimeFormat {
    return new Intl.DateTimeFormat(this.words.locale, {
      weekday: "long",
      day: "numeric",
      month: "long",
      year: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      timeZoneName: "short",
      timeZone: this.timeZone,
    });
  }

  private number(value: number): string {
    return attempt(
      () => new Intl.NumberFormat(this.words.locale).format(value),
      () => String(value),
    );
  }
}

function inUtc(at: string): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

// What decorates a mail must not cost the mail: Intl can lack a zone, a locale, or be left out of the build.
function attempt<T>(nice: () => T, plain: () => T): T {
  try {
    return nice();
  } catch {
    return plain();
  }
}
