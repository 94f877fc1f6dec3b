import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { commandOf, offsetFor, type Schedule } from "../../src/schedule/plan";
import { readExecStart, type SystemdOptions, systemdUnits } from "../../src/schedule/systemd";
import { makeScratch } from "../support/scratch";
import { anySchedule, INTERVALS, makeSchedule, NASTY_PATHS } from "./schedules";

const serviceOf = (schedule: Schedule, options: SystemdOptions = { isSystem: false }) =>
  systemdUnits(schedule, options)["ipcheck.service"] ?? "";
const timerOf = (schedule: Schedule) => systemdUnits(schedule, { isSystem: false })["ipcheck.timer"] ?? "";

test("ExecStart is read back as the command's words", () => {
  fc.assert(
    fc.property(anySchedule, (schedule) => {
      expect(readExecStart(serviceOf(schedule))).toEqual(commandOf(schedule));
    }),
  );
  expect(readExecStart("[Service]\nType=oneshot\n")).toEqual([]);
});

test("the machine's unit hands the env file and the password over as credentials", () => {
  const schedule = makeSchedule({ configFile: "/etc/ipcheck/50% env" });
  const unit = serviceOf(schedule, { isSystem: true, passwordFile: "/etc/ipcheck/password" });
  expect(unit).toContain("\nLoadCredential=env:/etc/ipcheck/50%% env\n");
  expect(unit).toContain("\nLoadCredential=smtp-password:/etc/ipcheck/password\n");
  expect(unit).toContain("/ipcheck.js check --config %d/env\n");
  for (const line of ["DynamicUser=yes", "StateDirectory=ipcheck", "ProtectHome=yes", "NoNewPrivileges=yes"]) {
    expect(unit).toContain(`\n${line}\n`);
  }
  // The JIT compiler of Node.js could not run.
  expect(unit).not.toContain("MemoryDenyWriteExecute");
  expect(serviceOf(makeSchedule({ nodePath: "/home/pi/.nvm/node" }), { isSystem: true })).toContain("=read-only\n");
  expect(serviceOf(schedule)).not.toMatch(/LoadCredential|DynamicUser|%d/);
});

describe("systemd itself", () => {
  const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;
  const hosts = ["raspberrypi", "attic", "vm"];
  const schedules = Object.values(INTERVALS).flatMap((everyMinutes) =>
    hosts.map((name) => makeSchedule({ everyMinutes, offsetMinutes: offsetFor(name, everyMinutes) })),
  );

  test("reads every interval as meant", ({ skip }) => {
    if (!hasSystemd) return skip("systemd-analyze is not installed");
    const calendars = schedules.map((schedule) => /^OnCalendar=(.*)$/m.exec(timerOf(schedule))?.[1] ?? "");
    const iterations = ["calendar", "--base-time=2026-01-01 00:00:00 UTC", "--iterations=3"];
    const env = { PATH: process.env["PATH"], TZ: "UTC", LC_ALL: "C" };
    const said = execFileSync("systemd-analyze", [...iterations, ...calendars], { encoding: "utf8", env });
    const elapses = said.split(/^\s*Original form|^\s*Normalized form/m).filter((text) => text.includes("elapse"));
    expect(elapses).toHaveLength(schedules.length);
    for (const [index, { everyMinutes, offsetMinutes }] of schedules.entries()) {
      const times = [...(elapses[index] ?? "").matchAll(/: \w+ (\d{4}-\d\d-\d\d) ([\d:]{8}) UTC/g)];
      const minutes = times.map(([, day, time]) => (Date.parse(`${day}T${time}Z`) - Date.UTC(2026, 0, 1)) / 60_000);
      // The base time itself does not count.
      const first = offsetMinutes === 0 ? everyMinutes : offsetMinutes;
      expect(minutes, calendars[index] ?? "").toEqual([0, 1, 2].map((n) => first + n * everyMinutes));
    }
  });

  test("finds nothing wrong with the units", ({ skip }) => {
    if (!hasSystemd) return skip("systemd-analyze is not installed");
    const folder = makeScratch();
    const verify = (units: Record<string, string>) => {
      const files = Object.entries(units).map(([name, text]) => {
        writeFileSync(join(folder, name), text);
        return join(folder, name);
      });
      const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...files], { encoding: "utf8" });
      // Other units of this machine may have faults of their own.
      return { status, said: stderr.split("\n").filter((line) => line.includes("ipcheck")) };
    };
    const real = { nodePath: process.execPath, scriptPath: __filename };
    for (const isSystem of [true, false]) {
      const passwordFile = isSystem ? "/etc/ipcheck/pass word" : undefined;
      for (const configFile of [undefined, ...NASTY_PATHS]) {
        const units = systemdUnits(makeSchedule({ ...real, configFile }), { isSystem, passwordFile });
        expect(verify(units)).toEqual({ status: 0, said: [] });
      }
    }
    const broken = serviceOf(makeSchedule(real)).replace("Type=oneshot", "Type=nonsense");
    expect(verify({ "ipcheck.service": broken }).said).not.toEqual([]);
  });
});
