import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { markTold } from "../../src/state/outbox";
import {
  clampServedAt,
  endedOutage,
  enqueueHeartbeat,
  type LookupOutcome,
  type RecordingContext,
  recordLookup,
} from "../../src/state/recording";
import { speakOnceADay } from "../../src/state/spoken";
import { EMPTY_STATE, type FamilyState, type Outage, type State } from "../../src/state/state";
import { addressOf, HOUR_MS, MINUTE_MS } from "../support/fake-home";

const NOW = new Date("2026-06-01T12:00:00Z");
const [A, B] = [addressOf("1"), addressOf("2")];

const ago = (minutes: number) => new Date(NOW.getTime() - minutes * MINUTE_MS).toISOString();
const outageFor = (minutes: number, rest: Partial<Outage> = {}): Outage => {
  return { since: ago(minutes), failedAt: ago(5), runs: 3, reason: "no network", ...rest };
};
const stateOf = (familyState: FamilyState): State => ({ ...EMPTY_STATE, families: { 4: familyState } });
const recorded = { address: A, since: ago(600), confirmedBy: ["a", "b"] };
const DAY = 1440;

function record(state: State, decision: Decision, rest: Partial<RecordingContext> = {}): State {
  const lastLookAt = new Date(NOW.getTime() - HOUR_MS);
  const before = { families: [4] as const, lastLookAt, reportOutageMs: HOUR_MS, now: NOW };
  const context = { now: NOW, lastLookAt, outage: endedOutage(state, before), createId: () => "id", ...rest };
  return recordLookup(state, { family: 4, decision, reason: "a reason" }, context);
}

type Decision = LookupOutcome["decision"];
const UNCHANGED: Decision = { kind: "unchanged", address: A, seen: A, by: ["a"] };
const CONFIRMED: Decision = { kind: "confirmed", address: B, by: ["a", "c"] };
const SILENCE: Decision = { kind: "silence" };

test("a quiet look leaves the very same state, so that nothing is written", () => {
  const state = stateOf({ recorded });
  expect(record(state, UNCHANGED)).toBe(state);
  expect(record(state, { kind: "unchanged", address: A, seen: A, by: ["c"] })).toBe(state);
  expect(record(state, UNCHANGED, { lastLookAt: undefined })).toBe(state);
});

describe("an address that was accepted on one vote", () => {
  const doubted = stateOf({ recorded: { address: A, since: ago(600), confirmedBy: ["a"], isUnconfirmed: true } });

  test("stays in doubt while only that vote says it", () => {
    expect(record(doubted, UNCHANGED)).toBe(doubted);
  });

  test("is confirmed by the first other operator that says it, and nobody is told again", () => {
    const { families, outbox } = record(doubted, { kind: "unchanged", address: A, seen: A, by: ["b"] });
    expect(families[4]).toEqual({ recorded: { address: A, since: ago(600), confirmedBy: ["a", "b"] } });
    expect(outbox).toEqual([]);
  });
});

