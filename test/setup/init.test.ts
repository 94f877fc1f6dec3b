import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { parse } from "dotenv";
import fc from "fast-check";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { readSshAnswer, shortenSshLine } from "../../src/commands/init-questions";
import { editEnvText } from "../../src/config/env-edit";
import { decodeVigenere } from "../../src/config/vigenere";
import type { Home } from "../support/home";
import { BIN, type Dialogue, type RunResult, typing } from "../support/run-ipcheck";
import {
  ADDRESS,
  ERROR_AND_HINT,
  envFileOf,
  formsOf,
  issue,
  listTree,
  makeHome,
  SILENCE,
  startMail,
  startProvider,
  USER,
  whyNoTerminal,
  writePrivate,
} from "./workbench";

vi.setConfig({ maxConcurrency: 3 });

const TO = "owner@example.net";
/** The switches that name a provider on loopback. */
const answersFor = ({ port }: { port: number }) =>
  ["--to", TO, "--user", USER, "--smtp-host", "localhost", "--smtp-port", String(port)] as const;
const readValues = (home: Home) => parse(readFileSync(envFileOf(home)));

/** Nothing of a password, nor of its encoded form and key, in what was said. */
function expectSecrecy(home: Home, password: string, { stdout, stderr }: Pick<RunResult, "stdout" | "stderr">): void {
  const { IPCHECK_SMTP_PASSWORD_VIGENERE: encoded, IPCHECK_VIGENERE_KEY: key } = existsSync(envFileOf(home))
    ? readValues(home)
    : {};
  for (const secret of [...formsOf(password), encoded, key]) if (secret) expect(stdout + stderr).not.toContain(secret);
}

const PASSWORD = "corr3ct h0rse #b4ttery";
const CLEAR_LINE = "\x15";
const DOWN = "\x1b[B";
const PRELOADS = ["no-ipv6.cjs", "moved-ports.cjs", "../support/fake-names.cjs"].map((name) => join(__dirname, name));

async function type(home: Home, dialogue: Dialogue, ...flags: string[]): Promise<string> {
  // The last question of all, where it comes.
  const through = typing([...dialogue, ["can be reached from outside?", "\r"]]);
  const options = { env: { TERM: "xterm" }, preload: PRELOADS, through, killAfterMs: 12_000 };
  return (await home.run(["init", ...flags], options)).stdout;
}

/** A home whose mailbox's server is not known from its domain, and whose names are all looked up here. */
async function makeTerminal(): Promise<Awaited<ReturnType<typeof makeHome>>> {
  const home = await makeHome();
  const nowhere = ["smtp", "mail"].map((name) => [`${name}.home.example`, ["127.0.0.9"]]);
  home.env["FAKE_NAMES"] = JSON.stringify(Object.fromEntries(nowhere));
  return home;
}

/** An env file as somebody keeps it, with a mailbox that works. */
const KEPT = `# my settings
export IPCHECK_TO=${TO} # me
IPCHECK_ON_CHANGE='true #1'

IPCHECK_SMTP_USER=${USER}
IPCHECK_SMTP_HOST=localhost
IPCHECK_SMTP_PORT=PORT
IPCHECK_SMTP_PASSWORD='${PASSWORD}'
IPCHECK_SSH="ssh -J jump pi@{ip}"
#IPCHECK_NAME=
IPCHECK_NAME=attic
IPCHECK_FAMILY=4
IPCHECK_LANG=fr
`;
const keptFor = ({ port }: { port: number }) => KEPT.replace("=PORT", `=${port}`);

/** Enter at every question of a second run. */
const AS_BEFORE: readonly (readonly string[])[] = [
  ["Who is told?", "\r"],
  ["Which mailbox sends?", "\r"],
  ["Enter keeps the one that is there", "\r"],
  ["How do you log in from outside?", "\r"],
];

