import fc from "fast-check";
import { expect, test } from "vitest";
import { commandOf, offsetFor, parseInterval } from "../../src/schedule/plan";
import { INTERVALS, makeSchedule } from "./schedules";

test.for(Object.entries(INTERVALS))("%s is %d minutes", ([text, minutes]) => {
  expect(parseInterval(text)).toBe(minutes);
});

test.for(["", "0m", "7m", "45m", "90m", "90s", "25h", "5h", "2d", "1w", "1", "1 h", "-1h", "1h30m", "hourly", "1H"])(
  "'%s' is no interval",
  (text) => {
    expect(parseInterval(text)).toBeUndefined();
  },
);

test("a host's place in the interval is its own, stable, and never the full hour", () => {
  const host = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(host, fc.constantFrom(...Object.values(INTERVALS)), (name, every) => {
      const offset = offsetFor(name, every);
      expect(offset).toBe(offsetFor(name, every));
      expect(offset).toBeGreaterThanOrEqual(0);
      expect(offset).toBeLessThan(every);
      if (every > 1) expect(offset % 60).not.toBe(0);
    }),
  );
});

test("hosts spread over the hour", () => {
  const counts = new Map<number, number>();
  for (let host = 0; host < 6000; host++) {
    const offset = offsetFor(`raspberrypi-${host}`, 60);
    counts.set(offset, (counts.get(offset) ?? 0) + 1);
  }
  expect(counts.size).toBe(59);
  // A fair share is 100; minute 1 also takes those of the full hour.
  expect(Math.max(...counts.values())).toBeLessThan(270);
  expect(Math.min(...counts.values())).toBeGreaterThan(50);
});

test("an env file is carried only when it was named", () => {
  expect(commandOf(makeSchedule())).toEqual(["/usr/bin/node", "/opt/ipcheck/bin/ipcheck.js", "check"]);
  expect(commandOf(makeSchedule({ configFile: "/etc/a b" })).slice(1)).toEqual([
    "/opt/ipcheck/bin/ipcheck.js",
    "check",
    "--config",
    "/etc/a b",
  ]);
});
