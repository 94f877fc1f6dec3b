import fc from "fast-check";
import type { Schedule } from "../../src/schedule/plan";

/** Every interval that can be asked for, as it is written and in minutes. */
export const INTERVALS: Readonly<Record<string, number>> = {
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30].map((minutes) => [`${minutes}m`, minutes])),
  ...Object.fromEntries([1, 2, 3, 4, 6, 8, 12].map((hours) => [`${hours}h`, 60 * hours])),
  "1d": 1440,
};

export function makeSchedule(part: Partial<Schedule> = {}): Schedule {
  return {
    nodePath: "/usr/bin/node",
    scriptPath: "/opt/ipcheck/bin/ipcheck.js",
    configFile: undefined,
    everyMinutes: 60,
    offsetMinutes: 17,
    ...part,
  };
}

/** Paths that each scheduler's own syntax could take for something else. */
export const NASTY_PATHS = [
  "/srv/it's mine/env",
  '/srv/"quoted" one',
  "/srv/100%/%d/%%",
  "/srv/$HOME/$$/`id`/$(id)",
  "/srv/back\\slash/\\",
  "/srv/a;b&c|d<e>f",
  "/srv/#no comment/~/*?[a]",
  "/srv/déjà vu/家",
  "/srv/''",
];

/** Any absolute path of one line. */
export const anyPath = fc.oneof(
  fc.constantFrom(...NASTY_PATHS),
  fc
    .array(fc.constantFrom(..."abz09 '\"\\$%&<>`#;!*()~=:@,.é/".split("")), { minLength: 1, maxLength: 12 })
    .map((characters) => `/${characters.join("")}`),
);

export const anySchedule = fc
  .record({
    nodePath: anyPath,
    scriptPath: anyPath,
    configFile: fc.option(anyPath, { nil: undefined }),
    everyMinutes: fc.constantFrom(...Object.values(INTERVALS)),
    place: fc.nat({ max: 1438 }),
  })
  .map(({ place, ...rest }): Schedule => ({ ...rest, offsetMinutes: place % rest.everyMinutes }));
