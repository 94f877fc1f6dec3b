import { beforeEach, describe, expect, test } from "vitest";
import { IpcheckError } from "../../src/base/errors";
import { encodeState } from "../../src/state/state";
import { addressOf, FakeHome, GREYLISTED, inWords, OK, REFUSED, spoken } from "../support/fake-home";

const [A, B] = ["a@example.net", "b@example.net"] as const;
const DAY = 24 * 60;

type Rules = Parameters<FakeHome["run"]>[2];

let home: FakeHome;
beforeEach(() => {
  home = new FakeHome();
});

describe("looking and recording", () => {
  test("the first look is recorded, written to the history and mailed", async () => {
    const report = await home.run(0);
    expect([report.errors, home.told, home.history.map(inWords)]).toEqual([[], ["first 1"], ["first 1"]]);
    // The address and what is owed because of it are written before anything is told.
    expect(home.effects).toEqual(["save", "appendHistory", "mail", "save", "save"]);
    expect(home.state).toMatchObject({
      families: { 4: { recorded: { address: addressOf("1"), since: "2026-06-01T12:00:00.000Z" } } },
      outbox: [],
    });
  });

  test("a quiet run notes the time of the look and nothing else", async () => {
    await home.run(0);
    const before = home.stored;
    const report = await home.run(60);
    expect([report.errors, home.effects, home.lastLookAt]).toEqual([[], ["touch"], home.now]);
    expect(home.stored).toBe(before);
    expect(report.after).toBe(report.before);
  });

  // Each row: what the operators say run by run, an hour apart, and what is mailed.
  test.each([
    ["111 111 111", ["first 1"]],
    ["111 222", ["first 1", "change 1>2"]],
    ["111 222 111", ["first 1", "change 1>2", "change 2>1"]],
    ["111 122 222", ["first 1", "change 1>2"]],
    ["111 12t 111", ["first 1", "back 1"]],
    ["111 1pp 111", ["first 1"]],
    ["111 2pp 2pp 2pp 2pp 111", ["first 1", "back 1"]],
    ["111 2tt 2tt 111", ["first 1", "back 1"]],
    ["111 ttt 111", ["first 1", "back 1"]],
    ["111 ttt 222", ["first 1", "change 1>2"]],
    ["ttt ttt 111", ["first 1"]],
    // A lone vote, three runs in a row.
    ["111 2tt 2tt 2tt", ["first 1", "change 1>2"]],
    ["111 2tt t2t tt2 222", ["first 1", "change 1>2"]],
    ["111 2tt 2tt ttt 2tt 2tt", ["first 1"]],
    ["111 2tt 2tt 3tt 2tt 2tt", ["first 1"]],
    ["111 2tt 2tt 2pt 2tt 2tt", ["first 1"]],
    ["111 2tt 111 2tt 2tt", ["first 1", "back 1"]],
    ["111 2tt 222", ["first 1", "change 1>2"]],
    ["1tt 1tt 1tt", ["first 1"]],
    ["1tt 1tt", []],
  ])("%s", async (script, expected) => {
    for (const says of script.split(" ")) await home.run(60, says);
    expect(home.told).toEqual(expected);
  });

  test("a lone vote that was accepted is marked as unconfirmed", async () => {
    for (const says of ["111", "2tt", "2tt", "2tt"]) await home.run(60, says);
    expect(home.mails.at(-1)?.events).toMatchObject([{ address: addressOf("2"), isUnconfirmed: true }]);
    expect(home.state.families[4]?.recorded).toMatchObject({ confirmedBy: ["a"], isUnconfirmed: true });
  });

  test("three runs within minutes are not enough for a lone vote", async () => {
    await home.run(0);
    for (const minutes of [1, 1, 1, 57, 59]) await home.run(minutes, "2tt");
    expect([home.told, home.state.families[4]?.candidate?.runs]).toEqual([["first 1"], 5]);
    await home.run(2, "2tt");
    expect(home.told).toEqual(["first 1", "change 1>2"]);
  });

  test("after a contradiction the look is told so, until one is good", async () => {
    const asked: (boolean | undefined)[] = [];
    const { look } = home.dependencies;
    home.dependencies.look = (request) => {
      asked.push(request.isContradicted);
      return look(request);
    };
    for (const says of ["111", "23t", "ttt", "111", "111"]) await home.run(60, says);
    expect(asked).toEqual([undefined, undefined, true, true, undefined]);
  });

  test.each([
    ["2tt", 1, /only a says 81\.2\.69\.2/],
    ["2pt", 0, /only a says 81\.2\.69\.2/],
    ["23t", 0, /contradict/],
    ["ppp", 0, /captive portal/],
    ["ttt", 0, /no answer in time/],
  ])("%s: nothing is recorded, and each answer is named", async (says, runs, reason) => {
    await home.run(0);
    const { errors } = await home.run(10, says);
    expect(errors).toMatchObject([{ code: "no-address", message: expect.stringMatching(reason) }]);
    expect(errors[0]?.details).toHaveLength(3);
    expect(errors[0]?.message).toContain(`${addressOf("1")} stays recorded`);
    expect(home.state.families[4]?.recorded?.address).toBe(addressOf("1"));
    expect(home.state.families[4]?.candidate).toEqual(
      runs === 0 ? undefined : { address: addressOf("2"), runs, since: home.now.toISOString() },
    );
    // The last good look is what it was.
    expect(home.lastLookAt).toEqual(new Date("2026-06-01T12:00:00Z"));
  });

  test("families fail and change independently", async () => {
    const both = { families: [4, 6] } as const;
    await home.run(0, "111", both);
    expect(home.told).toEqual(["first 1, first v6/1"]);
    home.says[6] = "nnn";
    const report = await home.run(60, "222", both);
    expect(report.errors).toMatchObject([{ code: "no-address", message: expect.stringContaining("IPv6") }]);
    expect(home.state.families[6]?.recorded?.address).toBe(addressOf("1", 6));
    home.says[6] = "333";
    await home.run(60, "ttt", both);
    expect(home.told.slice(1)).toEqual(["change 1>2", "change v6/1>v6/3"]);
    expect(home.state.families[4]?.recorded?.address).toBe(addressOf("2"));
  });
});

