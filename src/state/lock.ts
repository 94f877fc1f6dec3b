import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { IpcheckError, systemCode } from "../base/errors";
import { quote } from "../base/text";
import { formatDuration } from "../base/time";

/** What a run holds while it works on a state; the kernel lets go of it when the process dies, however it dies. */
interface Lock {
  release: Release;
  /** Why the lock's public name could not be had: a sentence for the owner. The run goes on all the same. */
  problem?: string | undefined;
}

type Release = () => Promise<void>;

interface LockOptions {
  uid: number | undefined;
  /** A run that holds the lock for much longer than this is named. */
  deadlineMs?: number;
  /** @default the platform we run on */
  platform?: NodeJS.Platform;
}

/** A process that holds a socket; what cannot be seen is missing. */
interface Holder {
  pid?: number | undefined;
  uid?: number | undefined;
  elapsedMs?: number | undefined;
}

/** Who holds the lock, and what is wrong with its public name; nothing of it when it is free. */
export interface LockCondition {
  run?: Holder;
  problem?: string;
  /** How the owner gets rid of it. */
  cure?: string;
}

/** sun_path, without its last NUL, is 103 bytes on macOS and 107 on Linux. */
const MAX_SOCKET_PATH = 103;
const SUN_PATH_BYTES = 108;
/** For the command and the heartbeat, which have a time of their own. */
const GRACE_MS = 60_000;
const MAX_TRIES = 50;

/**
 * Takes the one lock of the state at `path`: on Linux an abstract socket, on Windows a named pipe, elsewhere a
 * socket in a folder beside the state, where only the state's owner can put one. Any local user can take the
 * abstract name, so it stops nobody unless a process of this user has it: then the folder is the lock on Linux too.
 * An abstract name is known in one network namespace, and its holder in one pid namespace: two containers that share
 * the state's folder and not both of these do not see each other's runs, and a change that both see is
 * mailed twice, with one Message-ID.
 * @throws IpcheckError `locked` when another run holds it
 */
export async function takeLock(path: string, options: LockOptions): Promise<Lock> {
  const { platform = process.platform, uid, deadlineMs } = options;
  const folder = `${path}.lock`;
  const name = publicName(path, uid);
  if (platform === "win32") return { release: await takePipe(name) };
  if (platform !== "linux") {
    const release = await takeFolder(folder, platform, options);
    return { release, problem: describeForeign(folder, uid) };
  }

  const release = await takeName(name, options);
  if (typeof release === "function") {
    // A run that found the name taken by a stranger holds the folder instead.
    const entry = await findLiveEntry(folder, uid, unlinkIfThere);
    if (entry === undefined) {
      rmdirIfEmpty(folder);
      return { release, problem: describeForeign(folder, uid) };
    }
    await release();
    throw locked(holderOfEntry(entry, uid), deadlineMs);
  }
  const releaseFolder = await takeFolder(folder, platform, options);
  const foreign = describeForeign(folder, uid);
  try {
    // The name once more, now that we hold the folder: a run that found the name free in between is seen this way.
    const late = await takeName(name, options);
    if (typeof late === "function") return { release: () => late().then(releaseFolder) };
    return { release: releaseFolder, problem: foreign === undefined ? late : `${late}; ${foreign}` };
  } catch (error) {
    await releaseFolder();
    throw error;
  }
}

/** Another run of ipcheck holds the lock. */
export class LockedError extends IpcheckError {
  constructor(
    message: string,
    hint: string,
    /** It has held it for longer than its deadline allows. */
    readonly isOverdue: boolean,
  ) {
    super("locked", message, { hint });
  }
}

/** Who holds the lock of the state at `path`; touches nothing. */
export async function inspectLock(path: string, options: LockOptions): Promise<LockCondition> {
  const { platform = process.platform, uid } = options;
  const folder = `${path}.lock`;
  const name = publicName(path, uid);
  if (platform === "win32") return (await isAnswering(pipePath(name))) ? { run: {} } : {};
  const entry = await findLiveEntry(folder, uid);
  if (entry !== undefined) return { run: holderOfEntry(entry, uid) };
  const holder = platform === "linux" ? findHolder(abstractName(name), uid) : undefined;
  if (holder) {
    if (holder.uid === uid) return { run: holder };
    return { problem: describeStranger(name, holder), cure: "ask whoever runs that process to end it" };
  }
  const problem = describeForeign(folder, uid);
  return problem === undefined ? {} : { problem, cure: `'sudo rm -r ${quote(folder)}' removes it` };
}

/** Whether a run has held the lock for longer than its deadline, the mail's last answer included, allows. */
export function isOverdue({ elapsedMs = 0 }: Holder, deadlineMs: number): boolean {
  return elapsedMs > 2 * deadlineMs + GRACE_MS;
}

function publicName(path: string, uid: number | undefined): string {
  return `ipcheck-${uid ?? "user"}-${createHash("sha256").update(path).digest("hex").slice(0, 20)}`;
}

