// The disk fails at each write in turn, is really full, or holds something that is no state: said in plain
// words with exit 4, everybody told all the same, and all made good by the next healthy run.

import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { sample } from "../support/sample";
import {
  ERROR_AND_HINT,
  expectRecovery,
  FAULTS,
  messageIds,
  mountOn,
  NEW,
  OLD,
  openSuite,
  owedId,
  SILENCE,
} from "./survival";

vi.setConfig({ maxConcurrency: 2 });

const { makeMoved, survived } = openSuite("disk");
// The lock has tests of its own, below.
const WRITES = "^(open (wx|a)|open r ipcheck|write|fsync|rename (?!\\S+\\.lock)|f?utimes)";

describe.concurrent("a write that fails", async () => {
  const { home: counted } = await makeMoved();
  const log = join(counted.path, "sections");
  await counted.run([], { preload: [FAULTS], env: { FAULT_LOG: log, FAULT_ONLY: WRITES } });
  const sections = readFileSync(log, "utf8").trim().split("\n");
  const recordedAt = sections.indexOf("fsync ipcheck") + 1;

  type Row = readonly [code: string, stays: string, place: number, name: string];
  const expectSurvival = async ([code, stays, place]: Row) => {
    const { home, mail, bench } = await makeMoved();
    const env = { FAULT_ONLY: WRITES, FAULT_AT: String(place), FAULT_CODE: code, FAULT_STAYS: stays };
    const run = await home.run([], { preload: [FAULTS], env });
    expect(run).toMatchObject({ exitCode: 4, stdout: "" });
    // Two where the history failed first.
    expect(run.stderr).toMatch(/^(ipcheck: error: [^\n]+\nipcheck: hint: [^\n]+\n){1,2}$/);
    expect(run.stderr).toContain(`(${code})`);
    expect(run.stderr).not.toMatch(/^\s+at |injected/m);
    expect(mail.arrived).toHaveLength(1);
    if (place > recordedAt) expect(home.readState().families[4].recorded.address).toBe(NEW);
    await expectRecovery(home, mail);
    await survived(bench);
  };
  const rows = sections.flatMap((name, index): Row[] => [
    ["ENOSPC", "for good", index + 1, name],
    ["EIO", "", index + 1, name],
    ["EROFS", "for good", index + 1, name],
    // An open file is not asked for its permissions again.
    ...(/^(open|rename)/.test(name) ? [["EACCES", "", index + 1, name] as const] : []),
  ]);
  test.for(sample(rows, 15))(`%s %s at write %i of ${sections.length}: %s`, expectSurvival);
});

test.for(["EIO", "EACCES", "ENOSPC", "EROFS"])("%s where the lock is taken stops no run", async (code) => {
  for (const only of ["^mkdir \\S+\\.lock", "^rename \\S+\\.lock"]) {
    const { home, mail } = await makeMoved();
    const env = { FAULT_ONLY: only, FAULT_AT: "1", FAULT_CODE: code };
    expect(await home.run([], { preload: [FAULTS], env })).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(1);
    await expectRecovery(home, mail, 1);
    expect(home.listStateFolder()).toEqual(["history.jsonl", "state.json"]);
    await survived();
  }
});

test.for(["EACCES", "EAFNOSUPPORT", "EMFILE"])(
  "%s for the lock's public name stops no run, and is said",
  async (code) => {
    const { home, mail, bench } = await makeMoved();
    const env = { FAULT_ONLY: "^listen", FAULT_AT: "1", FAULT_STAYS: "for good", FAULT_CODE: code };
    const said = new RegExp(`^ipcheck: warning: cannot take the socket @\\S+ \\(${code}\\): runs go on without it\n$`);
    const run = await home.run([], { preload: [FAULTS], env });
    expect(run).toMatchObject({ exitCode: 0, stdout: "", stderr: expect.stringMatching(said) });
    await expectRecovery(home, mail, 1);
    await survived(bench);
  },
);

