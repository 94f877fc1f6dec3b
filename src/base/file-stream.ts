import { fstatSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import type { Stream } from "./output";

/**
 * A file or device behind `fd` as a stream that writes all of a text or says why not; undefined where
 * there is a terminal, a pipe or a socket. Node's own stream for files takes a short write for a
 * whole one: on a disk that fills up the rest would be lost without a word.
 */
export function openFileStream(fd: number): Stream | undefined {
  if (isatty(fd) || !isFile(fd)) return undefined;
  return {
    write(text, done) {
      try {
        let rest = Buffer.from(text);
        while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest));
        done?.();
      } catch (error) {
        done?.(error as Error);
      }
      return true;
    },
  };
}

// What cannot be looked at, because it is closed, says so when it is written to.
function isFile(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    // All but these Node's own stream swallows without a word: a folder, a block device.
    return !stats.isFIFO() && !stats.isSocket();
  } catch {
    return true;
  }
}