// Node.js 20 binds the whole of sun_path, filled up with zeros, later versions as many bytes as they are given.
function abstractName(name: string): string {
  return `\0${name}`.padEnd(SUN_PATH_BYTES, "\0");
}

function pipePath(name: string): string {
  return `\\\\.\\pipe\\${name}`;
}

async function takePipe(name: string): Promise<Release> {
  try {
    return await listen(pipePath(name));
  } catch (error) {
    const code = systemCode(error);
    if (code === "EADDRINUSE" || code === "EACCES") throw locked({});
    throw new IpcheckError("state", `cannot take the lock (${code || String(error)})`, { cause: error });
  }
}

/**
 * Takes the abstract name, or says why not: somebody else than a run of this user has it, or the system lets nobody
 * have one (AppArmor, a unit without AF_UNIX).
 */
async function takeName(name: string, { uid, deadlineMs }: LockOptions): Promise<Release | string> {
  try {
    return await listen(abstractName(name));
  } catch (error) {
    const code = systemCode(error);
    if (code !== "EADDRINUSE") return `cannot take the socket @${name} (${code}): runs go on without it`;
    const holder = findHolder(abstractName(name), uid) ?? {};
    if (holder.uid === uid) throw locked(holder, deadlineMs);
    return describeStranger(name, holder);
  }
}

const nothing: Release = async () => undefined;

/**
 * Takes the folder `….lock`, which holds the socket of the run at work. A contender listens in a folder of its own first,
 * then renames that one: rename(2) takes the place of an absent or empty folder and of no other, for
 * exactly one contender. A dead run's socket is removed by its name, which no other run has: between asking a
 * socket and removing it, nothing else can have taken its place.
 * Resolves to `nothing` where nothing can be written: that must not stop the run.
 */
async function takeFolder(folder: string, platform: string, { uid, deadlineMs }: LockOptions): Promise<Release> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const id = randomBytes(4).toString("hex");
    const waiting = `${folder}.${id}`;
    if (platform !== "linux" && isTooLong(join(waiting, id))) {
      throw new IpcheckError("state", "cannot take the lock: the path of the state file is too long for a socket", {
        hint: "set IPCHECK_STATE_FILE to a shorter one",
      });
    }
    try {
      mkdirSync(waiting, { mode: 0o700 });
    } catch {
      return nothing;
    }
    let close = nothing;
    try {
      close = await withAddress(join(waiting, id), listen);
      renameSync(waiting, folder);
      // Another run's clean-up may have removed the socket before it was listening.
      if (existsSync(join(folder, id))) {
        await removeLeftovers(folder, uid);
        return () => abandon(folder, id, close);
      }
    } catch (error) {
      // Cleaned up before there was a socket in it: libuv calls that EACCES.
      const isGone = !existsSync(waiting);
      if (!isGone && !/^(ENOTEMPTY|EEXIST|ENOTDIR)$/.test(systemCode(error))) {
        await abandon(waiting, id, close);
        return nothing;
      }
    }
    await abandon(waiting, id, close);
    if (isForeign(folder, uid)) return nothing;
    const entry = await findLiveEntry(folder, uid, unlinkIfThere);
    if (entry !== undefined) throw locked(holderOfEntry(entry, uid), deadlineMs);
  }
  return nothing;
}

/** Removes our socket `id` with its folder, and closes it. */
function abandon(folder: string, id: string, close: Release): Promise<void> {
  unlinkIfThere(join(folder, id));
  rmdirIfEmpty(folder);
  return close();
}

/** Removes the folders of contenders that were killed before they had taken the lock. */
async function removeLeftovers(folder: string, uid: number | undefined): Promise<void> {
  for (const name of list(dirname(folder)).filter((name) => name.startsWith(`${basename(folder)}.`))) {
    const waiting = join(dirname(folder), name);
    if ((await findLiveEntry(waiting, uid, unlinkIfThere)) === undefined) rmdirIfEmpty(waiting);
  }
}

/** The name of the socket in `folder` on which a run listens; those of dead runs are handed to `removeDead`. */
async function findLiveEntry(
  folder: string,
  uid: number | undefined,
  removeDead?: (path: string) => void,
): Promise<string | undefined> {
  if (isForeign(folder, uid)) return undefined;
  for (const entry of listSockets(folder)) {
    const isAlive = withAddress(join(folder, entry), isAnswering);
    // The folder may be gone by now.
    if (await isAlive.catch((error) => systemCode(error) !== "ENOENT")) return entry;
    removeDead?.(join(folder, entry));
  }
  return undefined;
}

/** Where the state lies in a folder such as /tmp, anybody can make the lock's folder first. */
function isForeign(folder: string, uid: number | undefined): boolean {
  const owner = ownerOf(folder);
  return uid !== undefined && owner !== undefined && owner !== uid && owner !== 0;
}

function describeForeign(folder: string, uid: number | undefined): string | undefined {
  if (!isForeign(folder, uid)) return undefined;
  return `${quote(folder)} belongs to another user (uid ${ownerOf(folder)}): runs go on without it`;
}

