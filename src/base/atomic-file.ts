import {
  closeSync,
  fsyncSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { codedError, systemCode } from "./errors";

/**
 * Replaces the file at `path`, which must be no symbolic link, by `content`: all of it or nothing, for its owner
 * alone, and on the disk when this returns. A fixed name for the temporary file: what a killed run left
 * behind is overwritten by the next one.
 * @throws NodeJS.ErrnoException
 */
export function replaceFile(path: string, content: string | Buffer, mtime?: Date): void {
  const temporary = temporaryFor(path);
  removeIfThere(temporary);
  writeNew(temporary, content, mtime);
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

/** The name under which `replaceFile` writes first. */
export function temporaryFor(path: string): string {
  return join(dirname(path), `.${basename(path)}.tmp`);
}

/** Writes a file that does not exist yet, for its owner alone; no symbolic link is followed. */
export function writeNew(path: string, content: string | Buffer, mtime?: Date): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeFileSync(file, content);
    if (mtime) futimesSync(file, mtime, mtime);
    // Without it a power cut can leave an empty file behind the new name.
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Removes a file. Where there is none, a read-only file system is no error. */
export function removeIfThere(path: string): void {
  if (!lstatSync(path, { throwIfNoEntry: false })) return;
  try {
    unlinkSync(path);
  } catch (error) {
    passOver(error, "ENOENT");
  }
}

/** Makes a folder and those above it that are missing, for their owner alone. One that exists needs no write access. */
export function makeDirectory(directory: string): void {
  try {
    if (!statSync(directory).isDirectory()) throw codedError("ENOTDIR");
    return;
  } catch (error) {
    passOver(error, "ENOENT");
  }
  // One level at a time: a recursive mkdir below a folder that refuses children with ENOENT, such as
  // /proc, never comes back on Node.js 20.
  const parent = dirname(directory);
  if (parent !== directory) makeDirectory(parent);
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    passOver(error, "EEXIST");
    return;
  }
  try {
    syncDirectory(parent);
  } catch (error) {
    passOver(error, "EACCES"); // It may be written and searched, but not listed.
  }
}

/** Without it a new name in the folder can be undone by a power cut. Windows has no such call. */
export function syncDirectory(directory: string): void {
  if (process.platform === "win32") return;
  const file = openSync(directory, "r");
  try {
    fsyncSync(file);
  } catch (error) {
    // Some network and FUSE file systems cannot; they promise nothing anyway.
    passOver(error, "EINVAL", "ENOTSUP");
  } finally {
    closeSync(file);
  }
}

/** Where a path leads through symbolic links; also for what does not exist yet. */
export function resolveLinks(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(resolveLinks(parent), basename(path));
  }
}

/** Lets the named system errors pass and throws every other. */
function passOver(error: unknown, ...codes: string[]): undefined {
  if (!codes.includes(systemCode(error))) throw error;
}
