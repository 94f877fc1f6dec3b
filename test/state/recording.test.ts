import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isSpoken, type LookupOutcome, type RecordingContext, recordLookup } from "../../src/state/recording";
import { EMPTY_STATE, type FamilyState, type Outage, type State } from "../../src/state/state";
import { addressOf, HOUR_MS, MINUTE_MS } from "../support/fake-home";

const NOW = new Date("2026-06-01T12:00:00Z");
const [A, B] = [addressOf("1"), addressOf("2")];

const ago = (minutes: number) => new Date(NOW.getTime() - minutes * MINUTE_MS).toISOString();
const outageFor = (minutes: number, rest: Partial<Outage> = {}): Outage => {
  return { since: ago(minutes), failedAt: ago(5), runs: 3, reason: "no network", spokenAt: ago(minutes), ...rest };
};
const stateOf = (familyState: FamilyState): State => ({ ...EMPTY_STATE, families: { 4: familyState } });
const recorded = { address: A, since: ago(600), confirmedBy: ["a", "b"] };

function record(state: State, decision: LookupOutcome["decision"], rest: Partial<RecordingContext> = {}): State {
  const lastLookAt = new Date(NOW.getTime() - HOUR_MS);
  const context = {
    now: NOW,
    lastLookAt,
    reportOutageMs: HOUR_MS,
    isInteractive: false,
    createId: () => "id",
    ...rest,
  };
  return recordLookup(state, { family: 4, decision, reason: "a reason" }, context);
}

const UNCHANGED: LookupOutcome["decision"] = { kind: "unchanged", address: A, seen: A, by: ["a"] };
const CONFIRMED: LookupOutcome["decision"] = { kind: "confirmed", address: B, by: ["a", "c"] };
const SILENCE: LookupOutcome["decision"] = { kind: "silence" };

test("a quiet look leaves the very same state, so that nothing is written", () => {
  const state = stateOf({ recorded });
  expect(record(state, UNCHANGED)).toBe(state);
  expect(record(state, UNCHANGED, { isInteractive: true, reportOutageMs: undefined, lastLookAt: undefined })).toBe(
    state,
  );
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
  const since = ago(0);

  test.each([
    ["first", {}, CONFIRMED, { kind: "first", address: B, confirmedBy: ["a", "c"], at: since }],
    ["first, though an outage before", { outage: outageFor(600) }, CONFIRMED, { kind: "first", outageSince: ago(600) }],
    ["change", { recorded }, CONFIRMED, { kind: "change", old: A, oldSince: ago(600), address: B }],
    ["accepted", { recorded, candidate }, { ...CONFIRMED, kind: "accepted" }, { kind: "change", isUnconfirmed: true }],
    [
      "change after blindness",
      { recorded, outage: outageFor(60) },
      CONFIRMED,
      { kind: "change", outageSince: ago(60) },
    ],
    ["change after a short one", { recorded, outage: outageFor(59) }, CONFIRMED, { kind: "change" }],
    ["back", { recorded, outage: outageFor(60) }, UNCHANGED, { kind: "back", address: A, outageSince: ago(60) }],
    ["back so soon", { recorded, outage: outageFor(59) }, UNCHANGED, undefined],
    ["no lone vote any more", { recorded, candidate }, UNCHANGED, undefined],
    ["outage since the future", { recorded, outage: outageFor(-600) }, UNCHANGED, undefined],
  ] as [string, FamilyState, LookupOutcome["decision"], object | undefined][])(
    "%s",
    (_, familyState, decision, expected) => {
      const { families, outbox } = record(stateOf(familyState), decision);
      expect(outbox).toMatchObject(expected ? [{ id: "id", family: 4, told: [], ...expected }] : []);
      if (expected && !("outageSince" in expected)) expect(outbox[0]).not.toHaveProperty("outageSince");
      // Outage and candidate are over, whatever was seen.
      expect(families[4]).toEqual({
        recorded: expect.objectContaining({ address: decision.kind === "unchanged" ? A : B }),
      });
    },
  );

  test("an outage is not reported where that is switched off", () => {
    expect(
      record(stateOf({ recorded, outage: outageFor(6000) }), UNCHANGED, { reportOutageMs: undefined }).outbox,
    ).toEqual([]);
  });

  test("what was taken over without a time has none in the notice either", () => {
    const { outbox } = record(stateOf({ recorded: { address: A, confirmedBy: [] } }), CONFIRMED);
    expect(outbox[0]).not.toHaveProperty("oldSince");
  });

  test("the other family, the outbox and the channels stay", () => {
    const state: State = { ...stateOf({ recorded }), channels: {}, coolDowns: { "a.example": ago(-5) } };
    state.families[6] = { recorded: { address: addressOf("1", 6), confirmedBy: [] } };
    const next = record(state, CONFIRMED);
    expect([next.families[6], next.channels, next.coolDowns]).toEqual([
      state.families[6],
      state.channels,
      state.coolDowns,
    ]);
  });
});

describe("failed looks", () => {
  const since = ago(90);
  const lone = (runs: number): LookupOutcome["decision"] => {
    return { kind: "unconfirmed", address: B, by: ["a"], runs, since };
  };
  const candidate = { address: B, runs: 2 };

  test.each([
    [{}, lone(1), { address: B, runs: 1, since }],
    [{ candidate }, lone(2), { address: B, runs: 2, since }],
    [{ candidate }, lone(0), undefined],
    [{ candidate }, SILENCE, undefined],
    [{ candidate }, { kind: "contradiction" }, undefined],
  ] as [FamilyState, LookupOutcome["decision"], FamilyState["candidate"]][])(
    "%j, then %j: candidate %j",
    (familyState, decision, expected) => {
      const next = record(stateOf({ recorded, ...familyState }), decision);
      expect([next.families[4]?.candidate, next.families[4]?.recorded, next.outbox]).toEqual([expected, recorded, []]);
    },
  );

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
    ["the first", { recorded }, { since: ago(60), failedAt: ago(0), runs: 1, spokenAt: ago(0) }],
    ["one more", { recorded, outage: outageFor(90) }, { since: ago(90), failedAt: ago(0), runs: 4, spokenAt: ago(90) }],
    ["after a day", { recorded, outage: outageFor(1440) }, { since: ago(1440), runs: 4, spokenAt: ago(0) }],
    [
      "spoken in the future",
      { recorded, outage: outageFor(90, { spokenAt: ago(-90) }) },
      { runs: 4, spokenAt: ago(0) },
    ],
  ] as [string, FamilyState, object][])("%s", (_, familyState, expected) => {
    expect(record(stateOf(familyState), SILENCE).families[4]?.outage).toMatchObject({
      reason: "a reason",
      ...expected,
    });
  });

  test("where nothing was ever seen, blindness has no beginning", () => {
    expect(record(EMPTY_STATE, SILENCE).families[4]?.outage).not.toHaveProperty("since");
    expect(record(stateOf({ recorded }), SILENCE, { lastLookAt: undefined }).families[4]?.outage).not.toHaveProperty(
      "since",
    );
  });

  test.each([
    [undefined, false, true],
    [outageFor(1439), false, false],
    [outageFor(1440), false, true],
    [outageFor(-1), false, true],
    [outageFor(1), true, true],
  ])("%j, loud %s: spoken %s", (outage, isInteractive, expected) =>
    expect(isSpoken(outage, { now: NOW, isInteractive })).toBe(expected),
  );
});

test("an address is never recorded without a notice that is owed", () => {
  const decision = fc.oneof(
    fc.constantFrom<LookupOutcome["decision"]>(SILENCE, { kind: "contradiction" }),
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