describe("good looks", () => {
  const candidate = { address: B, runs: 2 };
  const outFor = (minutes: number) => ({ recorded, outage: outageFor(minutes) });
  const ACCEPTED: Decision = { kind: "accepted", address: B, by: ["a"] };

  test.each<[what: string, FamilyState, Decision, notice: object | undefined]>([
    ["first", {}, CONFIRMED, { kind: "first", address: B, confirmedBy: ["a", "c"], at: ago(0) }],
    ["first, though an outage before", { outage: outageFor(600) }, CONFIRMED, { kind: "first", outageSince: ago(600) }],
    ["change", { recorded }, CONFIRMED, { kind: "change", old: A, oldSince: ago(600), address: B }],
    ["accepted", { recorded, candidate }, ACCEPTED, { kind: "change", isUnconfirmed: true }],
    ["change after blindness", outFor(60), CONFIRMED, { kind: "change", outageSince: ago(60) }],
    ["change after a short one", outFor(59), CONFIRMED, { kind: "change" }],
    ["back", outFor(60), UNCHANGED, { kind: "back", address: A, outageSince: ago(60) }],
    ["back so soon", outFor(59), UNCHANGED, undefined],
    ["no lone vote any more", { recorded, candidate }, UNCHANGED, undefined],
    ["outage since the future", outFor(-600), UNCHANGED, undefined],
  ])("%s", (_, familyState, decision, expected) => {
    const { families, outbox } = record(stateOf(familyState), decision);
    expect(outbox).toMatchObject(expected ? [{ id: expect.any(String), family: 4, told: [], ...expected }] : []);
    if (expected && !("outageSince" in expected)) expect(outbox[0]).not.toHaveProperty("outageSince");
    // Outage and candidate are over, whatever was seen.
    const address = decision.kind === "unchanged" ? A : B;
    expect(families[4]).toEqual({ recorded: expect.objectContaining({ address }) });
  });

  test("what was taken over without a time has none in the notice either", () => {
    const { outbox } = record(stateOf({ recorded: { address: A, confirmedBy: [] } }), CONFIRMED);
    expect(outbox[0]).not.toHaveProperty("oldSince");
  });

  test("the other family and what else is remembered stay", () => {
    const state: State = { ...stateOf({ recorded }), coolDowns: { "a.example": ago(-5) } };
    state.families[6] = { recorded: { address: addressOf("1", 6), confirmedBy: [] } };
    const { families, coolDowns } = record(state, CONFIRMED);
    expect([families[6], coolDowns]).toEqual([state.families[6], state.coolDowns]);
  });
});

describe("failed looks", () => {
  const since = ago(90);
  const lone = (runs: number): Decision => ({ kind: "no-quorum", address: B, by: ["a"], runs, since });
  const candidate = { address: B, runs: 2 };

  test.each<[FamilyState, Decision, FamilyState["candidate"]]>([
    [{}, lone(1), { address: B, runs: 1, since }],
    [{ candidate }, lone(2), { address: B, runs: 2, since }],
    [{ candidate }, lone(0), undefined],
    [{ candidate }, SILENCE, undefined],
    [{ candidate }, { kind: "contradiction" }, undefined],
  ])("%j, then %j: candidate %j", (familyState, decision, expected) => {
    const next = record(stateOf({ recorded, ...familyState }), decision);
    expect([next.families[4]?.candidate, next.families[4]?.recorded, next.outbox]).toEqual([expected, recorded, []]);
  });

  test("a contradiction is remembered until a look is good", () => {
    const contradicted = record(stateOf({ recorded }), { kind: "contradiction" });
    expect(contradicted.families[4]?.isContradicted).toBe(true);
    expect(record(contradicted, SILENCE).families[4]?.isContradicted).toBe(true);
    for (const good of [UNCHANGED, CONFIRMED]) {
      expect(record(contradicted, good).families[4]).not.toHaveProperty("isContradicted");
    }
    const alone = stateOf({ recorded, isContradicted: true });
    expect(record(alone, UNCHANGED).families[4]).toEqual({ recorded });
  });

  test.each([
    ["the first", { recorded }, { since: ago(60), failedAt: ago(0), runs: 1 }],
    ["one more", { recorded, outage: outageFor(90) }, { since: ago(90), failedAt: ago(0), runs: 4 }],
  ] as [string, FamilyState, object][])("%s", (_, familyState, expected) => {
    expect(record(stateOf(familyState), SILENCE).families[4]?.outage).toEqual({ reason: "a reason", ...expected });
  });

  test("where nothing was ever seen, blindness has no beginning", () => {
    const unseen = [record(EMPTY_STATE, SILENCE), record(stateOf({ recorded }), SILENCE, { lastLookAt: undefined })];
    for (const { families } of unseen) expect(families[4]?.outage).not.toHaveProperty("since");
  });
});

