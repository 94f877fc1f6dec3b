import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IpcheckError } from "../../src/base/errors";
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

const EMPTY_TEXT = encodeState(EMPTY_STATE);

/** Whole states with any text in them, and whatever a later version may have added. */
const anyState: fc.Arbitrary<State> = fc
  .record({ reason: fc.string({ unit: "binary" }), later: fc.jsonValue({ stringUnit: "grapheme" }) })
  .map(({ reason, later }) => {
    const { "a@example.net": channel } = FULL.channels;
    return { ...FULL, channels: { [reason]: { ...channel, reason } }, later } as State;
  });

describe("what was written is read", () => {
  test("for any state", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const plain = JSON.parse(JSON.stringify(state));
        expect(decodeState(encodeState(state))).toEqual({ state: plain, isLegacy: false });
        expect(isState(plain)).toBe(true);
      }),
    );
  });

  test("as lines that a person can read", () => {
    const parts = '"version": 1,|"families": {},|"outbox": [],|"channels": {},|"rests": {},'.split("|");
    const checksum = expect.stringMatching(/^ {2}"checksum": "[0-9a-f]{16}"$/);
    expect(EMPTY_TEXT.split("\n")).toEqual(["{", ...parts.map((part) => `  ${part}`), checksum, "}", ""]);
  });

  test.each([
    ["coolDowns", "rests"],
    ["outage", "blind"],
    ["outageSince", "blindSince"],
    ["deferredUntil", "pausedUntil"],
    ["deferredFor", "pausedFor"],
  ])("%s by the name that version 1.0.0 gave it: %s", (ours, theirs) => {
    expect(encodeState(FULL)).toContain(`"${theirs}": `);
    expect(encodeState(FULL)).not.toContain(`"${ours}": `);
  });

  test("white space is no damage", () => {
    for (const written of [EMPTY_TEXT.replaceAll("\n", "\r\n"), JSON.stringify(JSON.parse(EMPTY_TEXT))])
      expect(decodeState(written)).toEqual({ state: EMPTY_STATE, isLegacy: false });
  });
});

describe("one address in plain text, as older scripts wrote it", () => {
  test.each([
    ["81.2.69.142", 4, "81.2.69.142"],
    [" 81.2.69.142 \r\n", 4, "81.2.69.142"],
    ["2A02:8109::0001\n", 6, "2a02:8109::1"],
  ] as const)("%j", (written, of, address) => {
    const state = { ...EMPTY_STATE, families: { [of]: { recorded: { address, confirmedBy: [] } } } };
    expect(decodeState(written)).toEqual({ state, isLegacy: true });
    expect(EMPTY_STATE).toEqual({ families: {}, outbox: [], channels: {}, coolDowns: {} });
  });

  test("and nothing like it", () => {
    const lines = "|\n|81.2.69.142 81.2.69.143|81.2.69.142\n81.2.69.143\n|081.2.69.142|81.2.69|fe80::1%eth0|home";
    const scraps = [...lines.split("|"), "81.2.69.142/32", "\0".repeat(64), `81.2.69.142${" ".repeat(100)}`];
    expect(scraps.map(decodeState)).toEqual(scraps.map(() => undefined));
  });
});

test.each([
  ["a string", '"81.2.69.142"'],
  ["a number", "1"],
  ["null", "null"],
  ["an array", "[]"],
  ["an empty object", "{}"],
  ["no checksum", '{"version":1,"families":{},"outbox":[],"channels":{},"rests":{}}'],
  ["a wrong checksum", EMPTY_TEXT.replace(/[0-9a-f]{16}/, "0123456789abcdef")],
  ["a checksum of another type", '{"version":1,"checksum":1}'],
  ["an older version", EMPTY_TEXT.replace('"version": 1', '"version": 0')],
  ["a version in words", EMPTY_TEXT.replace('"version": 1', '"version": "two"')],
  ["another order", '{"checksum":"0","version":1}'],
  ["half a file", EMPTY_TEXT.slice(0, 60)],
  ["twice the file", EMPTY_TEXT.repeat(2)],
  ["a very deep array", "[".repeat(100_000)],
  ["a very deep object", `${'{"version":1,"checksum":"0","a":'.repeat(20_000)}1${"}".repeat(20_000)}`],
])("damage: %s", (_, written) => expect(decodeState(written)).toBeUndefined());

