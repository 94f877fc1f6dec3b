import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IpcheckError } from "../../src/base/errors";
import { decodeState, EMPTY_STATE, encodeState, HOOK, type State } from "../../src/state/state";

const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 12 }), fc.string({ unit: "binary", maxLength: 12 }));
const time = fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
const count = fc.nat(1000);
const isTrue = fc.constant(true as const);
const family = fc.constantFrom(4 as const, 6 as const);
const ip = fc.oneof(fc.ipV4(), fc.ipV6());

const familyState = fc.record(
  {
    recorded: fc.record(
      { address: ip, since: time, confirmedBy: fc.array(text, { maxLength: 3 }), isUnconfirmed: isTrue },
      { requiredKeys: ["address", "confirmedBy"] },
    ),
    candidate: fc.record({ address: ip, runs: count, since: time }, { requiredKeys: ["address", "runs"] }),
    isContradicted: fc.constant(true as const),
    outage: fc.record(
      { since: time, failedAt: time, runs: count, reason: text },
      { requiredKeys: ["failedAt", "runs", "reason"] },
    ),
  },
  { requiredKeys: [] },
);
const event = fc.record(
  {
    id: fc.uuid(),
    kind: fc.constantFrom("first" as const, "change" as const, "back" as const, "heartbeat" as const),
    family,
    at: time,
    old: ip,
    oldSince: time,
    address: ip,
    confirmedBy: fc.array(text, { maxLength: 3 }),
    isUnconfirmed: isTrue,
    outageSince: time,
    folded: count,
    told: fc.array(fc.constantFrom("a@example.net", HOOK), { maxLength: 2 }),
  },
  { requiredKeys: ["id", "kind", "family", "at", "address", "confirmedBy", "told"] },
);
const channel = fc.record(
  {
    failures: count,
    refusals: count,
    triedAt: time,
    reason: text,
    hint: text,
    deferredUntil: time,
    deferredFor: text,
    servedAt: time,
    changeServedAt: time,
  },
  { requiredKeys: ["failures", "refusals", "triedAt"] },
);
const anyState: fc.Arbitrary<State> = fc.record(
  {
    families: fc.record({ 4: familyState, 6: familyState }, { requiredKeys: [] }),
    outbox: fc.array(event, { maxLength: 4 }),
    channels: fc.dictionary(fc.emailAddress(), channel, { maxKeys: 3 }),
    coolDowns: fc.dictionary(fc.domain(), time, { maxKeys: 3 }),
    spoken: fc.dictionary(text, fc.record({ at: time, about: text })),
    backedOffAt: time,
  },
  { requiredKeys: ["families", "outbox", "channels", "coolDowns"], noNullPrototype: true },
);

describe("what was written is read", () => {
  test("for any state", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const plain = JSON.parse(JSON.stringify(state));
        expect(decodeState(encodeState(state))).toEqual({ state: plain, isLegacy: false });
      }),
    );
  });

  test("as lines that a person can read", () => {
    expect(encodeState(EMPTY_STATE).split("\n")).toEqual([
      "{",
      '  "version": 1,',
      '  "families": {},',
      '  "outbox": [],',
      '  "channels": {},',
      '  "rests": {},',
      expect.stringMatching(/^ {2}"checksum": "[0-9a-f]{16}"$/),
      "}",
      "",
    ]);
  });

  test("white space is no damage", () => {
    const encoded = encodeState(EMPTY_STATE);
    expect(decodeState(encoded.replaceAll("\n", "\r\n"))).toEqual({ state: EMPTY_STATE, isLegacy: false });
    expect(decodeState(JSON.stringify(JSON.parse(encoded)))).toEqual({ state: EMPTY_STATE, isLegacy: false });
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

  test.each([
    "",
    "\n",
    "\0".repeat(64),
    "81.2.69.142 81.2.69.143",
    "81.2.69.142\n81.2.69.143\n",
    "081.2.69.142",
    "81.2.69",
    "fe80::1%eth0",
    "81.2.69.142/32",
    "home",
    `81.2.69.142${" ".repeat(100)}`,
  ])("damage: %j", (written) => expect(decodeState(written)).toBeUndefined());
});

