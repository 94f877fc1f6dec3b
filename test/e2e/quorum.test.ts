// Five operators on loopback: who is believed, when, and what it costs them.

import { copyFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Home } from "../support/home";
import { type MailServer, startMailServer } from "../support/mail-server";
import { type Act, afterRequest, hang, http, type Panel, reply, startPanel } from "../support/panel";

vi.setConfig({ maxConcurrency: 4 });

const OLD = "203.0.113.7";
const NEW = "203.0.113.8";
const [LIE, OTHER_LIE] = ["198.51.100.66", "198.51.100.67"] as const;
const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 5, 1, 12);
const refuse: Act = (socket) => socket.resetAndDestroy();

let mail: MailServer;
/** A home that has recorded OLD. */
const confirmed_ = new Home();
const panels: Panel[] = [];
let owners = 0;

beforeAll(async () => {
  mail = await startMailServer();
  const panel = await start(2, () => OLD);
  const firstLook = confirmed_.useServices(...panel.services).run([], { now: new Date(START - 30 * HOUR_MS) });
  expect(await firstLook).toMatchObject({ exitCode: 0, stderr: "" });
});
afterAll(() => Promise.all([mail.close(), ...panels.map((panel) => panel.close())]));

async function start(size: number, script: Panel["script"]): Promise<Panel> {
  const panel = await startPanel(size, script);
  panels.push(panel);
  return panel;
}

/** A home that asks `panel`, with OLD recorded where `isSettled`. */
function makeHome(panel: Pick<Panel, "services">, isSettled = true) {
  const owner = `owner-${owners++}@example.net`;
  const home = new Home().useServices(...panel.services).useMail(mail, owner);
  if (isSettled) {
    mkdirSync(dirname(home.stateFile), { recursive: true, mode: 0o700 });
    copyFileSync(confirmed_.stateFile, home.stateFile);
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
  const pairs = positions.flatMap((a) => positions.filter((b) => b > a).map((b) => [a, b]));
  const rows = [
    ...positions.map((position) => ({ liars: [position], lies: [LIE] })),
    ...pairs.map((liars) => ({ liars, lies: [LIE, LIE] })),
    ...pairs.map((liars) => ({ liars, lies: [LIE, OTHER_LIE] })),
  ];
  test.for(rows)("asked at sections $liars, saying $lies", async ({ liars, lies }) => {
    const panel = await start(5, (position) => lies[liars.indexOf(position)] ?? NEW);
    for (const isSettled of [true, false]) {
      panel.begin();
      const { recorded, at, mails } = makeHome(panel, isSettled);
      expect(await at(0)).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
      expect(recorded()).toMatchObject({ address: NEW });
      expect(recorded().confirmedBy).toHaveLength(3);
      expect(panel.asked.length).toBeLessThanOrEqual(5);
      expect(mails()).toHaveLength(1);
      expect(mails()[0]?.mail.text).not.toMatch(/198\.51\.100/);
    }
  });
});

