import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { canOthersRead, findFault, hasNoModes, readTrusted, refuseUntrustedFolders } from "../../src/base/trusted-file";
import { makeScratch } from "../support/scratch";

const [FILE, FOLDER, LINK] = [0o100000, 0o040000, 0o120000];
const USER = { uid: 1000, gid: 1000 };
const ROOT = { uid: 0, gid: 0 };

test.each([
  // A user's own.
  [FILE | 0o600, 1000, 1000, USER, undefined],
  [FILE | 0o664, 1000, 1000, USER, undefined],
  [FILE | 0o620, 1000, 100, USER, "writable"],
  [FILE | 0o602, 1000, 1000, USER, "writable"],
  [FOLDER | 0o775, 1000, 1000, USER, undefined],
  [FOLDER | 0o775, 1000, 100, USER, "writable"],
  [FOLDER | 0o757, 1000, 1000, USER, "writable"],
  // root's.
  [FOLDER | 0o755, 0, 0, USER, undefined],
  [FOLDER | 0o775, 0, 50, USER, "writable"],
  [FILE | 0o640, 0, 1000, USER, undefined],
  [FOLDER | 0o775, 0, 0, ROOT, undefined],
  [FILE | 0o620, 0, 0, ROOT, "writable"],
  // Everybody's, with and without the sticky bit, which means nothing on a file.
  [FOLDER | 0o1777, 0, 0, USER, undefined],
  [FOLDER | 0o1775, 0, 30000, USER, undefined],
  [FOLDER | 0o777, 0, 0, USER, "writable"],
  [FILE | 0o1666, 1000, 1000, USER, "writable"],
  // Somebody else's, whatever its mode.
  [FILE | 0o600, 1001, 1001, USER, "foreign"],
  [FOLDER | 0o1777, 1001, 1001, USER, "foreign"],
  [FOLDER | 0o700, 1000, 1000, ROOT, "foreign"],
  [FILE | 0o600, 65534, 65534, ROOT, "foreign"],
  // Links have no mode of their own.
  [LINK | 0o777, 1000, 1000, USER, undefined],
  [LINK | 0o777, 0, 0, USER, undefined],
  [LINK | 0o777, 1001, 1001, USER, "foreign"],
  // Windows.
  [FILE | 0o666, 0, 0, { uid: undefined }, undefined],
  // No group known: none is the user's own.
  [FOLDER | 0o775, 1000, 1000, { uid: 1000 }, "writable"],
] as const)("mode %o of %d:%d, looked at by %j: %s", (mode, uid, gid, who, expected) => {
  expect(findFault({ mode, uid, gid }, who)).toBe(expected);
});

test.each([
  [0o600, 1000, 1000, USER, false],
  [0o640, 1000, 1000, USER, true],
  [0o604, 1000, 1000, USER, true],
  [0o444, 1000, 1000, USER, true],
  [0o644, 0, 0, USER, true],
  // Handed over by root to one group; a container's secret.
  [0o640, 0, 1000, USER, false],
  [0o640, 0, 42, ROOT, false],
  [0o444, 0, 0, USER, false],
  [0o644, 0, 0, { uid: undefined }, false],
])("mode %o of %d:%d, looked at by %j, can be read by others: %s", (mode, uid, gid, who, expected) => {
  expect(canOthersRead({ mode: FILE | mode, uid, gid }, who)).toBe(expected);
});

test.each([
  ["ext", 0xef53n, false],
  ["tmpfs", 0x01021994n, false],
  ["btrfs", 0x9123683en, false],
  ["FAT", 0x4d44n, true],
  ["exFAT", 0x2011bab0n, true],
  ["CIFS", 0xff534d42n, true],
  ["CIFS on a 32-bit system", 0xffffffffff534d42n, true],
  ["9P", 0x01021997n, true],
])("%s has no modes: %s", (_, type, expected) => expect(hasNoModes(type)).toBe(expected));