test.each([
  ["a string", '"81.2.69.142"'],
  ["a number", "1"],
  ["null", "null"],
  ["an array", "[]"],
  ["an empty object", "{}"],
  ["no checksum", '{"version":1,"families":{},"outbox":[],"channels":{},"rests":{}}'],
  ["a wrong checksum", encodeState(EMPTY_STATE).replace(/[0-9a-f]{16}/, "0123456789abcdef")],
  ["a checksum of another type", '{"version":1,"checksum":1}'],
  ["an older version", encodeState(EMPTY_STATE).replace('"version": 1', '"version": 0')],
  ["a version in words", encodeState(EMPTY_STATE).replace('"version": 1', '"version": "two"')],
  ["another order", '{"checksum":"0","version":1}'],
  ["half a file", encodeState(EMPTY_STATE).slice(0, 60)],
  ["twice the file", encodeState(EMPTY_STATE).repeat(2)],
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
  const spot = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const damage = fc.oneof(
    fc.record({
      kind: fc.constant("flip" as const),
      spots: fc.array(fc.tuple(spot, fc.nat(7)), { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant("cut" as const), spots: fc.tuple(spot, fc.constantFrom(0, 1)) }),
    fc.record({ kind: fc.constant("splice" as const), spots: fc.tuple(spot, spot, spot) }),
    fc.record({ kind: fc.constant("blot" as const), spots: fc.tuple(spot, fc.uint8Array({ maxLength: 16 })) }),
  );
  type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

  function inflict(bytes: Buffer, { kind, spots }: Damage): Buffer {
    const at = (where: number) => Math.floor(where * bytes.length);
    const damaged = Buffer.from(bytes);
    switch (kind) {
      case "flip":
        for (const [where, bit] of spots) damaged[at(where)] = (damaged[at(where)] ?? 0) ^ (1 << bit);
        return damaged;
      case "cut":
        return spots[1] === 0 ? damaged.subarray(0, at(spots[0])) : damaged.subarray(at(spots[0]));
      case "splice": {
        // A piece of the file, written where it does not belong.
        const [from, to] = [at(spots[0]), at(spots[1])].sort((a, b) => a - b);
        const place = at(spots[2]);
        return Buffer.concat([bytes.subarray(0, place), bytes.subarray(from, to), bytes.subarray(place)]);
      }
      case "blot":
        return Buffer.concat([
          bytes.subarray(0, at(spots[0])),
          spots[1],
          bytes.subarray(at(spots[0]) + spots[1].length),
        ]);
    }
  }

  test("never crash it, and never make it believe another state", () => {
    fc.assert(
      fc.property(anyState, fc.array(damage, { minLength: 20, maxLength: 20 }), (state, damages) => {
        const plain = JSON.parse(JSON.stringify(state));
        const bytes = Buffer.from(encodeState(state));
        for (const one of damages) {
          let decoded: ReturnType<typeof decodeState>;
          try {
            decoded = decodeState(inflict(bytes, one).toString());
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
    fc.assert(
      fc.property(fc.oneof(text, fc.json(), fc.ipV4(), fc.ipV6()), (written) => {
        const decoded = decodeState(written);
        if (decoded) expect(decoded.isLegacy).toBe(true);
      }),
    );
  });
});

test("the file keeps the names that version 1.0.0 gave it", () => {
  const outage = { failedAt: "2026-06-01T12:00:00.000Z", runs: 2, reason: "no network" };
  const state = {
    families: { 4: { outage } },
    outbox: [],
    channels: { "a@example.net": { failures: 1, refusals: 1, triedAt: "x", deferredUntil: "y", deferredFor: "z" } },
    coolDowns: { "a.example": "2026-06-01T12:30:00.000Z" },
  };
  const text = encodeState(state);
  expect(JSON.parse(text)).toMatchObject({
    families: { 4: { blind: outage } },
    channels: { "a@example.net": { pausedUntil: "y", pausedFor: "z" } },
    rests: state.coolDowns,
  });
  expect(decodeState(text)?.state).toEqual(state);
});