describe.concurrent("what a change costs", () => {
  test.for([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 2],
    [5, 3],
  ] as const)("a panel of %i: %i requests", async ([size, requests]) => {
    const panel = await start(size, () => NEW);
    const { recorded, at, mails } = makeHome(panel);
    expect(await at(0)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(panel.asked).toHaveLength(requests);
    expect(new Set(panel.asked).size).toBe(requests);
    expect(recorded().address).toBe(NEW);
    expect(mails()).toHaveLength(1);
  });

  test("16 quiet hours over a panel of four: 16 requests, to three of them at least", async () => {
    const panel = await start(4, () => OLD);
    const { home, at, mails } = makeHome(panel);
    const before = home.fingerprint();
    for (let hour = 0; hour < 16; hour++) expect(await at(hour)).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
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
});

describe.concurrent("one operator's word", () => {
  test.for([true, false])("two that contradict each other are both named (confirmed_: %s)", async (isSettled) => {
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

  test("is accepted in the third run when nobody else can be reached, and marked", async () => {
    const panel = await start(3, (_, service) => (service === 0 ? NEW : refuse));
    const { at, recorded, mails } = makeHome(panel);
    for (const hour of [0, 1]) {
      expect(await at(hour)).toMatchObject({ exitCode: 3, stdout: "" });
      expect(recorded().address).toBe(OLD);
    }
    expect(await at(2)).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    expect(recorded()).toMatchObject({ address: NEW, isUnconfirmed: true });
    expect(recorded().confirmedBy).toHaveLength(1);
    expect(mails()).toHaveLength(1);
    expect(mails()[0]?.mail.subject).toContain(NEW);
    expect(mails()[0]?.mail.text).toMatch(/no(body| second .*) could.* confirm it/i);
    // It was said by one, and confirmed by nobody.
    expect(mails()[0]?.mail.text).not.toMatch(/^Confirmed by/m);
  });

  test.for([
    ["a run that hears nothing", () => refuse],
    ["a run that hears another address", (service: number) => (service === 0 ? LIE : refuse)],
    ["a run in which another answers garbage", (service: number) => (service === 0 ? NEW : "<html>")],
  ] as const)("three runs in a row are meant: %s begins anew", async ([, interruption]) => {
    const usual = (service: number): Act => (service === 0 ? NEW : refuse);
    const panel = await start(3, (_, service) => usual(service));
    const { at, recorded } = makeHome(panel);
    for (const hour of [0, 1, 2, 3, 4]) {
      panel.script = (_, service) => (hour === 2 ? interruption : usual)(service);
      expect(await at(hour)).toMatchObject({ exitCode: 3 });
      expect(recorded().address).toBe(OLD);
    }
    expect(await at(5)).toMatchObject({ exitCode: 0 });
    expect(recorded()).toMatchObject({ address: NEW, isUnconfirmed: true });
  });

  test.for([
    ["a page", "<html>log in</html>"],
    ["nothing", ""],
    ["a private address", "192.168.1.1"],
    ["a carrier's address", "100.64.0.9"],
    ["a proxied list", `${NEW}, 10.0.0.1`],
    ["a redirect", reply(http(302, "", { Location: "http://portal.invalid/" }))],
    ["403", reply(http(403, ""))],
  ] as const)("is never accepted while another answers %s", async ([, act]) => {
    const panel = await start(3, (_, service) => [NEW, refuse, act][service] ?? hang);
    const { at, recorded, mails } = makeHome(panel);
    for (const hour of [0, 1, 2, 3, 4]) expect(await at(hour)).toMatchObject({ exitCode: 3, stdout: "" });
    expect(recorded().address).toBe(OLD);
    expect(mails()).toEqual([]);
  });

  test("of the only service is taken", async () => {
    const panel = await start(1, () => NEW);
    const { at, recorded, mails } = makeHome(panel);
    expect(await at(0)).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    expect(recorded()).toMatchObject({ address: NEW });
    expect(mails()).toHaveLength(1);
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
  test.for([
    ["429 with seconds", 429, { "Retry-After": "7200" }, [0.1, 1.9], 2.1],
    ["429 with a date", 429, { "Retry-After": inTwoHours }, [0.1, 1.9], 2.1],
    ["503 with seconds", 503, { "Retry-After": "7200" }, [0.1, 1.9], 2.1],
    ["429 without a time", 429, {}, [0.1], 24],
    ["503 without a time", 503, {}, [0.1], 24],
    ["503 with nonsense", 503, { "Retry-After": "soon" }, [0.1], 24],
    ["429 for ten years", 429, { "Retry-After": "315360000" }, [0.1, 1.9], 24.1],
  ] as const)("%s", async ([, status, headers, resting, after]) => {
    const panel = await start(2, (_, service) => (service === 0 ? NEW : reply(http(status, "", headers))));
    const { home, at, recorded } = makeHome(panel, false);
    // A first look asks two side by side.
    expect(await at(0)).toMatchObject({ exitCode: 3 });
    expect(panel.asked.toSorted()).toEqual([0, 1]);
    for (const hours of resting) {
      panel.begin();
      expect(Object.keys(home.readState().coolDowns)).toEqual([panel.services[1]?.name]);
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
