import { beforeEach, expect, test } from "vitest";
import { IpcheckError } from "../../src/base/errors";
import type { CheckReport } from "../../src/commands/check-run";
import { channelsOf, Dispatch, type DispatchRules } from "../../src/notify/dispatch";
import type { Outcome } from "../../src/state/outbox";
import { type AddressEvent, EMPTY_STATE, HISTORY, HOOK, STDOUT, type State } from "../../src/state/state";
import { prepareUnsaved } from "../../src/state/unsaved";
import { addressOf, FakeHome, GREYLISTED, HOUR_MS, OK, REFUSED, RULES } from "../support/fake-home";

const [A, B] = ["a@example.net", "b@example.net"] as const;

function event(digit: string, rest: Partial<AddressEvent> = {}): AddressEvent {
  const at = "2026-06-01T11:00:00.000Z";
  return { id: digit, kind: "change", family: 4, at, address: addressOf(digit), confirmedBy: [], told: [], ...rest };
}

let home: FakeHome;
beforeEach(() => {
  home = new FakeHome();
});

async function tell(owed: Partial<State>, rules: Partial<DispatchRules> = {}, known = owed): Promise<Dispatch> {
  const [state, before] = [owed, known].map((fields) => ({ ...EMPTY_STATE, ...fields })) as [State, State];
  const run = new Dispatch({ ...RULES, ...rules }, home.dependencies, { state, before, lastLookAt: home.now });
  await run.tell();
  await run.announce((events) => home.dependencies.announce(events, {} as CheckReport));
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

test("each outcome is written before the next is tried; recipients who are owed different things share the time", async () => {
  const run = await tell({ outbox: [event("1", { told: [B] }), event("2")] }, { recipients: [A, B], hasHook: true });
  const mails = ["mail", "save", "mail", "save"];
  const hooks = ["runHook", "save", "runHook", "save"];
  expect(home.effects).toEqual(["appendHistory", "save", ...mails, ...hooks]);
  expect([run.errors, run.state.outbox]).toEqual([[], []]);
  expect(home.mails).toMatchObject([
    { recipients: [A], share: 1 / 2 },
    { recipients: [B], share: 1 },
  ]);
});

test("when the state cannot be written everybody is told all the same, the mail says so, and it is an error", async () => {
  const cause = Object.assign(new Error(), { code: "ENOSPC" });
  home.unwritable = new IpcheckError("state", "no space left", { hint: "make room", cause });
  const run = await tell({ outbox: [event("1")] }, { hasHook: true });
  expect(home.mails).toMatchObject([{ recipients: [A], stateError: "ENOSPC" }]);
  expect(home.hooked).toHaveLength(1);
  expect(run.errors).toMatchObject([
    { code: "state", message: "no space left", hint: /^make room; until then .* told/ },
  ]);
  expect(run.state.outbox).toEqual([]);
  await tell({ outbox: [event("1")] }, { recipients: [] });
  expect(home.announced).toHaveLength(1);
});

test("a state that becomes unwritable after a mail: the outcome is kept elsewhere", async () => {
  home.answer = () => {
    home.unwritable = new IpcheckError("state", "read-only");
    return OK;
  };
  const outbox = [event("1", { told: [B] }), event("2")];
  const run = await tell({ outbox }, { recipients: [A, B] }, {});
  expect(run.errors).toMatchObject([{ code: "state" }]);
  expect(home.copy).toContain(`"${A}"`);
  // Known to the state file under these ids already.
  expect(home.mails).toMatchObject([{ events: [{ id: "1" }, { id: "2" }] }, { events: [{ id: "2" }] }]);
  expect(run.state.outbox).toEqual([]);
});

test("news that cannot be written is a reminder: the next one comes a day later", () => {
  const unsaved = { remindedAt: new Date(home.now.getTime() - 23 * HOUR_MS).toISOString() };
  const [before, state] = [
    { ...EMPTY_STATE, unsaved },
    { ...EMPTY_STATE, unsaved, outbox: [event("1")] },
  ];
  const next = prepareUnsaved(state, { before }, { place: "runtime folder", channels: [HISTORY, A], now: home.now });
  expect(next.unsaved).toEqual({ remindedAt: home.now.toISOString() });
});

const BUG = new TypeError("spawn E2BIG");
const NO_SPACE = new IpcheckError("state", "no space left on standard output");
test.each<[string, FakeHome["failures"], readonly string[], unknown[], string[]]>([
  ["the mail", { mail: BUG }, [A], [BUG], [HISTORY, HOOK]],
  ["the history", { appendHistory: BUG }, [A], [BUG], [A, HOOK]],
  ["the hook and in printing", { runHook: BUG, announce: BUG }, [], [BUG, BUG], [HISTORY]],
  ["printing, where the disk is full", { announce: NO_SPACE }, [], [], [HISTORY, HOOK]],
])("an exception in %s: the others are told, and it stays owed", async (_, failures, recipients, bugs, told) => {
  home.failures = failures;
  const run = await tell({ outbox: [event("1")] }, { hasHook: true, recipients });
  expect(run.bugs).toEqual(bugs);
  expect(run.state.outbox).toMatchObject([{ told }]);
  if (failures.announce) expect(run.errors.at(-1)?.message).toMatch(/nobody has been told: (no space left|an error)/);
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

// Who is refused with a hint of its own; how the others fare.
test.each<[string, Outcome, object]>([
  [
    "the one who was not told, the reason and what to do",
    OK,
    {
      message: `the address is recorded, but ${B} has not been told yet: no such user`,
      hint: "look for a typing error",
      details: [],
    },
  ],
  [
    "several, one a line",
    GREYLISTED,
    {
      message: "the address is recorded, but 2 have not been told yet",
      hint: "look for a typing error",
      details: [`${A} has not been told yet: later, please`, `${B} has not been told yet: no such user`],
    },
  ],
])("the complaint names %s", async (_, outcome, complaint) => {
  home.answer = (recipient) => (recipient === A ? outcome : { ...REFUSED, hint: "look for a typing error" });
  const { errors } = await tell({ outbox: [event("1")] }, { recipients: [A, B] });
  expect(errors).toMatchObject([complaint]);
});

test("without a hint of its own the complaint says that nothing is lost; it is withdrawn when all have been told", async () => {
  home.answer = () => GREYLISTED;
  const { errors, state } = await tell({ outbox: [event("1")] });
  expect(errors).toMatchObject([{ hint: "the next run tries again; nothing is lost" }]);
  expect(state).toHaveProperty("spoken.undelivered");
  home.answer = () => OK;
  expect((await tell(state)).state).not.toHaveProperty("spoken");
});
