import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { look } from "../../src/lookup/lookup";
import { coolDownUntil, isCoolingDown, mayOverrideCoolDowns, updateCoolDowns } from "../../src/lookup/services";

const NOW = new Date("2026-06-01T12:00:00Z");
const DAY = 24 * 60;

test.each([
  ["seconds", "120", 2],
  ["blanks around", " 3600 ", 60],
  ["a date", "Mon, 01 Jun 2026 13:30:00 GMT", 90],
  ["an old date form", "Monday, 01-Jun-26 12:05:00 GMT", 5],
  ["none", undefined, 30],
  ["two fields", ["60", "120"], 30],
  ["zero", "0", 30],
  ["empty", "", 30],
  ["negative", "-60", 30],
  ["a date in the past", "Mon, 01 Jun 2026 11:00:00 GMT", 30],
  ["a word", "soon", 30],
  ["a number and a word", "60 seconds", 30],
  ["longer than a day", "86401", DAY],
  ["a year", "31536000", DAY],
  ["absurd", "9".repeat(400), DAY],
  ["a date next year", "Tue, 01 Jun 2027 12:00:00 GMT", DAY],
])("Retry-After, %s: %j is %d minutes", (_, field, minutes) => {
  expect(coolDownUntil(field, NOW)).toEqual(new Date(NOW.getTime() + minutes * 60_000));
});

test.each([
  ["never", undefined, false],
  ["until later", "2026-06-01T12:00:01Z", true],
  ["until now", "2026-06-01T12:00:00Z", false],
  ["until before", "2026-06-01T11:00:00Z", false],
  ["a whole day", "2026-06-02T12:00:00Z", true],
  ["longer than we set: the clock jumped", "2026-06-02T12:00:01Z", false],
  ["garbage", "tomorrow", false],
])("isCoolingDown %s: %s is %s", (_, until, expected) => expect(isCoolingDown(until, NOW)).toBe(expected));

test("whatever a service says, it cools down for some time and for a day at most", () => {
  const field = fc.oneof(
    fc.string(),
    fc.nat().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  );
  fc.assert(
    fc.property(field, (text) => {
      const until = coolDownUntil(text, NOW);
      expect(isCoolingDown(until.toISOString(), NOW)).toBe(true);
      expect(isCoolingDown(until.toISOString(), new Date(NOW.getTime() + DAY * 60_000))).toBe(false);
    }),
  );
});

describe("what is remembered", () => {
  const before = { coolDowns: { a: "2026-06-01T13:00:00.000Z", b: "2026-06-01T11:00:00.000Z" } };
  const until = "2026-06-01T14:00:00.000Z";

  test("nothing new leaves the very same state, so that a quiet run writes nothing", () => {
    expect(updateCoolDowns(before, [{}, {}], NOW)).toBe(before);
  });

  test("a new cool-down is added, what is over is dropped", () => {
    expect(updateCoolDowns(before, [{}, { c: until }], NOW)).toEqual({
      coolDowns: { a: before.coolDowns.a, c: until },
      backedOffAt: NOW.toISOString(),
    });
  });

  test("a further refusal does not put off the hour after which those that cool down are asked", () => {
    const refused = { ...before, backedOffAt: "2026-06-01T11:15:00.000Z" };
    expect(updateCoolDowns(refused, [{ c: until }], NOW).backedOffAt).toBe(refused.backedOffAt);
    const later = new Date("2026-06-01T12:15:00Z");
    expect(updateCoolDowns(refused, [{ c: until }], later).backedOffAt).toBe(later.toISOString());
  });

  test("a service that answers again is forgotten", () => {
    expect(updateCoolDowns(before, [{ a: undefined }], NOW)).toEqual({ coolDowns: {} });
  });
});

test.each([
  ["never", undefined, true],
  ["just now", "2026-06-01T12:00:00Z", false],
  ["55 minutes ago", "2026-06-01T11:05:00Z", false],
  ["an hour ago, by a timer that is early by seconds", "2026-06-01T11:00:10Z", true],
  ["an hour ago", "2026-06-01T11:00:00Z", true],
  ["in the future", "2026-06-01T12:01:00Z", true],
])("services backed off %s: may be asked all the same: %s %s", (_, backedOffAt, expected) => {
  const state = { coolDowns: {}, ...(backedOffAt !== undefined && { backedOffAt }) };
  expect(mayOverrideCoolDowns(state, NOW)).toBe(expected);
});

// Whatever is learned is written: a cool-down that is over is dropped with the next one.
test.each([
  ["over", "2026-06-01T11:00:00Z", {}],
  ["not over", "2026-06-01T13:00:00Z", { "echo.example.net": undefined }],
  ["of a clock that was ahead", "2026-06-03T13:00:00Z", { "echo.example.net": undefined }],
])("a service whose cool-down is %s answers", async (_, until, learned) => {
  const request = { family: 4, recorded: "81.2.69.142", candidate: undefined, mayOverrideCoolDowns: true } as const;
  const result = await look(
    { ...request, coolDowns: { "echo.example.net": until } },
    {
      serviceUrls: [new URL("https://echo.example.net/")],
      acceptRanges: [],
      ipv6PrefixLength: 64,
      timeoutMs: 1000,
      userAgent: "ipcheck/test",
      redact: (text) => text,
      seed: "",
      now: () => NOW,
      monotonicMs: () => 0,
      signal: new AbortController().signal,
      ask: async () => ({ status: 200, headers: {}, body: "81.2.69.142" }),
    },
  );
  expect(result).toMatchObject({ decision: { kind: "unchanged" }, requests: 1 });
  expect(result.newCoolDowns).toStrictEqual(learned);
});
