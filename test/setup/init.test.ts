import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { parse } from "dotenv";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { readSshAnswer, shortenSshLine } from "../../src/commands/init-questions";
import { editEnvText } from "../../src/config/env-edit";
import type { Home } from "../support/home";
import { BIN, type Dialogue, typing } from "../support/run-ipcheck";
import * as bench from "./workbench";
import {
  ADDRESS,
  envFileOf,
  listTree,
  makeHome,
  SILENCE,
  startMail,
  startProvider,
  USER,
  writePrivate,
} from "./workbench";

vi.setConfig({ maxConcurrency: 3 });

const TO = "owner@example.net";
const PASSWORD = "corr3ct h0rse #b4ttery";
/** The switches that name a provider on loopback. */
const answersFor = ({ port }: { port: number }) =>
  ["--to", TO, "--user", USER, "--smtp-host", "localhost", "--smtp-port", String(port)] as const;
const readText = (home: Home) => readFileSync(envFileOf(home), "utf8");
const readValues = (home: Home) => parse(readText(home));

/** An env file as somebody keeps it, with a mailbox that works. */
const KEPT = `# my settings
export IPCHECK_TO=${TO} # me
IPCHECK_ON_CHANGE='true #1'

IPCHECK_SMTP_USER=${USER}
IPCHECK_SMTP_HOST=localhost
IPCHECK_SMTP_PORT=25
IPCHECK_SMTP_PASSWORD='${PASSWORD}'
IPCHECK_SSH="ssh -J jump pi@{ip}"
#IPCHECK_NAME=
IPCHECK_NAME=attic
IPCHECK_FAMILY=4
IPCHECK_LANG=fr
`;

/** A home whose mailbox's server is not known from its domain, and whose names are all looked up here. */
async function makeTerminal(names: Record<string, string[]> = {}) {
  const nowhere = { "smtp.home.example": ["127.0.0.9"], "mail.home.example": ["127.0.0.9"] };
  const home = await makeHome();
  home.env["FAKE_NAMES"] = JSON.stringify({ ...nowhere, ...names });
  return home;
}

/** The same with that env file, or with one that differs in these values. */
async function makeKept(values: Record<string, string | undefined> = {}, names?: Record<string, string[]>) {
  const home = await makeTerminal(names);
  const text = editEnvText(KEPT, values) ?? expect.fail("no quoting carries these values");
  writePrivate(envFileOf(home), text);
  return { home, text };
}

/** Nothing of a password, nor of its encoded form and key, in what was said. */
function expectSecrecy(home: Home, password: string, said: string): void {
  const { IPCHECK_SMTP_PASSWORD_VIGENERE: encoded, IPCHECK_VIGENERE_KEY: key } = readValues(home);
  const secrets = [...bench.formsOf(password), encoded, key].filter((secret) => secret !== undefined);
  for (const secret of secrets) expect(said).not.toContain(secret);
}

/** The one before, for its owner's eyes, and nothing else beside the env file. */
function expectBackup(home: Home, text: string): void {
  const backup = `${envFileOf(home)}.backup`;
  expect(readFileSync(backup, "utf8")).toBe(text);
  expect(statSync(backup).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(backup))).toHaveLength(2);
}

