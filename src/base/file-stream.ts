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

// A closed descriptor counts as a file: the write to it then reports the error.
function isFile(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    // On anything else, such as a folder or a block device, Node's own stream drops what is written without an error.
    return !stats.isFIFO() && !stats.isSocket();
  } catch {
    return true;
  }
}
