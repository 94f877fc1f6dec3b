import { describe, test } from "vitest";
import { live, liveYears } from "./live";
import { type Episode, type Settings, SIMPLEST } from "./story";

const episode = (what: Episode["what"], at: number, hours: number, n = 0, m = 0): Episode => ({
  what,
  at,
  hours,
  n,
  m,
});

// Each failed once, and is the shortest story that did.
describe("stories that broke a promise", () => {
  const stories: [string, Partial<Settings>, Episode[]][] = [
    [
      "a standard output that cannot be written was told of in every run",
      { recipients: 0 },
      [episode("standard output cannot be written", 0, 13)],
    ],
    [
      "an outbox grew without end where the history could not be written",
      { intervalMinutes: 5, families: [4, 6] },
      [episode("the address flaps", 16, 5, 1), episode("the history cannot be written", 16, 5)],
    ],
    [
      "an outbox grew without end where channels were told in another order",
      { intervalMinutes: 5, families: [4, 6], recipients: 7, hasHook: true },
      [episode("the address flaps", 30, 7, 3), episode("the mail server hangs after the final dot", 31, 126, 54)],
    ],
    [
      "a reminder on a read-only disk put the lines of the history out of order",
      {},
      [episode("the address flaps", 24, 29, 1), episode("the disk is read-only", 51, 27)],
    ],
  ];
  test.each(stories)("%s", (_, settings, episodes) => live({ settings: { ...SIMPLEST, ...settings }, episodes }));
});

test("fifty years in the life of a home", () => liveYears(50, 1), 120_000);
