import { randomUUID } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  fchmodSync,
  lstatSync,
  readFileSync,
  renameSync,
  statfsSync,
  utimesSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  makeDirectory,
  removeIfThere,
  replaceFile,
  resolveLinks,
  syncDirectory,
  temporaryFor,
  writeNew,
} from "../base/atomic-file";
import { asIpcheckError, codedError, IpcheckError, systemCode } from "../base/errors";
import { quote } from "../base/text";
import { openTrusted, type Principal, refuseUntrustedFolders, UnusableFileError } from "../base/trusted-file";
import { appendLines, tryAppending } from "./history";
import {
  type AddressEvent,
  decodeState,
  EMPTY_STATE,
  encodeState,
  isState,
  type LoadedState,
  type State,
} from "./state";

/** With less free space a disk counts as full: a state with a full outbox takes as much. */
const MIN_FREE_BYTES = 32 * 1024;

/** Far more than a state can have: a larger file is something else. */
const MAX_STATE_BYTES = 4 * 1024 * 1024;

/**
 * Opens the state file at `path`, with `history.jsonl` beside it. Nothing is touched yet.
 * Every method throws IpcheckError `state`, whose `cause` keeps the system's error. The calls are
 * synchronous underneath: one process, one small file, and a pool of threads for them costs a tenth of a
 * quiet run.
 */
export function openStateFile(path: string, who: Principal) {
  // rename would replace a symbolic link by the file: write where the link leads.
  let target = resolveLinks(path);
  const historyFile = join(dirname(target), historyName(basename(target)));

  return {
    /** The lock is taken on this. */
    path: target,
    historyFile,

    /** Makes the folder; needs no write access where it is there. */
    prepare(): void {
      guarded("use the state file", path, () => refuseUntrustedFolders(path, who));
      guarded("make the folder", dirname(target), () => makeDirectory(dirname(target)));
    },

    /** Removes what a run left behind that was killed while writing; only for the holder of the lock. */
    cleanUp(): void {
      guarded("remove", temporaryFor(target), () => removeIfThere(temporaryFor(target)));
    },

    load(): LoadedState {
      const none = { state: EMPTY_STATE, lastLookAt: undefined };
      const found = guarded("read the state file", path, () => readIfThere(path, who));
      if (!found) return { ...none, condition: "absent" };
      const decoded = decodeState(found.text);
      if (!decoded || !isState(decoded.state)) return { ...none, condition: "damaged" };
      const { state, isLegacy } = decoded;
      // Older scripts wrote their file at a change alone: its time tells nothing of their last look.
      const isLookedAt = !isLegacy && Object.values(state.families).some((familyState) => familyState?.recorded);
      return { state, lastLookAt: isLookedAt ? found.mtime : undefined, condition: isLegacy ? "legacy" : "sound" };
    },

    /** Moves aside what is no state; returns its new path. */
    quarantine(now: Date): string {
      const aside = `${path}.unreadable-${now.toISOString().replace(/[:.]/g, "-")}`;
      guarded("move aside the unreadable state file", path, () => {
        // Of a symbolic link only the link is moved: its target may be anybody's file, and never was a state.
        if (!lstatSync(path).isSymbolicLink()) makePrivate(path, who);
        renameSync(path, aside);
        syncDirectory(dirname(path));
      });
      target = resolveLinks(path);
      return aside;
    },

    save(state: State, lastLookAt: Date | undefined): void {
      guarded("write the state file", target, () => replaceFile(target, encodeState(state), lastLookAt));
    },

    touch(lastLookAt: Date): void {
      guarded("note the look on the state file", target, () => utimesSync(target, lastLookAt, lastLookAt));
    },

    /** Only for the fallback of another state file. */
    remove(): void {
      guarded("remove", target, () => removeIfThere(target));
    },

    /** Why the file could not be written just now, found out without writing; undefined where it could. */
    findObstacle(): IpcheckError | undefined {
      const guardRoom = () => {
        let place = dirname(target);
        while (!existsSync(place)) place = dirname(place);
        accessSync(place, constants.W_OK);
        const { bavail, bsize, files, ffree } = statfsSync(place);
        // Some file systems count no inodes.
        const isFull = bavail * bsize < MIN_FREE_BYTES || (files > 0 && ffree === 0);
        if (isFull) throw codedError("ENOSPC", "no space left");
      };
      return failureOf(() => guarded("write the state file", target, guardRoom));
    },

    appendHistory(events: readonly AddressEvent[]): void {
      guarded("append to", historyFile, () => appendLines(historyFile, events, who));
    },

    /** Why nothing could be appended to the history just now, found out without writing. */
    findHistoryObstacle(): IpcheckError | undefined {
      return failureOf(() => guarded("append to", historyFile, () => tryAppending(historyFile, who)));
    },
  };
}

export type StateFile = ReturnType<typeof openStateFile>;

/** `state.json` has `history.jsonl`, `attic.json` beside it `attic.history.jsonl`: two homes, two histories. */
function historyName(name: string): string {
  return name === "state.json" ? "history.jsonl" : `${name.replace(/\.json$/, "")}.history.jsonl`;
}

function readIfThere(path: string, who: Principal): { text: string; mtime: Date } | undefined {
  try {
    return openTrusted(path, constants.O_RDONLY, who, (file, { size, mtime }) => {
      return { text: size > MAX_STATE_BYTES ? "" : readFileSync(file, "utf8"), mtime };
    });
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    refuseUntrustedFolders(path, who);
    return undefined;
  }
}

function makePrivate(path: string, who: Principal): void {
  try {
    openTrusted(path, constants.O_RDONLY, who, (file) => fchmodSync(file, 0o600));
  } catch (error) {
    if (systemCode(error) !== "EPERM") throw error; // root's, or a file system without modes
  }
}

/** The known failure of `work`, if it fails. */
export function failureOf(work: () => void): IpcheckError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return asIpcheckError(error);
  }
}

function guarded<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof UnusableFileError && error.cure !== undefined) {
      throw new IpcheckError("state", `cannot ${action} ${quote(path)}: it ${error.fact}`, {
        hint: `${error.cure}, or set IPCHECK_STATE_FILE to another path`,
        cause: error,
      });
    }
    const why = code || (error instanceof Error ? error.message : "unknown error");
    throw new IpcheckError("state", `cannot ${action} ${quote(path)} (${why})`, {
      hint: HINTS[code] ?? "look at the path, or set IPCHECK_STATE_FILE to another one",
      cause: error,
    });
  }
}

const DENIED =
  "'ls -l' shows whose it and its folder are: give them to the user that runs ipcheck, or set IPCHECK_STATE_FILE to another path";

const HINTS: Record<string, string> = {
  ENOSPC: "the disk is full: make room",
  EDQUOT: "the quota is used up: make room",
  EROFS: "the file system is read-only, as worn-out SD cards become: look at dmesg, and replace the card",
  EIO: "the disk fails: look at dmesg, and replace the disk or card",
  EACCES: DENIED,
  EPERM: DENIED,
};

/**
 * Whether a state could be written beside `stateFile`, by writing as much and taking it away again.
 * Undefined, or the system error code; `ENOENT` where the folder does not exist yet.
 */
export function probeWrite(stateFile: string): string | undefined {
  const path = join(dirname(stateFile), `.ipcheck-probe-${randomUUID()}`);
  try {
    try {
      writeNew(path, Buffer.alloc(MIN_FREE_BYTES));
    } finally {
      removeIfThere(path);
    }
    return undefined;
  } catch (error) {
    return systemCode(error) || "unknown error";
  }
}
