import { readdir, readFile } from "node:fs/promises";
import { CommandError, run } from "../base/command";
import { IpcheckError } from "../base/errors";
import { quote } from "../base/text";
import { commandOf, type Installed, intervalOf, isScript, readCheck, type Schedule, type Scheduler } from "./plan";

/** The user's crontab, edited between two marks; every other byte stays. */
export const cron: Scheduler = {
  name: "crontab",
  describe: (schedule) => crontabLines(schedule).join("\n"),
  async install(schedule) {
    const lines = crontabLines(schedule).map((line) => Buffer.from(line).toString("latin1"));
    const table = await readCrontab();
    const own = findOwnLines(table);
    const mixed = own.find(({ kind }) => kind === "mixed");
    if (mixed) {
      throw new IpcheckError(
        "usage",
        `the crontab runs ipcheck in a line that does more than that: ${toText(mixed.line)}`,
        {
          hint: "take ipcheck out of that line with 'crontab -e', then try again",
        },
      );
    }
    await writeCrontab(editCrontab(table, lines), table);
    return own.map(({ line }) => toText(line));
  },
  async remove() {
    const table = await readCrontab();
    await writeCrontab(editCrontab(table, undefined), table);
  },
  find: async () => findInstalled(await readCrontab().catch(() => "")),
  async findStandstill() {
    if (await isAnyRunning(["cron", "crond", "cronie", "fcron"])) return undefined;
    return { text: "no cron daemon is running", hint: "'sudo systemctl enable --now cron' starts it" };
  },
};

/** True where this user may have a crontab. */
export async function isCronUsable(): Promise<boolean> {
  return readCrontab().then(
    () => true,
    () => false,
  );
}

async function readCrontab(): Promise<string> {
  try {
    return await run("crontab", ["-l"]);
  } catch (error) {
    // Every cron says so when a user has no table yet, each with an exit code of its own.
    if (error instanceof CommandError && /no crontab/i.test(error.stderr)) return "";
    throw error;
  }
}

async function writeCrontab(table: string, before: string): Promise<void> {
  try {
    await replaceCrontab(table);
    if (table !== "" && (await readCrontab()).trimEnd() !== table.trimEnd())
      throw new Error("the crontab does not read back as it was written");
  } catch (error) {
    // A crontab that failed half-way.
    if ((await readCrontab().catch(() => before)) !== before) await replaceCrontab(before).catch(() => undefined);
    throw error;
  }
}

async function replaceCrontab(table: string): Promise<void> {
  if (table === "") {
    await run("crontab", ["-r"]);
    return;
  }
  try {
    await run("crontab", ["-"], table);
  } catch (error) {
    // Some crons refuse a table whose last line has no end, even one that they hold already.
    if (table.endsWith("\n")) throw error;
    await run("crontab", ["-"], `${table}\n`);
  }
}

/** Our block and somebody's own lines, as they stand in the table. */
export function findInstalled(table: string): Installed | undefined {
  const block = findBlock(table);
  const own = findOwnLines(table);
  const lines = [...(block ?? []), ...own.map(({ line }) => line)];
  if (!block && own.length === 0) return undefined;
  const command = own[0]?.command ?? [];
  const words = (block ? readCommand(block[0] ?? "") : command).map((word) => Buffer.from(word, "latin1").toString());
  return {
    text: lines.map((line) => Buffer.from(line, "latin1").toString()).join("\n"),
    command: words,
    configFile: readCheck(words)?.configFile,
    everyMinutes: lines.map(readInterval).find((minutes) => minutes !== undefined),
    mailsOutput: !/^\s*MAILTO\s*=\s*(""|'')?\s*$/m.test(table),
    ...(!block && { isForeign: true }),
  };
}

function readInterval(line: string): number | undefined {
  const nicknames: Record<string, number> = { "@hourly": 60, "@daily": 1440, "@midnight": 1440 };
  const [minute = "", hour = ""] = line.trim().split(/\s+/);
  return /^[\d*]/.test(minute) ? intervalOf(minute, hour) : nicknames[minute];
}

function toText(line: string): string {
  return quote(Buffer.from(line, "latin1").toString());
}

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

/**
 * `table` with our block in place of an earlier one and of somebody's lines that do the same, or, when `lines` is
 * undefined, without the block. Every other byte stays.
 */
export function editCrontab(table: string, lines: readonly string[] | undefined): string {
  const withoutBlock = removeBlock(table);
  if (!lines) return withoutBlock;
  const rest = splitLines(withoutBlock)
    .filter((line) => classifyLine(line)?.kind !== "plain")
    .join("");
  const isJoined = rest !== "" && !rest.endsWith("\n");
  const block = [isJoined ? BEGIN_JOINED : BEGIN, ...lines, END].join("\n");
  return `${rest}${isJoined ? "\n" : ""}${block}\n`;
}

/** The lines of our block, or undefined where there is none. */
export function findBlock(table: string): string[] | undefined {
  const span = spanOf(table);
  return span && table.slice(span.start, span.end).trim().split("\n").slice(1, -1);
}

/** Somebody's own line that runs our check: alone, or together with something else. */
export interface OwnLine {
  line: string;
  kind: "plain" | "mixed";
  command: string[];
}

