// Many runs at once, runs that die while they hold the lock, clocks that jump by years, and less time
// than one request takes: one mail, no negative duration, nobody stuck.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { Home } from "../support/home";
import { hang, http, reply, startPanel } from "../support/panel";
import { runHere } from "../support/run-here";
import type { RunResult } from "../support/run-ipcheck";
import { ERROR_AND_HINT, expectRecovery, FAULTS, messageIds, NEW, OLD, OWNER, openSuite, SILENCE } from "./survival";

const { closing, makeMoved, makeNew, survived } = openSuite("concurrency");

describe("one lock", () => {
  async function expectOneMail({ home, mail }: Awaited<ReturnType<typeof makeMoved>>, starting: Promise<RunResult>[]) {
    const runs = await Promise.all(starting);
    expect([...new Set(runs.map(({ exitCode }) => exitCode))].sort()).toEqual([0, 6]);
    for (const { exitCode, stderr } of runs) expect(stderr).toMatch(exitCode === 0 ? /^$/ : ERROR_AND_HINT);
    await expectRecovery(home, mail, 1);
    await survived();
  }

  test("twenty runs at once on a change: one mail, one exit 0 and nineteen times exit 6", async () => {
    const made = await makeMoved();
    const others = new EventEmitter();
    // Whoever has the lock is answered when all the others are gone.
    const areGone = once(others, "gone");
    for (const echo of made.echoes) echo.answer = (_, response) => void areGone.then(() => response.end(NEW));
    let ended = 0;
    const runs = Array.from({ length: 20 }, async () => {
      const run = await made.home.run([], { env: { IPCHECK_TIMEOUT: "20s" } });
      if (++ended === 19) others.emit("gone");
      return run;
    });
    await expectOneMail(made, runs);
  });

  // What a run clears away before it has the lock is what another one is about to rename.
  test("twenty runs at once, and another whenever one of them renames", async () => {
    const made = await makeMoved();
    const env = { FAULT_ONLY: "^rename", FAULT_AT: "1", FAULT_CODE: "PEER", FAULT_STAYS: "yes" };
    const runs = Array.from({ length: 20 }, () => made.home.run([], { preload: [FAULTS], env }));
    await expectOneMail(made, runs);
  });

  test("a holder killed while it waits for an echo service: the next run works at once", async () => {
    const { home, mail, echoes, moveTo } = await makeMoved();
    const asked = new Promise<void>((resolve) => {
      for (const echo of echoes) echo.answer = () => resolve();
    });
    let holder: ChildProcess | undefined;
    const held = home.run([], {
      onStart: (child) => {
        holder = child;
      },
    });
    await asked;
    expect(await home.run()).toMatchObject({ exitCode: 6, stdout: "", stderr: expect.stringMatching(ERROR_AND_HINT) });
    holder?.kill("SIGKILL");
    await held;
    moveTo(NEW);
    expect(await home.run([], { killAfterMs: 5000 })).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(1);
    await survived();
  });

  test("held for as long as a mail takes", async () => {
    const { home, mail } = await makeMoved();
    const slow = createServer((socket) => void slow.emit("asked", socket));
    await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
    const asked = once(slow, "asked");
    const { port } = slow.address() as AddressInfo;
    const first = home.run([], { env: { IPCHECK_SMTP_PORT: String(port) } });
    const [socket] = await asked;
    expect(await home.run()).toMatchObject({ exitCode: 6, stdout: "" });
    socket.destroy();
    slow.close();
    expect(await first).toMatchObject({ exitCode: 5 });
    await expectRecovery(home, mail, 1);
    await survived();
  });

  // Any local user can take the name that stands in /proc/net/unix: exit 6 for ever, and nobody was told.
  test("a stranger who holds its name silences nobody, and lets no two runs in", async ({ skip }) => {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return skip("only root can act as another user");
    const made = await makeMoved();
    const { home, mail } = made;
    const hash = createHash("sha256").update(home.stateFile).digest("hex").slice(0, 20);
    const name = JSON.stringify(`\0ipcheck-0-${hash}`.padEnd(108, "\0"));
    const script = `net.createServer().listen(${name}, () => console.log(1))`;
    const stranger = spawn("setpriv", ["--reuid=65534", "--clear-groups", process.execPath, "-e", script], {
      cwd: "/",
    });
    try {
      await once(stranger.stdout, "data");
      const [sent, runs] = [mail.arrived.length, await Promise.all(Array.from({ length: 5 }, () => home.run()))];
      expect(mail.arrived).toHaveLength(sent + 1);
      for (const { exitCode } of runs) expect([0, 6]).toContain(exitCode);
      const said = `process ${stranger.pid} of another user (uid 65534) holds the socket @ipcheck-0-${hash}`;
      for (const { exitCode, stderr } of runs) if (exitCode === 0) expect(stderr).toContain(said);
      const doctor = await home.run(["doctor"]);
      expect(doctor.stdout).toContain(`warning  lock: ${said}`);
    } finally {
      stranger.kill("SIGKILL");
    }
    await survived();
  });
});

