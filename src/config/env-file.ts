import { readFileSync, type Stats, statSync } from "node:fs";
import { posix, win32 } from "node:path";
import { systemCode } from "../base/errors";
import { quote } from "../base/quote";
import { readEnvText } from "./env-text";

/** Where the program runs, as far as the configuration depends on it. */
export interface Environment {
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  /** Undefined where neither HOME nor a passwd entry tells. */
  home: string | undefined;
  /** The running user's id; undefined on Windows. */
  uid: number | undefined;
  hostName: string;
  userName: string;
  /** The folder of the installed package.json. */
  packageDirectory: string;
}

/** An env file as read. */
export interface EnvFile {
  path: string;
  values: Record<string, string>;
  /** The number of the line on which each name was given. */
  lines: Record<string, number>;
  isReadableByOthers: boolean;
}

/** The first of the sections in their order that exists; problems are added for one that cannot be used. */
export function readEnvFile(
  flag: string | undefined,
  environment: Environment,
  problems: string[],
): EnvFile | undefined {
  const { env } = environment;
  const explicit = flag ?? (env["IPCHECK_CONFIG"] || undefined);
  const named = flag !== undefined ? "--config" : "IPCHECK_CONFIG";
  const candidates = explicit !== undefined ? [explicit] : defaultEnvFiles(environment);
  for (const path of candidates) {
    try {
      const { text, stats } = readGuarded(path, environment);
      const { values, lines, problems: found } = readEnvText(text);
      problems.push(...found);
      return {
        path,
        values,
        lines,
        isReadableByOthers: isReadableByOthers(path, stats, environment),
      };
    } catch (error) {
      const isMissing = ["ENOENT", "ENOTDIR"].includes(systemCode(error));
      if (isMissing && explicit === undefined) continue;
      const origin = explicit === undefined ? "env file" : named;
      problems.push(`${origin}: ${quote(path)} ${isMissing ? "does not exist" : reasonOf(error)}`);
      return undefined;
    }
  }
  return undefined;
}

/** Where an env file is looked for when none is named; the first is where `init` writes one. */
export function defaultEnvFiles({ env, platform, home, packageDirectory }: Environment): string[] {
  const { join, isAbsolute } = platform === "win32" ? win32 : posix;
  const inConfig = (base: string | undefined) => (base ? [join(base, "ipcheck", ".env")] : []);
  const beside = join(packageDirectory, ".env");
  if (platform === "win32") return [...inConfig(env["APPDATA"]), beside];
  const xdg = env["XDG_CONFIG_HOME"];
  // The XDG specification: a relative path is to be ignored.
  return [...inConfig(xdg && isAbsolute(xdg) ? xdg : home && join(home, ".config")), beside];
}

/** Reads a file that decides what this program does or sends; refuses one that another user could write. */
export function readGuarded(path: string, { uid }: Environment): { text: string; stats: Stats } {
  const stats = statSync(path);
  if (stats.isDirectory()) throw new Error("is a directory");
  if (uid !== undefined) {
    const byMode = (stats.mode & 0o022) !== 0;
    const byOwner = stats.uid !== uid && stats.uid !== 0;
    if (byMode) throw new Error(`can be written by other users: run chmod 600 ${quote(path)}`);
    if (byOwner) throw new Error(`belongs to another user: run chown ${uid} ${quote(path)}`);
  }
  return { text: readFileSync(path, "utf8"), stats };
}

/** Whether group or others may read a file (never true on Windows, where modes say nothing). */
export function isReadableByOthers(path: string, stats: Stats, { uid, env }: Environment): boolean {
  // systemd gives its credentials a mode and an ACL of its own.
  const credentials = env["CREDENTIALS_DIRECTORY"];
  if (credentials && path.startsWith(`${credentials}/`)) return false;
  return uid !== undefined && (stats.mode & 0o044) !== 0;
}

/** Why a file could not be used, as the end of a sentence that begins with its path. */
export function reasonOf(error: unknown): string {
  const code = systemCode(error);
  if (code === "EACCES") return "cannot be read: permission denied";
  if (code) return `cannot be read (${code})`;
  return error instanceof Error ? error.message : "cannot be read";
}
