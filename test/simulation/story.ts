import fc from "fast-check";
import type { Family } from "../../src/lookup/address";

/** How a home is set up; the first of each list is the simplest. */
const SETTINGS = {
  intervalMinutes: [60, 5, 360, 1440],
  services: [3, 6, 5, 4, 2, 1],
  families: [[4], [6], [4, 6]] as Family[][],
  recipients: [1, 3, 7, 0],
  mailIntervalMinutes: [15, 180],
  reportOutageMinutes: [60, undefined],
  heartbeatDays: [undefined, 7, 30],
  hasHook: [false, true],
  hasRuntimeFolder: [true, false],
  startsIn1970: [false, true],
} as const;

/** What can befall a home. `n` and `m` say more; see `describeEpisode`. */
export const EPISODES = {
  "the home moves": "to address n",
  "the address flaps": "to address n and back in every run",
  "the IPv6 address gets another interface identifier": "n",
  "operators are unreachable": "bits of n",
  "operators say another address": "bits of n say address m",
  "operators say the address before": "bits of n",
  "operators answer with a page": "bits of n",
  "operators answer 429": "bits of n, Retry-After by m",
  "the line is down": "",
  "the mail server refuses some for now": "bits of n",
  "the mail server refuses some for good": "bits of n",
  "the mail server forgets to answer for some": "bits of n",
  "the mail server takes the mail and its answer is lost": "bits of n",
  "the mail server hangs after the final dot": "bits of n",
  "standard output cannot be written": "",
  "the command fails": "",
  "the disk is full": "",
  "the disk is read-only": "",
  "the disk cannot be read": "",
  "the history cannot be written": "",
  "the runtime folder is away": "",
  "the machine restarts": "",
  "the state file is damaged": "",
  "the state file of the beginning is restored at the end": "",
  "the run is killed": "at effect n",
  "the clock goes wrong": "by n hours, days or years (m), and is set right at the end",
  "the machine is off": "",
  "a person runs it": "",
  "the recipients are": "bits of n",
  "the mail settings change": "",
} as const;

export type What = keyof typeof EPISODES;

export interface Episode {
  what: What;
  /** In hours since the beginning, and for how many. */
  at: number;
  hours: number;
  n: number;
  m: number;
}

export type Settings = { [K in keyof typeof SETTINGS]: (typeof SETTINGS)[K][number] };

export const SIMPLEST = Object.fromEntries(
  Object.entries(SETTINGS).map(([name, [simplest]]) => [name, simplest]),
) as unknown as Settings;

export interface Story {
  settings: Settings;
  episodes: Episode[];
}

const HOURS_A_YEAR = 8760;

/** A year has that many runs at most: with one every five minutes it is a month. */
export const RUNS_A_YEAR = 8760;

const kinds = Object.keys(EPISODES) as What[];

const anySettings: fc.Arbitrary<Settings> = fc.record(
  Object.fromEntries(
    Object.entries(SETTINGS).map(([name, values]) => [name, fc.constantFrom(...(values as readonly unknown[]))]),
  ),
) as never;

/** Any year: of one kind of trouble or of many, spread out or all at once. */
export const anyStory: fc.Arbitrary<Story> = fc
  .record({
    settings: anySettings,
    // The whole time, a month, three days.
    span: fc.constantFrom(HOURS_A_YEAR, 720, 72),
    episodes: fc.array(
      fc.record({
        what: fc.constantFrom(...kinds),
        at: fc.nat(HOURS_A_YEAR - 1),
        hours: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 12 }) }, fc.integer({ min: 1, max: 400 })),
        n: fc.nat(63),
        m: fc.nat(9),
      }),
      { maxLength: 40, size: "max" },
    ),
  })
  .map(({ settings, span, episodes }) => ({
    settings,
    episodes: episodes
      .map((one) => ({
        ...one,
        at: one.at % Math.min(span, (RUNS_A_YEAR * settings.intervalMinutes) / 60),
        // As many runs as at other homes.
        hours: settings.intervalMinutes < 60 ? Math.min(one.hours, 48) : one.hours,
      }))
      .sort((a, b) => a.at - b.at),
  }));

/** The settings with one of them as simple as can be. */
export function simplerSettings(settings: Settings): Settings[] {
  return Object.entries(SETTINGS).flatMap(([name, [simplest]]) =>
    settings[name as keyof Settings] === simplest ? [] : [{ ...settings, [name]: simplest } as Settings],
  );
}

/** A story as text, for whoever has to read why it failed; it can be given to `live` again. */
export function describeStory({ settings, episodes }: Story): string {
  const lines = episodes.map(
    (episode) => `    ${JSON.stringify(episode)},${EPISODES[episode.what] && ` // ${EPISODES[episode.what]}`}`,
  );
  return [`{`, `  settings: ${JSON.stringify(settings)},`, `  episodes: [`, ...lines, `  ],`, `}`].join("\n");
}