function listSockets(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    // On macOS the lock of version 1.0.0 was a socket of this name: unlink removes no folder.
    return systemCode(error) === "ENOTDIR" && existsSync(folder) ? [""] : [];
  }
}

/** Where it is not ours to remove, the folder stays full, and taking it fails. */
function unlinkIfThere(path: string): void {
  attempt(() => unlinkSync(path));
}

/** It is full where the next holder has put its own in this place. */
function rmdirIfEmpty(folder: string): void {
  attempt(() => rmdirSync(folder));
}

function isTooLong(path: string): boolean {
  return Buffer.byteLength(path) > MAX_SOCKET_PATH;
}

/** Hands over an address for the socket at `path`: a long one is reached through its folder's descriptor (Linux). */
async function withAddress<T>(path: string, use: (address: string) => Promise<T>): Promise<T> {
  if (!isTooLong(path)) return use(path);
  const folder = openSync(dirname(path), "r");
  try {
    return await use(`/proc/self/fd/${folder}/${basename(path)}`);
  } finally {
    closeSync(folder);
  }
}

/** Listens there; resolves to what ends it. */
function listen(address: string): Promise<Release> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    // Alone: a cluster worker would share the address instead of competing for it.
    server.listen({ path: address, exclusive: true }, () => {
      // Holding it must not keep a finished run alive.
      server.unref();
      resolve(() => new Promise((closed) => server.close(() => closed())));
    });
  });
}

function isAnswering(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once("connect", () => {
      resolve(true);
      socket.destroy();
    });
    // Only a refused connection or a missing socket proves that its run is gone.
    socket.once("error", (error) => resolve(!/^(ECONNREFUSED|ENOENT|ENOTSOCK)$/.test(systemCode(error))));
  });
}

function holderOfEntry(id: string, uid: number | undefined): Holder {
  return findHolder(`/${id}`, uid) ?? {};
}

/** Who listens on the Unix socket whose address ends so, as far as /proc shows; undefined where there is no such socket. */
function findHolder(addressEnd: string, uid: number | undefined): Holder | undefined {
  const written = addressEnd.replaceAll("\0", "@");
  const rows = readProc("/proc/net/unix").split("\n");
  const sockets = rows
    .map((line) => line.split(/\s+/))
    .filter((row) => row.at(-1)?.endsWith(written) && row[4] === STREAM);
  // The ends of connections carry the name, too; they belong to whoever listens.
  const inodes = new Set(sockets.map((row) => `socket:[${row[6]}]`));
  if (inodes.size === 0) return undefined;
  const pids = list("/proc").filter((name) => /^\d+$/.test(name));
  // Another user can give a socket file a path that ends alike: processes of this user are looked at first.
  const own = pids.filter((name) => ownerOf(`/proc/${name}`) === uid);
  const pid = [...own, ...pids].find((name) => hasSocket(name, inodes));
  if (pid === undefined) return {};
  return { pid: Number(pid), uid: ownerOf(`/proc/${pid}`), elapsedMs: elapsedOf(pid) };
}

const STREAM = "0001";

function hasSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  return list(`/proc/${pid}/fd`).some((fd) => inodes.has(attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? ""));
}

/** Undefined also for what cannot be looked at: whatever uses it says why. */
function ownerOf(path: string): number | undefined {
  return attempt(() => lstatSync(path, { throwIfNoEntry: false })?.uid);
}

// Both count from the start of the machine: a clock that is set meanwhile does not matter.
function elapsedOf(pid: string): number | undefined {
  const afterName = readProc(`/proc/${pid}/stat`).split(") ").at(-1) ?? "";
  const startTicks = Number(afterName.split(" ")[19]);
  const elapsedMs = Number.parseFloat(readProc("/proc/uptime")) * 1000 - startTicks * 10;
  return Number.isFinite(elapsedMs) ? elapsedMs : undefined;
}

function readProc(path: string): string {
  return attempt(() => readFileSync(path, "latin1")) ?? "";
}

function list(path: string): string[] {
  return attempt(() => readdirSync(path)) ?? [];
}

/** What `work` returns; undefined where it fails. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function describeStranger(name: string, { pid, uid }: Holder): string {
  const who =
    pid === undefined ? "a process that is none of this user's" : `process ${pid} of another user (uid ${uid})`;
  return `${who} holds the socket @${name}, which only runs of ipcheck should: runs go on without it`;
}

function locked(holder: Holder, deadlineMs = Number.POSITIVE_INFINITY): LockedError {
  const { pid, elapsedMs = 0 } = holder;
  if (isOverdue(holder, deadlineMs)) {
    return new LockedError(
      `a run with pid ${pid} has held the lock for ${formatDuration(elapsedMs)}, longer than its deadline allows`,
      `end it with 'kill -9 ${pid}'; the next run then works again`,
      true,
    );
  }
  return new LockedError(
    `another run of ipcheck${pid === undefined ? "" : ` (pid ${pid})`} is at work on the same state`,
    "let it finish; if it happens often, run ipcheck less often or lower IPCHECK_DEADLINE",
    false,
  );
}
