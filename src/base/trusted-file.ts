// Files that decide what this program does: env file, password file, certificates, state, history. What
// another user could have written there is refused, as ssh refuses it: the file, the links that lead to
// it and every folder above it. The file is opened first, and the open file is checked and read: between
// a check by name and an opening by name somebody else could exchange it.

import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  type Stats,
  statfsSync,
} from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { systemCode } from "./errors";
import { quote } from "./text";

/** Who runs the program. Without a uid (Windows) owners and modes say nothing, and nothing is checked. */
export interface Principal {
  uid: number | undefined;
  /** The primary group: the user's own where each user has one, and folders are made 0775 (umask 002). */
  gid?: number | undefined;
}

/** A file is not to be used. `fact` ends a sentence that begins with its path; `cure` says what to do. */
export class UnusableFileError extends Error {
  constructor(
    readonly fact: string,
    readonly cure?: string,
  ) {
    super(cure === undefined ? fact : `${fact}: ${cure}`);
  }
}

/** More than any file that is read whole needs; a bundle of all public certificate authorities has a quarter of it. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads a text file that decides what this program does or sends; `isReadableByOthers` where group or others may read
 * what may be a secret, and could be kept from it.
 * @throws UnusableFileError, NodeJS.ErrnoException
 */
export function readTrusted(path: string, who: Principal, maxBytes = MAX_BYTES) {
  return openTrusted(path, constants.O_RDONLY, who, (file, stats) => {
    if (stats.size > maxBytes) throw new UnusableFileError(`is larger than ${maxBytes / 1024} KiB`);
    const isReadableByOthers =
      canOthersRead(stats, who) && !isModeless(path) && !isOnReadOnlyMount(path, file, stats, who);
    return { text: readFileSync(file, "utf8"), isReadableByOthers };
  });
}

/**
 * Opens a regular file that nobody else could have written, hands it to `work` and closes it.
 * @throws UnusableFileError, NodeJS.ErrnoException
 */
export function openTrusted<T>(
  path: string,
  flags: number,
  who: Principal,
  work: (file: number, stats: Stats) => T,
): T {
  // Non-blocking, so that a pipe in the file's place cannot hold us up. Unknown on Windows.
  const file = openSync(path, flags | (constants.O_NONBLOCK ?? 0), 0o600);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new UnusableFileError(stats.isDirectory() ? "is a directory" : "is no regular file");
    refuseOthers(path, stats, who);
    refuseUntrustedFolders(path, who);
    return work(file, stats);
  } finally {
    closeSync(file);
  }
}

/**
 * Refuses a path whose folders or links another user could exchange, up to the root. What does not exist
 * yet is no fault: we make it.
 * @throws UnusableFileError, NodeJS.ErrnoException
 */
export function refuseUntrustedFolders(path: string, who: Principal): void {
  if (who.uid === undefined) return;
  const check = (place: string, stats: Stats) => refuseOthers(place, stats, who, `lies in ${quote(place)}, which `);
  // Not resolve(path): a '..' behind a symbolic link leads elsewhere than its text says.
  const ahead = (isAbsolute(path) ? path : `${resolve(".")}/${path}`).split("/");
  let at = "/";
  check(at, lstatSync(at));
  for (let links = 0; ahead.length > 0; ) {
    const name = ahead.shift() ?? "";
    if (name === "..") at = dirname(at);
    if (["", ".", ".."].includes(name)) continue;
    const next = join(at, name);
    const stats = lstatSync(next, { throwIfNoEntry: false });
    if (!stats) return;
    if (stats.isSymbolicLink()) {
      check(next, stats);
      if (++links > MAX_LINKS) throw new UnusableFileError("lies behind too many symbolic links");
      const target = readlinkSync(next);
      if (isAbsolute(target)) at = "/";
      ahead.unshift(...target.split("/"));
    } else {
      // The file itself is checked when it is open.
      if (stats.isDirectory()) check(next, stats);
      at = next;
    }
  }
}

/** As many as Linux follows. */
const MAX_LINKS = 40;