test("an address is never recorded without a notice that is owed", () => {
  const decision = fc.oneof(
    fc.constantFrom<Decision>(SILENCE, { kind: "contradiction" }),
    fc.record({
      kind: fc.constantFrom("confirmed" as const, "accepted" as const),
      address: fc.constantFrom(A, B),
      by: fc.constant<string[]>(["a"]),
    }),
  );
  fc.assert(
    fc.property(fc.array(decision, { maxLength: 20 }), (verdicts) => {
      let state = EMPTY_STATE;
      for (const one of verdicts) {
        const before = state.families[4]?.recorded;
        state = record(state, one);
        const after = state.families[4]?.recorded;
        if (after !== before) expect(state.outbox.at(-1)).toMatchObject({ address: after?.address, told: [] });
      }
    }),
  );
});

describe("the outage that a good look ends", () => {
  const GONE = { failedAt: ago(5), runs: 9, reason: "" };
  const week = outageFor(7 * DAY);
  const SINCE_LAST_WEEK = { since: ago(7 * DAY), isUnwatched: true };

  /** What is known of IPv4, of IPv6 where that is looked at, and when the last good look was. */
  test.each<[string, FamilyState[], lastLook: number, reportMs: number | undefined, expected: object | undefined]>([
    ["none", [{ recorded }], 60, HOUR_MS, undefined],
    ["an hour", [{ recorded, outage: outageFor(60) }], 60, HOUR_MS, { since: ago(60) }],
    ["too short", [{ recorded, outage: outageFor(59) }], 60, HOUR_MS, undefined],
    ["not reported", [{ recorded, outage: outageFor(6000) }], 60, undefined, undefined],
    ["one family of two", [{ recorded }, { recorded, outage: outageFor(6000) }], 60, HOUR_MS, undefined],
    ["both: the last one seen", [{ outage: outageFor(90) }, { outage: week }], 60, HOUR_MS, { since: ago(90) }],
    ["of a family never seen", [{ outage: outageFor(90) }, { outage: outageFor(0) }], 60, HOUR_MS, undefined],
    ["no run for a week", [{ recorded }], 7 * DAY, HOUR_MS, SINCE_LAST_WEEK],
    ["no run for a week, at a home without IPv6", [{ recorded }, { outage: GONE }], 7 * DAY, HOUR_MS, SINCE_LAST_WEEK],
    ["runs that saw nothing, and IPv6 since today", [{ recorded, outage: week }, {}], 7 * DAY, HOUR_MS, undefined],
    ["a daily run", [{ recorded }], DAY, HOUR_MS, undefined],
    ["no run for a week, where that is not reported", [{ recorded }], 7 * DAY, undefined, undefined],
    ["no run for a week, where two are reported", [{ recorded }], 7 * DAY, 14 * DAY * MINUTE_MS, undefined],
    ["a clock that began in 1970", [{ recorded }], 56 * 365 * DAY, HOUR_MS, undefined],
  ])("%s", (_, [v4 = {}, v6], lastLook, reportOutageMs, expected) => {
    const state = { ...EMPTY_STATE, families: { 4: v4, ...(v6 && { 6: v6 }) } };
    const families = v6 ? ([4, 6] as const) : ([4] as const);
    const context = { families, lastLookAt: new Date(ago(lastLook)), reportOutageMs, now: NOW };
    expect(endedOutage(state, context)).toEqual(expected);
  });
});

