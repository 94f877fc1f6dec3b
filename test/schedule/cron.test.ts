import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  crontabLines,
  editCrontab,
  findInstalled,
  findOwnLines,
  readCommand,
  takeOutBlock,
} from "../../src/schedule/cron";
import { commandOf, offsetFor } from "../../src/schedule/plan";
import { anySchedule, INTERVALS, makeSchedule, NASTY_PATHS } from "./schedules";

describe("the lines", () => {
  test("as a person reads them", () => {
    expect(crontabLines(makeSchedule({ configFile: "/srv/100% mine" }))).toEqual([
      "17 * * * * /usr/bin/node /opt/ipcheck/bin/ipcheck.js check --config '/srv/100\\% mine'",
      "@reboot sleep 60; /usr/bin/node /opt/ipcheck/bin/ipcheck.js check --config '/srv/100\\% mine'",
    ]);
  });

  test.for(Object.values(INTERVALS))("every %d minutes: as often as that, evenly, all day long", (everyMinutes) => {
    for (const name of ["raspberrypi", "attic", "vm", ""]) {
      const schedule = makeSchedule({ everyMinutes, offsetMinutes: offsetFor(name, everyMinutes) });
      const [minutes = "", hours = "", ...days] = (crontabLines(schedule)[0] ?? "").split(" ").slice(0, 5);
      expect(days).toEqual(["*", "*", "*"]);
      const runs = expand(hours, 24).flatMap((hour) => expand(minutes, 60).map((minute) => hour * 60 + minute));
      const expected = Array.from({ length: 1440 / everyMinutes }, (_, i) => schedule.offsetMinutes + i * everyMinutes);
      expect(runs).toEqual(expected);
    }
  });

  test("a shell makes of them the very words, once cron has taken its escapes away", () => {
    for (const path of NASTY_PATHS) {
      const schedule = makeSchedule({ nodePath: "/bin/echo", scriptPath: path, configFile: path });
      const command = (crontabLines(schedule)[0] ?? "").split(" ").slice(5).join(" ");
      // An unescaped percent sign ends the command in cron.
      expect(command.replaceAll("\\%", "")).not.toContain("%");
      const printing = command.replaceAll("\\%", "%").replace("/bin/echo", "printf '%s\\0'");
      const words = execFileSync("/bin/sh", ["-c", printing], { encoding: "utf8" }).split("\0").slice(0, -1);
      expect(words).toEqual(commandOf(schedule).slice(1));
    }
  });

  test("are read back as the command's words", () => {
    fc.assert(
      fc.property(anySchedule, (schedule) => {
        for (const line of crontabLines(schedule)) expect(readCommand(line)).toEqual(commandOf(schedule));
      }),
    );
  });
});