describe("a small file system", () => {
  /** The state folder becomes a file system of 16 KiB. */
  async function makeSmall(skip: (note: string) => never) {
    const made = await makeMoved((folder) => mountOn(folder, "size=16k,mode=700", skip));
    return { ...made, filler: join(dirname(made.home.stateFile), "filler") };
  }
  const fill = (filler: string) => execFileSync("sh", ["-c", `cat /dev/zero > '${filler}' 2>&1 || :`]);

  // Read-only: unusable-state.test.ts.
  test("full when the address changes: told once, and said once a day", async ({ skip }) => {
    const { home, mail, filler } = await makeSmall(skip);
    fill(filler);
    for (const said of [/\(ENOSPC\)[\s\S]*hint: the disk is full/, /^$/]) {
      expect(await home.run()).toMatchObject({ exitCode: 4, stdout: "", stderr: expect.stringMatching(said) });
      expect(home.readState().families[4].recorded.address).toBe(OLD);
    }
    expect(mail.arrived).toHaveLength(1);
    rmSync(filler);
    await expectRecovery(home, mail, 1);
    await survived();
  });

  // A run that mails and cannot strike it off must not do so hour after hour.
  test("full while a notice is owed: told once", async ({ skip }) => {
    const { home, mail, filler } = await makeSmall(skip);
    home.env["IPCHECK_SMTP_PORT"] = "1";
    expect(await home.run()).toMatchObject({ exitCode: 5 });
    const id = owedId(home);
    home.env["IPCHECK_SMTP_PORT"] = String(mail.port);
    fill(filler);
    for (let hour = 0; hour < 4; hour++) expect((await home.run()).exitCode).toBe(4);
    rmSync(filler);
    await expectRecovery(home, mail, 1);
    expect(messageIds(mail)[0]).toBe(id);
    await survived();
  });
});

describe.concurrent("what is no state", () => {
  // What else is none: state.test.ts.
  const SCRAPS: Record<string, (state: Buffer) => string | Buffer> = {
    truncated: (state) => state.subarray(0, state.length / 2),
    "with one digit turned": (state) => state.toString().replace(OLD, "203.0.113.6"),
    "nested 100,000 deep, and closed": () => `{"version":1,"x":${"[".repeat(1e5)}${"]".repeat(1e5)},"checksum":"0"}`,
    "five megabytes": () => Buffer.alloc(5_000_000, "{"),
  };
  test.for(Object.entries(SCRAPS))("%s: kept aside, said once, begun anew", async ([, scrap]) => {
    const { home, mail, bench } = await makeMoved();
    const content = Buffer.from(scrap(readFileSync(home.stateFile)));
    writeFileSync(home.stateFile, content);
    const warning = expect.stringMatching(/^ipcheck: warning: [^\n]+\n$/);
    expect(await home.run()).toMatchObject({ exitCode: 0, stdout: "", stderr: warning });
    const aside = home.listStateFolder().filter((name) => name.startsWith("state.json.unreadable-"));
    expect(aside.map((name) => readFileSync(join(dirname(home.stateFile), name)).equals(content))).toEqual([true]);
    expect(mail.arrived.map((arrived) => arrived.mail.subject)).toEqual([expect.stringContaining(NEW)]);
    expect(await home.run()).toMatchObject(SILENCE);
    await survived(bench);
  });

  type Obstacle = readonly [name: string, put: (path: string, content: string) => void];
  const DIRECTORY: Obstacle = ["a directory", (path) => mkdirSync(path)];
  const FIFO: Obstacle = ["a FIFO", (path) => execFileSync("mkfifo", [path])];

  const NEWER: Obstacle = ["a newer version's", (path, text) => writeFileSync(path, text.replace('n": 1', 'n": 2'))];

  test.for([NEWER, DIRECTORY, FIFO])("%s in its place: refused, soon, and not touched", async ([, put]) => {
    const { home, mail, bench } = await makeMoved();
    const state = readFileSync(home.stateFile, "utf8");
    rmSync(home.stateFile);
    put(home.stateFile, state);
    const { ino } = lstatSync(home.stateFile);
    for (const command of ["check", "status"]) {
      const run = await home.run([command], { killAfterMs: 5000 });
      expect(run).toMatchObject({ exitCode: 4, stdout: "", stderr: expect.stringMatching(ERROR_AND_HINT) });
    }
    expect(lstatSync(home.stateFile).ino).toBe(ino);
    expect(mail.arrived).toEqual([]);
    rmSync(home.stateFile, { recursive: true });
    writeFileSync(home.stateFile, state, { mode: 0o600 });
    await expectRecovery(home, mail, 1);
    await survived(bench);
  });

  test.for([DIRECTORY, FIFO])("%s in the history's place: people are told", async ([, put]) => {
    const { home, mail, bench } = await makeMoved();
    rmSync(home.historyFile);
    put(home.historyFile, "");
    const run = await home.run([], { env: { IPCHECK_DEADLINE: "4s" }, killAfterMs: 8000 });
    expect(run).toMatchObject({ exitCode: 4, stdout: "", stderr: expect.stringMatching(ERROR_AND_HINT) });
    expect(mail.arrived).toHaveLength(1);
    rmSync(home.historyFile, { recursive: true });
    await expectRecovery(home, mail, 1);
    await survived(bench);
  });
});