describe("on the disk", () => {
  const who = { uid: process.getuid?.(), gid: process.getgid?.() };
  const isRoot = who.uid === 0;
  let home: string;
  let file: string;
  beforeEach(() => {
    home = makeScratch();
    mkdirSync(join(home, "a", "b"), { recursive: true, mode: 0o755 });
    file = join(home, "a", "b", "file");
    writeFileSync(file, "text", { mode: 0o600 });
  });
  const read = (path = file) => readTrusted(path, who).text;

  test("what is ours below /tmp is fine", () => {
    expect(read()).toBe("text");
    expect(() => refuseUntrustedFolders(join(home, "not", "there", "yet"), who)).not.toThrow();
  });

  test.each(["a", "a/b"])("a folder above that others can write: %s", (folder) => {
    chmodSync(join(home, folder), 0o777);
    expect(() => read()).toThrow(`which can be written by other users: run chmod go-w ${join(home, folder)}`);
    chmodSync(join(home, folder), 0o1777);
    expect(read()).toBe("text");
  });

  test("a folder above that its group can write: only the user's own group may", ({ skip }) => {
    chmodSync(join(home, "a"), 0o775);
    expect(read()).toBe("text");
    if (!isRoot) return skip("giving a folder to another group needs root");
    chownSync(join(home, "a"), 0, 4711);
    expect(() => read()).toThrow("can be written by other users");
  });

  test.for(["a", "a/b", "a/b/file"])("%s of another user", (path, { skip }) => {
    if (!isRoot) return skip("giving a file away needs root");
    chownSync(join(home, path), 4711, 0);
    // chown would lock the owner out.
    expect(() => read()).toThrow(/belongs to another user \(4711\): do not run ipcheck as root.*sudo -u '#4711'/);
    expect(() => read()).not.toThrow(/chown/);
    // To that user it is fine, and root's is too.
    expect(readTrusted(file, { uid: 4711, gid: 4711 }).text).toBe("text");
    expect(() => readTrusted(file, { uid: 4712, gid: 4712 })).toThrow(
      "belongs to another user (4711): use one of your own",
    );
  });

  test("links: ours are followed, and what they lead through is judged; a planted one is refused", ({ skip }) => {
    mkdirSync(join(home, "open"), { mode: 0o700 });
    const link = join(home, "open", "link");
    symlinkSync("../a/b/../b/file", link);
    expect(read(link)).toBe("text");
    chmodSync(join(home, "a"), 0o777);
    expect(() => read(link)).toThrow(`lies in ${join(home, "a")}`);
    chmodSync(join(home, "a"), 0o755);
    if (!isRoot) return skip("a link of another user needs root");
    chmodSync(join(home, "open"), 0o1777);
    const planted = join(home, "open", "planted");
    symlinkSync(file, planted);
    lchownSync(planted, 4711, 4711);
    expect(() => read(planted)).toThrow("belongs to another user (4711)");
  });

  // '..' behind a link leads to the parent of what the link leads to, not of the link.
  test("the folders that are really passed are judged", () => {
    mkdirSync(join(home, "c"), { mode: 0o755 });
    symlinkSync(join(home, "a", "b"), join(home, "c", "link"));
    writeFileSync(join(home, "a", "near"), "near", { mode: 0o600 });
    expect(read(`${home}/c/link/../near`)).toBe("near");
    chmodSync(join(home, "a"), 0o777);
    expect(() => read(`${home}/c/link/../near`)).toThrow("can be written by other users");
  });

  const mounted: string[] = [];
  afterAll(() => {
    for (const folder of mounted) execFileSync("umount", [folder]);
  });
  test("on a read-only mount nobody can change who may read it", ({ skip }) => {
    chmodSync(file, 0o644);
    expect(readTrusted(file, who).isReadableByOthers).toBe(true);
    try {
      execFileSync("mount", ["--bind", join(home, "a"), join(home, "a")], { stdio: "pipe" });
      mounted.push(join(home, "a"));
      execFileSync("mount", ["-o", "remount,bind,ro", join(home, "a")], { stdio: "pipe" });
    } catch {
      return skip("mounting needs root");
    }
    expect(readTrusted(file, who).isReadableByOthers).toBe(false);
  });
});
