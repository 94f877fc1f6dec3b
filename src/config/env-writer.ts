import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { makeDirectory, replaceFile, resolveLinks } from "../base/atomic-file";
import { guardFolders, type Principal, UnusableFileError } from "../base/trusted-file";

/**
 * Writes a file that only its owner may read, all of it or nothing. With `hasBackup`, a file in its place is copied
 * first, in place of an earlier copy; the copy's path is returned. A symbolic link is followed.
 * @throws UnusableFileError, NodeJS.ErrnoException
 */
export function writePrivateFile(path: string, text: string, hasBackup: boolean, who: Principal): string | undefined {
  guardFolders(path, who);
  const target = resolveLinks(path);
  makeDirectory(dirname(target));
  const exists = lstatSync(target, { throwIfNoEntry: false }) !== undefined;
  const backup = exists && hasBackup ? `${target}.backup` : undefined;
  if (backup !== undefined) replaceFile(backup, readRegular(target));
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