describe.concurrent("on a terminal", () => {
  beforeEach(async ({ skip }) => {
    const why = await whyNoTerminal();
    if (why) skip(why);
  });

  const questions = (port: number): [string, string][] => [
    ["Who is told?", `${TO}\r`],
    ["Which mailbox sends?", `${USER}\r`],
    ["Mail server?", "localhost\r"],
    ["Its port?", `${CLEAR_LINE}${port}\r`],
    [`Password of ${USER}`, `${PASSWORD}\r`],
    ["How do you log in from outside?", `${CLEAR_LINE}pi:2222\r`],
    ["Write this?", "\r"],
  ];

  test("every question is answered by hand, and the first check works quietly", async () => {
    const mail = await startProvider(PASSWORD);
    const home = await makeTerminal();
    const shown = await type(home, [
      ...questions(mail.port),
      ["Send a test mail now?", "y"],
      ["Your other lines in it stay as they are.", "n"],
    ]);
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
    expectSecrecy(home, PASSWORD, { stdout: shown, stderr: "" });
    expect(await home.run()).toMatchObject(SILENCE);
    expect(await home.run()).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(2);
    expect(mail.arrived[1]?.mail.subject).toContain(ADDRESS);
    expect(mail.arrived[1]?.mail.text).toContain(`ssh -p 2222 pi@${ADDRESS}`);
  });

  test("somebody with Gmail gives six answers until the test mail", async () => {
    const user = "home@gmail.com";
    const certificate = await issue({ names: ["smtp.gmail.com"] });
    const mail = await startProvider("", { certificate, login: { user, password: "abcdefghijklmnop" } });
    const home = await makeHome();
    home.env["FAKE_NAMES"] = JSON.stringify({ "smtp.gmail.com": ["127.0.0.1"] });
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
    const shown = await type(
      home,
      [
        ["Who is told?", `${TO}\r`],
        ["Which mailbox sends?", "\r"],
        ["Sender's address?", "\r"],
        ["How do you log in", "\r"],
        ["Write this?", "\r"],
      ],
      "--no-send",
      "--no-schedule",
    );
    expect(shown).toMatch(/\[exit code 0\]\n$/);
    const server = { IPCHECK_SMTP_HOST: "localhost", IPCHECK_SMTP_PORT: "25", IPCHECK_SMTP_SECURITY: "none" };
    expect(readValues(home)).toMatchObject({ ...server, IPCHECK_FROM: TO });
    expect(readValues(home)).not.toHaveProperty("IPCHECK_SMTP_USER");
  });

  test("a server that answers is suggested where the login's domain is unknown", async () => {
    const mail = await startProvider(PASSWORD, {
      security: "tls",
      certificate: await issue({ names: ["mail.home.example"] }),
    });
    const home = await makeTerminal();
    home.env["FAKE_NAMES"] = JSON.stringify({ "smtp.home.example": ["127.0.0.9"], "mail.home.example": ["127.0.0.1"] });
    home.env["MOVED_PORTS"] = JSON.stringify({ 465: mail.port, 587: 1 });
    const dialogue = [...questions(1).slice(0, 2), ["Mail server?", "\r"], ...questions(1).slice(4)];
    const shown = await type(home, [...dialogue, ["Send a test mail now?", "y"]], "--no-schedule");
    expect(shown).toContain("these answer: mail.home.example:465\n");
    expect(readValues(home)).toMatchObject({
      IPCHECK_SMTP_HOST: "mail.home.example",
      IPCHECK_SMTP_PORT: "465",
      IPCHECK_SMTP_SECURITY: "tls",
    });
    expect(mail.arrived).toHaveLength(1);
  });

  test("a second run begins from what is there, and changes nothing by itself", async () => {
    const home = await makeTerminal();
    writePrivate(envFileOf(home), keptFor({ port: 25 }));
    const before = listTree(dirname(envFileOf(home)));
    const shown = await type(home, [...AS_BEFORE, ["Nothing changes. Go on?", "\r"]], "--no-send", "--no-schedule");
    expect(shown).toMatch(/\[exit code 0\]\n$/);
    expect(shown).toContain("ssh -J jump pi@{ip}");
    expect(shown).toContain("language of the mails: français");
    expectSecrecy(home, PASSWORD, { stdout: shown, stderr: "" });
    expect(listTree(dirname(envFileOf(home)))).toEqual(before);
  });

  test("one answer is changed, the rest stays byte for byte, and only the last backup is kept", async () => {
    const home = await makeTerminal();
    const old = keptFor({ port: 25 });
    writePrivate(envFileOf(home), old);
    const change = async (to: string) => {
      const dialogue = [["Who is told?", `${CLEAR_LINE}${to}\r`], ...AS_BEFORE.slice(1), ["Write this?", "\r"]];
      return type(home, dialogue, "--no-send", "--no-schedule");
    };
    const shown = await change("new@example.net");
    expect(shown).toContain(`- IPCHECK_TO=${TO}\n  + IPCHECK_TO=new@example.net\n\n`);
    const written = old.replace(TO, "new@example.net");
    expect(readFileSync(envFileOf(home), "utf8")).toBe(written);
    expectBackup(home, old);
    await change("newest@example.net");
    expectBackup(home, written);
  });

  test("what is settled can be opened", async () => {
    const home = await makeTerminal();
    writePrivate(envFileOf(home), keptFor({ port: 25 }));
    const dialogue = [
      ...AS_BEFORE,
      ["Nothing changes. Go on?", `${DOWN}\r`],
      ["Which one?", `${DOWN.repeat(6)}\r`],
      ["How is this machine called", `${CLEAR_LINE}cellar\r`],
      ["Write this?", "\r"],
    ];
    await type(home, dialogue, "--no-send", "--no-schedule");
    expect(readFileSync(envFileOf(home), "utf8")).toBe(keptFor({ port: 25 }).replace("=attic", "=cellar"));
  });

  test.for<[string, Record<string, string>, string, string, string, string]>([
    ["password", { IPCHECK_SMTP_PASSWORD: "wrong" }, "the password", "\r", "Password of", `${PASSWORD}\r`],
    ["port", { IPCHECK_SMTP_PORT: "1" }, "mail server", `${DOWN}\r`, "Its port?", `${CLEAR_LINE}PORT\r`],
    ["encryption", { IPCHECK_SMTP_SECURITY: "tls" }, "mail server", `${DOWN.repeat(2)}\r`, "encrypted?", `${DOWN}\r`],
    ["recipient", { IPCHECK_TO: "gone@example.net" }, "who is told", "\r", "Who is told?", `${CLEAR_LINE}${TO}\r`],
    [
      "configuration",
      { IPCHECK_SMTP_SECURITY: "none", IPCHECK_SMTP_HOST: "mail.home.example" },
      "nothing, try again",
      `${DOWN.repeat(6)}\r`,
      "encrypted?",
      "\x1b[A\r",
    ],
  ])("a failed test mail asks again what is to blame: %s", async ([, fault, first, choice, question, answer]) => {
    const certificate = await issue({ names: ["localhost", "mail.home.example"] });
    const mail = await startProvider(PASSWORD, { certificate });
    mail.refusals.set("gone@example.net", [550, "5.1.1 no such user"]);
    const home = await makeTerminal();
    home.env["FAKE_NAMES"] = JSON.stringify({ "mail.home.example": ["127.0.0.1"] });
    const broken = editEnvText(keptFor(mail), fault) ?? "";
    writePrivate(envFileOf(home), broken);
    const dialogue = [
      ...AS_BEFORE,
      ["Go on?", "\r"],
      ["Send a test mail now?", "y"],
      ["What shall be corrected?", choice],
      [question, answer.replace("PORT", String(mail.port))],
    ];
    const shown = await type(home, dialogue, "--no-schedule");
    expect(shown).toContain(`What shall be corrected?\n│  ● ${first}`);
    expect(shown).toMatch(/ipcheck: error: .*\nipcheck: hint: /);
    expect(shown).toMatch(/took the test mail for owner@example\.net[\s\S]*\[exit code 0\]\n$/);
    expect(mail.arrived).toHaveLength(1);
    expectSecrecy(home, PASSWORD, { stdout: shown, stderr: "" });
    expectBackup(home, broken);
  });

  test("the backup is what was there before the first answer, not the first attempt", async () => {
    const mail = await startProvider(PASSWORD);
    const home = await makeTerminal();
    const old = editEnvText(keptFor(mail), { IPCHECK_SMTP_PASSWORD: "wrong" }) ?? "";
    writePrivate(envFileOf(home), old);
    const dialogue = [
      ["Who is told?", `${CLEAR_LINE}new@example.net\r`],
      ...AS_BEFORE.slice(1),
      ["Write this?", "\r"],
      ["Send a test mail now?", "y"],
      ["What shall be corrected?", "\r"],
      ["Password of", `${PASSWORD}\r`],
    ];
    const shown = await type(home, dialogue, "--no-schedule");
    // What was written before is not shown as a change once more.
    expect(shown).toContain(".env:\n  - IPCHECK_SMTP_PASSWORD=(not shown)\n  + IPCHECK_SMTP_PASSWORD=(not shown)\n\n");
    expect(mail.arrived).toHaveLength(1);
    expectBackup(home, old);
  });

  test("nor is the backup of a password file the first attempt", async () => {
    const mail = await startProvider(PASSWORD);
    const home = await makeTerminal();
    const file = writePrivate(join(home.path, "secret"), "older\n");
    const values = { IPCHECK_SMTP_PASSWORD: undefined, IPCHECK_SMTP_PASSWORD_FILE: "~/secret" };
    writePrivate(envFileOf(home), editEnvText(keptFor(mail), values) ?? "");
    const dialogue = [
      ...AS_BEFORE.slice(0, 2),
      ["Enter keeps the one that is there", "wrong\r"],
      ...AS_BEFORE.slice(3),
      ["Write this?", "\r"],
      ["Send a test mail now?", "y"],
      ["What shall be corrected?", "\r"],
      ["Password of", `${PASSWORD}\r`],
    ];
    await type(home, dialogue, "--no-schedule");
    expect([file, `${file}.backup`].map((path) => readFileSync(path, "utf8"))).toEqual([`${PASSWORD}\n`, "older\n"]);
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
    await type(home, dialogue, ...answersFor({ port: 25 }), "--store", "file", "--no-send", "--no-schedule");
    expect(readValues(home)).toMatchObject({ IPCHECK_SMTP_HOST: "localhost", IPCHECK_FROM: TO });
    expect(readdirSync(dirname(envFileOf(home)))).toEqual([".env"]);
  });

  test("who goes on without a test mail is told so: exit 5", async () => {
    const mail = await startProvider("another");
    const home = await makeTerminal();
    writePrivate(envFileOf(home), keptFor(mail));
    const dialogue = [
      ...AS_BEFORE,
      ["Go on?", "\r"],
      ["Send a test mail now?", "y"],
      ["What shall be corrected?", `${DOWN.repeat(3)}\r`],
    ];
    const shown = await type(home, dialogue, "--no-schedule");
    expect(shown).toMatch(/try 'ipcheck doctor --send'[\s\S]*\[exit code 5\]\n$/);
  });

  test.for([
    ["its own", "# ipcheck: begin (written by 'ipcheck schedule install')\n7 * * * * NODE BIN check\n# ipcheck: end\n"],
    ["somebody's", "MAILTO=me\n17 * * * * NODE BIN check\n"],
  ])("a schedule that is there is not asked for: %s", async ([, table = ""]) => {
    const home = await makeTerminal();
    writePrivate(envFileOf(home), keptFor({ port: 25 }));
    home.crontab.table = table.replace("NODE", process.execPath).replace("BIN", BIN);
    const before = home.crontab.table;
    const shown = await type(home, [...AS_BEFORE, ["Go on?", "\r"]], "--no-send");
    expect(shown).toMatch(/the schedule is there already \(crontab\)[\s\S]*\[exit code 0\]\n$/);
    expect(home.crontab.table).toBe(before);
  });

  test.for([
    ["another configuration", "7 * * * * NODE BIN check --config /etc/other\n"],
    ["a node that is gone", "7 * * * * /nope/node BIN check\n"],
  ])("a schedule of %s does not count", async ([, table = ""]) => {
    const home = await makeTerminal();
    writePrivate(envFileOf(home), keptFor({ port: 25 }));
    home.crontab.table = table.replace("NODE", process.execPath).replace("BIN", BIN);
    const dialogue = [...AS_BEFORE, ["Go on?", "\r"], ["Install this as crontab?", "n"]];
    expect(await type(home, dialogue, "--no-send")).toMatch(/nothing was installed/);
  });

  test.for([40, 80])("every question wraps inside its frame at %i columns, in English", async (columns) => {
    const mail = await startProvider("another");
    const home = await makeTerminal();
    home.env["LANG"] = "fr_FR.UTF-8";
    const [to, mailbox, server, port, password, ssh, write] = questions(mail.port) as [string, string][];
    const dialogue = [
      columns,
      ["Who is told?", "nobody\r"],
      ["expected mail addresses", `${CLEAR_LINE}${TO}\r`],
      ...[mailbox, server, port, password, ssh, write],
      ["Send a test mail now?", "y"],
      ["What shall be corrected?", "\x03"],
    ];
    const shown = await type(home, dialogue as Dialogue, "--no-schedule");
    expect(to).toBeDefined();
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

function expectBackup(home: Home, text: string): void {
  const backup = `${envFileOf(home)}.backup`;
  expect(readFileSync(backup, "utf8")).toBe(text);
  expect(statSync(backup).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(backup))).toHaveLength(2);
}

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
  test("without a terminal nobody can be asked", async () => {
    const home = await makeHome();
    const before = listTree(home.path);
    const run = await home.run(["init"]);
    expect(run).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringMatching(ERROR_AND_HINT) });
    expect(run.stderr).toMatch(/hint: .*init --yes --to … --user … --password-stdin/);
    expect(listTree(home.path)).toEqual(before);
  });

  const GIVEN = ["--yes", "--password-stdin", ...answersFor({ port: 587 })];
  const without = (flag: string) => GIVEN.filter((_, index) => ![GIVEN[index], GIVEN[index - 1]].includes(flag));
  test.for<[string, string[], RegExp]>([
    ["nobody to tell", without("--to"), /--to is needed/],
    ["no mailbox", without("--user"), /--user is needed/],
    ["no server for an unknown domain", without("--smtp-host"), /--smtp-host is needed/],
    ["no password", GIVEN.filter((flag) => flag !== "--password-stdin"), /--password-stdin/],
    ["an address that is none", [...GIVEN, "--to", "owner"], /--to: expected mail addresses/],
    ["a port that is none", [...GIVEN, "--smtp-port", "smtp"], /--smtp-port: expected a port/],
    ["a security that is none", [...GIVEN, "--smtp-security", "ssl"], /expected tls, starttls or none/],
    ["a store that is none", [...GIVEN, "--store", "safe"], /--store: expected vigenere, clear, file or command/],
    ["a store that every object has", [...GIVEN, "--store", "toString"], /--store: expected vigenere/],
    ["a language that is none", [...GIVEN, "--lang", "xx"], /expected en\b/],
    ["a line break in a name", [...GIVEN, "--name", "a\nIPCHECK_TO=b"], /--name: expected one line/],
  ])("refused, nothing written: %s", async ([, flags, error]) => {
    const home = await makeHome();
    const before = listTree(home.path);
    const run = await home.run(["init", ...flags], { input: "hunter22\n" });
    expect(run).toMatchObject({ exitCode: 2, stdout: "" });
    expect(run.stderr).toMatch(error);
    expect(run.stderr).not.toContain("hunter22");
    expect(listTree(home.path)).toEqual(before);
  });

  // Only the first line of such a value is masked.
  test("a password with a line break is refused or kept from the output", async () => {
    const home = await makeHome();
    const flags = ["--yes", ...answersFor({ port: 587 }), "--store", "clear", "--password", "first\nsecond"];
    expect((await home.run(["init", ...flags])).stdout).not.toContain("second");
  });

  const anyPassword = fc
    .array(fc.constantFrom(..."abzAZ09 #'\"`\\$=%&{}()<>|;!~@,.:é€".split("")), { minLength: 5, maxLength: 16 })
    .map((characters) => characters.join(""));
  const PASSWORDS = [
    ...[
      'it\'s #1 "quoted" word',
      "ends in a hash#",
      " spaces around ",
      "back\\slash\\n\\",
      "a=b=c==",
      "$HOME $(id) `id`",
    ],
    ...[
      "# begins",
      "'single'",
      '"double"',
      "`back`'tick'",
      "export x=y",
      "pä$$wörd €uro",
      "-x --store=file",
      "%s%00%n",
    ],
    ...fc.sample(anyPassword, { numRuns: 6, seed: 2026 }),
  ];
  const STORES = ["vigenere", "clear", "file"] as const;

  test.for(PASSWORDS.map((password, index) => [password, STORES[index % 3] ?? "file"] as const))(
    "the password %j survives, store %s",
    async ([password, store]) => {
      const mail = await startProvider(password);
      const home = await makeHome();
      const flags = ["--yes", "--password-stdin", "--store", store, ...answersFor(mail)];
      const init = await home.run(["init", ...flags], { input: `${password}\r\n` });
      expect(init).toMatchObject({ exitCode: 0 });
      expectSecrecy(home, password, init);
      expect(await home.run()).toMatchObject(SILENCE);
      expect(mail.logins).toEqual([{ user: USER, password }]);
    },
  );

  test("what no quoting can carry is kept in a file or encoded, never mangled", async () => {
    const password = 'it\'s "so" `odd` #1';
    const mail = await startProvider(password);
    for (const store of ["clear", "vigenere", "file"]) {
      const home = await makeHome();
      const flags = ["--yes", "--password-stdin", "--store", store, ...answersFor(mail)];
      const run = await home.run(["init", ...flags], { input: `${password}\n` });
      expectSecrecy(home, password, run);
      if (store === "clear") {
        expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/hint: .*--store file/) });
        expect(existsSync(envFileOf(home))).toBe(false);
      } else {
        expect(run).toMatchObject({ exitCode: 0 });
        expect(await home.run()).toMatchObject(SILENCE);
      }
    }
    expect(mail.logins).toEqual([1, 2].map(() => ({ user: USER, password })));
  });

  test.for([...STORES, "command"] as const)(
    "the spaces that Google shows are no part of it, store %s",
    async (store) => {
      const mail = await startProvider("abcdefghijklmnop");
      const home = await makeHome();
      const command = "printf 'abcdefghijklmnop\\nsecond line\\n'";
      const source = store === "command" ? ["--password-command", command] : ["--password-stdin"];
      const flags = ["--yes", "--store", store, ...source, ...answersFor(mail), "--send", "--schedule"];
      const init = await home.run(["init", ...flags], { input: "abcd efgh ijkl mnop\n" });
      expect(init).toMatchObject({ exitCode: 0 });
      expect(mail.arrived).toHaveLength(1);
      expect(home.crontab.table).toMatch(/ check\n/);
      const values = readValues(home);
      const { IPCHECK_SMTP_PASSWORD_VIGENERE: encoded = "", IPCHECK_VIGENERE_KEY: key = "" } = values;
      if (store === "vigenere") expect(decodeVigenere(encoded, key)).toBe("abcdefghijklmnop");
      if (store === "clear") expect(values["IPCHECK_SMTP_PASSWORD"]).toBe("abcdefghijklmnop");
      if (store === "command") expect(values["IPCHECK_SMTP_PASSWORD_COMMAND"]).toBe(command);
      if (store === "file") {
        const path = join(dirname(envFileOf(home)), "smtp-password");
        expect(values["IPCHECK_SMTP_PASSWORD_FILE"]).toBe(path);
        expect(readFileSync(path, "utf8")).toBe("abcdefghijklmnop\n");
        expect(statSync(path).mode & 0o777).toBe(0o600);
      }
      if (store !== "command") expectSecrecy(home, "abcdefghijklmnop", init);
      expect(await home.run()).toMatchObject(SILENCE);
      expect(mail.arrived).toHaveLength(2);
    },
  );

  test("--relay sends without a login", async () => {
    const mail = await startMail();
    const home = await makeHome();
    const flags = ["--yes", "--relay", "--to", `${TO}, second@example.net`, "--smtp-port", String(mail.port)];
    expect(await home.run(["init", ...flags, "--smtp-host", "127.0.0.1"])).toMatchObject({ exitCode: 0 });
    expect(await home.run()).toMatchObject(SILENCE);
    expect(mail.arrived).toMatchObject([{ user: undefined, recipients: [TO, "second@example.net"] }]);
    const bare = await makeHome();
    expect(await bare.run(["init", "--yes", "--relay", "--to", TO])).toMatchObject({ exitCode: 0 });
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
    const folder = dirname(envFileOf(home));
    writePrivate(envFileOf(home), "IPCHECK_NAME=old\n");
    const flags = {
      to: TO,
      user: "login",
      from: "from@example.net",
      "smtp-host": "smtp.example.net",
      "smtp-port": "465",
      "smtp-security": "tls",
      password: "hunter #22",
      store: "clear",
      name: "the attic's pi",
      family: "both",
      lang: "fr",
      ssh: "pi:2222",
    };
    const switches = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    const options = { cwd: folder };
    const run = await home.run(["init", "-y", "--config", ".env", ...switches, "--no-send", "--no-schedule"], options);
    expect(run).toMatchObject({ exitCode: 0 });
    expectSecrecy(home, flags.password, run);
    expect(readValues(home)).toEqual({
      IPCHECK_TO: TO,
      IPCHECK_FROM: flags.from,
      IPCHECK_SMTP_HOST: flags["smtp-host"],
      IPCHECK_SMTP_PORT: "465",
      IPCHECK_SMTP_SECURITY: "tls",
      IPCHECK_SMTP_USER: "login",
      IPCHECK_SMTP_PASSWORD: flags.password,
      IPCHECK_NAME: flags.name,
      IPCHECK_SSH: "ssh -p 2222 pi@{ip}",
      IPCHECK_FAMILY: "both",
      IPCHECK_LANG: "fr",
    });
    expectBackup(home, "IPCHECK_NAME=old\n");
  });

  test("a password file that is gone is not said to hold a password", async () => {
    const home = await makeHome();
    const text = keptFor({ port: 25 }).replace(/IPCHECK_SMTP_PASSWORD=.*/, "IPCHECK_SMTP_PASSWORD_FILE=~/gone");
    writePrivate(envFileOf(home), text);
    const { exitCode, stderr } = await home.run(["init", "--yes", "--relay"]);
    expect(exitCode).toBe(0);
    expect(readValues(home)).not.toHaveProperty("IPCHECK_SMTP_PASSWORD_FILE");
    expect(stderr).not.toContain("still holds");
  });

  test("what no switch names stays as it is in an existing file", async () => {
    const home = await makeHome();
    writePrivate(envFileOf(home), keptFor({ port: 25 }));
    const init = (...flags: string[]) => home.run(["init", "--yes", ...flags], { input: "hunter22\n" });
    expect(await init()).toMatchObject({ exitCode: 0 });
    expect(readFileSync(envFileOf(home), "utf8")).toBe(keptFor({ port: 25 }));
    expect(await init("--name", "cellar")).toMatchObject({ exitCode: 0 });
    expect(readFileSync(envFileOf(home), "utf8")).toBe(keptFor({ port: 25 }).replace("=attic", "=cellar"));
    expect(await init("--password-stdin", "--store", "file")).toMatchObject({ exitCode: 0 });
    expect(readValues(home)).not.toHaveProperty("IPCHECK_SMTP_PASSWORD");
    const file = editEnvText(readFileSync(envFileOf(home), "utf8"), { IPCHECK_SMTP_PASSWORD_FILE: "~/secret" });
    writePrivate(envFileOf(home), file ?? "");
    expect(await init("--password-stdin")).toMatchObject({ exitCode: 0 });
    expect(readFileSync(join(home.path, "secret"), "utf8")).toBe("hunter22\n");
    const stderr = expect.stringContaining("~/secret still holds a password");
    expect(await init("--relay")).toMatchObject({ exitCode: 0, stderr });
    const text = keptFor({ port: 25 }).replace("=attic", "=cellar");
    const expected = text.replace(/IPCHECK_SMTP_(USER|PASSWORD)=.*\n/g, "");
    expect(readFileSync(envFileOf(home), "utf8")).toContain(expected.slice(0, 80));
    expect(readValues(home)).not.toHaveProperty("IPCHECK_SMTP_USER");
    expect(readValues(home)).toMatchObject({ IPCHECK_ON_CHANGE: "true #1", IPCHECK_SMTP_SECURITY: "none" });
  });

  test("another mailbox wants its own password and server", async () => {
    const home = await makeHome();
    writePrivate(envFileOf(home), `${keptFor({ port: 25 })}IPCHECK_FROM=${USER}\n`);
    const flags = ["init", "--yes", "--user", "x@orange.fr"];
    expect(await home.run(flags)).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/--password-stdin/) });
    expect(await home.run([...flags, "--password-stdin"], { input: "hunter22\n" })).toMatchObject({ exitCode: 0 });
    expect(readValues(home)).toMatchObject({
      IPCHECK_SMTP_HOST: "smtp.orange.fr",
      IPCHECK_SMTP_PORT: "465",
      IPCHECK_SMTP_PASSWORD: "hunter22",
    });
    expect(readValues(home)).not.toHaveProperty("IPCHECK_FROM");
  });

  test("the file in use is the one that is edited", async () => {
    const home = await makeHome();
    const file = join(home.path, "elsewhere");
    writePrivate(file, keptFor({ port: 25 }));
    home.env["IPCHECK_CONFIG"] = file;
    expect(await home.run(["init", "--yes", "--name", "cellar", "--schedule"])).toMatchObject({ exitCode: 0 });
    expect(readFileSync(file, "utf8")).toContain("IPCHECK_NAME=cellar\n");
    expect(home.crontab.table).toMatch(/ check --config \S*elsewhere\n/);
  });

  test("placeholders and lines that say nothing are no answers", async () => {
    const home = await makeHome();
    const example = readFileSync(join(__dirname, "..", "..", ".env.example"), "utf8");
    writePrivate(envFileOf(home), `${example}IPCHECK_NAME attic\n`);
    const run = await home.run(["init", ...GIVEN, "--password", "hunter22"]);
    expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/# line \d+: .*\(kept as a comment\)/) });
    const text = readFileSync(envFileOf(home), "utf8");
    expect(text).toContain("# IPCHECK_NAME attic\n");
    expect(text).toContain(`#IPCHECK_LANG=en\nIPCHECK_LANG=en\n`);
  });

  test("a mistake that init does not ask about is reported after the file is written", async () => {
    const home = await makeHome();
    writePrivate(envFileOf(home), `${keptFor({ port: 25 })}IPCHECK_TIMEOUT=soon\n`);
    const run = await home.run(["init", "--yes", "--name", "cellar"]);
    expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/IPCHECK_TIMEOUT.*\n.*correct it there/) });
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
    const run = await home.run(["init", "--yes", "--to", TO, "--user", user, "--password-stdin"], {
      input: "hunter22",
    });
    expect(run).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(note) });
    expect(readValues(home)).toMatchObject({
      IPCHECK_SMTP_HOST: host,
      IPCHECK_SMTP_PORT: port,
      IPCHECK_SMTP_SECURITY: security,
    });
  });

  test("a relay and a login do not go together", async () => {
    const home = await makeHome();
    const run = await home.run(["init", "--yes", "--to", TO, "--relay", "--user", USER]);
    expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(ERROR_AND_HINT) });
    expect(existsSync(envFileOf(home))).toBe(false);
  });

  test("a folder that cannot be written in is named", async () => {
    const home = await makeHome();
    writePrivate(join(home.path, ".config"), "a file in its place");
    const run = await home.run(["init", ...GIVEN], { input: "hunter22\n" });
    expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/cannot write .*\.env .*\n.*--config/) });
  });

  test("a test mail that is refused keeps the file: exit 5", async () => {
    const mail = await startProvider("another");
    const home = await makeHome();
    const flags = ["--yes", "--password-stdin", ...answersFor(mail), "--send"];
    const run = await home.run(["init", ...flags], { input: "hunter22\n" });
    expect(run).toMatchObject({ exitCode: 5, stderr: expect.stringMatching(/refused the login.*\n.*hint: /) });
    expect(run.stderr).toMatch(/correct it, then try 'ipcheck doctor --send'/);
    expect(existsSync(envFileOf(home))).toBe(true);
  });
});
