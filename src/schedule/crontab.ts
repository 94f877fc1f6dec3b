import { commandOf, type Schedule } from "./plan";

// The block is found again by its first and last line. When the table before it lacked a final
// newline, the first line says so, and removing the block takes our newline away with it.
const BEGIN = "# ipcheck: begin (written by 'ipcheck schedule install')";
const BEGIN_JOINED = `${BEGIN} (after a line without end)`;
const END = "# ipcheck: end";

/** The lines for `crontab`: the interval, and a run when the machine has come up. */
export function crontabLines(schedule: Schedule): string[] {
  const command = commandOf(schedule).map(quoteForShell).join(" ").replaceAll("%", "\\%");
  // The network comes up after cron does.
  return [`${cronTime(schedule)} ${command}`, `@reboot sleep 60; ${command}`];
}

/** `table` with our block in place of an earlier one, or without one when `lines` is undefined. */
export function editCrontab(table: string, lines: readonly string[] | undefined): string {
  const rest = removeBlock(table);
  if (!lines) return rest;
  const isJoined = rest !== "" && !rest.endsWith("\n");
  const block = [isJoined ? BEGIN_JOINED : BEGIN, ...lines, END].join("\n");
  return `${rest}${isJoined ? "\n" : ""}${block}\n`;
}

/** The lines of our block, or undefined where there is none. */
export function findBlock(table: string): string[] | undefined {
  const span = spanOf(table);
  return span && table.slice(span.start, span.end).trim().split("\n").slice(1, -1);
}

/** The words of a scheduled command, unquoted again: node first, then the script. */
export function readCommand(line: string): string[] {
  const command = line.replace(/^(@reboot sleep \d+;|(\S+\s+){5})/, "").replaceAll("\\%", "%");
  return [...command.matchAll(/'((?:[^']|'\\'')*)'|(\S+)/g)].map(([, quoted, bare]) =>
    quoted === undefined ? (bare ?? "") : quoted.replaceAll("'\\''", "'"),
  );
}

function removeBlock(table: string): string {
  const span = spanOf(table);
  if (!span) return table;
  const after = table.slice(span.end);
  // The newline that we added goes with the block, unless somebody has added lines behind it.
  const isJoined = after === "" && table.startsWith(BEGIN_JOINED, span.start);
  return table.slice(0, isJoined ? span.start - 1 : span.start) + after;
}

function spanOf(table: string): { start: number; end: number } | undefined {
  let start = table.startsWith(BEGIN) ? 0 : table.indexOf(`\n${BEGIN}`) + 1;
  while (table.startsWith(BEGIN, start)) {
    const next = table.indexOf(`\n${BEGIN}`, start) + 1;
    const endLine = table.indexOf(`\n${END}`, start);
    if (endLine < 0) return undefined;
    // A block whose end is gone must not reach into the next one, across somebody's lines.
    if (next > 0 && next < endLine) {
      start = next;
      continue;
    }
    const lineEnd = table.indexOf("\n", endLine + 1);
    return { start, end: lineEnd < 0 ? table.length : lineEnd + 1 };
  }
  return undefined;
}

function cronTime({ everyMinutes, offsetMinutes }: Schedule): string {
  const minute = offsetMinutes % 60;
  const hour = Math.floor(offsetMinutes / 60);
  if (everyMinutes === 1) return "* * * * *";
  if (everyMinutes < 60) return `${minute}-59/${everyMinutes} * * * *`;
  if (everyMinutes === 60) return `${minute} * * * *`;
  if (everyMinutes === 1440) return `${minute} ${hour} * * *`;
  return `${minute} ${hour}-23/${everyMinutes / 60} * * *`;
}

function quoteForShell(word: string): string {
  return /^[\w@+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
