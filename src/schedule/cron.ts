import { readdir, readFile } from "node:fs/promises";
import { CommandError, run } from "../base/command";
import { IpcheckError } from "../base/errors";
import { quote } from "../base/text";
import { commandOf, type Installed, intervalOf, isNode, readCheck, type Schedule, type Scheduler } from "./plan";

/** The user's crontab, edited between two marks; every other byte stays. */
export const cron: Scheduler = {
  name: "crontab",
  describe: (schedule) => crontabLines(schedule).join("\n"),
  async install(schedule) {
    const table = await readCrontab();
    const own = findOwnLines(table);
    const mixed = own.find(({ isPlain }) => !isPlain);
    if (mixed) {
      const what = "the crontab runs ipcheck in a line that does more than that";
      throw new IpcheckError("usage", `${what}: ${quote(mixed.line)}`, {
        hint: "take ipcheck out of that line with 'crontab -e', then try again",
      });
    }
    const lines = crontabLines(schedule).map((line) => Buffer.from(line).toString("latin1"));
    await writeCrontab(editCrontab(table, lines), table);
    return own.map(({ line }) => quote(line));
  },
  async remove() {
    const table = await readCrontab();
    await writeCrontab(editCrontab(table, undefined), table);
  },
  find: async () => findInstalled(await readCrontab().catch(() => "")),
  async findObstacle() {
    if (await isAnyRunning(["cron", "crond", "cronie", "fcron"])) return undefined;
    return { text: "no cron daemon is running", hint: "'sudo systemctl enable --now cron' starts it" };
  },
};

/** True where this user may have a crontab. */
export function isCronUsable(): Promise<boolean> {
  return readCrontab().then(
    () => true,
    () => false,
  );
}

/** One character a byte, so that every byte of it survives being edited. */
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
  const { block } = takeOutBlock(table);
  const own = findOwnLines(table);
  if (!block && own.length === 0) return undefined;
  const lines = [...(block ?? []).map(toText), ...own.map(({ line }) => line)];
  const runs = lines.flatMap((line) => classifyLine(line) ?? []);
  const command = runs[0]?.command ?? readCommand(lines[0] ?? "");
  return {
    text: lines.join("\n"),
    command,
    ...readCheck(command),
    everyMinutes: lines.map(readInterval).find((minutes) => minutes !== undefined),
    mailsOutput: !/^\s*MAILTO\s*=\s*(""|'')?\s*$/m.test(table),
    isForeign: !block,
  };
}

function readInterval(line: string): number | undefined {
  const nicknames: Record<string, number> = { "@hourly": 60, "@daily": 1440, "@midnight": 1440 };
  const [minute = "", hour = ""] = line.trim().split(/\s+/);
  return /^[\d*]/.test(minute) ? intervalOf(minute, hour) : nicknames[minute];
}

/** What is kept as one character a byte, as a person reads it. */
function toText(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString();
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
  const { others } = takeOutBlock(table);
  if (!lines) return others.join("");
  const rest = others.filter((line) => !classifyLine(toText(line))?.isPlain).join("");
  const isJoined = rest !== "" && !rest.endsWith("\n");
  const block = [isJoined ? BEGIN_JOINED : BEGIN, ...lines, END].join("\n");
  return `${rest}${isJoined ? "\n" : ""}${block}\n`;
}

/** The lines of a table without our block, with their ends, and those of the block, undefined where there is none. */
export function takeOutBlock(table: string): { others: string[]; block: string[] | undefined } {
  const lines = table.match(/[^\n]*\n|[^\n]+/g) ?? [];
  const first = lines.findIndex((line) => line.startsWith(BEGIN));
  const end = lines.findIndex((line, index) => first >= 0 && index > first && line.startsWith(END));
  // A block whose end is gone must not reach into the next one, across somebody's lines.
  const begin = lines.findLastIndex((line, index) => index < end && line.startsWith(BEGIN));
  if (begin < 0) return { others: lines, block: undefined };
  const [before, after] = [lines.slice(0, begin), lines.slice(end + 1)];
  // The newline that we added goes with the block, unless somebody has added lines behind it.
  if (after.length === 0 && lines[begin]?.startsWith(BEGIN_JOINED)) {
    before.push(...before.splice(-1).map((line) => line.slice(0, -1)));
  }
  return { others: [...before, ...after], block: lines.slice(begin + 1, end).map((line) => line.trimEnd()) };
}

