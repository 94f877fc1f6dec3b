import { formatDuration, plausibleElapsedMs } from "../base/duration";
import type { HistoryEntry } from "./history";

/** A change with how long its address lasted. */
export interface HistoryRow extends HistoryEntry {
  /** When the next change of the family came; absent for the address in use. */
  until?: string;
  /** Undefined where a wrong clock wrote one of the two times. */
  ms: number | undefined;
}

/** Gathers a history of any length: the last rows and the numbers for the words below them. */
export class HistorySummary {
  readonly damagedLines: number[] = [];
  private readonly kept: HistoryRow[] = [];
  private readonly open = new Map<number, HistoryRow>();
  private changes = 0;
  /** How many of them ended a time that is known, and those times together. */
  private timed = 0;
  private heldMs = 0;
  private byNight = 0;

  /** `limit`: how many rows are kept; all are counted. */
  constructor(
    private readonly limit: number,
    private readonly hourOf: (at: string) => number,
  ) {}

  /** Counts one entry in; returns the row that it ends, which is complete now. */
  add(entry: HistoryEntry): HistoryRow | undefined {
    const row: HistoryRow = { ...entry, ms: 0 };
    const before = this.open.get(entry.family);
    if (before) {
      before.until = entry.at;
      before.ms = plausibleElapsedMs(before.at, entry.at);
      this.changes++;
      if (before.ms !== undefined) {
        this.timed++;
        this.heldMs += before.ms;
        const hour = this.hourOf(entry.at);
        if (hour >= 22 || hour < 6) this.byNight++;
      }
    }
    this.open.set(entry.family, row);
    this.kept.push(row);
    // Twice the limit before cutting: shifting one by one would be slow for 200,000 lines.
    if (this.kept.length > this.limit * 2) this.kept.splice(0, this.kept.length - this.limit);
    return before;
  }

  /** The addresses in use, which last until `now`. */
  openRows(now: Date): HistoryRow[] {
    const rows = [...this.open.values()];
    for (const row of rows) row.ms = plausibleElapsedMs(row.at, now);
    return rows;
  }

  /** The last rows, oldest first. */
  rows(now: Date): HistoryRow[] {
    this.openRows(now);
    return this.limit === 0 ? [] : this.kept.slice(-this.limit);
  }

  /** One sentence: how often it changes, and when. */
  inWords(): string {
    if (this.changes === 0) return "no change so far";
    const times = this.changes === 1 ? "1 change" : `${this.changes} changes`;
    if (this.timed < 3) return `${times} so far`;
    const share = this.byNight / this.timed;
    const when = share > 0.7 ? ", mostly at night" : share < 0.3 ? ", mostly by day" : "";
    return `${times}, about every ${roughly(this.heldMs / this.timed)}${when}`;
  }
}

// 'about every 31 days', not 'every 31 days 4 hours'.
function roughly(ms: number): string {
  return formatDuration(ms).split(" ").slice(0, 2).join(" ");
}
