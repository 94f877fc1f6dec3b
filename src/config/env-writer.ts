import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { makeDirectory, replaceFile, resolveLinks, writeNew } from "../base/atomic-file";
import { guardFolders, type Principal, UnusableFileError } from "../base/trusted-file";

/**
 * Writes a file that only its owner may read, all of it or nothing; a file in its place is copied to
 * a dated backup first, whose path is returned. A symbolic link is followed.
 * @throws UnusableFileError, NodeJS.ErrnoException
 */
export function writePrivateFile(path: string, text: string, now: Date, who: Principal): string | undefined {
  guardFolders(path, who);
  const target = resolveLinks(path);
  makeDirectory(dirname(target));
  const exists = lstatSync(target, { throwIfNoEntry: false }) !== undefined;
  const backup = exists ? `${target}.backup-${now.toISOString().replace(/[:.]/g, "-")}` : undefined;
  if (backup !== undefined) writeNew(backup, readRegular(target));
  replaceFile(target, text);
  return backup;
}

function readRegular(path: string): Buffer {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!fstatSync(file).isFile()) throw new UnusableFileError("is no regular file");
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
