import { IpcheckError } from "../base/errors";
import { type Output, type Screen, screenOf } from "../base/output";
import { quote, toJson } from "../base/text";
import { formatDuration, localTime, plausibleElapsedMs } from "../base/time";
import { loadSettings } from "../config/settings";
import { type HistoryEntry, readHistory } from "../state/history";
import { openStateFile } from "../state/state-file";
import type { GlobalOptions, Host } from "./host";

/** `ipcheck history`: reads, and touches nothing. Resolves to the exit code. */
export async function runHistory(options: HistoryOptions & GlobalOptions, host: Host): Promise<number> {
  const { output } = host;
  if (options.json && options.csv) throw new IpcheckError("usage", "--json and --csv do not go together");
  const limit = readLimit(options.limit);
  const settings = loadSettings(options.config, host, output.redactor.secrets);
  const { historyFile } = openStateFile(settings.stateFile, host);
  const { entries, damagedLines } = readHistory(historyFile, host);
  for (const line of damagedLines) await output.warn(`line ${line} of the history is damaged and was skipped`);
  await printHistory({ ...options, limit }, entries, { now: new Date(), env: host.env }, output);
  return 0;
}

/** The switches of `history`. */
interface HistoryOptions {
  json?: boolean;
  csv?: boolean;
  limit?: string;
}

/** What a person is shown without --limit: a screenful. */
const DEFAULT_LIMIT = 20;

/** Prints the changes, oldest first. */
export async function printHistory(
  options: { json?: boolean; csv?: boolean; limit?: number | undefined },
  entries: readonly HistoryEntry[],
  { now, env }: { now: Date; env: NodeJS.ProcessEnv },
  output: Output,
): Promise<void> {
  const { json, csv, limit = json || csv ? entries.length : DEFAULT_LIMIT } = options;
  const all = toRows(entries, now);
  const rows = all.slice(Math.max(0, all.length - limit));
  if (json) await output.print(formatJson(rows));
  else if (csv) await output.print(formatCsv(rows));
  else {
    if (rows.length > 0) await output.print(`${formatTable(rows, screenOf(output.stdout, env))}\n`);
    await output.printText(summarize(all));
  }
}

/** A change with how long its address lasted. */
interface HistoryRow extends HistoryEntry {
  /** When the next change of the family came; absent for the address in use. */
  until?: string;
  /** Undefined where a wrong clock wrote one of the two times. */
  ms: number | undefined;
}

export function toRows(entries: readonly HistoryEntry[], now: Date): HistoryRow[] {
  const next = new Map<number, string>();
  return entries
    .toReversed()
    .map((entry) => {
      const until = next.get(entry.family);
      next.set(entry.family, entry.at);
      return { ...entry, ...(until !== undefined && { until }), ms: plausibleElapsedMs(entry.at, until ?? now) };
    })
    .reverse();
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

/** An array, one object a line. */
function formatJson(rows: readonly HistoryRow[]): string {
  return rows.length === 0 ? "[]" : `[${rows.map((row) => toJson(toRecord(row))).join("\n,")}\n]`;
}

// RFC 4180: lines end in CRLF, the last of which print's own newline completes.
function formatCsv(rows: readonly HistoryRow[]): string {
  const lines = rows
    .map(toRecord)
    .map(({ family, address, previous, since, until, seconds, confirmedBy, unconfirmed }) => {
      const fields = [family, address, previous, since, until, seconds, confirmedBy.join(" "), unconfirmed];
      return fields.map((field) => quoteCsv(String(field ?? ""))).join(",");
    });
  return `${["family,address,previous,since,until,seconds,confirmed_by,unconfirmed", ...lines].join("\r\n")}\r`;
}

// A spreadsheet takes what begins so for a formula, and runs it; an apostrophe makes it text.
function quoteCsv(field: string): string {
  const text = quote(field, MAX_CSV_FIELD).replace(/^[=+\-@＝＋－＠]/, "'$&");
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** More than a line of the history holds. */
const MAX_CSV_FIELD = 8192;

function formatTable(rows: readonly HistoryRow[], screen: Screen): string {
  const cells = rows.map((row) => ({ row, since: localTime(row.at), held: heldFor(row), who: whoSaid(row) }));
  const widest = (texts: string[]) => Math.max(0, ...texts.map((text) => text.length));
  const sinceWidth = widest(cells.map(({ since }) => since));
  const addressWidth = widest(rows.map(({ address }) => address));
  const heldWidth = widest(cells.map(({ held }) => held));
  const longest = Math.max(1, ...rows.map(({ ms = 0 }) => ms));
  const room = screen.columns - sinceWidth - addressWidth - heldWidth - 6;
  const blocks = cells.map(({ row, since, held, who }) => {
    const address = screen.bold(row.address.padEnd(addressWidth));
    const facts = `${since.padEnd(sinceWidth)}  ${address}  ${held.padEnd(heldWidth)}`;
    const share = (row.ms ?? 0) / longest;
    // Bar and operators on the same line, on a line of their own, or everything below each other.
    if (room > 40) return `${facts}  ${barAndWho(share, who, room, screen)}`.trimEnd();
    if (room > -4) return `${facts.trimEnd()}\n  ${barAndWho(share, who, screen.columns - 2, screen)}`;
    return [since, screen.bold(row.address), held, cut(who, screen.columns - 2, screen)].join("\n  ");
  });
  return blocks.join("\n");
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

/** One sentence: how often it changes, and when. */
export function summarize(rows: readonly HistoryRow[], hourOf = (at: string) => new Date(at).getHours()): string {
  const ended = rows.filter(({ until }) => until !== undefined);
  if (ended.length === 0) return "no change so far";
  const times = ended.length === 1 ? "1 change" : `${ended.length} changes`;
  // Those that ended a time that is known.
  const timed = ended.filter(({ ms }) => ms !== undefined);
  if (timed.length < 3) return `${times} so far`;
  const heldMs = timed.reduce((sum, { ms = 0 }) => sum + ms, 0);
  const byNight = timed.map(({ until = "" }) => hourOf(until)).filter((hour) => hour >= 22 || hour < 6);
  const share = byNight.length / timed.length;
  const when = share > 0.7 ? ", mostly at night" : share < 0.3 ? ", mostly by day" : "";
  return `${times}, about every ${roughly(heldMs / timed.length)}${when}`;
}

// 'about every 31 days', not 'every 31 days 4 hours'.
function roughly(ms: number): string {
  return formatDuration(ms).split(" ").slice(0, 2).join(" ");
}