describe("outages", () => {
  test.each([
    ["an hour outage", 50, {}, ["back 1"]],
    ["less than an hour", 40, {}, []],
    ["switched off", 300, { reportOutageMs: undefined }, []],
    ["two hours, where three are reported", 110, { reportOutageMs: 3 * 3_600_000 }, []],
  ])("%s: %d minutes after the first failure", async (_, minutes, rules, expected) => {
    await home.run(0);
    await home.run(10, "ttt");
    await home.run(minutes, "111", rules);
    expect(home.told.slice(1)).toEqual(expected);
    expect(home.state.families[4]?.outage).toBeUndefined();
  });

  test("a change after an outage says how long the outage was", async () => {
    await home.run(0);
    for (const minutes of [60, 60]) await home.run(minutes, "ttt");
    await home.run(60, "222");
    expect(home.mails.at(-1)?.events).toMatchObject([{ kind: "change", outageSince: "2026-06-01T12:00:00.000Z" }]);
  });

  test("a home that is seen in one family has no outage", async () => {
    const both = { families: [4, 6] } as const;
    await home.run(0, "111", both);
    home.says[6] = "nnn";
    for (const minutes of [60, 60]) await home.run(minutes, "111", both);
    home.says[6] = "111";
    await home.run(60, "111", both);
    expect(home.told).toEqual(["first 1, first v6/1"]);
  });
});

describe("a clock that ran backwards", () => {
  test("is never fatal, holds no mail back and gives no negative time", async () => {
    await home.run(0);
    await home.run(60, "222");
    const report = await home.run(-30 * DAY, "333");
    expect(report.errors).toEqual([]);
    await home.run(1, "ttt");
    await home.run(-DAY, "333");
    expect(home.told).toEqual(["first 1", "change 1>2", "change 2>3"]);
  });

  test("makes stderr speak again rather than never", async () => {
    await home.run(0);
    expect(spoken(await home.run(5, "ttt"))).toEqual(["no-address"]);
    expect(spoken(await home.run(5, "ttt"))).toEqual([]);
    expect(spoken(await home.run(-30 * DAY, "ttt"))).toEqual(["no-address"]);
    expect(spoken(await home.run(5, "ttt"))).toEqual([]);
  });
});

