import { formatDuration } from "../base/duration";
import { IpcheckError } from "../base/errors";
import { localTime } from "../base/local-time";
import type { Output } from "../base/output";
import { quote, toJson } from "../base/quote";
import { type Screen, screenOf } from "../base/screen";
import { loadSettings } from "../config/settings";
import type { HistoryLine } from "../state/history";
import { readHistory } from "../state/history-file";
import { type HistoryRow, HistorySummary } from "../state/history-summary";
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
  lines: Iterable<HistoryLine> | AsyncIterable<HistoryLine>,
  context: { now: Date; env: NodeJS.ProcessEnv },
  output: Output,
): Promise<number> {
  if (options.json && options.csv) throw new IpcheckError("usage", "--json and --csv do not go together");
  const writer = options.json ? jsonWriter(output) : options.csv ? csvWriter(output) : undefined;
  const limit = readLimit(options.limit);
  // Without a limit a program gets each row as soon as its end is known: no history is too long.
  const isStreamed = writer !== undefined && limit === undefined;
  const summary = new HistorySummary(isStreamed ? 0 : (limit ?? DEFAULT_LIMIT), (at) => new Date(at).getHours());
  await writer?.begin();
  for await (const line of lines) {
    if ("damagedLine" in line) {
      await output.warn(`line ${line.damagedLine} of the history is damaged and was skipped`);
      continue;
    }
    const ended = summary.add(line);
    if (isStreamed && ended) await writer.row(ended);
  }
  if (writer) {
    for (const row of isStreamed ? summary.openRows(context.now) : summary.rows(context.now)) await writer.row(row);
    await writer.end();
  } else {
    await printTable(summary.rows(context.now), summary.inWords(), screenOf(output.stdout, context.env), output);
  }
  return 0;
}

function readLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/.test(text)) throw new IpcheckError("usage", "--limit: expected a number of changes");
  return Number(text);
}

/** Prints rows as they come. */
interface RowWriter {
  begin(): Promise<void>;
  row(row: HistoryRow): Promise<void>;
  end(): Promise<void>;
}

function jsonWriter(output: Output): RowWriter {
  let separator = "[";
  const print = async (row: HistoryRow) => {
    const { id, kind, family, address, old, at, until, ms, confirmedBy, unconfirmed } = row;
    const entry = {
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
    await output.print(`${separator}${toJson(entry)}`);
    separator = ",";
  };
  return {
    begin: async () => undefined,
    row: print,
    end: () => output.print(separator === "[" ? "[]" : "]"),
  };
}

// RFC 4180: lines end in CRLF, which print's own newline completes.
function csvWriter(output: Output): RowWriter {
  const columns = ["family", "address", "previous", "since", "until", "seconds", "confirmed_by", "unconfirmed"];
  return {
    begin: () => output.print(`${columns.join(",")}\r`),
    row: ({ family, address, old = "", at, until = "", ms, confirmedBy, unconfirmed }) => {
      const seconds = ms === undefined ? "" : String(Math.round(ms / 1000));
      const confirmed = confirmedBy.join(" ");
      const fields = [`ipv${family}`, address, old, at, until, seconds, confirmed, String(unconfirmed ?? false)];
      return output.print(`${fields.map(quoteCsv).join(",")}\r`);
    },
    end: async () => undefined,
  };
}

// A spreadsheet takes what begins so for a formula, and runs it; an apostrophe makes it text.
function quoteCsv(field: string): string {
  const text = quote(field, MAX_CSV_FIELD).replace(/^[=+\-@＝＋－＠]/, "'$&");
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** More than a line of the history holds. */
const MAX_CSV_FIELD = 8192;

async function printTable(rows: readonly HistoryRow[], words: string, screen: Screen, output: Output): Promise<void> {
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
  await output.print(words);
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