describe.concurrent("on a terminal", () => {
  beforeEach(async ({ skip }) => {
    const why = await bench.whyNoTerminal();
    if (why) skip(why);
  });

  const CLEAR_LINE = "\x15";
  const [UP, DOWN] = ["\x1b[A", "\x1b[B"] as const;
  const NO_OFFERS = ["--no-send", "--no-schedule"] as const;
  const PRELOADS = ["no-ipv6.cjs", "moved-ports.cjs", "../support/fake-names.cjs"].map((name) => join(__dirname, name));

  async function type(home: Home, dialogue: Dialogue, ...flags: string[]): Promise<string> {
    // The last question of all, where it comes.
    const through = typing([...dialogue, ["can be reached from outside?", "\r"]]);
    const options = { env: { TERM: "xterm" }, preload: PRELOADS, through, killAfterMs: 12_000 };
    return (await home.run(["init", ...flags], options)).stdout;
  }

  /** The questions of a first run, with their answers. */
  const questions = (port: number | string): [string, string][] => [
    ["Who is told?", `${TO}\r`],
    ["Which mailbox sends?", `${USER}\r`],
    ["Mail server?", "localhost\r"],
    ["Its port?", `${CLEAR_LINE}${port}\r`],
    [`Password of ${USER}`, `${PASSWORD}\r`],
    ["How do you log in from outside?", `${CLEAR_LINE}pi:2222\r`],
    ["Write this?", "\r"],
  ];
  /** Those of a second run: Enter, where nothing else is answered. */
  const asBefore = ({ to = "", password = "", last = "Go on?" } = {}): [string, string][] => [
    ["Who is told?", `${to && CLEAR_LINE}${to}\r`],
    ["Which mailbox sends?", "\r"],
    ["Enter keeps the one that is there", `${password}\r`],
    ["How do you log in from outside?", "\r"],
    [last, "\r"],
  ];

  test("a mailbox that no program can use is gone on with by a yes alone", async () => {
    const home = await makeTerminal();
    const shown = await type(home, [
      ["Who is told?", `${TO}\r`],
      ["Which mailbox sends?", "x@hotmail.com\r"],
      ["Go on with it all the same?", "n"],
    ]);
    expect(shown).toMatch(/Microsoft takes no passwords[\s\S]*stopped; nothing was written[\s\S]*\[exit code 2\]\n$/);
    expect(existsSync(envFileOf(home))).toBe(false);
  });

  test("every question is answered by hand, and the first check works quietly", async () => {
    const mail = await startProvider(PASSWORD);
    const home = await makeTerminal();
    const offers = [
      ["Send a test mail now?", "y"],
      ["Your other lines in it stay as they are.", "n"],
    ];
    const shown = await type(home, [...questions(mail.port), ...offers]);
    expect(shown).toMatch(/\[exit code 0\]\n$/);
    expect(statSync(envFileOf(home)).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(envFileOf(home))).mode & 0o777).toBe(0o700);
    expect(readValues(home)).toMatchObject({
      IPCHECK_TO: TO,
      IPCHECK_SMTP_USER: USER,
      IPCHECK_SMTP_HOST: "localhost",
      IPCHECK_SMTP_PORT: String(mail.port),
      IPCHECK_SMTP_SECURITY: "starttls",
      IPCHECK_SSH: "ssh -p 2222 pi@{ip}",
      IPCHECK_NAME: hostname(),
      IPCHECK_FAMILY: "4",
      IPCHECK_LANG: "en",
    });
    expect(mail.arrived).toMatchObject([{ user: USER, isEncrypted: true, mail: { subject: /test.*203\.0\.113\.7$/ } }]);
    expect(shown).toMatch(/ \* \* \* \* \S*node\S* .*ipcheck\.js check\n/);
    expect(shown).toMatch(/nothing was installed/);
    expect(shown).not.toContain("app password");
    expect(home.crontab.table).toBeUndefined();
    expectSecrecy(home, PASSWORD, shown);
    expect(await home.run()).toMatchObject(SILENCE);
    expect(await home.run()).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(2);
    expect(mail.arrived[1]?.mail.subject).toContain(ADDRESS);
    expect(mail.arrived[1]?.mail.text).toContain(`ssh -p 2222 pi@${ADDRESS}`);
  });

  test("somebody with Gmail gives six answers until the test mail", async () => {
    const user = "home@gmail.com";
    const certificate = await bench.issue({ names: ["smtp.gmail.com"] });
    const mail = await startProvider("", { certificate, login: { user, password: "abcdefghijklmnop" } });
    const home = await makeTerminal({ "smtp.gmail.com": ["127.0.0.1"] });
    home.env["MOVED_PORTS"] = JSON.stringify({ 587: mail.port });
    const answers = [
      ["Who is told?", `${TO}\r`],
      ["Which mailbox sends?", `${user}\r`],
      ["App password of", "abcd efgh ijkl mnop\r"],
      ["How do you log in from outside?", "\r"],
      ["Write this?", "\r"],
      ["Send a test mail now?", "\r"],
    ];
    const shown = await type(home, [...answers, ["Install this as crontab?", "y"]]);
    expect(shown).toMatch(/\[exit code 0\]\n$/);
    expect(mail.arrived).toHaveLength(1);
    expect(home.crontab.table).toMatch(/ check\n/);
    expect(shown).toMatch(/These are settled:[^◇]*smtp\.gmail\.com[^◇]*587[^◇]*starttls[^◇]*English/);
  });

  test.for(questions(25).map(([question], index) => [question, index] as const))(
    "Ctrl-C leaves nothing written: %s",
    async ([question, index]) => {
      const home = await makeTerminal();
      const before = listTree(home.path);
      const shown = await type(home, [...questions(25).slice(0, index), [question, "\x03"]]);
      expect(shown).toContain(question);
      expect(shown).toMatch(/ipcheck: error: stopped; nothing was written\n+\[exit code 2\]\n$/);
      expect(listTree(home.path)).toEqual(before);
    },
  );

  // Behind this question the file is there, and yet 'nothing was written' is said.
  test("Ctrl-C at the offer of a test mail keeps the file, and says so", async () => {
    const home = await makeTerminal();
    const shown = await type(home, [...questions(25), ["Send a test mail now?", "\x03"]]);
    expect(existsSync(envFileOf(home))).toBe(true);
    expect(shown).not.toContain("nothing was written");
  });

  test("an empty login means a relay", async () => {
    const home = await makeTerminal();
    const dialogue = [
      ["Who is told?", `${TO}\r`],
      ["Which mailbox sends?", "\r"],
      ["Sender's address?", "\r"],
      ["How do you log in", "\r"],
      ["Write this?", "\r"],
    ];
    expect(await type(home, dialogue, ...NO_OFFERS)).toMatch(/\[exit code 0\]\n$/);
    const server = { IPCHECK_SMTP_HOST: "localhost", IPCHECK_SMTP_PORT: "25", IPCHECK_SMTP_SECURITY: "none" };
    expect(readValues(home)).toMatchObject({ ...server, IPCHECK_FROM: TO });
    expect(readValues(home)).not.toHaveProperty("IPCHECK_SMTP_USER");
  });

  test("a relay is shown as it is in force, its defaults included", async () => {
    const relay = { IPCHECK_SMTP_USER: undefined, IPCHECK_SMTP_PORT: undefined, IPCHECK_SMTP_PASSWORD: undefined };
    const { home } = await makeKept({ ...relay, IPCHECK_FROM: TO });
    const dialogue = asBefore().with(2, ["Sender's address?", "\r"]);
    const shown = await type(home, dialogue, ...NO_OFFERS);
    expect(shown).toMatch(/mail server: localhost\n│ {2}its port: 587\n│ {2}its encryption: starttls\n/);
  });

  test("a server that answers is suggested where the login's domain is unknown", async () => {
    const certificate = await bench.issue({ names: ["mail.home.example"] });
    const mail = await startProvider(PASSWORD, { security: "tls", certificate });
    const home = await makeTerminal({ "mail.home.example": ["127.0.0.1"] });
    home.env["MOVED_PORTS"] = JSON.stringify({ 465: mail.port, 587: 1 });
    const dialogue = [...questions(1).slice(0, 2), ["Mail server?", "\r"], ...questions(1).slice(4)];
    const shown = await type(home, [...dialogue, ["Send a test mail now?", "y"]], "--no-schedule");
    expect(shown).toContain("these answer: mail.home.example:465\n");
    const server = { IPCHECK_SMTP_HOST: "mail.home.example", IPCHECK_SMTP_PORT: "465", IPCHECK_SMTP_SECURITY: "tls" };
    expect(readValues(home)).toMatchObject(server);
    expect(mail.arrived).toHaveLength(1);
  });

  test("a second run begins from what is there, and changes nothing by itself", async () => {
    const { home } = await makeKept();
    const before = listTree(dirname(envFileOf(home)));
    const shown = await type(home, asBefore({ last: "Nothing changes. Go on?" }), ...NO_OFFERS);
    expect(shown).toMatch(/\[exit code 0\]\n$/);
    expect(shown).toContain("ssh -J jump pi@{ip}");
    expect(shown).toContain("language of the mails: français");
    expectSecrecy(home, PASSWORD, shown);
    expect(listTree(dirname(envFileOf(home)))).toEqual(before);
  });

  test("one answer is changed, the rest stays byte for byte, and only the last backup is kept", async () => {
    const { home, text } = await makeKept();
    const shown = await type(home, asBefore({ to: "new@example.net", last: "Write this?" }), ...NO_OFFERS);
    expect(shown).toContain(`- IPCHECK_TO=${TO}\n  + IPCHECK_TO=new@example.net\n\n`);
    const written = text.replace(TO, "new@example.net");
    expect(readText(home)).toBe(written);
    expectBackup(home, text);
    await type(home, asBefore({ to: "newest@example.net", last: "Write this?" }), ...NO_OFFERS);
    expectBackup(home, written);
  });

  test("what is settled can be opened", async () => {
    const { home, text } = await makeKept();
    const dialogue = [
      ...asBefore().slice(0, -1),
      ["Nothing changes. Go on?", `${DOWN}\r`],
      ["Which one?", `${DOWN.repeat(6)}\r`],
      ["How is this machine called", `${CLEAR_LINE}cellar\r`],
      ["Write this?", "\r"],
    ];
    await type(home, dialogue, ...NO_OFFERS);
    expect(readText(home)).toBe(text.replace("=attic", "=cellar"));
  });

  test("a password that is not needed after all is written to no file", async () => {
    const home = await makeTerminal();
    const dialogue = [
      [`Password of ${USER}`, `${PASSWORD}\r`],
      ["How do you log in", "\r"],
      ["Write this?", `${DOWN}\r`],
      ["Which one?", `${DOWN}\r`],
      ["Which mailbox sends?", `${CLEAR_LINE}\r`],
      ["Sender's address?", "\r"],
      ["Write this?", "\r"],
    ];
    await type(home, dialogue, ...answersFor({ port: 25 }), "--store", "file", ...NO_OFFERS);
    expect(readValues(home)).toMatchObject({ IPCHECK_SMTP_HOST: "localhost", IPCHECK_FROM: TO });
    expect(readdirSync(dirname(envFileOf(home)))).toEqual([".env"]);
  });

  const REMOTE = { IPCHECK_SMTP_SECURITY: "none", IPCHECK_SMTP_HOST: "mail.home.example" };
  test.for<[string, Record<string, string>, first: string, downs: number, question: string, answer: string]>([
    ["password", { IPCHECK_SMTP_PASSWORD: "wrong" }, "the password", 0, "Password of", PASSWORD],
    ["port", { IPCHECK_SMTP_PORT: "1" }, "mail server", 1, "Its port?", `${CLEAR_LINE}PORT`],
    ["encryption", { IPCHECK_SMTP_SECURITY: "tls" }, "mail server", 2, "encrypted?", DOWN],
    ["recipient", { IPCHECK_TO: "gone@example.net" }, "who is told", 0, "Who is told?", `${CLEAR_LINE}${TO}`],
    ["configuration", REMOTE, "nothing, try again", 6, "encrypted?", UP],
  ])("a failed test mail asks again what is to blame: %s", async ([, fault, first, downs, question, answer]) => {
    const certificate = await bench.issue({ names: ["localhost", "mail.home.example"] });
    const mail = await startProvider(PASSWORD, { certificate });
    mail.refusals.set("gone@example.net", [550, "5.1.1 no such user"]);
    const names = { "mail.home.example": ["127.0.0.1"] };
    const { home, text } = await makeKept({ IPCHECK_SMTP_PORT: String(mail.port), ...fault }, names);
    const dialogue = [
      ...asBefore(),
      ["Send a test mail now?", "y"],
      ["What shall be corrected?", `${DOWN.repeat(downs)}\r`],
      [question, `${answer.replace("PORT", String(mail.port))}\r`],
    ];
    const shown = await type(home, dialogue, "--no-schedule");
    expect(shown).toContain(`What shall be corrected?\n│  ● ${first}`);
    expect(shown).toMatch(/ipcheck: error: .*\nipcheck: hint: /);
    expect(shown).toMatch(/took the test mail for owner@example\.net[\s\S]*\[exit code 0\]\n$/);
    expect(mail.arrived).toHaveLength(1);
    expectSecrecy(home, PASSWORD, shown);
    expectBackup(home, text);
  });

  const IN_FILE = { IPCHECK_SMTP_PASSWORD: undefined, IPCHECK_SMTP_PASSWORD_FILE: "~/secret" };
  const NOT_SHOWN = "IPCHECK_SMTP_PASSWORD=(not shown)";
  test.for<[string, Record<string, string | undefined>, change: string, backup: string | undefined]>([
    ["the env file", {}, `- ${NOT_SHOWN}\n  + ${NOT_SHOWN}`, undefined],
    ["the password's file", IN_FILE, "+ the password in ~/secret", "older\n"],
  ])("the first attempt is neither the backup nor shown once more: %s", async ([, values, change, backup]) => {
    const mail = await startProvider(PASSWORD);
    const { home, text } = await makeKept({ IPCHECK_SMTP_PORT: String(mail.port), ...values });
    const secret = writePrivate(join(home.path, "secret"), "older\n");
    const dialogue = [
      ...asBefore({ to: "new@example.net", password: "wrong", last: "Write this?" }),
      ["Send a test mail now?", "y"],
      ["What shall be corrected?", "\r"],
      ["Password of", `${PASSWORD}\r`],
    ];
    expect(await type(home, dialogue, "--no-schedule")).toContain(`.env:\n  ${change}\n\n`);
    expect(mail.arrived).toHaveLength(1);
    expectBackup(home, text);
    const copy = `${secret}.backup`;
    expect(existsSync(copy) ? readFileSync(copy, "utf8") : undefined).toBe(backup);
  });

  test("who goes on without a test mail is told so: exit 5", async () => {
    const mail = await startProvider("another");
    const { home } = await makeKept({ IPCHECK_SMTP_PORT: String(mail.port) });
    const offer = ["Send a test mail now?", "y"];
    const dialogue = [...asBefore(), offer, ["What shall be corrected?", `${DOWN.repeat(3)}\r`]];
    const shown = await type(home, dialogue, "--no-schedule");
    expect(shown).toMatch(/try 'ipcheck doctor --send'[\s\S]*\[exit code 5\]\n$/);
  });

  const OWN = "# ipcheck: begin (written by 'ipcheck schedule install')\n7 * * * * NODE BIN check\n# ipcheck: end\n";
  const [THERE, ASKED_FOR] = [/the schedule is there already \(crontab\)[\s\S]*exit code 0/, /nothing was installed/];
  test.for([
    ["its own", OWN, THERE],
    ["somebody's", "MAILTO=me\n17 * * * * NODE BIN check\n", THERE],
    ["another configuration", "7 * * * * NODE BIN check --config /etc/other\n", ASKED_FOR],
    ["a node that is gone", "7 * * * * /nope/node BIN check\n", ASKED_FOR],
  ] as const)("a schedule is asked for unless this very run is scheduled: %s", async ([, table, said]) => {
    const { home } = await makeKept();
    const before = table.replace("NODE", process.execPath).replace("BIN", BIN);
    home.crontab.table = before;
    const offers = said === ASKED_FOR ? [["Install this as crontab?", "n"]] : [];
    expect(await type(home, [...asBefore(), ...offers], "--no-send")).toMatch(said);
    expect(home.crontab.table).toBe(before);
  });

  test.for([40, 80])("every question wraps inside its frame at %i columns, in English", async (columns) => {
    const mail = await startProvider("another");
    const home = await makeTerminal();
    home.env["LANG"] = "fr_FR.UTF-8";
    const dialogue = [
      columns,
      ["Who is told?", "nobody\r"],
      ["expected mail addresses", `${CLEAR_LINE}${TO}\r`],
      ...questions(mail.port).slice(1),
      ["Send a test mail now?", "y"],
      ["What shall be corrected?", "\x03"],
    ];
    const shown = await type(home, dialogue, "--no-schedule");
    expect(readValues(home)["IPCHECK_LANG"]).toBe("fr");
    expect(shown).toContain("language of the mails: français");
    // What is printed line by line, besides the questions, is wrapped elsewhere.
    const framed = shown.split(/\n|(?<=.)(?=[│◆◇■▲])/).filter((line) => /^[│◆◇■└●○▲]/.test(line));
    expect(framed.length).toBeGreaterThan(30);
    expect(framed.filter((line) => line.length > columns)).toEqual([]);
    const questionsShown = shown.replaceAll(/\n│ +/g, " ");
    expect(questionsShown).toContain("(Empty: a mail relay on this machine, without login)");
    expect(questionsShown).toContain("or a whole line with {ip} in it)");
  });
});

