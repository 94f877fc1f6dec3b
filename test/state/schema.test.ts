import { describe, expect, test } from "vitest";
import { decodeState, EMPTY_STATE, encodeState, isState, isTime, type State } from "../../src/state/state";

const AT = "2026-06-01T12:00:00.000Z";
const FULL: State = {
  families: {
    4: {
      recorded: { address: "203.0.113.7", since: AT, confirmedBy: ["a"], isUnconfirmed: true },
      candidate: { address: "203.0.113.8", runs: 1 },
      outage: { since: AT, failedAt: AT, runs: 2, reason: "no network" },
    },
    6: { recorded: { address: "2001:db8::1", confirmedBy: [] } },
  },
  outbox: [
    {
      id: "1",
      kind: "change",
      family: 4,
      at: AT,
      old: "203.0.113.6",
      oldSince: AT,
      address: "203.0.113.7",
      confirmedBy: ["a"],
      isUnconfirmed: true,
      outageSince: AT,
      isUnwatched: true,
      folded: 3,
      told: ["a@example.net"],
    },
  ],
  channels: {
    "a@example.net": {
      failures: 1,
      refusals: 1,
      unknowns: 1,
      triedAt: AT,
      reason: "no",
      hint: "wait",
      deferredUntil: AT,
      deferredFor: "x",
      deferredChange: "1",
      servedAt: AT,
      changeServedAt: AT,
      outageServedAt: AT,
    },
  },
  coolDowns: { "a.example": AT },
  spoken: { undelivered: { at: AT, about: "a@example.net" } },
  unsaved: { remindedAt: AT, basedOn: "x" },
};

test("a state is one", () => {
  expect(isState(EMPTY_STATE)).toBe(true);
  expect(isState(FULL)).toBe(true);
});

/** Every path to a value inside. */
function pathsOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key]))];
}

function withValue(path: string[], replacement: unknown): unknown {
  const copy = structuredClone(FULL) as object;
  const place = path.slice(0, -1).reduce((part, key) => part[key as never] as object, copy);
  Object.assign(place, { [path.at(-1) ?? ""]: replacement });
  return copy;
}

const PATHS = pathsOf(FULL).filter((path) => path.length > 0);

// What is a text, a number, a list or a map is nothing of these.
test.each(PATHS.map((path) => [path.join("."), path] as const))("%s of another type is damage", (_, path) => {
  for (const wrong of [null, Number.NaN, -1, { recorded: 1, a: [] }, [[{}]]])
    expect(isState(withValue(path, wrong))).toBe(false);
});

test.each([
  [["families", "4", "recorded", "address"], "2001:db8::1"],
  [["families", "6", "recorded", "address"], "203.0.113.7"],
  [["families", "4", "recorded", "address"], "203.0.113.7 "],
  [["families", "4", "candidate", "address"], "home"],
  [["families", "5"], {}],
  [["families", "__proto__x"], {}],
  [["outbox", "0", "family"], 5],
  [["outbox", "0", "family"], 6],
  [["outbox", "0", "kind"], "toString"],
  [["outbox", "0", "at"], "x"],
  [["outbox", "0", "told"], "a@example.net"],
  [["outbox", "0", "folded"], 1.5],
  [["channels", "a@example.net", "triedAt"], "2026-06-01 (comment)"],
  [["channels", "a@example.net", "failures"], "1"],
  [["coolDowns", "a.example"], 5],
])("%j as %j is damage", (path, value) => expect(isState(withValue(path, value))).toBe(false));

test.each(["families", "outbox", "channels", "coolDowns"])("without %s it is none", (name) => {
  const { [name as keyof State]: _, ...rest } = FULL;
  expect(isState(rest)).toBe(false);
});

test("fields of another version stay", () => {
  expect(isState({ ...FULL, later: 1, outbox: FULL.outbox.map((event) => ({ ...event, later: {} })) })).toBe(true);
});

describe("names that every object has", () => {
  test("are no fields", () => {
    expect(isState(JSON.parse('{"__proto__":{"families":{},"outbox":[],"channels":{},"coolDowns":{}}}'))).toBe(false);
    const inherited = Object.create(FULL);
    expect(isState(inherited)).toBe(false);
  });

  test("are names like any other", () => {
    const channel = FULL.channels["a@example.net"];
    const channels = Object.fromEntries(["__proto__", "constructor", "toString"].map((name) => [name, channel]));
    const state = { ...FULL, channels } as State;
    const decoded = decodeState(encodeState(state))?.state;
    expect(Object.keys(decoded?.channels ?? {})).toEqual(["__proto__", "constructor", "toString"]);
    expect(Object.getPrototypeOf(decoded?.channels)).toBe(Object.prototype);
    expect(isState(decoded)).toBe(true);
  });
});

test.each([
  [AT, true],
  ["2026-06-01T12:00:00Z", true],
  ["-000001-01-01T00:00:00.000Z", true],
  ["+275760-09-13T00:00:00.000Z", true],
  ["2026-13-01T12:00:00.000Z", false],
  ["2026-06-01", false],
  ["1 June 2026 (\u001b[31m)", false],
  ["x", false],
  [0, false],
])("%j is a time: %s", (value, expected) => expect(isTime(value)).toBe(expected));