test.each(['{"version":2}', '{"version":1.5}', '{"version":99,"checksum":"0","anything":[]}'])(
  "a newer version is refused and not taken for damage: %s",
  (written) => {
    expect(() => decodeState(written)).toThrow(IpcheckError);
    expect(() => decodeState(written)).toThrow(/written by a newer ipcheck/);
  },
);

describe("ten thousand damages", () => {
  const place = fc.nat(3000);
  const length = fc.oneof(fc.nat(4), place);
  /** In place of a piece: other bytes, none, or another piece of the file. */
  const damage = fc.record({ place, length, bytes: fc.uint8Array({ maxLength: 4 }), from: place, copied: length });

  test("never crash it, and never make it believe another state", () => {
    fc.assert(
      fc.property(anyState, fc.array(damage, { minLength: 20, maxLength: 20 }), (state, damages) => {
        const plain = JSON.parse(JSON.stringify(state));
        const file = Buffer.from(encodeState(state));
        for (const { place, length, bytes, from, copied } of damages) {
          const at = place % file.length;
          const instead = bytes.length > 0 ? bytes : file.subarray(from, from + copied);
          const damaged = Buffer.concat([file.subarray(0, at), instead, file.subarray(at + length)]).toString();
          let decoded: ReturnType<typeof decodeState>;
          try {
            decoded = decodeState(damaged);
          } catch (error) {
            expect(error).toBeInstanceOf(IpcheckError);
            continue;
          }
          if (decoded) expect(decoded).toEqual({ state: plain, isLegacy: false });
        }
      }),
      { numRuns: 500 },
    );
  });

  test("nor does any other text crash it", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(text, (written) => {
        expect(decodeState(written)?.isLegacy).not.toBe(false);
      }),
    );
  });
});

describe("a state is one", () => {
  /** Every path to a value inside. */
  const pathsOf = (value: unknown, path: string[] = []): string[][] => {
    if (typeof value !== "object" || value === null) return [path];
    return [path, ...Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key]))];
  };
  const withValue = (path: readonly string[], replacement: unknown) => {
    const copy = structuredClone(FULL) as object;
    const place = path.slice(0, -1).reduce((part, key) => part[key as never] as object, copy);
    return Object.assign(place, { [path.at(-1) ?? ""]: replacement }) && copy;
  };

  test("empty, full, and with fields of another version", () => {
    const later = { ...FULL, later: 1, outbox: FULL.outbox.map((event) => ({ ...event, later: {} })) };
    for (const state of [EMPTY_STATE, FULL, later]) expect(isState(state)).toBe(true);
  });

  test("but not without one of its parts", () => {
    for (const name of Object.keys(EMPTY_STATE)) expect(isState(withValue([name], undefined)), name).toBe(false);
  });

  // What is a text, a number, a list or a map is nothing of these.
  test.each(
    pathsOf(FULL)
      .slice(1)
      .map((path) => [path.join("."), path] as const),
  )("nor with another %s", (_, path) => {
    for (const wrong of [null, Number.NaN, -1, { recorded: 1, a: [] }, [[{}]]])
      expect(isState(withValue(path, wrong))).toBe(false);
  });

  test.each([
    ["families 4 recorded address", "2001:db8::1"],
    ["families 6 recorded address", "203.0.113.7"],
    ["families 4 recorded address", "203.0.113.7 "],
    ["families 4 candidate address", "home"],
    ["families 5", {}],
    ["families __proto__x", {}],
    ["outbox 0 family", 5],
    ["outbox 0 family", 6],
    ["outbox 0 kind", "toString"],
    ["outbox 0 at", "x"],
    ["outbox 0 told", "a@example.net"],
    ["outbox 0 folded", 1.5],
    ["channels a@example.net triedAt", "2026-06-01 (comment)"],
    ["channels a@example.net failures", "1"],
    ["coolDowns a.example", 5],
  ])("nor with %s: %j", (path, value) => expect(isState(withValue(path.split(" "), value))).toBe(false));

  test("not by names that every object has, which are names like any other inside", () => {
    expect(isState(JSON.parse('{"__proto__":{"families":{},"outbox":[],"channels":{},"coolDowns":{}}}'))).toBe(false);
    expect(isState(Object.create(FULL))).toBe(false);
    const names = ["__proto__", "constructor", "toString"];
    const channels = Object.fromEntries(names.map((name) => [name, FULL.channels["a@example.net"]]));
    const decoded = decodeState(encodeState({ ...FULL, channels } as State))?.state;
    expect(Object.keys(decoded?.channels ?? {})).toEqual(names);
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
