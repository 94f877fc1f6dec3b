import { formatDuration } from "../core/duration";
import { IpcheckError } from "../core/errors";
import type { HistoryLine } from "../core/history";
import { type HistoryRow, HistorySummary } from "../core/history-summary";
import { localTime } from "./local-time";
import type { Output } from "./output";
import { type Screen, screenOf } from "./screen";

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
  lines: AsyncIterable<HistoryLine>,
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
      seconds: Math.round(ms / 1000),
      confirmedBy,
      unconfirmed: unconfirmed ?? false,
    };
    await output.print(`${separator}${JSON.stringify(entry)}`);
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
      const seconds = String(Math.round(ms / 1000));
      const confirmed = confirmedBy.join(" ");
      const fields = [`ipv${family}`, address, old, at, until, seconds, confirmed, String(unconfirmed ?? false)];
      return output.print(`${fields.map(quoteCsv).join(",")}\r`);
    },
    end: async () => undefined,
  };
}

function quoteCsv(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

async function printTable(rows: readonly HistoryRow[], words: string, screen: Screen, output: Output): Promise<void> {
  if (rows.length > 0) {
    const cells = rows.map((row) => ({ row, since: localTime(row.at), held: heldFor(row) }));
    const width = (key: "since" | "held") => Math.max(...cells.map((cell) => cell[key].length));
    const addressWidth = Math.max(...rows.map(({ address }) => address.length));
    const isNarrow = screen.columns < width("since") + addressWidth + width("held") + 4;
    const longest = Math.max(1, ...rows.map(({ ms }) => ms));
    for (const { row, since, held } of cells) {
      const doubt = row.unconfirmed ? "unconfirmed" : row.confirmedBy.join(", ");
      if (isNarrow) {
        await output.print(`${since}\n  ${screen.bold(row.address)}\n  ${held}`);
        continue;
      }
      const fixed = `${since.padEnd(width("since"))}  ${screen.bold(row.address.padEnd(addressWidth))}  ${held.padEnd(width("held"))}`;
      const room = screen.columns - width("since") - addressWidth - width("held") - 6;
      await output.print(`${fixed}  ${lastColumn(row.ms / longest, doubt, room, screen)}`.trimEnd());
    }
    await output.print("");
  }
  await output.print(words);
}

/** A bar as long as the address lasted, and who confirmed it where there is room for both. */
function lastColumn(share: number, confirmation: string, room: number, screen: Screen): string {
  if (room < 4) return "";
  const hasBoth = room > 40;
  const barRoom = hasBoth ? Math.min(40, Math.floor(room / 2)) : room;
  const length = Math.max(1, Math.round(share * barRoom));
  const bar = screen.accent((screen.isUnicode ? "█" : "#").repeat(length));
  if (!hasBoth) return bar;
  const rest = room - barRoom - 2;
  const text =
    confirmation.length > rest
      ? `${confirmation.slice(0, Math.max(0, rest - 1))}${screen.isUnicode ? "…" : "~"}`
      : confirmation;
  return `${bar}${" ".repeat(barRoom - length)}  ${text}`;
}

function heldFor({ ms, until }: HistoryRow): string {
  return until === undefined ? `${formatDuration(ms)} (now)` : formatDuration(ms);
}
