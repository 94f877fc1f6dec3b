import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Finding, isSpoken, type RecordingContext, recordFinding } from "../../src/state/recording";
import { type Blindness, EMPTY_STATE, type Slot, type State } from "../../src/state/state";
import { addressOf, HOUR_MS, MINUTE_MS } from "../support/fake-home";

const NOW = new Date("2026-06-01T12:00:00Z");
const [A, B] = [addressOf("1"), addressOf("2")];

const ago = (minutes: number) => new Date(NOW.getTime() - minutes * MINUTE_MS).toISOString();
const blindFor = (minutes: number, rest: Partial<Blindness> = {}): Blindness => {
  return { since: ago(minutes), failedAt: ago(5), runs: 3, reason: "no network", spokenAt: ago(minutes), ...rest };
};
const stateOf = (slot: Slot): State => ({ ...EMPTY_STATE, families: { 4: slot } });
const recorded = { address: A, since: ago(600), confirmedBy: ["a", "b"] };

function record(state: State, verdict: Finding["verdict"], rest: Partial<RecordingContext> = {}): State {
  const lastLookAt = new Date(NOW.getTime() - HOUR_MS);
  const context = { now: NOW, lastLookAt, reportOutageMs: HOUR_MS, isLoud: false, createId: () => "id", ...rest };
  return recordFinding(state, { family: 4, verdict, reason: "a reason" }, context);
}

const UNCHANGED: Finding["verdict"] = { kind: "unchanged", address: A, by: ["a"] };
const CONFIRMED: Finding["verdict"] = { kind: "confirmed", address: B, by: ["a", "c"] };
const SILENCE: Finding["verdict"] = { kind: "silence" };

test("a quiet look leaves the very same state, so that nothing is written", () => {
  const state = stateOf({ recorded });
  expect(record(state, UNCHANGED)).toBe(state);
  expect(record(state, UNCHANGED, { isLoud: true, reportOutageMs: undefined, lastLookAt: undefined })).toBe(state);
});

describe("an address that was accepted on one voice", () => {
  const doubted = stateOf({ recorded: { address: A, since: ago(600), confirmedBy: ["a"], isUnconfirmed: true } });

  test("stays in doubt while only that voice says it", () => {
    expect(record(doubted, UNCHANGED)).toBe(doubted);
  });

  test("is confirmed by the first other operator that says it, and nobody is told again", () => {
    const { families, outbox } = record(doubted, { kind: "unchanged", address: A, by: ["b"] });
    expect(families[4]).toEqual({ recorded: { address: A, since: ago(600), confirmedBy: ["a", "b"] } });
    expect(outbox).toEqual([]);
  });
});

describe("good looks", () => {
  const candidate = { address: B, runs: 2 };
  const since = ago(0);

  test.each([
    ["first", {}, CONFIRMED, { kind: "first", address: B, confirmedBy: ["a", "c"], at: since }],
    ["first, though blind before", { blind: blindFor(600) }, CONFIRMED, { kind: "first", blindSince: ago(600) }],
    ["change", { recorded }, CONFIRMED, { kind: "change", old: A, oldSince: ago(600), address: B }],
    ["accepted", { recorded, candidate }, { ...CONFIRMED, kind: "accepted" }, { kind: "change", isUnconfirmed: true }],
    ["change after blindness", { recorded, blind: blindFor(60) }, CONFIRMED, { kind: "change", blindSince: ago(60) }],
    ["change after a short one", { recorded, blind: blindFor(59) }, CONFIRMED, { kind: "change" }],
    ["back", { recorded, blind: blindFor(60) }, UNCHANGED, { kind: "back", address: A, blindSince: ago(60) }],
    ["back so soon", { recorded, blind: blindFor(59) }, UNCHANGED, undefined],
    ["no lone voice any more", { recorded, candidate }, UNCHANGED, undefined],
    ["blind since the future", { recorded, blind: blindFor(-600) }, UNCHANGED, undefined],
  ] as [string, Slot, Finding["verdict"], object | undefined][])("%s", (_, slot, verdict, expected) => {
    const { families, outbox } = record(stateOf(slot), verdict);
    expect(outbox).toMatchObject(expected ? [{ id: "id", family: 4, told: [], ...expected }] : []);
    if (expected && !("blindSince" in expected)) expect(outbox[0]).not.toHaveProperty("blindSince");
    // Blindness and candidate are over, whatever was seen.
    expect(families[4]).toEqual({
      recorded: expect.objectContaining({ address: verdict.kind === "unchanged" ? A : B }),
    });
  });

  test("an outage is not reported where that is switched off", () => {
    expect(
      record(stateOf({ recorded, blind: blindFor(6000) }), UNCHANGED, { reportOutageMs: undefined }).outbox,
    ).toEqual([]);
  });

  test("what was taken over without a time has none in the notice either", () => {
    const { outbox } = record(stateOf({ recorded: { address: A, confirmedBy: [] } }), CONFIRMED);
    expect(outbox[0]).not.toHaveProperty("oldSince");
  });

  test("the other family, the outbox and the channels stay", () => {
    const state: State = { ...stateOf({ recorded }), channels: {}, rests: { "a.example": ago(-5) } };
    state.families[6] = { recorded: { address: addressOf("1", 6), confirmedBy: [] } };
    const next = record(state, CONFIRMED);
    expect([next.families[6], next.channels, next.rests]).toEqual([state.families[6], state.channels, state.rests]);
  });
});

