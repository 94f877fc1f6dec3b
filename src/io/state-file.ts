import { constants, type FileHandle, mkdir, open, realpath, rename, stat, unlink, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { IpcheckError, systemCode } from "../core/errors";
import type { Recollection } from "../core/ports";
import { quote } from "../core/quote";
import { decodeState, EMPTY_STATE, encodeState, type Occurrence, type State } from "../core/state";

/** No state of ours comes near; something else was put there. */
const MAX_STATE_BYTES = 4 * 1024 * 1024;

/** How much of the history's end is searched for lines that a crash left behind. */
const TAIL_BYTES = 16 * 1024;

/**
 * Opens the store at `path`: `state.json` with `history.jsonl` beside it. Nothing is touched yet.
 * Every method throws IpcheckError `state`.
 */
export async function openStateFile(path: string) {
  // rename would replace a symbolic link by the file: write where the link leads.
  const target = await resolveLinks(path);
  const directory = dirname(target);
  const temporary = join(directory, `.${basename(target)}.tmp`);
  const historyFile = join(directory, "history.jsonl");

  const store = {
    /** The lock is taken on this. */
    path: target,
    historyFile,

    async prepare(): Promise<void> {
      await guarded(`make the folder ${quote(directory)}`, () => makeDirectory(directory));
    },

    /** Removes what a run left behind that was killed while writing; only for the holder of the lock. */
    async cleanUp(): Promise<void> {
      await guarded(`remove ${quote(temporary)}`, () => unlink(temporary).catch(ignoring("ENOENT", "ENOTDIR")));
    },

    async recall(): Promise<Recollection> {
      const found = await guarded(`read the state file ${quote(target)}`, () => readIfThere(target));
      if (!found) return { state: EMPTY_STATE, lastLookAt: undefined, condition: "absent" };
      const decoded = decodeState(found.text);
      if (!decoded) return { state: EMPTY_STATE, lastLookAt: undefined, condition: "damaged" };
      const isLookedAt = Object.values(decoded.state.families).some((slot) => slot?.recorded);
      return {
        state: decoded.state,
        lastLookAt: isLookedAt ? found.mtime : undefined,
        condition: decoded.isLegacy ? "legacy" : "sound",
      };
    },

    async keepAside(now: Date): Promise<string> {
      const stamp = now.toISOString().replace(/[:.]/g, "-");
      const aside = `${target}.unreadable-${stamp}`;
      await guarded(`move the unreadable state file ${quote(target)} aside`, async () => {
        await rename(target, aside);
        await syncDirectory(directory);
      });
      return aside;
    },

    async remember(state: State, lastLookAt: Date | undefined): Promise<void> {
      await guarded(`write the state file ${quote(target)}`, async () => {
        await unlink(temporary).catch(ignoring("ENOENT"));
        await writeDurably(temporary, encodeState(state), lastLookAt);
        await rename(temporary, target);
        await syncDirectory(directory);
      });
    },

    async touch(lastLookAt: Date): Promise<void> {
      await guarded(`note the look on the state file ${quote(target)}`, () => utimes(target, lastLookAt, lastLookAt));
    },

    async appendHistory(occurrences: readonly Occurrence[]): Promise<void> {
      await guarded(`append to ${quote(historyFile)}`, () => appendLines(historyFile, occurrences));
    },
  };
  return store;
}

export type StateFile = Awaited<ReturnType<typeof openStateFile>>;

// Also of what does not exist yet: the lock's name must be the same before and after the first run.
async function resolveLinks(path: string): Promise<string> {
  const parent = dirname(path);
  return realpath(path).catch(async () => (parent === path ? path : join(await resolveLinks(parent), basename(path))));
}

async function readIfThere(path: string): Promise<{ text: string; mtime: Date } | undefined> {
  let file: FileHandle;
  try {
    // Non-blocking, so that a pipe in the file's place cannot hold us up.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    return ignoring("ENOENT")(error);
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error("it is no regular file");
    if (stats.size > MAX_STATE_BYTES) return { text: "", mtime: stats.mtime };
    return { text: await file.readFile("utf8"), mtime: stats.mtime };
  } finally {
    await file.close();
  }
}

// One level at a time: a recursive mkdir below a folder that refuses children with ENOENT, such as
// /proc, never comes back on Node.js 20.
async function makeDirectory(directory: string): Promise<void> {
  try {
    const stats = await stat(directory);
    if (!stats.isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    return;
  } catch (error) {
    ignoring("ENOENT")(error);
  }
  const parent = dirname(directory);
  if (parent !== directory) await makeDirectory(parent);
  await mkdir(directory, { mode: 0o700 }).catch(ignoring("EEXIST"));
}

// Without the sync a power cut can leave an empty file behind the new name.
async function writeDurably(path: string, text: string, mtime: Date | undefined): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    if (mtime) await file.utimes(mtime, mtime);
    await file.sync();
  } finally {
    await file.close();
  }
}

// Without it the rename itself can be undone. Windows has no such call.
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(directory, "r");
  try {
    // Some network and FUSE file systems cannot; they promise nothing anyway.
    await handle.sync().catch(ignoring("EINVAL", "ENOTSUP"));
  } finally {
    await handle.close();
  }
}

async function appendLines(path: string, occurrences: readonly Occurrence[]): Promise<void> {
  const file = await open(path, "a+", 0o600);
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const tail = Buffer.alloc(size - start);
    await file.read(tail, 0, tail.length, start);
    const known = tail.toString("utf8");
    // A run killed between the append and its note in the state comes here again with the same lines.
    // A line that a full disk cut in half does not count.
    const whole = known.split("\n").filter((line) => line.endsWith("}"));
    const missing = occurrences.filter(({ id }) => !whole.some((line) => line.includes(`"id":"${id}"`)));
    if (missing.length === 0) return;
    const lines = missing.map((occurrence) => `${JSON.stringify(historyEntry(occurrence))}\n`).join("");
    // A torn last line stays one damaged line; ours begins on its own.
    await file.appendFile(size > 0 && !known.endsWith("\n") ? `\n${lines}` : lines);
    await file.sync();
  } finally {
    await file.close();
  }
}

function historyEntry({ id, kind, family, at, old, address, confirmedBy, isUnconfirmed }: Occurrence): object {
  return {
    id,
    at,
    kind,
    family,
    ...(old !== undefined && { old }),
    address,
    confirmedBy,
    ...(isUnconfirmed && { unconfirmed: true }),
  };
}

async function guarded<T>(deed: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof IpcheckError) throw error;
    const code = systemCode(error);
    const why = code || (error instanceof Error ? error.message : "unknown error");
    throw new IpcheckError("state", `cannot ${deed} (${why})`, {
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
function ignoring(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(systemCode(error))) throw error;
    return undefined;
  };
}
