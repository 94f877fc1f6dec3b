import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { expect, test } from "vitest";
import { screenOf } from "../../src/base/output";
import { printHistory, summarize, toRows } from "../../src/commands/history";
import type { HistoryEntry } from "../../src/state/history";
import { captureOutput } from "../support/capture";
import { historyText, homeWithHistory, NOW } from "./support";

const OPERATORS = ["ipify", "Cloudflare", "AWS", "deSEC", "ident.me"];
const HOUR_MS = 3_600_000;

function entry(id: string, at: string, address: string, more: Partial<HistoryEntry> = {}): HistoryEntry {
  return { id, at, kind: "change", family: address.includes(":") ? 6 : 4, address, confirmedBy: OPERATORS, ...more };
}

const YEAR = [
  entry("a", "2026-01-03T02:00:00.000Z", "198.51.100.200", { kind: "first", confirmedBy: ["ipify", "deSEC"] }),
  entry("b", "2026-02-11T03:00:00.000Z", "203.0.113.7", { old: "198.51.100.200" }),
  entry("c", "2026-02-11T04:00:00.000Z", "203.0.113.8", {
    old: "203.0.113.7",
    confirmedBy: ["AWS"],
    unconfirmed: true,
  }),
  entry("d", "2026-04-30T23:30:00.000Z", "192.0.2.1", { old: "203.0.113.8", confirmedBy: ["ipify", "ident.me"] }),
  entry("e", "2026-06-10T11:00:00.000Z", "203.0.113.7", { old: "192.0.2.1", confirmedBy: ["ipify", "AWS"] }),
];
const SIX = entry("f", "2026-06-10T11:30:00.000Z", "2001:db8:1234:5678:90ab:cdef:1234:5678", { kind: "first" });

async function show(entries: readonly HistoryEntry[], columns: number, locale: string): Promise<string> {
  const env = { COLUMNS: String(columns), LANG: locale };
  const run = await homeWithHistory(historyText(entries)).run(["history"], { now: NOW, env });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(run.stdout).not.toContain("\u001b");
  // The sentence at the end wraps as prose does; an address is never broken.
  const lines = run.stdout.split("\n").slice(0, -2);
  expect(lines.filter((line) => line.length > columns && line.trim() !== SIX.address)).toEqual([]);
  return run.stdout;
}

test("40 columns", async () => {
  expect(await show([...YEAR.slice(-2), SIX], 40, "C.UTF-8")).toMatchInlineSnapshot(`
    "2026-04-30 23:30
      192.0.2.1
      40 days 12 hours
      ipify, ident.me
    2026-06-10 11:00
      203.0.113.7
      1 hour (now)
      ipify, AWS
    2026-06-10 11:30
      2001:db8:1234:5678:90ab:cdef:1234:5678
      30 minutes (now)
      ipify, Cloudflare, AWS, deSEC, ident.…

    1 change so far
    "
  `);
});

test("80 columns", async () => {
  expect(await show(YEAR, 80, "C.UTF-8")).toMatchInlineSnapshot(`
    "2026-01-03 02:00  198.51.100.200  39 days 1 hour
      ███████████████████                      ipify, deSEC
    2026-02-11 03:00  203.0.113.7     1 hour
      █                                        ipify, Cloudflare, AWS, deSEC, ident…
    2026-02-11 04:00  203.0.113.8     78 days 20 hours
      ███████████████████████████████████████  unconfirmed, said by AWS
    2026-04-30 23:30  192.0.2.1       40 days 12 hours
      ████████████████████                     ipify, ident.me
    2026-06-10 11:00  203.0.113.7     1 hour (now)
      █                                        ipify, AWS

    4 changes, about every 39 days, mostly at night
    "
  `);
});

test("200 columns", async () => {
  expect(await show([...YEAR, SIX], 200, "fr_FR.UTF-8")).toMatchInlineSnapshot(`
    "2026-01-03 02:00  198.51.100.200                          39 days 1 hour    ████████████████████                      ipify, deSEC
    2026-02-11 03:00  203.0.113.7                             1 hour            █                                         ipify, Cloudflare, AWS, deSEC, ident.me
    2026-02-11 04:00  203.0.113.8                             78 days 20 hours  ████████████████████████████████████████  unconfirmed, said by AWS
    2026-04-30 23:30  192.0.2.1                               40 days 12 hours  █████████████████████                     ipify, ident.me
    2026-06-10 11:00  203.0.113.7                             1 hour (now)      █                                         ipify, AWS
    2026-06-10 11:30  2001:db8:1234:5678:90ab:cdef:1234:5678  30 minutes (now)  █                                         ipify, Cloudflare, AWS, deSEC, ident.me

    4 changes, about every 39 days, mostly at night
    "
  `);
});