describe("failed looks", () => {
  const lone = (runs: number): Finding["verdict"] => ({ kind: "unconfirmed", address: B, by: ["a"], runs });
  const candidate = { address: B, runs: 2 };

  test.each([
    [{}, lone(1), { address: B, runs: 1 }],
    [{ candidate }, lone(2), { address: B, runs: 2 }],
    [{ candidate }, lone(0), undefined],
    [{ candidate }, SILENCE, undefined],
    [{ candidate }, { kind: "contradiction" }, undefined],
  ] as [Slot, Finding["verdict"], Slot["candidate"]][])("%j, then %j: candidate %j", (slot, verdict, expected) => {
    const next = record(stateOf({ recorded, ...slot }), verdict);
    expect([next.families[4]?.candidate, next.families[4]?.recorded, next.outbox]).toEqual([expected, recorded, []]);
  });

  test.each([
    ["the first", { recorded }, { since: ago(60), failedAt: ago(0), runs: 1, spokenAt: ago(0) }],
    ["one more", { recorded, blind: blindFor(90) }, { since: ago(90), failedAt: ago(0), runs: 4, spokenAt: ago(90) }],
    ["after a day", { recorded, blind: blindFor(1440) }, { since: ago(1440), runs: 4, spokenAt: ago(0) }],
    ["spoken in the future", { recorded, blind: blindFor(90, { spokenAt: ago(-90) }) }, { runs: 4, spokenAt: ago(0) }],
  ] as [string, Slot, object][])("%s", (_, slot, expected) => {
    expect(record(stateOf(slot), SILENCE).families[4]?.blind).toMatchObject({ reason: "a reason", ...expected });
  });

  test("where nothing was ever seen, blindness has no beginning", () => {
    expect(record(EMPTY_STATE, SILENCE).families[4]?.blind).not.toHaveProperty("since");
    expect(record(stateOf({ recorded }), SILENCE, { lastLookAt: undefined }).families[4]?.blind).not.toHaveProperty(
      "since",
    );
  });

  test.each([
    [undefined, false, true],
    [blindFor(1439), false, false],
    [blindFor(1440), false, true],
    [blindFor(-1), false, true],
    [blindFor(1), true, true],
  ])("%j, loud %s: spoken %s", (blind, isLoud, expected) =>
    expect(isSpoken(blind, { now: NOW, isLoud })).toBe(expected),
  );
});

test("an address is never recorded without a notice that is owed", () => {
  const verdict = fc.oneof(
    fc.constantFrom<Finding["verdict"]>(SILENCE, { kind: "contradiction" }),
    fc.record({
      kind: fc.constantFrom("confirmed" as const, "accepted" as const),
      address: fc.constantFrom(A, B),
      by: fc.constant<string[]>(["a"]),
    }),
  );
  fc.assert(
    fc.property(fc.array(verdict, { maxLength: 20 }), (verdicts) => {
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