describe("telling", () => {
  test("changes close together are gathered, none is dropped, and waiting is no failure", async () => {
    await home.run(0);
    await home.run(60, "222");
    for (const [minutes, says] of [
      [5, "111"],
      [5, "222"],
      [4, "111"],
    ] as const) {
      const report = await home.run(minutes, says);
      expect([report.errors, home.mails.length]).toEqual([[], 2]);
      expect(report.waiting).toMatchObject([{ channel: A, why: "grouping", until: "2026-06-01T13:15:00.000Z" }]);
    }
    await home.run(1, "111");
    expect(home.told.slice(2)).toEqual(["change 2>1, change 1>2, change 2>1"]);
  });

  test("the one who was refused is tried again, the one who was served is not", async () => {
    const rules = { recipients: [A, B] };
    home.answer = (recipient) => (recipient === B ? GREYLISTED : OK);
    const first = await home.run(0, "111", rules);
    expect(first.errors).toMatchObject([
      { code: "undelivered", message: expect.stringContaining(`${B} has not been told`) },
    ]);
    home.answer = () => OK;
    const second = await home.run(60, "111", rules);
    expect(second.errors).toEqual([]);
    expect(home.mails.map(({ recipients }) => recipients)).toEqual([[A], [B]]);
    expect(new Set(home.mails.map(({ id }) => id)).size).toBe(1);
    expect(home.state.outbox).toEqual([]);
  });

  test("a refused recipient holds nobody up: each is told all that is new to them", async () => {
    const rules = { recipients: [A, B] };
    home.answer = (recipient) => (recipient === B ? GREYLISTED : OK);
    for (const says of ["111", "222", "333"]) await home.run(60, says, rules);
    home.answer = () => OK;
    await home.run(60, "333", rules);
    expect(home.mails.map(({ recipients }) => recipients.join())).toEqual([A, A, A, B]);
    expect(home.told).toEqual(["first 1", "change 1>2", "change 2>3", "first 1, change 1>2, change 2>3"]);
  });

  test("after a permanent refusal the pause grows from an hour to a day; other settings or a person end it", async () => {
    home.answer = () => REFUSED;
    const tries: number[] = [];
    for (let minute = 0; minute < 4 * DAY; minute += 30) {
      await home.run(minute === 0 ? 0 : 30);
      if (home.effects.includes("mail")) tries.push(minute / 60);
    }
    expect(tries).toEqual([0, 1, 3, 7, 15, 31, 55, 79]);
    const deferred = await home.run(30);
    expect(deferred.waiting).toMatchObject([{ channel: A, why: "deferred", reason: "no such user" }]);
    expect(deferred.errors).toMatchObject([{ code: "undelivered" }]);
    await home.run(1, "111", { isInteractive: true });
    expect(home.effects).toContain("mail");
    await home.run(1, "111");
    expect(home.effects).not.toContain("mail");
    await home.run(1, "111", { configHash: () => "second" });
    expect(home.effects).toContain("mail");
  });

  test("without recipients a change is announced once, and cron mails it", async () => {
    const rules = { recipients: [], hasHook: true };
    for (const says of ["111", "111", "222"]) await home.run(60, says, rules);
    expect(home.announced.map(inWords)).toEqual(["first 1", "change 1>2"]);
    expect([home.mails, home.state.outbox]).toEqual([[], []]);
  });

  test("a sign of life is mailed when none was for that long, and only when an address was seen", async () => {
    const rules = { heartbeatMailMs: 30 * DAY * 60_000, reportOutageMs: undefined };
    await home.run(0, "111", rules);
    await home.run(29 * DAY, "111", rules);
    expect(home.told).toEqual(["first 1"]);
    await home.run(DAY, "ttt", rules);
    expect(home.told).toEqual(["first 1"]);
    await home.run(30, "111", rules);
    await home.run(DAY, "111", rules);
    expect(home.told).toEqual(["first 1", "heartbeat 1"]);
    expect(home.history).toHaveLength(1);
  });
});

