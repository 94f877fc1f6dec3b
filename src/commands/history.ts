import { IpcheckError } from "../base/errors";
import { type Output, type Screen, screenOf } from "../base/output";
import { quote, toJson } from "../base/text";
import { formatDuration, localTime, plausibleElapsedMs } from "../base/time";
import { loadSettings } from "../config/settings";
import { type HistoryEntry, type HistoryLine, readHistory } from "../state/history";
import { openStateFile } from "../state/state-file";
import type { GlobalOptions, Host } from "./host";

/** `ipcheck history`: reads, and touches nothing. Resolves to the exit code. */
export async function composeHistory(options: HistoryOptions & GlobalOptions, host: Host): Promise<number> {
  const settings = loadSettings(options.config, host, host.output.redactor.secrets);
  const { historyFile } = openStateFile(settings.stateFile, host);
  return runHistory(options, readHistory(historyFile, host), { now: new Date(), env: host.env }, host.output);
}

/** The switches of `history`. */
export interface HistoryOptions {
  json?: boolean;
  csv?: boolean;
  limit?: string;
}

/** What a person is shown without --limit: a screenful. */
const DEFAULT_LIMIT = 20;

/** Prints the changes, oldest first; resolves to the exit code. */
export async function runHistory(
  options: HistoryOptions,
  lines: Iterable<HistoryLine>,
  context: { now: Date; env: NodeJS.ProcessEnv },
  output: Output,
): Promise<number> {
  if (options.json && options.csv) throw new IpcheckError("usage", "--json and --csv do not go together");
  const limit = readLimit(options.limit);
  // Without a limit a program gets each row as soon as its end is known: no history is too long.
  const isStreamed = limit === undefined && Boolean(options.json || options.csv);
  const summary = new HistorySummary(isStreamed ? 0 : (limit ?? DEFAULT_LIMIT), (at) => new Date(at).getHours());
  async function* readRows(): AsyncGenerator<HistoryRow> {
    for (const line of lines) {
      if ("damagedLine" in line) {
        await output.warn(`line ${line.damagedLine} of the history is damaged and was skipped`);
        continue;
      }
      const ended = summary.add(line);
      if (isStreamed && ended) yield ended;
    }
    yield* isStreamed ? summary.openRows(context.now) : summary.rows(context.now);
  }
  if (options.json) await printJson(readRows(), output);
  else if (options.csv) await printCsv(readRows(), output);
  else {
    await printTable(readRows(), screenOf(output.stdout, context.env), output);
    await output.printText(summary.inWords());
  }
  return 0;
}

function readLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/.test(text)) throw new IpcheckError("usage", "--limit: expected a number of changes");
  return Number(text);
}

/** A row as programs get it. */
function toRecord({ id, kind, family, address, old, at, until, ms, confirmedBy, unconfirmed }: HistoryRow) {
  return {
    id,
    kind,
    family: `ipv${family}`,
    address,
    previous: old ?? null,
    since: at,
    until: until ?? null,
    seconds: ms === undefined ? null : Math.round(ms / 1000),
    confirmedBy,
    unconfirmed: unconfirmed ?? false,
  };
}

async function printJson(rows: AsyncIterable<HistoryRow>, output: Output): Promise<void> {
  let separator = "[";
  for await (const row of rows) {
    await output.print(`${separator}${toJson(toRecord(row))}`);
    separator = ",";
  }
  await output.print(separator === "[" ? "[]" : "]");
}

// RFC 4180: lines end in CRLF, which print's own newline completes.
async function printCsv(rows: AsyncIterable<HistoryRow>, output: Output): Promise<void> {
  await output.print("family,address,previous,since,until,seconds,confirmed_by,unconfirmed\r");
  for await (const row of rows) {
    const { family, address, previous, since, until, seconds, confirmedBy, unconfirmed } = toRecord(row);
    const fields = [family, address, previous, since, until, seconds, confirmedBy.join(" "), unconfirmed];
    await output.print(`${fields.map((field) => quoteCsv(String(field ?? ""))).join(",")}\r`);
  }
}

// A spreadsheet takes what begins so for a formula, and runs it; an apostrophe makes it text.
function quoteCsv(field: string): string {
  const text = quote(field, MAX_CSV_FIELD).replace(/^[=+\-@＝＋－＠]/, "'$&");
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** More than a line of the history holds. */
const MAX_CSV_FIELD = 8192;

async function printTable(given: AsyncIterable<HistoryRow>, screen: Screen, output: Output): Promise<void> {
  const rows: HistoryRow[] = [];
  for await (const row of given) rows.push(row);
  const cells = rows.map((row) => ({ row, since: localTime(row.at), held: heldFor(row), who: whoSaid(row) }));
  const widest = (texts: string[]) => Math.max(0, ...texts.map((text) => text.length));
  const sinceWidth = widest(cells.map(({ since }) => since));
  const addressWidth = widest(rows.map(({ address }) => address));
  const heldWidth = widest(cells.map(({ held }) => held));
  const longest = Math.max(1, ...rows.map(({ ms = 0 }) => ms));
  const room = screen.columns - sinceWidth - addressWidth - heldWidth - 6;
  for (const { row, since, held, who } of cells) {
    const address = screen.bold(row.address.padEnd(addressWidth));
    const facts = `${since.padEnd(sinceWidth)}  ${address}  ${held.padEnd(heldWidth)}`;
    const share = (row.ms ?? 0) / longest;
    // Bar and operators on the same line, on a line of their own, or everything below each other.
    if (room > 40) await output.print(`${facts}  ${barAndWho(share, who, room, screen)}`.trimEnd());
    else if (room > -4)
      await output.print(`${facts.trimEnd()}\n  ${barAndWho(share, who, screen.columns - 2, screen)}`);
    else
      await output.print(
        `${since}\n  ${screen.bold(row.address)}\n  ${held}\n  ${cut(who, screen.columns - 2, screen)}`,
      );
  }
  if (rows.length > 0) await output.print("");
}

/** A bar as long as the address lasted, then who said so, in `room` columns. */
function barAndWho(share: number, who: string, room: number, screen: Screen): string {
  const barRoom = Math.min(40, Math.floor(room / 2));
  const length = share === 0 ? 0 : Math.max(1, Math.round(share * barRoom));
  const bar = screen.accent((screen.isUnicode ? "█" : "#").repeat(length));
  return `${bar}${" ".repeat(barRoom - length)}  ${cut(who, room - barRoom - 2, screen)}`.trimEnd();
}

function cut(text: string, room: number, { isUnicode }: Screen): string {
  return text.length > room ? `${text.slice(0, Math.max(0, room - 1))}${isUnicode ? "…" : "~"}` : text;
}

// Operators come from a file that others may have edited.
function whoSaid({ confirmedBy, unconfirmed }: HistoryRow): string {
  const names = quote(confirmedBy.join(", "));
  return unconfirmed ? `unconfirmed, said by ${names}` : names;
}

function heldFor({ ms, until }: HistoryRow): string {
  const held = ms === undefined ? "unknown" : formatDuration(ms);
  return until === undefined ? `${held} (now)` : held;
}

/** A change with how long its address lasted. */
interface HistoryRow extends HistoryEntry {
  /** When the next change of the family came; absent for the address in use. */
  until?: string;
  /** Undefined where a wrong clock wrote one of the two times. */
  ms: number | undefined;
}

/** Gathers a history of any length: the last rows and the numbers for the words below them. */
export class HistorySummary {
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