test("120 columns, plain ASCII: what does not fit is cut with a mark", async () => {
  expect(await show(YEAR, 120, "POSIX")).toMatchInlineSnapshot(`
    "2026-01-03 02:00  198.51.100.200  39 days 1 hour    #################                   ipify, deSEC
    2026-02-11 03:00  203.0.113.7     1 hour            #                                   ipify, Cloudflare, AWS, deSEC, ~
    2026-02-11 04:00  203.0.113.8     78 days 20 hours  ##################################  unconfirmed, said by AWS
    2026-04-30 23:30  192.0.2.1       40 days 12 hours  #################                   ipify, ident.me
    2026-06-10 11:00  203.0.113.7     1 hour (now)      #                                   ipify, AWS

    4 changes, about every 39 days, mostly at night
    "
  `);
});

test.each([40, 80])("%d columns: an unconfirmed address is marked", async (columns) => {
  expect(await show(YEAR, columns, "C")).toContain("unconfirmed");
});

test.each<[string, HistoryEntry[], string]>([
  ["nothing", [], "no change so far"],
  ["a first look", YEAR.slice(0, 1), "no change so far"],
  ["one change", YEAR.slice(0, 2), "1 change so far"],
  ["two changes", YEAR.slice(0, 3), "2 changes so far"],
  ["four, most of them at night", YEAR, "4 changes, about every 39 days, mostly at night"],
])("in words: %s", (_, entries, words) => {
  expect(summarize(toRows(entries, NOW), (at) => new Date(at).getUTCHours())).toBe(words);
});

test("the sentence at the end wraps on a narrow terminal", async () => {
  const { said, output } = captureOutput({ isTTY: true, columns: 40 });
  await printHistory({}, YEAR, { now: NOW, env: { TERM: "dumb" } }, output);
  expect(said.stdout).toMatch(/\n\n4 changes, about every 39 days, mostly\n {2}at night\n$/);
});

test.each<[string, { isTTY?: boolean }, NodeJS.ProcessEnv, boolean]>([
  ["a terminal", { isTTY: true }, { TERM: "xterm" }, true],
  ["no terminal", {}, { TERM: "xterm" }, false],
  ["NO_COLOR", { isTTY: true }, { TERM: "xterm", NO_COLOR: "1" }, false],
  ["an empty NO_COLOR, which is none", { isTTY: true }, { TERM: "xterm", NO_COLOR: "" }, true],
  ["TERM=dumb", { isTTY: true }, { TERM: "dumb" }, false],
])("colour: %s", async (_, tty, env, isColored) => {
  const { said, output } = captureOutput({ ...tty, columns: 80 });
  await printHistory({}, YEAR, { now: NOW, env }, output);
  expect(said.stdout.includes("\u001b[")).toBe(isColored);
  // Colour takes no room.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  const bare = said.stdout.replace(/\u001b\[\d+m/g, "");
  const plain = captureOutput({ columns: 80 });
  await printHistory({}, YEAR, { now: NOW, env }, plain.output);
  expect(bare).toBe(plain.said.stdout);
});

test.each<[number | undefined, NodeJS.ProcessEnv, { columns: number; isUnicode: boolean }]>([
  [132, { COLUMNS: "40" }, { columns: 132, isUnicode: false }],
  [undefined, { COLUMNS: "40", LANG: "de_DE.utf8" }, { columns: 40, isUnicode: true }],
  [undefined, { COLUMNS: "wide", LANG: "C.UTF-8", LC_ALL: "C" }, { columns: 80, isUnicode: false }],
  [undefined, { COLUMNS: "-3", LC_CTYPE: "en_US.UTF-8", LANG: "C" }, { columns: 80, isUnicode: true }],
  [undefined, { COLUMNS: "0" }, { columns: 80, isUnicode: false }],
])("a screen of %j columns with %j", (columns, env, expected) => {
  expect(screenOf({ columns }, env)).toMatchObject(expected);
});

// Pseudo-terminals nobody gave a size (docker -t at first, expect, script in a pipe) say 0.
test("a terminal that says it has 0 columns is taken for one of 80", () => {
  expect(screenOf({ isTTY: true, columns: 0 }, {}).columns).toBe(80);
});

