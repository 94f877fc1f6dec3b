import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { IpcheckError } from "../base/errors";
import { quote } from "../base/text";
import { parseDuration } from "../base/time";

/** What is to run, and how often. */
export interface Schedule {
  /** Absolute paths: cron knows neither nvm nor npm. */
  nodePath: string;
  scriptPath: string;
  /** Given explicitly: carried into the scheduled command. */
  configFile: string | undefined;
  everyMinutes: number;
  /** Where in the interval this host runs, in minutes: not at :00 with everybody else. */
  offsetMinutes: number;
}

/** What is installed, whoever wrote it; has the fields of `CheckCommand` where it runs our check. */
export interface Installed extends Partial<CheckCommand> {
  text: string;
  /** The words of its command. */
  command: string[];
  /** How often it runs; undefined where that was not understood. */
  everyMinutes?: number | undefined;
  /** What a run prints is mailed, where the machine can mail. */
  mailsOutput?: boolean;
  /** Not written by `schedule install`: shown, and never removed. */
  isForeign: boolean;
}

/** One way to run a command regularly. */
export interface Scheduler {
  /** How it is called in output. */
  name: string;
  /** What `install` would put in place, as a person reads it. */
  describe(schedule: Schedule): string;
  /**
   * Resolves to somebody's lines that it took the place of. What fails leaves everything as it was.
   * @throws Error with a plain message
   */
  install(schedule: Schedule): Promise<string[]>;
  remove(): Promise<void>;
  /** Undefined where there is nothing. */
  find(): Promise<Installed | undefined>;
  /** What keeps an installed schedule from being run; undefined where nothing does, or that cannot be told. */
  findObstacle?(): Promise<Obstacle | undefined>;
}

export interface Obstacle {
  text: string;
  hint: string;
}

/** The interval in minutes that the two fields of a time mean, as cron and OnCalendar= write them: `7`, `7-59/15`, `*`, `0,30`. */
export function intervalOf(minute: string, hour: string): number | undefined {
  const count = (field: string) => field.split(",").length;
  const step = (field: string) => Number(/\/(\d+)$/.exec(field)?.[1] ?? 0);
  const minutes = minute === "*" ? 1 : step(minute);
  const result =
    minutes ||
    (hour === "*" ? 60 / count(minute) : step(hour) ? step(hour) * 60 : 1440 / (count(hour) * count(minute)));
  return Number.isInteger(result) && result > 0 ? result : undefined;
}

/** What every scheduler can express: divisors of an hour, of a day, or a day. */
const MINUTES = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440];

/** Reads an interval such as `5m`, `1h` or `1d`; undefined for one that no crontab line can express. */
export function parseInterval(text: string): number | undefined {
  const minutes = (parseDuration(text) ?? Number.NaN) / 60_000;
  return MINUTES.includes(minutes) ? minutes : undefined;
}

/** A machine's own place in the interval, the same at every call; for `seed` see `machineSeed`. */
export function offsetFor(seed: string, everyMinutes: number): number {
  const hash = createHash("sha256").update(seed).digest().readUInt32BE();
  const offset = hash % everyMinutes;
  // The full hour is when everybody else runs.
  return offset % 60 === 0 && everyMinutes > 1 ? offset + 1 : offset;
}

/** An offset within a day as a clock shows it: two digits each. */
export function clockTime(offsetMinutes: number): { hour: string; minute: string } {
  const two = (value: number) => String(value).padStart(2, "0");
  return { hour: two(Math.floor(offsetMinutes / 60)), minute: two(offsetMinutes % 60) };
}

/** The words of the scheduled command. */
export function commandOf({ nodePath, scriptPath, configFile }: Schedule): string[] {
  return [nodePath, scriptPath, "check", ...(configFile === undefined ? [] : ["--config", configFile])];
}

/** A command that runs our check. */
interface CheckCommand {
  /** Node, where it is named, and the script. */
  files: string[];
  configFile: string | undefined;
  /** Says `--env-file`, as version 1.0.0 did. */
  isOutdated: boolean;
}

/** What a scheduled check may be told; anything else is another command, or one that no run understands. */
const CHECK_OPTIONS = {
  config: { type: "string", short: "c" },
  "env-file": { type: "string" },
  quiet: { type: "boolean", short: "q" },
  verbose: { type: "boolean", short: "v" },
  json: { type: "boolean" },
} as const;

/** Reads the words of a command; undefined where it is not our check and nothing else. */
export function readCheck(words: readonly string[]): CheckCommand | undefined {
  const [first = ""] = words;
  const at = isNode(first) ? words.findIndex((word, index) => index > 0 && !word.startsWith("-")) : 0;
  const script = words[at] ?? "";
  if (!isScript(script, words[at + 1])) return undefined;
  try {
    const args = words.slice(at + 1);
    const { values, positionals } = parseArgs({ args, options: CHECK_OPTIONS, allowPositionals: true });
    if (!["", "check"].includes(positionals.join(" "))) return undefined;
    const { config, "env-file": envFile } = values;
    const files = at > 0 ? [first, script] : [script];
    return { files, configFile: config ?? envFile, isOutdated: envFile !== undefined };
  } catch {
    return undefined;
  }
}

/** What is installed in a file that one command has to itself: ours where it runs our check. */
export function installedAs(text: string, command: string[]): Installed {
  const check = readCheck(command);
  return { text, command, ...check, isForeign: check === undefined };
}

export function isNode(word: string): boolean {
  return /(^|[\\/])node(js)?(\.exe)?$/.test(word);
}

/** Whether a word of a command is our program; another `ipcheck.js` is taken for it only with `check` behind it. */
function isScript(word: string, next: string | undefined): boolean {
  if (/(^|[\\/])bin[\\/]ipcheck\.js$/.test(word) || /(^|[\\/])ipcheck$/.test(word)) return true;
  return /(^|[\\/])ipcheck\.js$/.test(word) && next === "check";
}

/**
 * A control character would become a line of a crontab or a directive of a unit, or show another path than it is.
 * @throws IpcheckError `usage`
 */
export function checkPaths(paths: readonly (string | undefined)[]): void {
  for (const path of paths) {
    if (path === undefined || !/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}\uFFFD-\uFFFF]/u.test(path)) continue;
    throw new IpcheckError("usage", `no schedule can carry a path with a control character: ${quote(path)}`, {
      hint: "rename the file or folder",
    });
  }
}

/** @throws IpcheckError `usage`: `what` is not ours to replace */
export function refuseForeign(what: string): never {
  throw new IpcheckError("usage", `${what} was not written by ipcheck: it is left as it is`, {
    hint: "remove or rename it, or choose another scheduler (see ipcheck schedule --help)",
  });
}