describe("the table", () => {
  // Each character stands for one byte.
  const anyByte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  const anyLine = fc.oneof(
    fc.array(anyByte, { maxLength: 20 }).map((bytes) => bytes.join("")),
    fc.constantFrom(
      "",
      "# mine",
      'MAILTO=""',
      "0 3 * * * backup \\%d",
      "# ipcheck: end",
      "\xe9t\xe9",
      "# ipcheck: beginner",
    ),
  );
  const anyTable = fc
    .tuple(fc.array(fc.tuple(anyLine, fc.constantFrom("\n", "\r\n"))), fc.option(anyLine, { nil: "" }))
    .map(([lines, last]) => lines.map((line) => line.join("")).join("") + last);
  const LINES = ["17 * * * * x", "@reboot sleep 60; x"];

  test("install, install again and remove give back any table byte for byte", () => {
    fc.assert(
      fc.property(anyTable, anySchedule, (table, schedule) => {
        const once = editCrontab(table, LINES);
        expect(takeOutBlock(once).block).toEqual(LINES);
        expect(once.startsWith(table)).toBe(true);
        expect(once.endsWith("\n")).toBe(true);
        expect(editCrontab(once, LINES)).toBe(once);
        const lines = crontabLines(schedule);
        const twice = editCrontab(once, lines);
        expect(takeOutBlock(twice).block).toEqual(lines);
        expect(editCrontab(twice, undefined)).toBe(table);
        expect(takeOutBlock(table).block).toBeUndefined();
        expect(editCrontab(table, undefined)).toBe(table);
      }),
      { numRuns: 500 },
    );
  });

  test("lines that somebody adds behind the block stay", () => {
    const added = "0 4 * * * mine\n";
    for (const table of ["", "# a\n", "# a\r\n"]) {
      expect(editCrontab(editCrontab(table, LINES) + added, undefined)).toBe(table + added);
      expect(editCrontab(editCrontab(table, LINES) + added, LINES)).toContain(added);
    }
  });

  // The newline that we added is taken away although other lines follow: two lines become one.
  test("lines that somebody adds behind the block stay lines of their own", () => {
    const table = "0 3 * * * backup";
    const later = `${editCrontab(table, LINES)}0 4 * * * mine\n`;
    expect(editCrontab(later, undefined)).toBe(`${table}\n0 4 * * * mine\n`);
  });

  // The last character of the whole table went with it.
  test("a block is taken out where the line without end before it is gone", () => {
    const [, ...rest] = editCrontab("# a", LINES).split("\n");
    expect(editCrontab(rest.join("\n"), undefined)).toBe("");
  });

  test("a block that was edited still tells its env file", () => {
    const edited = ["# mine", "7 * * * * nice -n 19 /usr/bin/node /srv/bin/ipcheck.js check --config /srv/env"];
    expect(findInstalled(editCrontab("", edited))).toMatchObject({ configFile: "/srv/env", isForeign: false });
  });

  // A block whose last line was deleted by hand is taken to reach to the end of the next one.
  test("a block without its end costs nobody's lines", () => {
    const [begin = ""] = editCrontab("", LINES).split("\n");
    const broken = `${begin}\n0 3 * * * backup\n`;
    const installed = editCrontab(broken, LINES);
    for (const table of [installed, editCrontab(installed, LINES), editCrontab(installed, undefined)]) {
      expect(table).toContain("0 3 * * * backup\n");
    }
  });
});