/** The lines outside of our block that run our check. */
export function findOwnLines(table: string): OwnLine[] {
  return splitLines(removeBlock(table)).flatMap((line) => classifyLine(line) ?? []);
}

/** The words of a scheduled command, unquoted again: node first, then the script. */
export function readCommand(line: string): string[] {
  return (splitCommands(commandOfLine(line).command).at(-1)?.words ?? []).map(({ text }) => text);
}

function splitLines(table: string): string[] {
  return table.match(/[^\n]*\n|[^\n]+/g) ?? [];
}

/** What cron hands to the shell, and whether it hands over input as well: what follows an unescaped percent sign. */
function commandOfLine(line: string): { command: string; hasInput: boolean } {
  const all = line.replace(/^\s*(@\w+\s+|(\S+\s+){5})/, "");
  const [, command = all] = /^(.*?)(?<!\\)%/.exec(all) ?? [];
  return { command: command.replaceAll("\\%", "%"), hasInput: command !== all };
}

/** A word of the shell, unquoted; it may be what it says only after the shell has expanded it. */
interface Word {
  text: string;
  isExpanded: boolean;
}

/** A single command of a shell line, without its redirections, and the operator that ends it. */
interface Command {
  words: Word[];
  operator: string;
}

const TOKEN = /([;&|<>()]+)|((?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s;&|<>()'"\\])+)|\S/g;

function splitCommands(text: string): Command[] {
  const commands: Command[] = [{ words: [], operator: "" }];
  let isTarget = false;
  for (const [token, operator, word] of text.matchAll(TOKEN)) {
    // A comment, to the end of the line.
    if (token.startsWith("#")) break;
    const words = commands.at(-1)?.words ?? [];
    if (operator !== undefined && /[<>]/.test(operator)) {
      // The number of a stream is no word.
      if (/^\d$/.test(words.at(-1)?.text ?? "")) words.pop();
      isTarget = true;
    } else if (operator !== undefined) {
      Object.assign(commands.at(-1) ?? {}, { operator });
      commands.push({ words: [], operator: "" });
    } else if (isTarget) {
      isTarget = false;
    } else {
      words.push(word === undefined ? { text: token, isExpanded: true } : readWord(word));
    }
  }
  return commands;
}

function readWord(word: string): Word {
  const text = word.replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g, (_, single, double, escaped) => {
    return single ?? double?.replace(/\\([$`"\\])/g, "$1") ?? escaped;
  });
  return {
    text,
    isExpanded:
      /[$`]/.test(word.replace(/'[^']*'|\\./g, "")) || /[~*?#[]/.test(word.replace(/'[^']*'|"[^"]*"|\\./g, "")),
  };
}

/** Somebody's line that runs our check; undefined for any other. */
function classifyLine(raw: string): OwnLine | undefined {
  const line = raw.trim();
  if (!/^(@\w+|([\d*][^\s=]*\s+){2}\S+\s+\S+\s+\S+)\s+\S/.test(line)) return undefined;
  const { command, hasInput } = commandOfLine(line);
  const all = splitCommands(command);
  const own = all.filter(({ words, operator }) => !(isPreparation(words) && /^(;|&&)$/.test(operator)));
  const [only] = own;
  const words = only?.words.map(({ text }) => text) ?? [];
  const check = readCheck(words);
  const isWhole = own.length === 1 && only?.operator === "" && !hasInput;
  if (isWhole && check && !only?.words.some(({ isExpanded }) => isExpanded) && isAbsolute(check.configFile))
    return { line, kind: "plain", command: words };
  // A word with spaces may be a command for another shell: sh -c 'ipcheck check'.
  const inner = all.flatMap(({ words }) => words.flatMap(({ text }) => (/\s/.test(text) ? splitCommands(text) : [])));
  const part = [...all, ...inner]
    .map(({ words }) => fromScript(words.map(({ text }) => text)))
    .find((part) => readCheck(part));
  return part && { line, kind: "mixed", command: part };
}

function isPreparation(words: readonly Word[]): boolean {
  return words.length === 2 && /^(sleep|cd)$/.test(words[0]?.text ?? "");
}

/** The words from our script on, and node before it: behind a variable, or a program that runs another. */
function fromScript(all: string[]): string[] {
  const words = all.slice(all.findIndex((word) => !/^\w+=/.test(word)));
  const isNode = (word: string | undefined) => /(^|\/)node(js)?$/.test(word ?? "");
  const at = words.findIndex((word, index) => {
    const isCommand = index === 0 || isNode(words[index - 1]) || words[index + 1] === "check";
    return isCommand && isScript(word, words[index + 1]);
  });
  return at < 0 ? [] : words.slice(isNode(words[at - 1]) ? at - 1 : at);
}

function isAbsolute(path: string | undefined): boolean {
  return path === undefined || path.startsWith("/");
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

/** Whether a process with one of these names runs; true where that cannot be seen. */
export async function isAnyRunning(names: readonly string[]): Promise<boolean> {
  try {
    // Hidden where /proc shows each user only his own processes.
    await readFile("/proc/1/comm");
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const running = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")));
    return running.some((name) => names.includes(name.trim()));
  } catch {
    return true;
  }
}