describe("what cannot be written", () => {
  const full = new IpcheckError("state", "no space left");

  beforeEach(async () => {
    await home.run(0);
    home.unwritable = full;
  });

  test("a quiet look: an error, said once a day, and nobody is mailed", async () => {
    const said: string[] = [];
    for (let hour = 0; hour < 48; hour++) {
      const report = await home.run(60);
      expect(report.errors).toMatchObject([
        { code: "state", message: "no space left", hint: expect.stringContaining("once a day") },
      ]);
      said.push(...spoken(report));
    }
    expect([said, home.told]).toEqual([["state", "state"], ["first 1"]]);
  });

  test("what the runtime folder holds stands in for that state file alone, not for a restored one", async () => {
    await home.run(60, "222");
    home.unwritable = undefined;
    home.stored = encodeState(JSON.parse(JSON.stringify(home.state).replaceAll(addressOf("1"), addressOf("3"))));
    await home.run(60, "333");
    expect(home.told).toEqual(["first 1", "change 1>2"]);
  });

  test("both a failed look and the state are reported", async () => {
    expect((await home.run(60, "ttt")).errors.map(({ code }) => code)).toEqual(["no-address", "state"]);
  });

  test("a change: told at once, then once a day until it is mended, under one Message-ID", async () => {
    for (let hour = 0; hour < 72; hour++) await home.run(60, "222");
    expect(home.told).toEqual(["first 1", "change 1>2", "change 1>2", "change 1>2"]);
    expect(new Set(home.mails.map(({ id }) => id)).size).toBe(2);
    expect(home.state.families[4]?.recorded?.address).toBe(addressOf("1"));

    home.unwritable = undefined;
    for (let hour = 0; hour < 48; hour++) expect((await home.run(60, "222")).errors).toEqual([]);
    expect(home.told).toHaveLength(4);
    expect(home.state).toMatchObject({ families: { 4: { recorded: { address: addressOf("2") } } }, outbox: [] });
    expect(home.state).not.toHaveProperty("unsaved");
    expect(home.history.map(inWords)).toEqual(["first 1", "change 1>2"]);
  });

  test("a change and back again are two pieces of news", async () => {
    for (const says of ["222", "222", "111", "111", "222"]) await home.run(60, says);
    expect(home.told.slice(1)).toEqual(["change 1>2", "change 2>1", "change 1>2"]);
    expect(new Set(home.mails.map(({ id }) => id)).size).toBe(4);
  });

  test("where nothing can be kept at all, every run tells, under one Message-ID", async () => {
    home.hasRuntimeFolder = false;
    for (let hour = 0; hour < 4; hour++) await home.run(60, "222", { hasHook: true });
    expect(home.told.slice(1)).toEqual(Array(4).fill("change 1>2"));
    expect(new Set(home.mails.slice(1).map(({ id }) => id)).size).toBe(1);
    expect(home.hooked).toHaveLength(4);
  });

  test("a heartbeat is not told in every run", async () => {
    home.hasRuntimeFolder = false;
    for (let hour = 0; hour < 4; hour++) await home.run(60, "111", { heartbeatMailMs: 60_000 });
    expect(home.told).toEqual(["first 1"]);
  });

  test("who was refused is told in the next run, whoever was told is not", async () => {
    home.answer = (recipient) => (recipient === B ? GREYLISTED : OK);
    await home.run(60, "222", { recipients: [A, B] });
    home.answer = () => OK;
    await home.run(60, "222", { recipients: [A, B] });
    expect(home.mails.slice(1).map(({ recipients }) => recipients)).toEqual([[A], [B]]);
  });
});