describe("lines written by hand", () => {
  const NODE = "/usr/bin/node /home/pi/ipcheck/bin/ipcheck.js";
  const PLAIN: [line: string, configFile?: string][] = [
    [`17 * * * * ${NODE} check`],
    [`@reboot sleep 60; ${NODE} check`],
    [`@hourly ${NODE}`],
    [`17 * * * * ${NODE} check -c /etc/ipcheck/env`, "/etc/ipcheck/env"],
    [`17 * * * * ${NODE} check --config='/srv/my env' -q`, "/srv/my env"],
    [`17 * * * * ${NODE} check --config /srv/100\\%`, "/srv/100%"],
    [`17\t*  * * * /usr/bin/node -- "/home/pi/ipcheck/bin/ipcheck.js" check --env-file /srv/env`, "/srv/env"],
    ["*/5 0-6 * * mon-fri /usr/local/bin/ipcheck"],
    ["17 * * * * ipcheck check >> /tmp/ipcheck.log 2>&1"],
    ["17 * * * * ipcheck check >/dev/null"],
    ["17 * * * * ipcheck check &>/dev/null"],
    [`17 * * * * ${NODE} -qc /srv/env check`, "/srv/env"],
    ["17 * * * * cd /home/pi/ipcheck && /usr/bin/node bin/ipcheck.js check"],
    ["17 * * * * nodejs /srv/ipcheck.js check"],
    [`17 * * * * ${NODE} check # the public address`],
  ];
  const MIXED = [
    `0 3 * * * backup && ${NODE} check`,
    `17 * * * * ${NODE} check; backup`,
    `17 * * * * ${NODE} check || echo failed`,
    `17 * * * * ${NODE} check | logger -t ipcheck`,
    `17 * * * * IPCHECK_TO=me@example.net ${NODE} check`,
    `17 * * * * /usr/bin/flock -n /tmp/lock ${NODE} check`,
    `17 * * * * nice -n 19 ${NODE}`,
    `17 * * * * bash -lc '${NODE} check'`,
    `17 * * * * su pi -c "ipcheck check >/dev/null"`,
    `17 * * * * ${NODE} check --config ~/env`,
    `17 * * * * ${NODE} check --config "$HOME/env"`,
    `17 * * * * ${NODE} check --config env`,
    `17 * * * * ${NODE} check %what follows is its input`,
  ];
  const OTHERS = [
    `# 17 * * * * ${NODE} check`,
    `*/5 * * * * ${NODE} status --prometheus > /srv/ipcheck.tmp && mv /srv/ipcheck.tmp /srv/ipcheck.prom`,
    `0 9 * * * ${NODE} doctor --send`,
    "0 3 * * * tar cf /srv/b.tar /home/pi/ipcheck",
    "0 3 * * * backup 2>/var/log/ipcheck && rm < ipcheck check",
    "0 3 * * * vi /home/pi/ipcheck/bin/ipcheck.json",
    "17 * * * * /home/pi/scripts/ipcheck.js --loud",
    "17 * * * * /opt/other/ipcheck.sh",
    "PATH=/usr/bin:/home/pi/ipcheck/bin/ipcheck.js",
    `NOTE = a b c d e ${NODE} check`,
    "MAILTO=ipcheck",
  ];

  test.for(PLAIN)("make room for ours: %s", ([line, configFile]) => {
    expect(findInstalled(`${line}\n`)).toMatchObject({ isForeign: true, text: line, configFile });
    for (const [before, after] of [
      ["", ""],
      ["# mine\n0 3 * * * backup\n", "\n\xe9\r\n0 4 * * * x\n"],
    ]) {
      for (const end of ["\n", "\r\n"]) {
        const edited = editCrontab(`${before}${line}${end}${after}`, ["a", "b"]);
        expect(edited).toBe(editCrontab(`${before}${after}`, ["a", "b"]));
        expect(edited.startsWith(`${before}${after}`)).toBe(true);
      }
    }
    // Only what we wrote is removed.
    expect(editCrontab(`${line}\n`, undefined)).toBe(`${line}\n`);
  });

  test.for(MIXED)("that do something else as well are seen, and stay: %s", (line) => {
    expect(findOwnLines(`${line}\n`)).toMatchObject([{ isPlain: false, line }]);
    expect(editCrontab(`${line}\n`, ["a"])).toContain(line);
  });

  test.for(OTHERS)("that are no check of ours are not taken for one: %s", (line) => {
    expect(findInstalled(`${line}\n`)).toBeUndefined();
    expect(editCrontab(`${line}\n`, ["a"]).startsWith(`${line}\n`)).toBe(true);
  });

  // Its second byte alone would be a no-break space.
  test("a path that is no ASCII is one word", () => {
    const table = Buffer.from(`17 * * * * ${NODE} check --config /srv/à\n`).toString("latin1");
    expect(findInstalled(table)).toMatchObject({ configFile: "/srv/à" });
    expect(editCrontab(table, ["a"])).toBe(editCrontab("", ["a"]));
  });

  test("the README's lines are recognised", () => {
    const readme = readFileSync(join(__dirname, "..", "..", "README.md"), "utf8");
    const lines = [...readme.matchAll(/^(17 \* \* \* \*|@reboot) .*ipcheck\.js check$/gm)].map(([line]) => line);
    expect(lines).toHaveLength(2);
    expect(findOwnLines(`${lines.join("\n")}\n`).map(({ isPlain }) => isPlain)).toEqual([true, true]);
  });

  test("our own lines are recognised when the marks around them are gone", () => {
    fc.assert(
      fc.property(anySchedule, ({ configFile, ...rest }) => {
        const schedule = { ...rest, nodePath: "/usr/bin/node", scriptPath: "/opt/bin/ipcheck.js", configFile };
        const arePlain = findOwnLines(`${crontabLines(schedule).join("\n")}\n`).map(({ isPlain }) => isPlain);
        expect(arePlain).toEqual([true, true]);
      }),
    );
  });
});

/** The values that a field of a crontab line stands for: `*`, `7`, `7-59` or `7-59/5`. */
function expand(field: string, size: number): number[] {
  const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(field);
  expect(match, field).toBeTruthy();
  const [, first, last = first, step = "1"] = match ?? [];
  const all = Array.from({ length: size }, (_, value) => value);
  if (first === undefined) return all;
  return all.filter((value) => value >= +first && value <= +(last ?? first) && (value - +first) % +step === 0);
}