test.each<[string[], string[]]>([
  [[], ["a", "b", "c", "d", "e"]],
  [
    ["--limit", "2"],
    ["d", "e"],
  ],
  [["-n", "0"], []],
  [["--limit=99"], ["a", "b", "c", "d", "e"]],
])("--json %j: an array, oldest first", async (args, ids) => {
  const run = await homeWithHistory(historyText(YEAR)).run(["history", "--json", ...args], {
    now: "2026-06-10T12:00:00Z",
  });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const rows = JSON.parse(run.stdout);
  expect(rows.map(({ id }: { id: string }) => id)).toEqual(ids);
  if (ids.length > 1) {
    expect(rows.slice(-2)).toEqual([
      {
        id: "d",
        kind: "change",
        family: "ipv4",
        address: "192.0.2.1",
        previous: "203.0.113.8",
        since: "2026-04-30T23:30:00.000Z",
        until: "2026-06-10T11:00:00.000Z",
        seconds: 3_497_400,
        confirmedBy: ["ipify", "ident.me"],
        unconfirmed: false,
      },
      expect.objectContaining({ id: "e", until: null, seconds: 3600 }),
    ]);
  }
});

test("--json: two families, by when their addresses came", async () => {
  const [first, ...rest] = YEAR;
  const both = [first, { ...SIX, at: "2026-01-04T00:00:00.000Z" }, ...rest].flatMap((one) => one ?? []);
  const { said, output } = captureOutput();
  await printHistory({ json: true }, both, { now: NOW, env: {} }, output);
  const rows: { id: string; until: string | null }[] = JSON.parse(said.stdout);
  expect(rows.map(({ id, until }) => `${id} ${until?.slice(0, 10) ?? "now"}`)).toEqual([
    "a 2026-02-11",
    "f now",
    "b 2026-02-11",
    "c 2026-04-30",
    "d 2026-06-10",
    "e now",
  ]);
});

test("--csv: RFC 4180", async () => {
  const odd = entry("x", "2026-06-10T11:15:00.000Z", "192.0.2.9", { confirmedBy: ['Say "IP", Ltd', "line\r\nbreak"] });
  const run = await homeWithHistory(historyText([...YEAR, odd])).run(["history", "--csv"], { now: NOW });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const records = parseCsv(run.stdout);
  expect(records[0]?.join()).toBe("family,address,previous,since,until,seconds,confirmed_by,unconfirmed");
  expect(records).toHaveLength(7);
  expect(new Set(records.map((fields) => fields.length))).toEqual(new Set([8]));
  expect(records[3]?.join(" ")).toBe(
    "ipv4 203.0.113.8 203.0.113.7 2026-02-11T04:00:00.000Z 2026-04-30T23:30:00.000Z 6809400 AWS true",
  );
  expect(records[6]?.[6]).toBe('Say "IP", Ltd line\\u{d}\\u{a}break');
  expect(records[6]?.[4]).toBe("");
});

test.each(["=1+1", "+1", "-1", "@SUM(A1)", "＝1"])("--csv: %s is no formula", async (name) => {
  const odd = entry("x", "2026-06-10T11:15:00.000Z", "192.0.2.9", { confirmedBy: [name] });
  const { stdout } = await homeWithHistory(historyText([odd])).run(["history", "--csv"], { now: NOW });
  expect(parseCsv(stdout)[1]?.[6]).toBe(`'${name}`);
});

test.each(["", "--json", "--csv"])("history %s: no character of the file acts on a terminal", async (flag) => {
  const name = "a\u001b[31mb\u009bc\u202ed\u2028e\u{e0041}\tf";
  const odd = entry(name, "2026-06-10T11:15:00.000Z", "192.0.2.9", { confirmedBy: [name] });
  // Date.parse takes a comment.
  const comment = entry("c", "2026-06-10 (\u001b[31m)", "192.0.2.8");
  const run = await homeWithHistory(historyText([odd, comment])).run(["history", flag].filter(Boolean), { now: NOW });
  expect(run.stdout).toContain("192.0.2.9");
  expect(run.stdout).not.toContain("192.0.2.8");
  expect(run.stdout.replaceAll("\r\n", "\n")).not.toMatch(/[^\P{C}\n]|\u2028/u);
  if (flag === "--json") expect(JSON.parse(run.stdout)[0]).toMatchObject({ id: name, confirmedBy: [name] });
});

test("a line over 4 KiB is damaged, however long it is", async () => {
  const long = entry("x", "2026-06-10T11:15:00.000Z", "192.0.2.9", { confirmedBy: ["x".repeat(5_000_000)] });
  const home = homeWithHistory(historyText([...YEAR.slice(0, 1), long, ...YEAR.slice(1, 2)]));
  const run = await home.run(["history", "--json"], { now: NOW });
  expect(run).toMatchObject({
    exitCode: 0,
    stderr: "ipcheck: warning: line 2 of the history is damaged and was skipped\n",
  });
  expect(JSON.parse(run.stdout)).toHaveLength(2);
});

