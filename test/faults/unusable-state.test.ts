// The state can be read and not written, or not even read: the home moves all the same, and people are told, once a
// day until somebody mends it.

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { MailServer } from "../support/mail-server";
import { FAULTS, messageIds, mount, mountOn, NEW, OLD, openSuite, SILENCE } from "./survival";

const { makeMoved, survived } = openSuite("unusable states");
const THIRD = "203.0.113.99";
const HOUR_MS = 3_600_000;
const START = Date.now();
const at = (hour: number) => ({ now: new Date(START + hour * HOUR_MS) });

/** The state folder is a file system of its own that is read-only. */
async function makeReadOnly(skip: (note: string) => never) {
  const made = await makeMoved((folder) => mountOn(folder, "mode=700", skip));
  mount("-o", "remount,ro", dirname(made.home.stateFile));
  return made;
}

const subjects = (mail: MailServer) => mail.arrived.map((arrived) => arrived.mail.subject ?? "");

describe("a card turned read-only", () => {
  test("a change is mailed once a day until it is mended, then no more", async ({ skip }) => {
    const { home, mail, bench } = await makeReadOnly(skip);
    const runtime = join(home.path, "run");
    mkdirSync(runtime, { mode: 0o700 });
    home.env["XDG_RUNTIME_DIR"] = runtime;
    const said: string[] = [];
    for (const hour of [0, 1, 2, 23, 25, 26, 47, 50]) {
      const run = await home.run([], at(hour));
      expect(run).toMatchObject({ exitCode: 4, stdout: "" });
      if (run.stderr !== "") said.push(run.stderr);
    }
    expect(mail.arrived).toHaveLength(3);
    expect(new Set(messageIds(mail)).size).toBe(1);
    expect(mail.arrived[0]?.mail.text).toMatch(/read-only[\s\S]*repeated/);
    expect(said).toHaveLength(3);
    expect(said[0]).toMatch(
      /^ipcheck: error: cannot write the state file .* \(EROFS\)\nipcheck: hint: .*read-only.*once a day/,
    );
    expect(readdirSync(runtime)).toEqual(["ipcheck"]);

    mount("-o", "remount,rw", dirname(home.stateFile));
    for (const hour of [51, 52, 80]) expect(await home.run([], at(hour))).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(3);
    expect(home.readState()).toMatchObject({ families: { 4: { recorded: { address: NEW } } }, outbox: [] });
    expect(home.readState()).not.toHaveProperty("unsaved");
    expect(readdirSync(join(runtime, "ipcheck"))).toEqual([]);
    expect(readFileSync(home.historyFile, "utf8").split(`"address":"${NEW}"`)).toHaveLength(2);
    await survived(bench);
  });

  test("every change is told, also the one back", async ({ skip }) => {
    const { home, mail, moveTo, bench } = await makeReadOnly(skip);
    home.env["TMPDIR"] = home.path;
    for (const [hour, address] of [NEW, OLD, THIRD, THIRD].entries()) {
      moveTo(address);
      expect((await home.run([], at(hour))).exitCode).toBe(4);
    }
    expect(subjects(mail).map((subject) => subject.match(/203[.\d]+\d/g)?.slice(0, 2))).toEqual([
      [NEW, OLD],
      [OLD, NEW],
      [THIRD, OLD],
    ]);
    await survived(bench);
  });

  test.for<[string, (place: string) => void]>([
    ["does not exist", () => undefined],
    ["is a link that somebody planted", (place) => symlinkSync("/tmp", join(place, "ipcheck"))],
    [
      "can be read by others",
      (place) => {
        mkdirSync(join(place, "ipcheck"));
        chmodSync(join(place, "ipcheck"), 0o755);
      },
    ],
  ])("where the runtime folder %s every run tells, under one Message-ID", async ([name, make], { skip }) => {
    const { home, mail, bench } = await makeReadOnly(skip);
    const place = join(home.path, "run");
    if (name !== "does not exist") mkdirSync(place, { mode: 0o700 });
    make(place);
    home.env["XDG_RUNTIME_DIR"] = place;
    expect((await home.run(["--dry-run"], at(0))).stdout).toContain("keep the state nowhere: every run would tell");
    for (const hour of [0, 1, 2]) {
      expect(await home.run([], at(hour))).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("EROFS") });
    }
    expect(mail.arrived).toHaveLength(3);
    expect(new Set(messageIds(mail)).size).toBe(1);
    await survived(bench);
  });

  test("the hook is called once for a change, and a dry run says what would really happen", async ({ skip }) => {
    const { home, bench } = await makeReadOnly(skip);
    home.env["TMPDIR"] = home.path;
    home.env["IPCHECK_ON_CHANGE"] = `echo "$IPCHECK_OLD $IPCHECK_NEW" >> '${home.path}/called'`;
    const dry = await home.run(["--dry-run"], at(0));
    expect(dry).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("EROFS") });
    expect(dry.stdout).toMatch(/would keep the state in the runtime folder[\s\S]*would mail 203\.0\.113\.8/);
    expect(existsSync(join(home.path, "called"))).toBe(false);
    for (const hour of [0, 1, 2]) await home.run([], at(hour));
    expect(readFileSync(join(home.path, "called"), "utf8")).toBe(`${OLD} ${NEW}\n`);
    await survived(bench);
  });
});

describe("a folder that cannot be made", () => {
  test.for(["EROFS", "ENOSPC", "EACCES"])("%s: the address is mailed once a day", async (code) => {
    const { home, mail, bench } = await makeMoved();
    home.env["TMPDIR"] = home.path;
    home.env["IPCHECK_STATE_FILE"] = join(home.path, "elsewhere", "state.json");
    const fault = {
      preload: [FAULTS],
      env: { FAULT_ONLY: "^mkdir elsewhere", FAULT_AT: "1", FAULT_CODE: code, FAULT_STAYS: "1" },
    };
    const said: string[] = [];
    for (const hour of [0, 1, 25]) {
      const run = await home.run([], { ...fault, ...at(hour) });
      expect(run).toMatchObject({ exitCode: 4, stdout: "" });
      said.push(run.stderr);
    }
    expect(said).toEqual([
      expect.stringMatching(/cannot make the folder.*\n.*hint: .*until then .* told/),
      "",
      said[0],
    ]);
    expect(new Set(messageIds(mail)).size).toBe(1);
    expect(mail.arrived).toHaveLength(2);
    await survived(bench);
  });
});

describe("a state that cannot be read", () => {
  test.for(["EIO", "EACCES"])("%s: the address is mailed once, and the file stays as it is", async (code) => {
    const { home, mail, bench } = await makeMoved();
    home.env["TMPDIR"] = home.path;
    const before = readFileSync(home.stateFile);
    const only = code === "EIO" ? "^readFile state.json" : "^open r state.json$";
    const fault = {
      preload: [FAULTS],
      env: { FAULT_ONLY: only, FAULT_AT: "1", FAULT_CODE: code, FAULT_STAYS: "for good" },
    };
    for (const hour of [0, 1, 2]) {
      const run = await home.run([], { ...fault, ...at(hour) });
      expect(run).toMatchObject({ exitCode: 4, stdout: "" });
      if (hour === 0) expect(run.stderr).toContain(`(${code})`);
      else expect(run.stderr).toBe("");
    }
    expect(subjects(mail)).toEqual([expect.stringContaining(NEW)]);
    expect(readFileSync(home.stateFile).equals(before)).toBe(true);
    // Read again, it tells the change that it knows of.
    expect(await home.run([], at(3))).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(2);
    expect(await home.run([], at(4))).toMatchObject(SILENCE);
    await survived(bench);
  });
});