/** The lines outside of our block that run our check. */
export function findOwnLines(table: string) {
  return takeOutBlock(table).others.flatMap((line) => classifyLine(toText(line)) ?? []);
}

/** The words of a scheduled command, unquoted again: node first, then the script. */
export function readCommand(line: string): string[] {
  return splitCommands(commandOfLine(line).command).at(-1) ?? [];
}

/** What cron hands to the shell, and whether it hands over input as well: what follows an unescaped percent sign. */
function commandOfLine(line: string): { command: string; hasInput: boolean } {
  const all = line.replace(/^\s*(@\w+\s+|(\S+\s+){5})/, "");
  const [, command = all] = /^(.*?)(?<!\\)%/.exec(all) ?? [];
  return { command: command.replaceAll("\\%", "%"), hasInput: command !== all };
}

/** A word of the shell, with its quotes. */
const WORD = /(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s;&|<>()'"\\])+/.source;
/** One in which the shell expands nothing. */
const PLAIN_WORD = /(?:'[^']*'|"(?:[^"\\$`]|\\.)*"|\\.|[^\s;&|<>()'"\\$`~*?#[])+/.source;
/** What stands before the file of a redirection. */
const REDIRECTION = /[\d&]?[<>]+[&|]?\s*/.source;

/** A single command: what only waits or changes the folder may stand before it, redirections and a comment behind it. */
const PLAIN_COMMAND = new RegExp(
  `^((sleep|cd)\\s+[^;&|<>()#]+(;|&&)\\s*)*(?<words>${PLAIN_WORD}(\\s+(?!${REDIRECTION})${PLAIN_WORD})*)` +
    `(\\s*${REDIRECTION}${WORD})*(\\s+#.*|\\s*)$`,
);

/** A comment, a redirection with its file, what separates commands, a word, or a lone quote. */
const TOKEN = new RegExp(`#.*|${REDIRECTION}(${WORD})?|[;&|()]+|${WORD}|\\S`, "g");

/** The words of each command of a shell line, without redirections. */
function splitCommands(text: string): string[][] {
  const commands: string[][] = [[]];
  for (const [token] of text.matchAll(TOKEN)) {
    if (token.startsWith("#")) break;
    if (/^[\d&]?[<>]/.test(token)) continue;
    if (/^[;&|()]/.test(token)) commands.push([]);
    else commands.at(-1)?.push(unquote(token));
  }
  return commands;
}

function unquote(word: string): string {
  return word.replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g, (_, single, double, escaped) => {
    return single ?? double?.replace(/\\([$`"\\])/g, "$1") ?? escaped;
  });
}

/** Somebody's line that runs our check, alone (`isPlain`) or together with something else; undefined for any other. */
function classifyLine(raw: string) {
  const line = raw.trim();
  if (!/^(@\w+|([\d*][^\s=]*\s+){2}\S+\s+\S+\s+\S+)\s+\S/.test(line)) return undefined;
  const { command, hasInput } = commandOfLine(line);
  const plain = hasInput ? undefined : PLAIN_COMMAND.exec(command)?.groups?.["words"];
  const [words = []] = splitCommands(plain ?? "");
  const check = readCheck(words);
  // A relative path would lead elsewhere from our line.
  if (check && (check.configFile ?? "/").startsWith("/")) return { line, isPlain: true, command: words };
  const commands = splitCommands(command);
  // A word with spaces may be a command for another shell: sh -c 'ipcheck check'.
  const inner = commands.flat().flatMap((word) => (/\s/.test(word) ? splitCommands(word) : []));
  const part = [...commands, ...inner].map(findCheck).find((words) => words !== undefined);
  return part && { line, isPlain: false, command: part };
}

/** The words from our check on: behind variables, or a program that runs another. */
function findCheck(all: string[]): string[] | undefined {
  const words = all.slice(all.findIndex((word) => !/^\w+=/.test(word)));
  const at = words.findIndex((word, index) => {
    const isCommand = index === 0 || isNode(word) || words[index + 1] === "check";
    return isCommand && readCheck(words.slice(index));
  });
  return at < 0 ? undefined : words.slice(at);
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
    // It cannot be read where /proc shows each user only their own processes (hidepid).
    await readFile("/proc/1/comm");
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const running = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")));
    return running.some((name) => names.includes(name.trim()));
  } catch {
    return true;
  }
}
