import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  futimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statfsSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { IpcheckError, systemCode } from "../base/errors";
import { quote } from "../base/quote";
import { appendLines } from "./history-writer";
import type { LoadedState } from "./state";
import { type AddressEvent, decodeState, EMPTY_STATE, encodeState, type State } from "./state";

/** A disk with less room than a state with a full outbox takes is full for us. */
const MIN_FREE_BYTES = 32 * 1024;

/** No state of ours comes near; something else was put there. */
const MAX_STATE_BYTES = 4 * 1024 * 1024;

/**
 * Opens the store at `path`: `state.json` with `history.jsonl` beside it. Nothing is touched yet.
 * Every method throws IpcheckError `state`. The calls are synchronous underneath: one process, one
 * small file, and a pool of threads for them costs a tenth of a quiet run.
 */
export function openStateFile(path: string) {
  // rename would replace a symbolic link by the file: write where the link leads.
  const target = resolveLinks(path);
  const directory = dirname(target);
  const temporary = join(directory, `.${basename(target)}.tmp`);
  const historyFile = join(directory, "history.jsonl");

  const store = {
    /** The lock is taken on this. */
    path: target,
    historyFile,

    prepare(): void {
      guarded("make the folder", directory, () => makeDirectory(directory));
    },

    /** Removes what a run left behind that was killed while writing; only for the holder of the lock. */
    cleanUp(): void {
      guarded("remove", temporary, () => removeIfThere(temporary));
    },

    load(): LoadedState {
      const found = guarded("read the state file", target, () => readIfThere(target));
      if (!found) return { state: EMPTY_STATE, lastLookAt: undefined, condition: "absent" };
      const decoded = decodeState(found.text);
      if (!decoded) return { state: EMPTY_STATE, lastLookAt: undefined, condition: "damaged" };
      const isLookedAt = Object.values(decoded.state.families).some((familyState) => familyState?.recorded);
      return {
        state: decoded.state,
        lastLookAt: isLookedAt ? found.mtime : undefined,
        condition: decoded.isLegacy ? "legacy" : "sound",
      };
    },

    quarantine(now: Date): string {
      const stamp = now.toISOString().replace(/[:.]/g, "-");
      const aside = `${target}.unreadable-${stamp}`;
      guarded("move aside the unreadable state file", target, () => {
        renameSync(target, aside);
        syncDirectory(directory);
      });
      return aside;
    },

    save(state: State, lastLookAt: Date | undefined): void {
      guarded("write the state file", target, () => {
        removeIfThere(temporary);
        writeDurably(temporary, encodeState(state), lastLookAt);
        renameSync(temporary, target);
        syncDirectory(directory);
      });
    },

    touch(lastLookAt: Date): void {
      guarded("note the look on the state file", target, () => utimesSync(target, lastLookAt, lastLookAt));
    },

    /** Only for the stand-in of another state file. */
    remove(): void {
      guarded("remove", target, () => removeIfThere(target));
    },

    /** Why the file could not be written just now, found out without writing; undefined where it could. */
    findObstacle(): IpcheckError | undefined {
      try {
        guarded("write the state file", target, () => {
          accessSync(existsSync(directory) ? directory : dirname(directory), constants.W_OK);
          const { bavail, bsize } = statfsSync(existsSync(directory) ? directory : dirname(directory));
          if (bavail * bsize < MIN_FREE_BYTES) throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
        });
        return undefined;
      } catch (error) {
        if (error instanceof IpcheckError) return error;
        throw error;
      }
    },

    appendHistory(events: readonly AddressEvent[]): void {
      guarded("append to", historyFile, () => appendLines(historyFile, events));
    },
  };
  return store;
}

export type StateFile = ReturnType<typeof openStateFile>;

// Also of what does not exist yet: the lock's name must be the same before and after the first run.
function resolveLinks(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(resolveLinks(parent), basename(path));
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    passOver(error, "ENOENT", "ENOTDIR");
  }
}

function readIfThere(path: string): { text: string; mtime: Date } | undefined {
  let file: number;
  try {
    // Non-blocking, so that a pipe in the file's place cannot hold us up.
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    return passOver(error, "ENOENT");
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new Error("it is no regular file");
    if (stats.size > MAX_STATE_BYTES) return { text: "", mtime: stats.mtime };
    return { text: readFileSync(file, "utf8"), mtime: stats.mtime };
  } finally {
    closeSync(file);
  }
}

// One level at a time: a recursive mkdir below a folder that refuses children with ENOENT, such as
// /proc, never comes back on Node.js 20.
function makeDirectory(directory: string): void {
  try {
    if (!statSync(directory).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    return;
  } catch (error) {
    passOver(error, "ENOENT");
  }
  const parent = dirname(directory);
  if (parent !== directory) makeDirectory(parent);
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    passOver(error, "EEXIST");
  }
}

// Without the sync a power cut can leave an empty file behind the new name.
function writeDurably(path: string, text: string, mtime: Date | undefined): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeFileSync(file, text);
    if (mtime) futimesSync(file, mtime, mtime);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

// Without it the rename itself can be undone. Windows has no such call.
function syncDirectory(directory: string): void {
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

function guarded<T>(deed: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof IpcheckError) throw error;
    const code = systemCode(error);
    const why = code || (error instanceof Error ? error.message : "unknown error");
    throw new IpcheckError("state", `cannot ${deed} ${quote(path)} (${why})`, {
      hint: HINTS[code] ?? "look at the path, or set IPCHECK_STATE_FILE to another one",
      cause: error,
    });
  }
}

const HINTS: Record<string, string> = {
  ENOSPC: "the disk is full: make room; nothing was recorded, so the next run sees the change again",
  EDQUOT: "the quota is used up: make room; nothing was recorded, so the next run sees the change again",
  EROFS: "the file system is read-only, as worn-out SD cards become: look at dmesg, and replace the card",
  EIO: "the disk fails: look at dmesg, and replace the disk or card",
  EACCES: "give the user that runs ipcheck this folder, or set IPCHECK_STATE_FILE to another one",
  EPERM: "give the user that runs ipcheck this folder, or set IPCHECK_STATE_FILE to another one",
};

/** Lets the named system errors pass as 'nothing there' and throws every other. */
function passOver(error: unknown, ...codes: string[]): undefined {
  if (!codes.includes(systemCode(error))) throw error;
}
