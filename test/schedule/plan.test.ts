import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { crontabLines, findInstalled, isAnyRunning } from "../../src/schedule/cron";
import { checkPaths, commandOf, intervalOf, offsetFor, parseInterval } from "../../src/schedule/plan";
import { findSystemState, systemd, systemdUnits } from "../../src/schedule/systemd";
import { makeScratch } from "../support/scratch";
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
  expect(commandOf(makeSchedule({ configFile: "/etc/a b" })).slice(2)).toEqual(["check", "--config", "/etc/a b"]);
});

// It became a line of the crontab, or a directive of the unit.
test.for(["/srv/env\n* * * * * evil", "/srv/\x07", "/srv/\x85x", "/srv/\u2028x", "/srv/\u202ex"])(
  "a path with a control character is refused, and not repeated as it is: %j",
  (path) => {
    expect(() => checkPaths([undefined, "/srv/it's déjà vu 100%", path])).toThrow(/control character: \/srv\P{C}*$/u);
  },
);

test.for(Object.entries(INTERVALS))("what is installed for %s is read as %d minutes", async ([, everyMinutes]) => {
  const schedule = makeSchedule({ everyMinutes, offsetMinutes: offsetFor("home", everyMinutes) });
  expect(findInstalled(`${crontabLines(schedule).join("\n")}\n`)?.everyMinutes).toBe(everyMinutes);
  const folder = makeScratch();
  for (const [name, text] of Object.entries(systemdUnits(schedule, { isSystem: false }))) {
    writeFileSync(join(folder, name), text);
  }
  expect((await systemd(folder, { isSystem: false }).find())?.everyMinutes).toBe(everyMinutes);
});

test.for([
  ["0,30", "*", 30],
  ["5", "6,18", 720],
  ["*/10", "*", 10],
  ["5", "*/2", 120],
  ["nonsense", "x", 1440],
  ["0,1,2,3,4,5,6", "*", undefined],
] as const)("a person's own %s %s is every %s minutes", ([minute, hour, expected]) => {
  expect(intervalOf(minute, hour)).toBe(expected);
});

test.for([
  ["", true],
  ["MAILTO=me@example.net\n", true],
  ['MAILTO=""\n', false],
  [" MAILTO = ''\n", false],
  ["MAILTO=\n", false],
] as const)("with %j in the crontab, what a run says is mailed: %s", ([line, mailsOutput]) => {
  expect(findInstalled(`${line}${crontabLines(makeSchedule())[0]}\n`)).toMatchObject({ mailsOutput });
});

test("a daemon is known by the name of its process", async () => {
  expect(await isAnyRunning(["no-such-daemon", basename(process.execPath)])).toBe(true);
  expect(await isAnyRunning(["no-such-daemon"])).toBe(false);
});

test("the state of the machine's timer is where its unit says", async () => {
  const folder = makeScratch();
  expect(await findSystemState(folder, "/var/lib")).toBeUndefined();
  const unit = (isSystem: boolean) => systemdUnits(makeSchedule(), { isSystem })["ipcheck.service"] ?? "";
  writeFileSync(join(folder, "ipcheck.service"), unit(true));
  expect(await findSystemState(folder, "/var/lib")).toBe("/var/lib/ipcheck/state.json");
  writeFileSync(join(folder, "ipcheck.service"), unit(false));
  expect(await findSystemState(folder, "/var/lib")).toBeUndefined();
});
