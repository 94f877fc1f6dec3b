import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeVigenere } from "../../src/config/vigenere";
import { witnessEcho, witnessMail } from "./evidence";
import { Home } from "./home";
import { type End, type PromiseName, type WatchedRun, watch } from "./oracle";

const [OLD, NEW, OTHER] = ["203.0.113.7", "203.0.113.8", "203.0.113.9"] as const;
const [ME, DAD] = ["me@example.net", "dad@example.net"] as const;
/** Nobody listens there; what would have been said and taken is told to the oracle. */
const [MAIL, ECHOES] = [60_001, [60_011, 60_012, 60_013, 60_014]] as const;

interface Story {
  before?: object;
  after?: object;
  args?: readonly string[];
  env?: Record<string, string>;
  now?: string;
  unwatched?: WatchedRun["unwatched"];
  /** Who accepts the mail, and what it says. */
  taken?: readonly string[];
  text?: string;
  /** What each service says; undefined for one that is not asked. */
  said?: readonly (string | undefined)[];
  end?: Partial<End>;
}

/** The oracle's words about a run that left this behind. */
function judge(story: Story): string | undefined {
  const home = new Home().useMail({ port: MAIL }, `${ME},${DAD}`);
  const accept = witnessMail(MAIL);
  const echoes = ECHOES.map(witnessEcho);
  home.useServices(...ECHOES.slice(0, story.said?.length ?? 4).map((port) => ({ url: `http://127.0.0.1:${port}/` })));
  mkdirSync(dirname(home.stateFile), { recursive: true });
  const write = (state: object | undefined) => state && writeFileSync(home.stateFile, JSON.stringify(state));
  write(story.before);
  const { args, now, unwatched, end } = story;
  const finish = watch({ args, now, unwatched, env: { ...home.env, ...story.env } });
  if (story.taken) accept(story.taken, story.text);
  for (const [index, body] of story.said?.entries() ?? []) {
    if (body === undefined) continue;
    echoes[index]?.asked();
    echoes[index]?.answered(200, body);
  }
  write(story.after);
  try {
    finish({ exitCode: 0, stdout: "", stderr: "", ...end });
    return undefined;
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
}

const event = (told: readonly string[] = [], address: string = NEW) => ({ id: address, kind: "change", address, told });
const state = (outbox: object[], channels: object = {}, address: string = NEW, recorded: object = {}) => ({
  families: { 4: { recorded: { address, ...recorded } } },
  outbox,
  channels,
});
const OWED = state([event(["(history)"])]);
const served = (...names: string[]) => Object.fromEntries(names.map((name) => [name, { servedAt: "2026-06-01" }]));

describe("told", () => {
  const both = { before: OWED, after: state([], served(ME, DAD)) };
  test.for<[string, Story, RegExp | undefined]>([
    ["both were accepted", { ...both, taken: [ME, "dad@EXAMPLE.net"], text: NEW }, undefined],
    ["one was refused", { ...both, taken: [ME] }, /^broken promise 'told': dad@/],
    ["the mail says something else", { ...both, taken: [ME, DAD], text: OLD }, /told of 203.0.113.8, but/],
    ["nothing was sent", both, /^broken promise 'told': me@/],
    ["one mark too many", { before: OWED, after: state([event(["(history)", DAD])]) }, /^broken promise 'told': dad@/],
    ["no server of the tests", { ...both, env: { IPCHECK_SMTP_PORT: "60002" } }, undefined],
    ["forged, and said so", { ...both, unwatched: { told: "the state is forged" } }, undefined],
  ])("%s", ([, story, broken]) => expect(judge(story) ?? "").toMatch(broken ?? /^$/));

  const printed = { before: state([event(["(history)"])]), after: state([]), env: { IPCHECK_TO: "" } };
  test.for<[string, Story, RegExp]>([
    ["printed", { ...printed, end: { stdout: `the address is ${NEW}\n` } }, /^$/],
    ["not printed", printed, /^broken promise 'told': 203.0.113.8 .* not printed/],
  ])("without recipients: %s", ([, story, broken]) => expect(judge(story) ?? "").toMatch(broken));

  test("one message is told to one home", () => {
    expect(judge({ ...both, taken: [ME, DAD] })).toBeUndefined();
    expect(judge(both)).toMatch(/^broken promise 'told'/);
  });
});

describe("owed", () => {
  const left = (channel: object = {}) => state([event(["(history)", ME])], { [DAD]: channel });
  const now = "2026-06-01T12:00:00Z";
  test.for<[string, Story, RegExp]>([
    ["exit 0", { before: left(), after: left() }, /^broken promise 'owed': .* dad@example.net has not been told/],
    ["exit 5", { before: left(), after: left(), end: { exitCode: 5 } }, /^$/],
    ["a dry run", { before: left(), after: left(), args: ["-n"] }, /^$/],
    ["grouping", { now, before: OWED, after: left({ changeServedAt: "2026-06-01T11:50:00Z" }), taken: [ME] }, /^$/],
    ["no longer grouping", { now, after: left({ changeServedAt: "2026-06-01T11:40:00Z" }) }, /^broken promise 'owed'/],
    ["a served channel from the future", { now, after: left({ changeServedAt: "2027-01-01" }) }, /^broken promise/],
  ])("%s", ([, story, broken]) => expect(judge({ unwatched: { told: "made up" }, ...story }) ?? "").toMatch(broken));
});

describe("recorded", () => {
  const known = state([], {}, OLD);
  const CANDIDATE = { families: { 4: { candidate: { address: NEW, runs: 2, since: "2026-06-01T00:00:00Z" } } } };
  const lone = { said: [NEW, undefined, undefined], after: state([], {}, NEW, { isUnconfirmed: true }) };
  test.for<[string, Story, RegExp]>([
    ["three of four", { said: [NEW, NEW, NEW, undefined] }, /^$/],
    ["half", { said: [NEW, NEW, undefined, undefined] }, /^broken promise 'recorded': 203.0.113.8 .* 2 of 4/],
    ["half of all", { said: [NEW, NEW, OLD, OLD] }, /2 said something else/],
    ["two of three, the last one silent", { said: [NEW, NEW, undefined] }, /^$/],
    ["two of four, and everybody was asked", { said: [NEW, NEW, OTHER, "<html>"] }, /^$/],
    ["nobody", { said: [OLD, OLD, OLD] }, /0 of 3/],
    ["one alone", { said: [NEW, undefined, undefined] }, /1 of 3/],
    ["the only one", { said: [NEW] }, /^$/],
    ["a lone voice at once", lone, /is recorded as unconfirmed, but 1 of 3/],
    ["a lone voice in time", { ...lone, now: "2026-06-01T02:00:00Z", before: { ...known, ...CANDIDATE } }, /^$/],
    ["a lone voice too early", { ...lone, now: "2026-06-01T01:00:00Z", before: { ...known, ...CANDIDATE } }, /1 of 3/],
    ["nothing new", { said: [OTHER, OTHER], before: state([]), after: state([]) }, /^$/],
  ])("%s", ([, story, broken]) => {
    const unwatched = { told: "made up" };
    expect(judge({ unwatched, before: known, after: state([]), ...story }) ?? "").toMatch(broken);
  });
});

describe("secret", () => {
  const PASSWORD = "corr3ct h0rse";
  const env = {
    IPCHECK_SMTP_PASSWORD_VIGENERE: encodeVigenere(PASSWORD, "Zebra7Quagga"),
    IPCHECK_VIGENERE_KEY: "Zebra7Quagga",
    IPCHECK_HEARTBEAT_URL: "https://watcher:s3cr3tword@monitor.example.net/?token=abcd1234efgh",
    IPCHECK_ON_CHANGE: "curl -u pi:password https://example.net",
  };
  const said = Object.values(env).filter((value) => !value.startsWith("https:"));
  test.for([...said, PASSWORD, Buffer.from(PASSWORD).toString("base64"), "s3cr3tword", "abcd1234efgh"])(
    "%s",
    (text) => {
      expect(judge({ env, end: { stderr: `ipcheck: error: ${text}\n` } })).toMatch(/^broken promise 'secret'/);
      expect(judge({ env, end: { stderr: "ipcheck: error: something else\n" } })).toBeUndefined();
    },
  );
});

test("deadline", () => {
  expect(judge({ end: { isStuck: true } })).toMatch(/^broken promise 'deadline'/);
});

const TESTS = join(__dirname, "..");
const sources = readdirSync(TESTS, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !/^(demo|bench)\b/.test(path))
  .map((path) => ({ path, text: readFileSync(join(TESTS, path), "utf8") }));

test("every run of the program is watched", () => {
  const runs = sources.filter(({ text }) => /\b(spawn|execFile|python)(Sync)?\(/.test(text) && /\bBIN\b/.test(text));
  // The command of a crontab is run as cron runs it, and handed to the oracle by hand.
  expect(runs.filter(({ text }) => !/\bwatch\(/.test(text)).map(({ path }) => path)).toEqual([]);
});

test("few runs are not judged, and each says why", () => {
  const exceptions = sources.flatMap(({ path, text }) => {
    if (path.startsWith("support")) return [];
    return [...text.matchAll(/\bunwatched\b.*\{ (\w+): "/g)].map(
      ([, name]) => `${path}: ${name}` as `${string}: ${PromiseName}`,
    );
  });
  expect(exceptions).toEqual(["setup/secrets.test.ts: secret"]);
});
