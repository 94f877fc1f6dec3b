import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { parse } from "dotenv";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { decodeVigenere } from "../../src/config/vigenere";
import type { Home } from "../support/home";
import { BIN, type RunResult } from "../support/run-ipcheck";
import {
  ADDRESS,
  ERROR_AND_HINT,
  envFileOf,
  formsOf,
  listTree,
  makeHome,
  python,
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

describe.concurrent("on a terminal", () => {
  const PASSWORD = "corr3ct h0rse #b4ttery";
  const CLEAR_LINE = "\x15";
  const TYPIST = join(__dirname, "..", "support", "typist.py");
  const NO_IPV6 = join(__dirname, "no-ipv6.cjs");

  async function type(home: Home, dialogue: readonly (readonly string[])[], ...flags: string[]): Promise<string> {
    const node = process.env["IPCHECK_TEST_NODE"] ?? process.execPath;
    const env = Object.entries({ ...home.env, TERM: "xterm" }).map((pair) => pair.join("="));
    const command = ["/usr/bin/env", "-i", ...env, node, "--require", NO_IPV6, BIN, "init", ...flags];
    return (await python(TYPIST, JSON.stringify(dialogue), ...command)).stdout;
  }

  const questions = (port: number): [string, string][] => [
    ["Who is told?", `${TO}\r`],
    ["How is mail sent?", "\r"],
    ["Which mailbox sends?", `${USER}\r`],
    ["Mail server?", "localhost\r"],
    ["Its port?", `${CLEAR_LINE}${port}\r`],
    ["How is the password kept?", "\r"],
    ["Password (with Gmail", `${PASSWORD}\r`],
    ["How is this machine called", `${CLEAR_LINE}attic pi\r`],
    ["Which addresses?", "\r"],
    ["Language of the mails?", "\r"],
    ["Write this file?", "y"],
  ];

  test("every question is answered by hand, and the first check works quietly", async ({ skip }) => {
    const why = await whyNoTerminal();
    if (why) return skip(why);
    const mail = await startProvider(PASSWORD);
    const home = await makeHome();
    const shown = await type(home, [
      ...questions(mail.port),
      ["Send a test mail now?", "y"],
      ["Run check every hour?", "y"],
      ["Install this as crontab?", "n"],
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
      IPCHECK_NAME: "attic pi",
      IPCHECK_FAMILY: "4",
      IPCHECK_LANG: "en",
    });
    expect(mail.arrived).toMatchObject([{ user: USER, isEncrypted: true, mail: { subject: /test/i } }]);
    expect(mail.arrived[0]?.mail.subject).toMatch(/test/i);
    expect(shown).toMatch(/ \* \* \* \* \S*node\S* .*ipcheck\.js check\n/);
    expect(shown).toMatch(/nothing was installed/);
    expect(home.crontab.table).toBeUndefined();
    expectSecrecy(home, PASSWORD, { stdout: shown, stderr: "" });
    expect(await home.run()).toMatchObject(SILENCE);
    expect(await home.run()).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(2);
    expect(mail.arrived[1]?.mail.subject).toMatch(`attic pi`);
    expect(mail.arrived[1]?.mail.subject).toContain(ADDRESS);
  });

  test.for(questions(25).map(([question], index) => [question, index] as const))(
    "Ctrl-C leaves nothing written: %s",
    async ([question, index], { skip }) => {
      const why = await whyNoTerminal();
      if (why) return skip(why);
      const home = await makeHome();
      const before = listTree(home.path);
      const shown = await type(home, [...questions(25).slice(0, index), [question, "\x03"]]);
      expect(shown).toContain(question);
      expect(shown).toMatch(/ipcheck: error: stopped; nothing was written\n+\[exit code 2\]\n$/);
      expect(listTree(home.path)).toEqual(before);
    },
  );

  // Behind this question the file is there, and yet 'nothing was written' is said.
  test("Ctrl-C at the offer of a test mail keeps the file, and says so", async ({ skip }) => {
    const why = await whyNoTerminal();
    if (why) return skip(why);
    const home = await makeHome();
    const shown = await type(home, [...questions(25), ["Send a test mail now?", "\x03"]]);
    expect(existsSync(envFileOf(home))).toBe(true);
    expect(shown).not.toContain("nothing was written");
  });

  test.for([
    ["n", "nothing was written"],
    ["y", "written: "],
  ] as const)("an existing file is replaced only by consent: %s", async ([answer, said], { skip }) => {
    const why = await whyNoTerminal();
    if (why) return skip(why);
    const home = await makeHome();
    const old = "# mine\nIPCHECK_TO=old@example.net\n";
    writePrivate(envFileOf(home), old);
    const before = listTree(dirname(envFileOf(home)));
    const flags = ["--password", PASSWORD, "--store", "clear", "--name", "x", "--family", "4", "--lang", "en"];
    const dialogue = [["Replace the existing file (a backup is kept)?", answer]] as const;
    const shown = await type(home, dialogue, ...answersFor({ port: 25 }), ...flags, "--no-send", "--no-schedule");
    expect(shown).toMatch(/\[exit code 0\]\n$/);
    expect(shown).toContain(said);
    if (answer === "n") expect(listTree(dirname(envFileOf(home)))).toEqual(before);
    else expectBackup(home, old);
  });
});

function expectBackup(home: Home, text: string): void {
  const folder = dirname(envFileOf(home));
  const backups = readdirSync(folder).filter((name) => name.startsWith(".env.backup-"));
  expect(backups).toHaveLength(1);
  expect(readFileSync(join(folder, backups[0] ?? ""), "utf8")).toBe(text);
  expect(statSync(join(folder, backups[0] ?? "")).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toHaveLength(2);
  expect(readValues(home)).toMatchObject({ IPCHECK_TO: TO });
}

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
      IPCHECK_FAMILY: "both",
      IPCHECK_LANG: "fr",
    });
    expectBackup(home, "IPCHECK_NAME=old\n");
  });

  test.for([
    ["x@gmail.com", "smtp.gmail.com", "587", "starttls", /app password/],
    ["x@orange.fr", "smtp.orange.fr", "465", "tls", /^/],
    ["x@laposte.net", "smtp.laposte.net", "465", "tls", /^/],
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
