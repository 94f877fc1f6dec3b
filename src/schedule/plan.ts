import { createHash } from "node:crypto";
import { parseDuration } from "../base/duration";

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

/** What every scheduler can express: divisors of an hour, of a day, or a day. */
const MINUTES = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440];

/** Reads an interval such as `5m`, `1h` or `1d`; undefined for one that no crontab line can express. */
export function parseInterval(text: string): number | undefined {
  const minutes = (parseDuration(text) ?? Number.NaN) / 60_000;
  return MINUTES.includes(minutes) ? minutes : undefined;
}

/** A host's own place in the interval, the same at every call. */
export function offsetFor(hostName: string, everyMinutes: number): number {
  const hash = createHash("sha256").update(hostName).digest().readUInt32BE();
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