describe("what cannot be written, apart from the state", () => {
  const full = new IpcheckError("state", "no space left");

  test("the history: people are told all the same, and the line is made up for", async () => {
    home.failures = { appendHistory: full };
    const report = await home.run(0);
    expect([report.errors, home.told]).toEqual([[full], ["first 1"]]);
    home.failures = {};
    await home.run(60);
    expect([home.history.map(inWords), home.told, home.state.outbox]).toEqual([["first 1"], ["first 1"], []]);
  });

  test("a bug is not taken for a full disk", async () => {
    home.failures = { save: new TypeError("a bug") };
    await expect(home.run(0)).rejects.toThrow(TypeError);
  });
});

describe("the state that is found", () => {
  test("damaged: kept aside, and the run goes on as a first one", async () => {
    home.stored = "{ torn";
    const report = await home.run(0);
    expect([report.quarantined, report.errors, home.told]).toEqual(["/state.json.unreadable", [], ["first 1"]]);
    expect(home.effects[0]).toBe("quarantine");
  });

  test.each([
    ["the same address", "111", []],
    ["another", "222", ["change 1>2"]],
  ])("one address in plain text, and %s is seen: taken over", async (_, says, expected) => {
    home.stored = `${addressOf("1")}\n`;
    await home.run(0, says);
    expect(home.told).toEqual(expected);
    expect(home.stored).toBe(encodeState(home.state));
  });

  test("of a newer version: refused, untouched", async () => {
    home.stored = '{"version": 99}';
    await expect(home.run(0)).rejects.toMatchObject({ code: "state" });
    expect([home.effects, home.stored]).toEqual([[], '{"version": 99}']);
  });
});

describe("noise: sixty failing runs, five minutes apart, speak twice at most", () => {
  let count = 0;
  const wording = () => ({ ...GREYLISTED, reason: `451 try again in ${300 - count++} seconds` });
  const inTurn = () => ({ ...GREYLISTED, hint: count++ % 2 === 0 ? "look at the network" : "look at the port" });
  const unwritten = new IpcheckError("state", "history.jsonl cannot be written");

  test.each<[what: string, fault: Partial<FakeHome>, says: string, rules: Rules, spoken: string]>([
    ["looks that fail", {}, "ttt", {}, "no-address"],
    ["looks that fail for changing reasons", {}, "ttt ppp 2pp 123", {}, "no-address"],
    ["both families", { says: { 4: "111", 6: "nnn" } }, "ttt", { families: [4, 6] }, "no-address no-address"],
    ["a mail server that says the same each time", { answer: () => GREYLISTED }, "222", {}, "undelivered"],
    ["a command that fails", { hookOutcome: GREYLISTED }, "222", { hasHook: true }, "undelivered"],
    // It spoke six times once: the end of each pause was news.
    ["a recipient refused for good, deferred and tried again", { answer: () => REFUSED }, "222", {}, "undelivered"],
    // It spoke sixty times once: the server's own words were news.
    ["a mail server that words every refusal differently", { answer: wording }, "222", {}, "undelivered"],
    // Speaks sixty times: another hint is news, also when it is the one before the last.
    ["a mail server that fails in two ways in turn", { answer: inTurn }, "222", {}, "undelivered"],
    ["a history that cannot be written", { failures: { appendHistory: unwritten } }, "222", {}, "state"],
  ])("%s", async (_, fault, says, rules, expected) => {
    Object.assign(home, fault);
    const words = spoken(await home.run(0, "111", { ...rules, recipients: [], families: [4], hasHook: false }));
    for (let run = 0; run < 60; run++) {
      const report = await home.run(5, says.split(" ")[run % says.split(" ").length], rules);
      expect(report.errors).not.toEqual([]);
      words.push(...spoken(report));
    }
    expect(words.join(" ")).toBe(expected);
  });

  test("a failure that goes on is spoken of once a day, and always to a person", async () => {
    const words: string[] = [];
    for (let hour = 0; hour < 72; hour++) words.push(...spoken(await home.run(60, "ttt")));
    expect(words).toHaveLength(3);
    expect(spoken(await home.run(1, "ttt", { isInteractive: true }))).toEqual(["no-address"]);
  });
});