test.each([
  ["pi", "ssh pi@{ip}", "pi"],
  [" pi:22 ", "ssh pi@{ip}", "pi"],
  ["pi:2222", "ssh -p 2222 pi@{ip}", "pi:2222"],
  ["ssh -J jump pi@{ip}", "ssh -J jump pi@{ip}", "ssh -J jump pi@{ip}"],
  ["pi:70000", "pi:70000", "pi:70000"],
  ["2222", "2222", "2222"],
])("the answer %j is the ssh line %j, and back", (answer, line, short) => {
  expect(readSshAnswer(answer)).toBe(line);
  expect(shortenSshLine(line)).toBe(short);
});

describe.concurrent("by switches", () => {
  const init = (home: Home, ...flags: string[]) => home.run(["init", "--yes", ...flags], { input: "hunter22\n" });
  const GIVEN = ["--yes", ...answersFor({ port: 587 }), "--password-stdin"];
  const without = (flag: string) => GIVEN.filter((_, index) => ![GIVEN[index], GIVEN[index - 1]].includes(flag));

  test.for<[string, string[], RegExp]>([
    ["no terminal", [], /^ipcheck: error: .*\nipcheck: hint: .*init --yes --to … --user … --password-stdin.*\n$/],
    ["a relay with a login", [...GIVEN, "--relay"], /^ipcheck: error: --relay and --user .*\nipcheck: hint: .*\n$/],
    ["nobody to tell", without("--to"), /--to is needed/],
    ["no mailbox", without("--user"), /--user is needed/],
    ["no server for an unknown domain", without("--smtp-host"), /--smtp-host is needed/],
    ["no password", without("--password-stdin"), /--password-stdin/],
    ["an address that is none", [...GIVEN, "--to", "owner"], /--to: expected mail addresses/],
    ["a port that is none", [...GIVEN, "--smtp-port", "smtp"], /--smtp-port: expected a port/],
    ["a security that is none", [...GIVEN, "--smtp-security", "ssl"], /expected tls, starttls or none/],
    ["a store that is none", [...GIVEN, "--store", "safe"], /--store: expected vigenere, clear, file or command/],
    ["a store that every object has", [...GIVEN, "--store", "toString"], /--store: expected vigenere/],
    ["a language that is none", [...GIVEN, "--lang", "xx"], /expected en\b/],
    ["a line break in a name", [...GIVEN, "--name", "a\nIPCHECK_TO=b"], /--name: expected one line/],
    // Only the first line of such a value would be masked.
    ["a line break in a password", [...GIVEN, "--password", "hunter22\nhunter22"], /cannot be used: .*one line/],
    ["what no quoting can carry", [...GIVEN, "--store", "clear", "--password", "hunter22'\"`#"], /--store file/],
  ])("refused, nothing written: %s", async ([, flags, error]) => {
    const home = await makeHome();
    const before = listTree(home.path);
    const run = await home.run(["init", ...flags], { input: "hunter22\n" });
    expect(run).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringMatching(error) });
    expect(run.stderr).not.toContain("hunter22");
    expect(listTree(home.path)).toEqual(before);
  });

  test.for([
    ['it\'s #1 "quoted" word', "clear"],
    ['it\'s "so" `odd` #1', "vigenere"],
    ['it\'s "so" `odd` #1', "file"],
    [" spaces around ", "vigenere"],
    [" spaces around ", "clear"],
    [" spaces around ", "file"],
    ["back\\slash\\n\\", "file"],
    ["back\\slash\\n\\", "clear"],
    ["$HOME $(id) `id`", "clear"],
    ["# begins", "file"],
    ["pä$$wörd €uro", "vigenere"],
    ["pä$$wörd €uro", "file"],
    ["-x --store=file", "vigenere"],
    ["%s%00%n", "clear"],
  ] as const)("the password %j survives, store %s", async ([password, store]) => {
    const mail = await startProvider(password);
    const home = await makeHome();
    const flags = ["--yes", "--password-stdin", "--store", store, ...answersFor(mail)];
    const run = await home.run(["init", ...flags], { input: `${password}\r\n` });
    expect(run).toMatchObject({ exitCode: 0 });
    expectSecrecy(home, password, run.stdout + run.stderr);
    expect(await home.run()).toMatchObject(SILENCE);
    expect(mail.logins).toEqual([{ user: USER, password }]);
  });

  test.for([
    ["vigenere", "IPCHECK_SMTP_PASSWORD_VIGENERE IPCHECK_VIGENERE_KEY"],
    ["clear", "IPCHECK_SMTP_PASSWORD"],
    ["file", "IPCHECK_SMTP_PASSWORD_FILE"],
    ["command", "IPCHECK_SMTP_PASSWORD_COMMAND"],
  ] as const)("the spaces that Google shows are no part of it, store %s", async ([store, names]) => {
    const password = "abcdefghijklmnop";
    const mail = await startProvider(password);
    const home = await makeHome();
    const command = ["--password-command", `printf '${password}\\nsecond line\\n'`];
    const source = store === "command" ? command : ["--password-stdin"];
    const flags = ["--yes", "--store", store, ...source, ...answersFor(mail), "--send", "--schedule"];
    const run = await home.run(["init", ...flags], { input: "abcd efgh ijkl mnop\n" });
    expect(run).toMatchObject({ exitCode: 0 });
    if (store !== "command") expectSecrecy(home, password, run.stdout + run.stderr);
    expect(home.crontab.table).toMatch(/ check\n/);
    expect(Object.keys(readValues(home)).filter((name) => /PASSWORD|KEY/.test(name))).toEqual(names.split(" "));
    if (store === "file") {
      const path = join(dirname(envFileOf(home)), "smtp-password");
      expect(readFileSync(path, "utf8")).toBe(`${password}\n`);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
    expect(await home.run()).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(2);
    expect(mail.logins).toEqual([1, 2].map(() => ({ user: USER, password })));
  });

  test("--relay sends without a login", async () => {
    const mail = await startMail();
    const home = await makeHome();
    const server = ["--smtp-host", "127.0.0.1", "--smtp-port", String(mail.port)];
    expect(await init(home, "--relay", "--to", `${TO}, second@example.net`, ...server)).toMatchObject({ exitCode: 0 });
    expect(await home.run()).toMatchObject(SILENCE);
    expect(mail.arrived).toMatchObject([{ user: undefined, recipients: [TO, "second@example.net"] }]);
    const bare = await makeHome();
    expect(await init(bare, "--relay", "--to", TO)).toMatchObject({ exitCode: 0 });
    expect(readValues(bare)).toEqual({
      IPCHECK_TO: TO,
      IPCHECK_SMTP_HOST: "localhost",
      IPCHECK_SMTP_PORT: "25",
      IPCHECK_SMTP_SECURITY: "none",
      IPCHECK_FROM: TO,
      IPCHECK_NAME: hostname(),
      IPCHECK_LANG: "en",
    });
  });

  test("every switch lands in the file that --config names, and a backup is kept", async () => {
    const home = await makeHome();
    writePrivate(envFileOf(home), "IPCHECK_NAME=old\n");
    const rows = [
      ["--to", "IPCHECK_TO", TO],
      ["--user", "IPCHECK_SMTP_USER", "login"],
      ["--from", "IPCHECK_FROM", "from@example.net"],
      ["--smtp-host", "IPCHECK_SMTP_HOST", "smtp.example.net"],
      ["--smtp-port", "IPCHECK_SMTP_PORT", "465"],
      ["--smtp-security", "IPCHECK_SMTP_SECURITY", "tls"],
      ["--password", "IPCHECK_SMTP_PASSWORD", "hunter #22"],
      ["--name", "IPCHECK_NAME", "the attic's pi"],
      ["--ssh", "IPCHECK_SSH", "ssh -p 2222 pi@{ip}", "pi:2222"],
      ["--family", "IPCHECK_FAMILY", "both"],
      ["--lang", "IPCHECK_LANG", "fr"],
    ] as const;
    const switches = rows.flatMap(([flag, , value, given = value]) => [flag, given]);
    const args = ["-y", "--config", ".env", ...switches, "--store", "clear", "--no-send", "--no-schedule"];
    const run = await home.run(["init", ...args], { cwd: dirname(envFileOf(home)) });
    expect(run).toMatchObject({ exitCode: 0 });
    expectSecrecy(home, "hunter #22", run.stdout + run.stderr);
    expect(readValues(home)).toEqual(Object.fromEntries(rows.map(([, name, value]) => [name, value])));
    expectBackup(home, "IPCHECK_NAME=old\n");
  });

  test("a password file that is gone is not said to hold a password", async () => {
    const { home } = await makeKept({ IPCHECK_SMTP_PASSWORD: undefined, IPCHECK_SMTP_PASSWORD_FILE: "~/gone" });
    const { exitCode, stderr } = await init(home, "--relay");
    expect(exitCode).toBe(0);
    expect(readValues(home)).not.toHaveProperty("IPCHECK_SMTP_PASSWORD_FILE");
    expect(stderr).not.toContain("still holds");
  });

  test("what no switch names stays as it is in an existing file", async () => {
    const { home, text } = await makeKept();
    expect(await init(home)).toMatchObject({ exitCode: 0 });
    expect(readText(home)).toBe(text);
    expect(await init(home, "--name", "cellar")).toMatchObject({ exitCode: 0 });
    expect(readText(home)).toBe(text.replace("=attic", "=cellar"));
    expect(await init(home, "--password-stdin", "--store", "file")).toMatchObject({ exitCode: 0 });
    expect(readValues(home)).not.toHaveProperty("IPCHECK_SMTP_PASSWORD");
    writePrivate(envFileOf(home), readText(home).replace(/(?<=_FILE=).*/, "~/secret"));
    expect(await init(home, "--password-stdin")).toMatchObject({ exitCode: 0 });
    expect(readFileSync(join(home.path, "secret"), "utf8")).toBe("hunter22\n");
    const stderr = expect.stringContaining("~/secret still holds a password");
    expect(await init(home, "--relay")).toMatchObject({ exitCode: 0, stderr });
    expect(readText(home)).toContain(KEPT.slice(0, KEPT.indexOf("IPCHECK_SMTP_USER")));
    expect(readValues(home)).not.toHaveProperty("IPCHECK_SMTP_USER");
    expect(readValues(home)).toMatchObject({ IPCHECK_ON_CHANGE: "true #1", IPCHECK_SMTP_SECURITY: "none" });
  });

  test("another mailbox wants its own password and server", async () => {
    const { home } = await makeKept({ IPCHECK_FROM: USER });
    const flags = ["--user", "x@orange.fr"];
    expect(await init(home, ...flags)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/--password-stdin/),
    });
    expect(await init(home, ...flags, "--password-stdin")).toMatchObject({ exitCode: 0 });
    expect(readValues(home)).toMatchObject({
      IPCHECK_SMTP_HOST: "smtp.orange.fr",
      IPCHECK_SMTP_PORT: "465",
      IPCHECK_SMTP_PASSWORD: "hunter22",
    });
    expect(readValues(home)).not.toHaveProperty("IPCHECK_FROM");
  });

  test("the file in use is the one that is edited", async () => {
    const home = await makeHome();
    const file = writePrivate(join(home.path, "elsewhere"), KEPT);
    home.env["IPCHECK_CONFIG"] = file;
    expect(await init(home, "--name", "cellar", "--schedule")).toMatchObject({ exitCode: 0 });
    expect(readFileSync(file, "utf8")).toContain("IPCHECK_NAME=cellar\n");
    expect(home.crontab.table).toMatch(/ check --config \S*elsewhere\n/);
  });

  test("placeholders and lines that say nothing are no answers", async () => {
    const home = await makeHome();
    const example = readFileSync(join(__dirname, "..", "..", ".env.example"), "utf8");
    writePrivate(envFileOf(home), `${example}IPCHECK_NAME attic\n`);
    const run = await init(home, ...GIVEN);
    expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/# line \d+: .*\(kept as a comment\)/) });
    expect(readText(home)).toContain("# IPCHECK_NAME attic\n");
    expect(readText(home)).toContain(`#IPCHECK_LANG=en\nIPCHECK_LANG=en\n`);
  });

  test("what stands below a quote that is never closed is kept, too, and only what changes is shown", async () => {
    const home = await makeHome();
    writePrivate(envFileOf(home), `A='x\n${KEPT}`);
    const run = await init(home);
    expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/# line 1: .*\(kept as a comment\)/) });
    expect(run.stdout).not.toMatch(/^ *[+-] /m);
    expect(readText(home)).toBe(`# A='x\n${KEPT}`);
    writePrivate(envFileOf(home), `A='x\n${KEPT}`);
    expect((await init(home, "--name", "cellar")).stdout).toMatch(/- IPCHECK_NAME=.*\n +\+ IPCHECK_NAME=cellar\n/);
  });

  test("a mistake that init does not ask about is reported after the file is written", async () => {
    const { home } = await makeKept({ IPCHECK_TIMEOUT: "soon" });
    const stderr = expect.stringMatching(/IPCHECK_TIMEOUT.*\n.*correct it there/);
    expect(await init(home, "--name", "cellar")).toMatchObject({ exitCode: 2, stderr });
    expect(readValues(home)).toMatchObject({ IPCHECK_NAME: "cellar", IPCHECK_TIMEOUT: "soon" });
  });

  test.for([
    ["x@gmail.com", "smtp.gmail.com", "587", "starttls", /app password/],
    ["x@orange.fr", "smtp.orange.fr", "465", "tls", /^/],
    ["x@laposte.net", "smtp.laposte.net", "465", "tls", /^/],
    // nodemailer's table does not say that this port speaks TLS from the first byte.
    ["x@bluewin.ch", "smtpauths.bluewin.ch", "465", "tls", /^/],
    ["x@yahoo.fr", "smtp.mail.yahoo.com", "465", "tls", /this mailbox wants an app password/],
    ["x@hotmail.co.uk", "smtp-mail.outlook.com", "587", "starttls", /Microsoft takes no passwords/],
  ] as const)("knows the provider of %s", async ([user, host, port, security, note]) => {
    const home = await makeHome();
    const run = await init(home, "--to", TO, "--user", user, "--password-stdin");
    expect(run).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(note) });
    const server = { IPCHECK_SMTP_HOST: host, IPCHECK_SMTP_PORT: port, IPCHECK_SMTP_SECURITY: security };
    expect(readValues(home)).toMatchObject(server);
  });

  test("a folder that cannot be written in is named", async () => {
    const home = await makeHome();
    writePrivate(join(home.path, ".config"), "a file in its place");
    const stderr = expect.stringMatching(/cannot write .*\.env .*\n.*--config/);
    expect(await init(home, ...GIVEN)).toMatchObject({ exitCode: 2, stderr });
  });

  test("a test mail that is refused keeps the file: exit 5", async () => {
    const mail = await startProvider("another");
    const home = await makeHome();
    const run = await init(home, "--password-stdin", ...answersFor(mail), "--send");
    expect(run).toMatchObject({ exitCode: 5, stderr: expect.stringMatching(/refused the login.*\n.*hint: /) });
    expect(run.stderr).toMatch(/correct it, then try 'ipcheck doctor --send'/);
    expect(existsSync(envFileOf(home))).toBe(true);
  });
});