describe.concurrent("a clock that jumps", () => {
  const [PAST, PRESENT, FUTURE] = ["1970-01-02T00:00:00Z", "2026-06-01T00:00:00Z", "2038-02-01T00:00:00Z"] as const;
  const TIMES = [PAST, PRESENT, FUTURE];
  const jumps = TIMES.flatMap((from) => TIMES.filter((to) => to !== from).map((to) => [from, to] as const));
  const rows = jumps.map(([from, to]) => [from.slice(0, 4), to.slice(0, 4), from, to] as const);
  const soonAfter = (time: string) => new Date(Date.parse(time) + 60_000);

  /** Nothing that people read counts backwards. */
  async function expectNoNegatives(home: Home, now: string, ...texts: (string | undefined)[]) {
    for (const line of ["status --json", "status --prometheus", "history", "history --json", "check -v"]) {
      const { exitCode, stdout, stderr } = await home.run(line.split(" "), { now });
      expect(exitCode).toBe(0);
      texts.push(stdout, stderr);
    }
    // Dates have their hyphens between digits.
    for (const text of texts) expect(text).not.toMatch(/(?<![\w-])-\d|NaN|Invalid|undefined/);
  }

  test.for(rows)("from %s to %s between first look, quiet hour and change", async ([, , from, to]) => {
    const { home, mail, moveTo } = await makeNew(OLD, runHere);
    expect(await home.run([], { now: from })).toMatchObject(SILENCE);
    expect(await home.run([], { now: to })).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(1);
    moveTo(NEW);
    expect(await home.run([], { now: to })).toMatchObject(SILENCE);
    moveTo("203.0.113.9");
    expect(await home.run([], { now: from })).toMatchObject(SILENCE);
    expect(home.readState()).toMatchObject({ families: { 4: { recorded: { address: "203.0.113.9" } } }, outbox: [] });
    expect(new Set(messageIds(mail)).size).toBe(3);
    await expectNoNegatives(home, from, ...mail.arrived.map((arrived) => arrived.mail.text));
    await survived();
  });

  test.for(rows)("from %s to %s while a refused recipient is deferred", async ([, , from, to]) => {
    const { home, mail } = await makeNew(NEW, runHere);
    mail.refusals.set(OWNER, [550, "no such user"]);
    expect(await home.run([], { now: from })).toMatchObject({ exitCode: 5 });
    mail.refusals.clear();
    expect(await home.run([], { now: soonAfter(from) })).toMatchObject({ exitCode: 5 });
    expect(mail.arrived).toEqual([]);
    expect(await home.run([], { now: to })).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(1);
    await survived();
  });

  test.for(rows)("from %s to %s while every service cools down", async ([, , from, to]) => {
    const panel = closing(await startPanel(2, () => reply(http(429, "", { "Retry-After": "7200" }))));
    const home = new Home(runHere).useServices(...panel.services);
    expect(await home.run([], { now: from })).toMatchObject({ exitCode: 3 });
    panel.begin();
    expect(await home.run([], { now: soonAfter(from) })).toMatchObject({ exitCode: 3 });
    expect(panel.asked).toEqual([]);
    panel.script = () => NEW;
    expect(await home.run([], { now: to })).toMatchObject({ exitCode: 0, stderr: "" });
    expect(home.readState().families[4].recorded.address).toBe(NEW);
    await survived();
  });
});

describe.concurrent("a deadline shorter than one request", () => {
  const SHORT = { IPCHECK_DEADLINE: "1s", IPCHECK_TIMEOUT: "5s" };

  // Whoever would be asked next is asked after the end.
  test.for([
    ["every service hangs", 9],
    ["the first service asked hangs", 1],
  ] as const)("%s: exit 3, soon, and the next run with time enough mails", async ([, hanging]) => {
    const { home, mail } = await makeMoved();
    const panel = closing(await startPanel(3, (position) => (position < hanging ? hang : NEW)));
    home.useServices(...panel.services);
    const run = await home.run([], { env: SHORT });
    expect(run).toMatchObject({ exitCode: 3, stdout: "", stderr: expect.stringMatching(/^ipcheck: error: /) });
    expect(run.ms).toBeLessThan(4000);
    expect(home.readState().families[4].recorded.address).toBe(OLD);
    panel.script = () => NEW;
    expect(await home.run()).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(1);
    await survived();
  });
});
