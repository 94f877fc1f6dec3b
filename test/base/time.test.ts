import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  elapsedMs,
  formatDuration,
  isDue,
  isPlausibleTime,
  parseDuration,
  plausibleElapsedMs,
  splitDuration,
} from "../../src/base/time";

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000] as const;
const UNIT_MS = { second: SECOND, minute: MINUTE, hour: HOUR, day: DAY };

test.each([
  ["90s", 90 * SECOND],
  ["15m", 15 * MINUTE],
  ["3h", 3 * HOUR],
  ["30d", 30 * DAY],
  ["0s", 0],
  ["007m", 7 * MINUTE],
  ["999999d", 999_999 * DAY],
])("parseDuration %j: %s", (text, expected) => expect(parseDuration(text)).toBe(expected));

const NO_DURATIONS = "|15|m|15 m| 15m|15m\n|15M|15min|1.5h|1,5h|-1h|+1h|1h30m|1w|0x1h|1e3s|1000000s|off".split("|");
test.each(NO_DURATIONS)("no duration: %j", (text) => expect(parseDuration(text)).toBeUndefined());

test.each([
  [0, "0 seconds"],
  [400, "0 seconds"],
  [1000, "1 second"],
  [59_400, "59 seconds"],
  [59_600, "1 minute"],
  [61_000, "1 minute 1 second"],
  [HOUR, "1 hour"],
  [HOUR - SECOND, "59 minutes 59 seconds"],
  [HOUR + 5 * SECOND, "1 hour"],
  [2 * HOUR + 31 * MINUTE, "2 hours 31 minutes"],
  [DAY - SECOND, "1 day"],
  [DAY + 29 * MINUTE, "1 day"],
  [3 * DAY + 4 * HOUR + 10 * MINUTE, "3 days 4 hours"],
  [400 * DAY, "400 days"],
])("formatDuration %d: %s", (ms, expected) => expect(formatDuration(ms)).toBe(expected));

test("a duration in words is right to half of its smaller unit", () => {
  fc.assert(
    fc.property(fc.nat(4000 * DAY), (ms) => {
      const parts = splitDuration(ms);
      expect([1, 2]).toContain(parts.length);
      const sum = parts.reduce((total, { value, unit }) => total + value * UNIT_MS[unit], 0);
      const unitMs = ms >= DAY ? HOUR : ms >= HOUR ? MINUTE : SECOND;
      expect(Math.abs(sum - ms)).toBeLessThanOrEqual(unitMs / 2);
    }),
  );
});

describe("clocks run backwards", () => {
  test.each([
    ["2026-06-01T12:00:00Z", "2026-06-01T13:00:00Z", HOUR],
    ["2026-06-01T13:00:00Z", "2026-06-01T12:00:00Z", 0],
    ["2026-06-01T13:00:00Z", "1970-01-01T00:00:00Z", 0],
    ["yesterday", "2026-06-01T12:00:00Z", 0],
    ["2026-06-01T12:00:00Z", "", 0],
  ])("from %s to %s: %d ms", (from, to, expected) => expect(elapsedMs(from, to)).toBe(expected));

  test.each([
    [undefined, HOUR, true],
    ["2026-06-01T11:00:00Z", HOUR, true],
    ["2026-06-01T11:00:01Z", HOUR, false],
    ["2026-06-01T12:00:00Z", 0, true],
    ["2026-06-01T12:00:01Z", HOUR, true],
    ["2099-01-01T00:00:00Z", 30 * DAY, true],
  ])("last %s, every %d ms: due %s", (last, intervalMs, expected) => {
    expect(isDue(last, intervalMs, new Date("2026-06-01T12:00:00Z"))).toBe(expected);
  });

  test("elapsed time is never negative, whatever the dates", () => {
    fc.assert(
      fc.property(fc.date(), fc.oneof(fc.date(), fc.string()), (from, to) => {
        expect(elapsedMs(from, to)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

test.each<[string, string, number | undefined]>([
  ["2026-06-01T12:00:00Z", "2026-06-01T13:00:00Z", HOUR],
  ["2026-06-01T12:00:00Z", "2026-06-01T12:00:00Z", 0],
  ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", DAY],
  ["1970-01-01T00:00:00Z", "2026-06-01T13:00:00Z", undefined],
  ["2019-12-31T23:59:59Z", "2026-06-01T13:00:00Z", undefined],
  ["2026-06-01T13:00:00Z", "2026-06-01T12:59:59Z", undefined],
  ["2026-06-01T13:00:00Z", "1970-01-01T00:00:00Z", undefined],
  ["yesterday", "2026-06-01T12:00:00Z", undefined],
  ["2026-06-01T12:00:00Z", "", undefined],
])("a duration that can be true, from %s to %s: %s", (from, to, expected) => {
  expect(plausibleElapsedMs(from, to)).toBe(expected);
  if (expected !== undefined) expect(isPlausibleTime(to)).toBe(true);
});
