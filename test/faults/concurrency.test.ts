// Many runs at once, clocks that jump by years, and less time than one request takes: one mail, no negative
// duration, nobody stuck.

import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, test } from "vitest";
import type { Home } from "../support/home";
import { hang, startPanel } from "../support/panel";
import { runHere } from "../support/run-here";
import type { RunResult } from "../support/run-ipcheck";
import { ERROR_AND_HINT, expectRecovery, FAULTS, messageIds, NEW, OLD, openSuite, SILENCE } from "./survival";

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
});

// Pauses and services at rest that a clock would put into the future are in the tables of state/outbox and
// lookup/cool-down.
describe.concurrent("a clock that jumps", () => {
  const TIMES = ["1970-01-02T00:00:00Z", "2026-06-01T00:00:00Z", "2038-02-01T00:00:00Z"];
  const rows = TIMES.flatMap((from) => TIMES.filter((to) => to !== from).map((to) => [from, to] as const));

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

  test.for(rows)("from %s to %s between first look, quiet hour and change", async ([from, to]) => {
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
