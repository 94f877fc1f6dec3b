import { type Episode, type Settings, SIMPLEST, type Story } from "./story";

const episode = (what: Episode["what"], at: number, hours: number, n = 0, m = 0): Episode => ({
  what,
  at,
  hours,
  n,
  m,
});
const MOVE = episode("the home moves", 10, 1, 1);
const FLAP = episode("the address flaps", 10, 10, 1);

const ROWS: [name: string, settings: Partial<Settings>, episodes: Episode[]][] = [
  // One for each promise: chance need not find them.
  ["nothing happens", {}, []],
  ["the home moves", { hasHook: true }, [MOVE]],
  ["half of the operators lie at first", { services: 4 }, [episode("operators say another address", 0, 1, 3)]],
  ["one of three lies", {}, [episode("operators say another address", 10, 9, 1)]],
  [
    "a lone voice is heard every five minutes for an hour",
    { intervalMinutes: 5 },
    [episode("operators are unreachable", 10, 1, 6), episode("operators say another address", 10, 1, 1)],
  ],
  ["all operators want to be left alone for a year", {}, [episode("operators answer 429", 10, 1, 7, 4)]],
  ["a recipient is refused for now", {}, [episode("the mail server refuses some for now", 10, 3, 1), MOVE]],
  ["a recipient is refused for good", {}, [episode("the mail server refuses some for good", 10, 200, 1), MOVE]],
  [
    "the home moves again during a pause",
    {},
    [episode("the mail server refuses some for good", 10, 30, 1), MOVE, episode("the home moves", 20, 1, 2)],
  ],
  [
    "a recipient is refused for months, another waits for a sign of life",
    { recipients: 3, heartbeatDays: 7 },
    [episode("the mail server refuses some for good", 0, 600, 2)],
  ],
  [
    "the server says nothing of a recipient",
    {},
    [episode("the mail server forgets to answer for some", 10, 3, 1), MOVE],
  ],
  ["the server hangs for days", {}, [episode("the mail server hangs after the final dot", 10, 90, 1), MOVE]],
  [
    "the server takes the mail and its answer is lost",
    {},
    [episode("the mail server takes the mail and its answer is lost", 10, 90, 1), MOVE],
  ],
  ["the address flaps every five minutes", { intervalMinutes: 5 }, [FLAP]],
  [
    "the address flaps and nobody can be told",
    { intervalMinutes: 5 },
    [episode("the mail server refuses some for good", 10, 12, 1), FLAP],
  ],
  ["the command fails while the address flaps", { hasHook: true }, [episode("the command fails", 10, 5), FLAP]],
  ["the line comes and goes", {}, [10, 14, 18, 40].map((hour) => episode("the line is down", hour, 2))],
  ["the line is down for days", {}, [episode("the line is down", 10, 60)]],
  ["the disk is read-only for days", {}, [episode("the disk is read-only", 10, 60), MOVE]],
  ["the history cannot be written", {}, [episode("the history cannot be written", 10, 5), MOVE]],
  ["a backup is restored", {}, [episode("the state file of the beginning is restored at the end", 9, 3), MOVE]],

  // Each broke a promise once, and is the shortest that did.
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
  [
    "a reminder of changes that nobody was told of yet counted as one more, without its line in the history",
    { intervalMinutes: 1440 },
    [
      episode("the home moves", 1, 1, 2),
      episode("the disk is full", 21, 120),
      episode("the machine is off", 28, 33),
      episode("the address flaps", 61, 58, 49),
      episode("the mail server refuses some for now", 62, 230, 1),
    ],
  ],
  [
    "a reminder on a full disk came beside the very changes that it repeats",
    {},
    [
      episode("the mail server refuses some for good", 22, 46, 21),
      episode("the disk is full", 30, 38),
      episode("the home moves", 30, 1, 44),
      episode("the home moves", 43, 1, 31),
    ],
  ],
  [
    "a reminder of a change that the command is owed was struck off, for an older one is owed, too",
    { hasHook: true },
    [
      episode("the command fails", 40, 2),
      episode("the home moves", 40, 1, 1),
      episode("the home moves", 41, 1),
      episode("the disk is read-only", 41, 2),
      episode("the clock goes wrong", 41, 1),
    ],
  ],
  [
    "a reminder that a recipient is owed was struck off, for its outcome is unknown",
    {},
    [
      episode("the mail server takes the mail and its answer is lost", 3, 44, 1),
      episode("the state file is damaged", 3, 1),
      episode("the disk is read-only", 13, 58, 0, 2),
      episode("the home moves", 46, 9, 23, 8),
    ],
  ],
  [
    "two changes of the same millisecond, by a clock that was set back, had one name",
    {},
    [episode("the address flaps", 11, 4, 1), episode("the clock goes wrong", 12, 1, 33)],
  ],
  [
    "a refusal without end counted as waiting, after an answer that never came",
    { intervalMinutes: 5, services: 6 },
    [
      episode("the mail server hangs after the final dot", 0, 3, 9),
      episode("operators say another address", 8, 3, 16),
      episode("operators answer 429", 8, 3, 47),
      episode("the mail server forgets to answer for some", 10, 1, 53),
    ],
  ],
  [
    "a run by hand that reaches no mail server ended the pause after an unknown outcome",
    { reportOutageMinutes: undefined },
    [
      episode("the mail server hangs after the final dot", 4, 37, 5),
      episode("the state file is damaged", 4, 1),
      episode("a person runs it", 38, 4),
      episode("the line is down", 41, 1),
    ],
  ],
  [
    "one voice is accepted, and a backup of before is restored",
    { startsIn1970: true },
    [
      episode("operators are unreachable", 0, 10, 3),
      episode("the machine is off", 4, 2),
      episode("the state file of the beginning is restored at the end", 8, 1),
    ],
  ],
  [
    "one voice is heard while a backup is restored",
    { startsIn1970: true },
    [
      episode("operators are unreachable", 0, 9, 3),
      episode("the state file of the beginning is restored at the end", 6, 1),
    ],
  ],
  [
    "one voice is heard once a day, and the clock is wrong on the first",
    { intervalMinutes: 1440 },
    [
      episode("operators answer 429", 7, 66, 3),
      episode("operators say another address", 10, 63, 20),
      episode("the clock goes wrong", 24, 1, 0),
    ],
  ],
  [
    "one voice is heard once a day, and the disk is read-only in between",
    { intervalMinutes: 1440, hasRuntimeFolder: false },
    [
      episode("the state file is damaged", 1, 1),
      episode("operators are unreachable", 23, 74, 30),
      episode("the disk is read-only", 44, 5),
      episode("operators answer 429", 47, 2, 61),
    ],
  ],
  [
    "one voice is heard, and the run that hears another one cannot keep it",
    { intervalMinutes: 360, hasRuntimeFolder: false },
    [
      episode("operators answer 429", 4, 39, 3),
      episode("the home moves", 19, 1, 1),
      episode("the address flaps", 32, 5, 2),
      episode("the disk is full", 36, 1),
    ],
  ],
  [
    "a mail of a clock ten days ahead counts when that day comes",
    {},
    [episode("the clock goes wrong", 246, 1, 41, 6), episode("the line is down", 508, 1, 20, 7)],
  ],
  [
    "a reminder is taken late in the day, and of the next one nothing is known",
    { intervalMinutes: 5, recipients: 7 },
    [
      episode("the mail server refuses some for now", 19, 31, 58, 9),
      episode("the disk cannot be read", 46, 39, 2, 9),
      episode("the mail server hangs after the final dot", 70, 5, 31, 9),
    ],
  ],
  [
    "a service that answers again was left alone, for the clock had been ahead when it asked for that",
    { services: 2 },
    [episode("operators answer 429", 47, 8, 59, 3), episode("the clock goes wrong", 50, 5, 33, 8)],
  ],
];

/** Stories that are told in every run of the tests. */
export const STORIES: [name: string, story: Story][] = ROWS.map(([name, settings, episodes]) => [
  name,
  { settings: { ...SIMPLEST, ...settings }, episodes: [...episodes].sort((a, b) => a.at - b.at) },
]);
