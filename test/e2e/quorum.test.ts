// Five operators on loopback: who is believed, when, and what it costs them.

import { copyFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SILENCE, startMail } from "../setup/workbench";
import { Home } from "../support/home";
import type { MailServer } from "../support/mail-server";
import { type Act, afterRequest, http, type Panel, reply, startPanel } from "../support/panel";
import { runHere } from "../support/run-here";
import { sample } from "../support/sample";

vi.setConfig({ maxConcurrency: 4 });

const OLD = "203.0.113.7";
const NEW = "203.0.113.8";
const [LIE, OTHER_LIE] = ["198.51.100.66", "198.51.100.67"] as const;
const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 5, 1, 12);
const refuse: Act = (socket) => socket.resetAndDestroy();

let mail: MailServer;
/** A home that has recorded OLD. */
const settled = new Home(runHere);
const panels: Panel[] = [];
let owners = 0;

beforeAll(async () => {
  mail = await startMail();
  const panel = await start(2, () => OLD);
  const firstLook = settled.useServices(...panel.services).run([], { now: new Date(START - 30 * HOUR_MS) });
  expect(await firstLook).toMatchObject({ exitCode: 0, stderr: "" });
});
afterAll(() => Promise.all(panels.map((panel) => panel.close())));

async function start(size: number, script: Panel["script"]): Promise<Panel> {
  const panel = await startPanel(size, script);
  panels.push(panel);
  return panel;
}

/** A home that asks `panel`, with OLD recorded where `isSettled`. */
function makeHome(panel: Pick<Panel, "services">, isSettled = true) {
  const owner = `owner-${owners++}@example.net`;
  const home = new Home(runHere).useServices(...panel.services).useMail(mail, owner);
  if (isSettled) {
    mkdirSync(dirname(home.stateFile), { recursive: true, mode: 0o700 });
    copyFileSync(settled.stateFile, home.stateFile);
  }
  return {
    home,
    at: (hours: number, args: string[] = []) => home.run(args, { now: new Date(START + hours * HOUR_MS) }),
    recorded: () => home.readState().families[4].recorded,
    mails: () => mail.arrived.filter(({ recipients }) => recipients.includes(owner)),
  };
}

describe.concurrent("liars among five never win", () => {
  const positions = [0, 1, 2, 3, 4];
  const pairs = positions.flatMap((a) => positions.filter((b) => b >= a).map((b) => [a, b]));
  const rows = pairs.flatMap((liars) => [LIE, OTHER_LIE].map((other) => ({ liars, lies: [LIE, other] })));
  test.for(sample(rows, 8))("asked at places $liars, saying $lies", async ({ liars, lies }) => {
    const panel = await start(5, (position) => lies[liars.indexOf(position)] ?? NEW);
    for (const isSettled of [true, false]) {
      panel.begin();
      const { recorded, at, mails } = makeHome(panel, isSettled);
      expect(await at(0)).toMatchObject(SILENCE);
      expect(recorded()).toMatchObject({ address: NEW });
      expect(recorded().confirmedBy).toHaveLength(3);
      expect(panel.asked.length).toBeLessThanOrEqual(5);
      expect(mails()).toHaveLength(1);
      expect(mails()[0]?.mail.text).not.toMatch(/198\.51\.100/);
    }
  });
});

