import { execFileSync } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type AddressEvent, EMPTY_STATE } from "../../src/state/state";
import { openStateFile } from "../../src/state/state-file";
import { makeScratch } from "../support/scratch";

const WHO = { uid: process.getuid?.(), gid: process.getgid?.() };
const NOW = new Date("2026-06-01T12:00:00Z");
const STATE = { ...EMPTY_STATE, families: { 4: { recorded: { address: "203.0.113.7", confirmedBy: [] } } } };

const mounted: string[] = [];
afterAll(() => {
  for (const folder of mounted) execFileSync("umount", [folder]);
});

test("a read-only file system: read as ever, and what cannot be written says why", ({ skip }) => {
  const path = join(makeScratch(), "state", "state.json");
  const store = openStateFile(path, WHO);
  store.prepare();
  store.save(STATE, NOW);
  try {
    execFileSync("mount", ["--bind", dirname(path), dirname(path)], { stdio: "pipe" });
    mounted.push(dirname(path));
    execFileSync("mount", ["-o", "remount,bind,ro", dirname(path)], { stdio: "pipe" });
  } catch {
    return skip("mounting needs root");
  }
  store.prepare();
  store.cleanUp();
  expect(store.load()).toEqual({ state: STATE, lastLookAt: NOW, condition: "sound" });
  const writes = [
    () => store.save(STATE, NOW),
    () => store.touch(NOW),
    () => store.appendHistory([{ id: "1", confirmedBy: [] as string[] } as AddressEvent]),
    () => store.quarantine(NOW),
  ];
  const hint = expect.stringContaining("the file system is read-only");
  const cause = expect.objectContaining({ code: "EROFS" });
  for (const write of writes) expect(write).toThrow(expect.objectContaining({ code: "state", hint, cause }));
});

test("what is made is for its owner alone, whatever is above", () => {
  const home = makeScratch();
  const path = join(home, "a", "b", "state.json");
  const store = openStateFile(path, WHO);
  store.prepare();
  store.save(STATE, NOW);
  expect([join(home, "a"), dirname(path), path].map((made) => statSync(made).mode & 0o777)).toEqual([
    0o700, 0o700, 0o600,
  ]);
});

test("what a killed run left behind is removed, a folder in its place is said", () => {
  const path = join(makeScratch(), "state.json");
  const store = openStateFile(path, WHO);
  const temporary = join(dirname(path), ".state.json.tmp");
  writeFileSync(temporary, "half");
  store.cleanUp();
  store.save(STATE, NOW);
  mkdirSync(temporary);
  expect(() => store.cleanUp()).toThrow("cannot remove");
});
