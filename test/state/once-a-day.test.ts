import { describe, expect, test } from "vitest";
import { speakOnceADay } from "../../src/state/recording";
import { EMPTY_STATE, type State } from "../../src/state/state";

const NOW = new Date("2026-06-01T12:00:00Z");
const ago = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString();
const spoke = (minutes: number, about = ""): State => ({
  ...EMPTY_STATE,
  spoken: { look: { at: ago(minutes), about } },
});

describe("stderr speaks", () => {
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