// Every record ends in CRLF; a field with a quote, a comma or a line break stands between quotes.
function parseCsv(text: string): string[][] {
  const records: string[][] = [[]];
  let end = 0;
  for (const match of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    expect(match.index).toBe(end);
    end += match[0].length;
    records.at(-1)?.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === "\r\n") records.push([]);
  }
  expect(end).toBe(text.length);
  return records.slice(0, -1);
}

test.each<[string[], string]>([
  [["--json", "--csv"], "--json and --csv do not go together"],
  [["--limit=many"], "--limit: expected a number of changes"],
  [["--limit=-1"], "--limit: expected a number of changes"],
  [["--limit="], "--limit: expected a number of changes"],
  [["--limit=1.5"], "--limit: expected a number of changes"],
])("%j is refused before anything is read", async (args, message) => {
  const run = await homeWithHistory("damaged\n").run(["history", ...args]);
  expect(run).toMatchObject({ exitCode: 2, stdout: "", stderr: `ipcheck: error: ${message}\n` });
});

test.each(["", "--json", "--csv"])("history %s: damage is named and skipped, a repeated line is one", async (flag) => {
  const [first, ...rest] = historyText(YEAR).split(/(?<=\n)/);
  const damage = ['{"id":"z"}\n', "\0\0\0\n", "null\n", '{"id":"y","at":"x","family":4,"address":"203.0.113.7"}\n'];
  const torn = '{"id":"q","at":"2026-06-10T11:3';
  const home = homeWithHistory([first, first, ...damage, "\n", ...rest, torn].join(""));
  const run = await home.run(["history", flag].filter(Boolean), { now: NOW, env: { COLUMNS: "200" } });
  expect(run.exitCode).toBe(0);
  const said = [3, 4, 5, 6, 12].map(
    (line) => `ipcheck: warning: line ${line} of the history is damaged and was skipped\n`,
  );
  expect(run.stderr).toBe(said.join(""));
  expect(run.stdout.match(/198\.51\.100\.200/g)).toHaveLength(flag === "" ? 1 : 2);
  if (flag === "--json") expect(JSON.parse(run.stdout)).toHaveLength(5);
});

test("no history: said, and nothing is created", async () => {
  const home = homeWithHistory("");
  expect(await home.run(["history", "--json"])).toMatchObject({ exitCode: 0, stdout: "[]\n", stderr: "" });
  const env = { IPCHECK_STATE_FILE: `${home.path}/nowhere/state.json` };
  expect(await home.run(["history"], { env })).toMatchObject({ exitCode: 0, stdout: "no change so far\n", stderr: "" });
});

test("a history that cannot be read exits with 4", async () => {
  const home = homeWithHistory("");
  const env = { IPCHECK_STATE_FILE: `${home.historyFile}/state.json` };
  const run = await home.run(["history"], { env });
  expect(run).toMatchObject({ exitCode: 4, stdout: "" });
  expect(run.stderr).toMatch(/^ipcheck: error: cannot read .*ENOTDIR/);
});

test("a clock that ran backwards: how long it lasted is not known", async () => {
  const { said, output } = captureOutput();
  const backwards = [...YEAR.slice(0, 2), entry("g", "2025-01-01T00:00:00.000Z", "192.0.2.3")];
  await printHistory({ json: true }, backwards, { now: new Date("2024-01-01"), env: {} }, output);
  expect(JSON.parse(said.stdout).map(({ seconds }: { seconds: number }) => seconds)).toEqual([3_373_200, null, null]);
});

test("200,000 changes are shown", async () => {
  const count = 200_000;
  const home = homeWithHistory("");
  const file = createWriteStream(home.historyFile);
  for (let i = 0; i < count; i += 1000) {
    const block = Array.from({ length: 1000 }, (_, j) => {
      const at = new Date(NOW.getTime() - (count - i - j) * HOUR_MS).toISOString();
      return entry(`id-${i + j}`, at, `203.0.113.${(i + j) % 250}`, { confirmedBy: ["ipify", "deSEC"] });
    });
    if (!file.write(historyText(block))) await once(file, "drain");
  }
  file.end();
  await once(file, "close");
  const env = { NODE_OPTIONS: "--max-old-space-size=256", COLUMNS: "80" };
  const [table, csv] = await Promise.all([
    home.run(["history"], { now: NOW, env }),
    home.run(["history", "--csv"], { now: NOW, env }),
  ]);
  expect(table).toMatchObject({ exitCode: 0, stderr: "" });
  const lines = table.stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(42);
  expect(lines.at(-1)).toBe("199999 changes, about every 1 hour");
  expect(csv).toMatchObject({ exitCode: 0, stderr: "" });
  expect(csv.stdout.split("\r\n")).toHaveLength(count + 2);
}, 120_000);