describe("the heartbeat", () => {
  const [ME, DAD] = ["me@example.net", "dad@example.net"];
  const served = (minutes: number) => ({ failures: 0, refusals: 0, triedAt: ago(minutes), servedAt: ago(minutes) });
  const enqueueOn = (state: State) =>
    enqueueHeartbeat(state, {
      family: 4,
      address: B,
      intervalMs: 30 * 24 * HOUR_MS,
      recipients: [ME, DAD],
      now: NOW,
      createId: () => "id",
    });
  const owedBy = (state: State) =>
    enqueueOn(state).outbox.flatMap(({ kind, told }) => (kind === "heartbeat" ? [told] : []));
  const home = { ...stateOf({ recorded: { ...recorded, since: ago(90 * DAY) } }) };

  test.each([
    ["both were served long ago", { [ME]: served(30 * DAY), [DAD]: served(40 * DAY) }, [[]]],
    ["one was served lately", { [ME]: served(29 * DAY), [DAD]: served(40 * DAY) }, [[ME]]],
    ["both were served lately", { [ME]: served(29 * DAY), [DAD]: served(1) }, []],
    ["one was never served", { [ME]: served(1) }, [[ME]]],
    ["one was served in what is now the future", { [ME]: served(-DAY), [DAD]: served(1) }, []],
  ])("%s", (_, channels, expected) => expect(owedBy({ ...home, channels })).toEqual(expected));

  test("one who is owed something already holds nobody up, and is not owed two", () => {
    const refused = { failures: 9, refusals: 9, triedAt: ago(60) };
    const first = enqueueOn({ ...home, channels: { [ME]: served(40 * DAY), [DAD]: refused } });
    const told = markTold(first, ME, new Set(first.outbox.map(({ id }) => id)));
    const later = { ...told, channels: { ...first.channels, [ME]: served(1) } };
    expect(owedBy(later)).toEqual([[ME]]);
    const muchLater = { ...later, channels: { ...later.channels, [ME]: served(40 * DAY) } };
    expect(owedBy(muchLater)).toEqual([[ME], [DAD]]);
  });

  test("tells the address that was seen now, another of the same prefix", () => {
    expect(enqueueOn(home).outbox).toMatchObject([{ kind: "heartbeat", address: B, oldSince: ago(90 * DAY) }]);
  });

  test("a mail of a far future counts as one of now, one of tomorrow stays", () => {
    const channels = { [ME]: served(-400 * DAY), [DAD]: served(-DAY) };
    expect(clampServedAt({ ...home, channels }, 30 * 24 * HOUR_MS, NOW).channels).toMatchObject({
      [ME]: { servedAt: ago(0) },
      [DAD]: { servedAt: ago(-DAY) },
    });
    const usual = { ...home, channels: { [ME]: served(1) } };
    expect(clampServedAt(usual, 30 * 24 * HOUR_MS, NOW)).toBe(usual);
  });
});

describe("stderr speaks", () => {
  const spoke = (minutes: number, about = ""): State => {
    return { ...EMPTY_STATE, spoken: { look: { at: ago(minutes), about } } };
  };

  test.each([
    ["at first", EMPTY_STATE, false, true],
    ["not again within a day", spoke(1439), false, false],
    ["after a day", spoke(1440), false, true],
    ["when it spoke in what is now the future", spoke(-1), false, true],
    ["when it is about something else", spoke(1, "another"), false, true],
    ["to a person, always", spoke(1), true, true],
  ])("%s", (_, state, isInteractive, expected) => {
    const { speaks, state: next } = speakOnceADay(state, "look", "", { now: NOW, isInteractive });
    expect(speaks).toBe(expected);
    if (!expected || isInteractive) expect(next).toBe(state);
    else expect(next.spoken).toEqual({ look: { at: ago(0), about: "" } });
  });

  test("of each topic apart, and forgets one that is over", () => {
    const both = { ...spoke(1), spoken: { ...spoke(1).spoken, mail: { at: ago(1), about: "" } } };
    const context = { now: NOW, isInteractive: false };
    const { state } = speakOnceADay(both, "look", undefined, context);
    expect(state.spoken).toEqual({ mail: { at: ago(1), about: "" } });
    expect(speakOnceADay(state, "mail", undefined, context).state).toEqual(EMPTY_STATE);
    expect(speakOnceADay(EMPTY_STATE, "mail", undefined, context).state).toBe(EMPTY_STATE);
  });
});
