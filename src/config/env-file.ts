import { constants, lstatSync, readFileSync } from "node:fs";
import { dirname, posix, win32 } from "node:path";
import { makeDirectory, replaceFile, resolveLinks } from "../base/atomic-file";
import { systemCode } from "../base/errors";
import { quote } from "../base/text";
import { openTrusted, type Principal, readTrusted, refuseUntrustedFolders } from "../base/trusted-file";
import { type EnvText, readEnvText } from "./env-text";

/** Where the program runs, as far as the configuration depends on it. */
export interface Environment extends Principal {
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  /** Undefined where neither HOME nor a passwd entry tells. */
  home: string | undefined;
  hostName: string;
  userName: string;
  /** The folder of the installed package.json. */
  packageDirectory: string;
}

/** An env file as read. */
export interface EnvFile extends EnvText {
  path: string;
  isReadableByOthers: boolean;
}

/** dotenv needs a minute for 200,000 blank lines; ours with all its comments has a twelfth of this. */
const MAX_ENV_FILE_BYTES = 64 * 1024;

/** The env file that is named, or the first of the default ones that exists; adds a problem for one that cannot be used. */
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
      const who = isCredential(path, environment) ? { uid: undefined } : environment;
      const { text, isReadableByOthers } = readTrusted(path, who, MAX_ENV_FILE_BYTES);
      const read = readEnvText(text);
      problems.push(...read.problems);
      return { ...read, path, isReadableByOthers };
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

/** systemd gives its credentials an owner, a mode and an ACL of its own, so these are not checked. */
function isCredential(path: string, { env }: Environment): boolean {
  const credentials = env["CREDENTIALS_DIRECTORY"];
  return Boolean(credentials) && path.startsWith(`${credentials}/`);
}

/** Why a file could not be used, as the end of a sentence that begins with its path. */
export function reasonOf(error: unknown): string {
  const code = systemCode(error);
  if (code === "EACCES") return "cannot be read: permission denied";
  if (code) return `cannot be read (${code})`;
  return error instanceof Error ? error.message : "cannot be read";
}

/**
 * Writes a file that only its owner may read, all of it or nothing. With `hasBackup`, a file in its place is copied
 * first, in place of an earlier copy; the copy's path is returned. A symbolic link is followed.
 * @throws UnusableFileError, NodeJS.ErrnoException
 */
export function writePrivateFile(path: string, text: string, hasBackup: boolean, who: Principal): string | undefined {
  refuseUntrustedFolders(path, who);
  const target = resolveLinks(path);
  makeDirectory(dirname(target));
  const exists = lstatSync(target, { throwIfNoEntry: false }) !== undefined;
  const backup = exists && hasBackup ? `${target}.backup` : undefined;
  if (backup !== undefined) {
    const old = openTrusted(target, constants.O_RDONLY, { uid: undefined }, (file) => readFileSync(file));
    replaceFile(backup, old);
  }
  replaceFile(target, text);
  return backup;
}
