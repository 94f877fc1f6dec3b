import { beforeEach, describe, expect, test } from "vitest";
import { IpcheckError } from "../../src/base/errors";
import { channelsOf, Telling } from "../../src/notify/dispatch";
import type { CheckRules } from "../../src/notify/rules";
import { type AddressEvent, EMPTY_STATE, HISTORY, HOOK, STDOUT, type State } from "../../src/state/state";
import { addressOf, FakeHome, GREYLISTED, MINUTE_MS, OK, REFUSED, RULES } from "../support/fake-home";

const [A, B] = ["a@example.net", "b@example.net"] as const;

function event(digit: string, rest: Partial<AddressEvent> = {}): AddressEvent {
  const at = "2026-06-01T11:00:00.000Z";
  return { id: digit, kind: "change", family: 4, at, address: addressOf(digit), confirmedBy: [], told: [], ...rest };
}

let home: FakeHome;
beforeEach(() => {
  home = new FakeHome();
});

async function tell(state: Partial<State>, rules: Partial<CheckRules> = {}): Promise<Telling> {
  const run = new Telling({ ...RULES, ...rules }, home.dependencies, { ...EMPTY_STATE, ...state }, home.now);
  await run.tell();
  return run;
}

test.each([
  [[A, B], false, [HISTORY, A, B]],
  [[A], true, [HISTORY, A, HOOK]],
  [[], false, [HISTORY, STDOUT]],
  [[], true, [HISTORY, STDOUT, HOOK]],
])("recipients %j, command %s: %j are owed word", (recipients, hasHook, expected) => {
  expect(channelsOf({ ...RULES, recipients, hasHook })).toEqual(expected);
});

describe("saving", () => {
  test.each([
    [true, ["touch"]],
    [false, ["save"]],
  ])("quiet %s: %j", async (isQuiet, effects) => {
    const run = new Telling(RULES, home.dependencies, EMPTY_STATE, home.now);
    expect(run.save(isQuiet)).toBe(true);
    expect([home.effects, home.lastLookAt]).toEqual([effects, home.now]);
  });

  test("a quiet run without any good look touches nothing", async () => {
    expect(new Telling(RULES, home.dependencies, EMPTY_STATE, undefined).save(true)).toBe(true);
    expect(home.effects).toEqual([]);
  });

  test("what cannot be written is an error and no exception", async () => {
    const error = new IpcheckError("state", "no space left");
    home.failures = { save: error };
    const run = new Telling(RULES, home.dependencies, EMPTY_STATE, home.now);
    expect([run.save(), run.errors, run.muted.size]).toEqual([false, [error], 0]);
  });
});

test("nothing owed: nothing done", async () => {
  await tell({}, { hasHook: true });
  expect(home.effects).toEqual([]);
});

test("each outcome is written before the next is tried", async () => {
  const run = await tell({ outbox: [event("1", { told: [B] }), event("2")] }, { recipients: [A, B], hasHook: true });
  const mails = ["mail", "save", "mail", "save"];
  const hooks = ["runHook", "save", "runHook", "save"];
  expect(home.effects).toEqual(["appendHistory", "save", ...mails, ...hooks, "save"]);
  expect([run.errors, run.state.outbox]).toEqual([[], []]);
});

describe("when the state cannot be written", () => {
  const full = new IpcheckError("state", "no space left");
  const outbox = [event("1")];

  test("nobody is mailed what would be mailed again every hour", async () => {
    home.failures = { save: full };
    const run = await tell({ outbox }, { hasHook: true });
    expect([home.effects, run.errors]).toEqual([["appendHistory", "save"], [full]]);
  });

  test("from the first outcome on, nobody else is told what might be told twice", async () => {
    home.answer = () => {
      home.failures = { save: full };
      return OK;
    };
    const rules = { recipients: [A, B], hasHook: true };
    const run = await tell({ outbox: [event("1", { told: [B] }), event("2")] }, rules);
    expect([home.effects, run.errors]).toEqual([["appendHistory", "save", "mail", "save"], [full]]);
  });

  // Only mails are held back: the command is run, and the change is printed, again in every run.
  test.each([{ recipients: [] }, { hasHook: true }])("nor is anything else told then: %j", async (rules) => {
    home.failures = { save: full };
    const told = rules.hasHook ? [A] : [];
    await tell({ outbox: [event("1", { told })] }, rules);
    expect([home.announced, home.hooked]).toEqual([[], []]);
  });
});

test("a command that fails is run again from there, in order", async () => {
  home.hookOutcome = { ok: false, isPermanent: false, reason: "ended with 1" };
  const outbox = [event("1"), event("2"), event("3", { kind: "back" })];
  const run = await tell({ outbox }, { hasHook: true });
  expect(home.effects.filter((effect) => effect === "runHook")).toHaveLength(1);
  expect(run.errors).toMatchObject([
    { code: "undelivered", message: expect.stringMatching(/IPCHECK_ON_CHANGE .*ended with 1/) },
  ]);
  home.hookOutcome = OK;
  await tell(run.state, { hasHook: true });
  expect(home.hooked.map(({ id }) => id)).toEqual(["1", "2"]);
});

test("a recipient of whom the mail server said nothing has not been told", async () => {
  home.dependencies.mail = async () => new Map();
  const run = await tell({ outbox: [event("1")] });
  expect(run.errors).toMatchObject([{ code: "undelivered", message: expect.stringContaining("said nothing") }]);
  expect(run.state.outbox).toMatchObject([{ told: [HISTORY] }]);
});

describe("the complaint", () => {
  const outbox = [event("1")];
  const rules = { recipients: [A, B] };

  test("names the one who was not told, the reason and what to do", async () => {
    home.answer = (recipient) => (recipient === A ? OK : { ...REFUSED, hint: "look for a typing error" });
    const { errors } = await tell({ outbox }, rules);
    expect(errors).toMatchObject([
      {
        message: `the address is recorded, but ${B} has not been told yet: no such user`,
        hint: "look for a typing error",
        details: [],
      },
    ]);
  });

  test("names several, one a line", async () => {
    home.answer = () => GREYLISTED;
    const { errors } = await tell({ outbox }, rules);
    expect(errors).toMatchObject([
      {
        message: "the address is recorded, but 2 have not been told yet",
        hint: "the next run tries again; nothing is lost",
        details: [`${A} has not been told yet: later, please`, `${B} has not been told yet: later, please`],
      },
    ]);
  });

  test("is withdrawn when all have been told", async () => {
    const complaint = { at: home.now.toISOString(), about: "something" };
    expect((await tell({ outbox, complaint })).state).not.toHaveProperty("complaint");
  });

  test("says nothing of changes that are being gathered", async () => {
    const changeServedAt = new Date(home.now.getTime() - MINUTE_MS).toISOString();
    const channels = { [A]: { failures: 0, refusals: 0, triedAt: changeServedAt, changeServedAt } };
    const run = await tell({ outbox, channels });
    expect([run.errors, run.waiting.length, home.mails]).toEqual([[], 1, []]);
    expect(run.state.outbox).toHaveLength(1);
  });
});