/** What of a file's status decides whether another user could change it. */
type Ownership = Pick<Stats, "uid" | "gid" | "mode">;

/** Whether a file, folder or link belongs to somebody else, or can be written by somebody else; by modes alone. */
export function findFault({ uid, gid, mode }: Ownership, who: Principal): "foreign" | "writable" | undefined {
  if (who.uid === undefined) return undefined;
  if (uid !== who.uid && uid !== 0) return "foreign";
  const kind = mode & constants.S_IFMT;
  if (kind === constants.S_IFLNK) return undefined;
  const isFolder = kind === constants.S_IFDIR;
  // In a sticky folder such as /tmp nobody else can move or replace our files; each entry's own owner is checked.
  if (isFolder && (mode & 0o1000) !== 0) return undefined;
  // On some systems accounts such as 'operator' share root's group: no file of root's needs to be theirs too.
  const isOwnGroup = gid === who.gid && (isFolder || who.uid !== 0);
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && !isOwnGroup) ? "writable" : undefined;
}

/**
 * Refuses what another user owns or could write; `prefix` begins the fact.
 * @throws UnusableFileError
 */
function refuseOthers(path: string, { uid, gid, mode }: Stats, who: Principal, prefix = ""): void {
  // Whoever has the root directory is root: in a user namespace (rootless containers, hardened systemd units of a
  // user) root's files seem to be nobody's.
  const owner = who.uid !== undefined && uid === lstatSync("/").uid ? 0 : uid;
  const fault = findFault({ uid: owner, gid, mode }, who);
  if (fault === "foreign") {
    const asOwner = `do not run ipcheck as root, but as that user: sudo -u '#${uid}' …`;
    const cure = who.uid === 0 ? asOwner : "use one of your own";
    throw new UnusableFileError(`${prefix}belongs to another user (${uid})`, cure);
  }
  if (fault === undefined || isModeless(path)) return;
  const change = (mode & constants.S_IFMT) === constants.S_IFDIR ? "go-w" : "600";
  throw new UnusableFileError(`${prefix}can be written by other users`, `run chmod ${change} ${quote(path)}`);
}

/** Whether group or others may read a file, by modes alone; not where it was handed over so on purpose. */
export function canOthersRead({ uid, gid, mode }: Ownership, who: Principal): boolean {
  if (who.uid === undefined || (mode & 0o044) === 0) return false;
  // By root to one group (0640), or by a container's manager as a secret that nobody may change (0444).
  const isHandedOver = uid === 0 && ((mode & 0o004) === 0 ? gid !== 0 : (mode & 0o222) === 0);
  return !isHandedOver;
}

// Secrets of containers are mounted read-only: no chmod could change them.
function isOnReadOnlyMount(path: string, file: number, { uid, mode }: Stats, who: Principal): boolean {
  try {
    // To somebody who may not write at all, access answers without looking at the mount. chmod looks there
    // first, and changes nothing of what is not ours.
    if (uid === who.uid || who.uid === 0) accessSync(path, constants.W_OK);
    else fchmodSync(file, mode & 0o7777);
    return false;
  } catch (error) {
    return systemCode(error) === "EROFS";
  }
}

/** File systems whose modes are made up when they are mounted, by their numbers in statfs(2). */
const MODELESS = new Set([
  0x4d44n, // FAT
  0x2011bab0n, // exFAT
  0x5346544en, // NTFS
  0x7366746en, // NTFS3
  0x65735546n, // FUSE: NTFS-3G, and shares of a virtual machine
  0x517bn, // SMB
  0xff534d42n, // CIFS
  0xfe534d42n, // SMB2
  0x01021997n, // 9P: Windows' drives in WSL 2
  0x53464846n, // WSL 1
]);

/** Whether a file system of this type, by its number in statfs(2), keeps no modes: no chmod could help there. */
export function hasNoModes(type: bigint): boolean {
  // 32-bit systems extend the sign.
  return MODELESS.has(type & 0xffffffffn);
}

function isModeless(path: string): boolean {
  try {
    return hasNoModes(statfsSync(path, { bigint: true }).type);
  } catch {
    return false;
  }
}