describe.concurrent("what a look costs", () => {
  test("16 quiet hours over a panel of four: 16 requests, to three of them at least", async () => {
    const panel = await start(4, () => OLD);
    const { home, at, mails } = makeHome(panel);
    const before = home.fingerprint();
    for (let hour = 0; hour < 16; hour++) expect(await at(hour)).toMatchObject(SILENCE);
    expect(panel.asked).toHaveLength(16);
    expect(new Set(panel.asked).size).toBeGreaterThanOrEqual(3);
    expect(home.fingerprint()).toBe(before);
    expect(mails()).toEqual([]);
  });

  test("a loser that never answers is hung up on", async () => {
    let hungUp: unknown;
    // A lie first, so that all the others are asked; the third that agrees ends it.
    const panel = await start(5, (position) => {
      if (position < 4) return position === 0 ? LIE : NEW;
      return afterRequest((socket) => {
        hungUp = new Promise((resolve) => socket.once("close", () => resolve("hung up on")));
      });
    });
    const { home, recorded, at } = makeHome(panel);
    home.env["IPCHECK_TIMEOUT"] = "20s";
    const run = await at(0);
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    expect(run.ms).toBeLessThan(5000);
    expect(recorded().address).toBe(NEW);
    expect(panel.asked).toHaveLength(5);
    expect(await hungUp).toBe("hung up on");
  });

  test("where half of them say what is recorded: after a contradiction all are asked until a look is good", async () => {
    const panel = await start(6, (_, service) => (service < 3 ? OLD : NEW));
    const { home, at, recorded, mails } = makeHome(panel);
    let isContradicted = false;
    for (let hour = 0; hour < 12; hour++) {
      panel.begin();
      const { exitCode } = await at(hour);
      // The first service asked may say what is recorded; after the first contradiction that is not enough.
      expect(panel.asked).toHaveLength(isContradicted || exitCode === 3 ? 6 : 1);
      if (isContradicted) expect(exitCode).toBe(3);
      isContradicted ||= exitCode === 3;
    }
    expect([isContradicted, recorded().address]).toEqual([true, OLD]);
    expect(mails()).toEqual([]);
    // Four of six end it, and the next look is a cheap one again.
    panel.script = (_, service) => (service < 4 ? OLD : NEW);
    panel.begin();
    expect(await at(12)).toMatchObject({ exitCode: 0 });
    expect(panel.asked).toHaveLength(6);
    expect(home.readState().families[4]).not.toHaveProperty("isContradicted");
    panel.script = () => OLD;
    panel.begin();
    expect(await at(13)).toMatchObject({ exitCode: 0 });
    expect(panel.asked).toHaveLength(1);
  });
});

describe.concurrent("plain http from elsewhere than loopback", () => {
  // 0.0.0.0 leads to this machine, and is no loopback address.
  const elsewhere = (panel: Panel) => ({
    services: panel.services.map(({ url, name }) => ({ url: url.replace("127.0.0.1", "0.0.0.0"), name })),
  });

  test("is one voice, however many say it, and doctor says so", async () => {
    const panel = await start(3, () => NEW);
    const { home, at, recorded, mails } = makeHome(elsewhere(panel));
    for (const hour of [0, 1]) {
      panel.begin();
      const run = await at(hour, ["-v"]);
      expect(run).toMatchObject({ exitCode: 3, stdout: "" });
      expect(run.stderr).toMatch(/only plain http says 203\.0\.113\.8[\s\S]*hint: .*plain http.*https:\/\//);
      expect(panel.asked).toHaveLength(1);
    }
    expect([recorded().address, mails()]).toEqual([OLD, []]);
    const doctor = await home.run(["doctor"], { now: new Date(START + 1.5 * HOUR_MS) });
    expect(doctor.stdout).toMatch(/^warning {2}echo services: those asked over plain http count as one operator/m);
    expect(await at(2)).toMatchObject({ exitCode: 0 });
    expect(recorded()).toMatchObject({ address: NEW, isUnconfirmed: true, confirmedBy: ["plain http"] });
  });

  test("confirms nothing together with its own kind, and something together with another operator", async () => {
    const panel = await start(3, () => NEW);
    const third = panel.services.slice(2);
    const mixed = makeHome({ services: [...elsewhere(panel).services.slice(0, 2), ...third] });
    expect(await mixed.at(0)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(mixed.recorded().confirmedBy.toSorted()).toEqual([`http://${third[0]?.name}`, "plain http"]);
  });
});

const busyFor = (seconds: string): Act => reply(http(429, "", { "Retry-After": seconds }));

/** What a service answers, by its letter. */
const ACTS: Readonly<Record<string, Act>> = {
  O: OLD,
  N: NEW,
  L: LIE,
  "-": refuse,
  p: "<html>log in</html>",
  e: "",
  r: reply(http(302, "", { Location: "http://portal.invalid/" })),
  b: busyFor("864000"),
  s: busyFor("10"),
};

/** `asked` are the services that are asked, in order; where it is left out, a run that comes to nothing asks all. */
type Hour = [hour: number, says: string, exitCode: 0 | 3, asked?: RegExp];
const hourly = (says: string, hours: readonly number[], asked?: RegExp): Hour[] =>
  hours.map((hour) => (asked ? [hour, says, 3, asked] : [hour, says, 3]));
const UNCONFIRMED = { address: NEW, isUnconfirmed: true };
const UNTIL_FOUR = [0, 1, 2, 3, 4];
const [NOBODY, ONE] = [/^$/, /^.$/];
/** Only NEW is heard, but for the third time, when these are. */
const interruptedBy = (says: string): Hour[] => [
  ...hourly("N--", [0, 1]),
  [2, says, 3],
  ...hourly("N--", [3, 4]),
  [5, "N--", 0],
];
/** All answer as in `first`, then as in `then`, and only one is asked until the hour is over. */
const onceAnHour = (first: string, then: string): Hour[] => [
  [0, first, 3],
  ...hourly(then, [0.1, 0.5, 0.9], NOBODY),
  ...hourly(then, [1], ONE),
  ...hourly(then, [1.1, 1.9], NOBODY),
  ...hourly(then, [2], ONE),
];
const DEAD_BESIDE_BUSY: Hour[] = [...hourly("b-", [0]), [0.5, "b-", 3, /^1$/], [1, "O-", 0, /^10$/]];
// Within the hour the only one that can be asked has to be patient.
const TOO_FEW: Hour[] = [...hourly("-bb", [0]), [0.5, "NNN", 3, /^0$/], [1, "NNN", 0, /^0.$/]];
// The one that is asked in spite of its cool-down tells of a change: so the other one is worth a question, too.
const BRIEF: Hour[] = [...hourly("sbb", [0]), ...hourly("sNN", [0.25, 0.5, 0.75], /^0$/), [1, "sNN", 0]];
/** What a change costs, by the number of services. */
const COSTS = [/^.$/, /^..$/, /^..$/, /^...$/, /^...$/, /^....$/];

describe.concurrent("what the services say, a letter for each, and what is recorded in the end", () => {
  type Row = [what: string, hours: Hour[], recorded: { address: string; isUnconfirmed?: boolean }, mails: number];
  test.for<Row>([
    ...COSTS.map((asked, more): Row => {
      return [`no more than a majority of ${more + 1}`, [[0, "N".repeat(more + 1), 0, asked]], { address: NEW }, 1];
    }),
    ["two of six that can be reached are a majority", [[0, "NN----", 0]], { address: NEW }, 1],
    ["half of four is none", hourly("NNLL", [0, 1, 2, 3, 4, 5]), { address: OLD }, 0],
    ["half of six is none", hourly("NNNLLL", [0, 1, 2, 3, 4, 5]), { address: OLD }, 0],
    ["two that agree beside a page are believed in time", [...hourly("NNp-", [0, 1]), [2, "NNp-", 0]], UNCONFIRMED, 1],
    ["one alone is believed in time", [...hourly("N--", [0, 1]), [2, "N--", 0]], UNCONFIRMED, 1],
    ["a clock that was ahead begins anew", [...hourly("N-", [48, 0, 1, 1.9]), [2, "N-", 0]], UNCONFIRMED, 1],
    ["a run that hears nothing begins anew", interruptedBy("---"), UNCONFIRMED, 1],
    ["a run that hears another address begins anew", interruptedBy("L--"), UNCONFIRMED, 1],
    ["a run in which others answer garbage begins anew", interruptedBy("Npp"), UNCONFIRMED, 1],
    // Which other answers are heard as no address: answer.test.ts and failures.test.ts.
    ["never beside a page", hourly("N-p", UNTIL_FOUR), { address: OLD }, 0],
    ["never beside nothing", hourly("N-e", UNTIL_FOUR), { address: OLD }, 0],
    ["never beside a redirect", hourly("N-r", UNTIL_FOUR), { address: OLD }, 0],
    // Cool-downs order who is asked, and never silence.
    ["when all cool down, one is asked once an hour", onceAnHour("bbb", "bbb"), { address: OLD }, 0],
    ["also when it fails in another way", onceAnHour("bb", "--"), { address: OLD }, 0],
    ["also when the only one that does not is dead", DEAD_BESIDE_BUSY, { address: OLD }, 0],
    ["a change is confirmed by those that cool down, where the others are too few", TOO_FEW, { address: NEW }, 1],
    ["one that refuses every quarter of an hour does not keep us from the others", BRIEF, { address: NEW }, 1],
  ])("%s", async ([, hours, expected, count]) => {
    let says = "";
    const panel = await start(hours[0]?.[1].length ?? 0, (_, service) => ACTS[says[service] ?? ""] ?? refuse);
    const { at, recorded, mails } = makeHome(panel);
    for (const [index, [hour, letters, exitCode, asked]] of hours.entries()) {
      says = letters;
      panel.begin();
      expect(await at(hour)).toMatchObject(exitCode === 0 ? SILENCE : { exitCode, stdout: "" });
      if (index < hours.length - 1) expect(recorded().address).toBe(OLD);
      // Nobody is left out where nobody is believed, and nobody is asked twice.
      if (asked) expect(panel.asked.join("")).toMatch(asked);
      else if (exitCode === 3) expect(panel.asked).toHaveLength(letters.length);
      expect(new Set(panel.asked).size).toBe(panel.asked.length);
    }
    expect(recorded()).toMatchObject(expected);
    expect("isUnconfirmed" in recorded()).toBe("isUnconfirmed" in expected);
    expect(mails().filter((one) => one.mail.subject?.includes(NEW))).toHaveLength(count);
    if (!expected.isUnconfirmed) return;
    // It was said by them, and confirmed by nobody.
    expect(mails().at(-1)?.mail.text).toMatch(/nobody could confirm/i);
    expect(mails().at(-1)?.mail.text).not.toMatch(/^Confirmed by/m);
  });
});

describe.concurrent("one operator's word", () => {
  test.for([true, false])("two that contradict each other are both named (settled: %s)", async (isSettled) => {
    const panel = await start(2, (_, service) => [LIE, NEW][service] ?? "");
    const { home, at, mails } = makeHome(panel, isSettled);
    for (const hour of [0, 1, 2, 3]) {
      const { exitCode, stdout, stderr } = await at(hour, ["-v"]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
      for (const [index, answer] of [LIE, NEW].entries()) {
        expect(stderr).toContain(`${panel.services[index]?.name} answered ${answer}\n`);
      }
      expect(stderr).toMatch(/^ipcheck: error: .*contradict.*\n/);
      expect(home.readState().families[4].recorded?.address).toBe(isSettled ? OLD : undefined);
    }
    expect(mails()).toEqual([]);
  });

  test("needs two hours, in however many runs, and says so wherever it goes", async () => {
    const panel = await start(3, (_, service) => (service === 0 ? NEW : refuse));
    const { home, at, recorded, mails } = makeHome(panel);
    for (const hours of [0, 0.00003, 0.00006, 0.5, 1, 1.5, 1.98]) {
      const { exitCode, stdout } = await at(hours, ["--json"]);
      expect(exitCode).toBe(3);
      expect(JSON.parse(stdout).families.ipv4).toMatchObject({ address: OLD, unconfirmed: false });
    }
    expect([recorded().address, mails()]).toEqual([OLD, []]);
    // Nobody listens there: the notice stays owed.
    const unheard = { now: new Date(START + 2 * HOUR_MS), env: { IPCHECK_SMTP_PORT: "1" } };
    expect(JSON.parse((await home.run(["--json"], unheard)).stdout)).toMatchObject({
      exitCode: 5,
      families: { ipv4: { address: NEW, unconfirmed: true } },
      pending: [{ kind: "change", address: NEW, unconfirmed: true, told: [] }],
    });
    expect(await at(2.05)).toMatchObject({ exitCode: 0 });
    expect(mails()).toHaveLength(1);
    const now = new Date(START + 2.1 * HOUR_MS);
    const status = await home.run(["status", "--json"], { now });
    expect(JSON.parse(status.stdout).families[0]).toMatchObject({ address: NEW, unconfirmed: true });
    expect((await home.run(["status"], { now })).stdout).toMatch(/confirmed by nobody/);
    expect((await home.run(["history"], { now })).stdout).toMatch(/unconfirmed/);
    expect((await home.run(["history", "--json"], { now })).stdout).toMatch(/"unconfirmed": ?true/);
  });

  test("first heard by a clock that was hours behind counts from the start of the machine", async () => {
    const panel = await start(2, (_, service) => (service === 0 ? NEW : refuse));
    const { home, at, recorded } = makeHome(panel);
    for (const row of ["0 60", "5 360", "5.1 660", "6.9 7140", "7 7260"]) {
      const [hour, uptime = ""] = row.split(" ");
      home.env["FAKE_UPTIME"] = uptime;
      expect(await at(Number(hour))).toMatchObject({ exitCode: hour === "7" ? 0 : 3 });
      expect(recorded().address).toBe(hour === "7" ? NEW : OLD);
    }
  });

  test("is one vote, at however many of its URLs", async () => {
    const panel = await start(2, (_, service) => (service === 0 ? LIE : OLD));
    const [liar, honest] = panel.services.map(({ url }) => url) as [string, string];
    const twice = makeHome({ services: ["a", "b", "c?d"].map((path) => ({ url: liar + path, name: path })) });
    const run = await twice.at(0);
    expect(run).toMatchObject({ exitCode: 3, stdout: "" });
    expect(run.stderr).toMatch(/^ipcheck: hint: .*one operator.*\n$/m);
    const outvoted = makeHome({ services: [liar, `${liar}b`, `${liar}c`, honest].map((url) => ({ url, name: url })) });
    for (const hour of [0, 1, 2, 3, 4, 5]) expect([0, 3]).toContain((await outvoted.at(hour)).exitCode);
    for (const { recorded, mails } of [twice, outvoted]) {
      expect(recorded().address).toBe(OLD);
      // Hours of contradiction may be told of as an outage; the lie is not.
      for (const { mail: message } of mails()) expect(`${message.subject} ${message.text}`).not.toContain(LIE);
    }
  });
});

describe.concurrent("a service that asks to be left alone", () => {
  const inTwoHours = new Date(START + 2 * HOUR_MS).toUTCString();
  // Further forms of the field: cool-down.test.ts.
  test.for([
    ["429 with seconds", 429, { "Retry-After": "7200" }, [0.1, 1.9], 2.1],
    ["503 with a date", 503, { "Retry-After": inTwoHours }, [0.1, 1.9], 2.1],
    ["429 without a time", 429, {}, [0.1], 24],
    ["503 for ten years", 503, { "Retry-After": "315360000" }, [0.1, 1.9], 24.1],
  ] as const)("%s", async ([, status, headers, resting, after]) => {
    const panel = await start(2, (_, service) => (service === 0 ? NEW : reply(http(status, LIE, headers))));
    const { home, at, recorded } = makeHome(panel, false);
    // A first look asks two side by side.
    expect(await at(0)).toMatchObject({ exitCode: 3 });
    expect(panel.asked.toSorted()).toEqual([0, 1]);
    for (const hours of resting) {
      panel.begin();
      expect(Object.keys(home.readState().rests)).toEqual([panel.services[1]?.name]);
      await at(hours);
      expect(panel.asked).toEqual([0]);
    }
    panel.script = () => OLD;
    panel.begin();
    await at(after);
    expect(panel.asked.toSorted()).toEqual([0, 1]);
    expect(recorded().address).toBe(OLD);
  });
});

describe.concurrent("where everybody asks for ten days of rest", () => {
  const busy = busyFor("864000");

  test("one that answers again before its time is asked as ever", async () => {
    const panel = await start(2, () => busy);
    const { home, at } = makeHome(panel);
    await at(0);
    panel.script = () => OLD;
    panel.begin();
    expect(await at(1)).toMatchObject(SILENCE);
    expect(panel.asked).toHaveLength(1);
    expect(Object.keys(home.readState().rests)).toHaveLength(1);
    expect(await at(1.1)).toMatchObject(SILENCE);
    expect(panel.asked).toEqual([panel.asked[0], panel.asked[0]]);
  });

  test("a change is told although only the one that is asked answers", async () => {
    const panel = await start(3, () => busy);
    const { at, recorded, mails } = makeHome(panel);
    await at(0);
    panel.begin();
    panel.script = (_, service) => (service === panel.asked[0] ? NEW : busy);
    for (const hours of [1, 1.5, 2, 2.5]) expect(await at(hours)).toMatchObject({ exitCode: 3 });
    expect(await at(3)).toMatchObject({ exitCode: 0 });
    expect(recorded()).toMatchObject({ address: NEW, isUnconfirmed: true });
    expect(mails()).toHaveLength(1);
  });
});
