// What a user does wrong, and what the disk, the lock and the mail server may answer: said in one
// breath with what to do about it, with nothing half done and no secret told.

import { chmodSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "dotenv";
import { describe, expect, test, vi } from "vitest";
import { encodeVigenere } from "../../src/config/vigenere";
import { EMPTY_STATE, encodeState } from "../../src/state/state";
import {
  ADDRESS,
  authority,
  ERROR_AND_HINT,
  envFileOf,
  issue,
  listTree,
  SILENCE,
  startEcho,
  startMail,
  USER,
  whyNoTerminal,
  writePrivate,
} from "../setup/workbench";
import { Home } from "../support/home";
import type { MailServerOptions } from "../support/mail-server";
import { hang, startPanel } from "../support/panel";
import { runHere } from "../support/run-here";
import { runIpcheck, typing } from "../support/run-ipcheck";

vi.setConfig({ maxConcurrency: 3 });

const FAILING_CONNECT = join(__dirname, "..", "support", "failing-connect.cjs");
const SLOW_TERMINAL = join(__dirname, "..", "support", "slow-terminal.cjs");

/** A home that asks one service and mails through one server. */
async function makeBench(answer = ADDRESS, start = runHere) {
  const [echo, mail] = await Promise.all([startEcho(answer), startMail()]);
  return { echo, mail, home: new Home(start).useServices(echo).useMail(mail) };
}

function writeState({ stateFile }: Home, text: string): void {
  mkdirSync(dirname(stateFile), { recursive: true, mode: 0o700 });
  writePrivate(stateFile, text);
}

describe.concurrent("a command line or a configuration that cannot be", () => {
  test.for<[what: string, args: string[], env: Record<string, string>, ...said: RegExp[]]>([
    ["unknown command", ["chec"], {}, /unknown command 'chec'/, /hint: .*'ipcheck check'/],
    ["help for an unknown command", ["help", "chek"], {}, /unknown command 'chek'/, /hint: .*'ipcheck check'/],
    ["help for nothing known", ["help", "nope"], {}, /unknown command 'nope'/, /hint: .*--help/],
    ["help behind an option", ["--json", "help", "vignere"], {}, /'vignere'/, /'ipcheck vigenere'/],
    ["a mistyped action", ["schedule", "instal"], {}, /not 'instal'/, /hint: .*'ipcheck schedule install'/],
    ["another program's action", ["schedule", "uninstall"], {}, /not 'uninstall'/, /hint: .*'ipcheck schedule remove'/],
    ["version without dashes", ["version"], {}, /'version'/, /hint: .*'ipcheck --version'/],
    ["version, mistyped", ["verison"], {}, /'verison'/, /hint: .*'ipcheck --version'/],
    ["in capitals", ["Status"], {}, /'Status'/, /hint: .*'ipcheck status'/],
    ["another program's command", ["setup"], {}, /'setup'/, /hint: .*'ipcheck init'/],
    ["no action", ["schedule", "frobnicate"], {}, /install, remove or show/, /hint: .*schedule --help/],
    ["an option's old name", ["--env-file=/dev/null", "check"], {}, /'--env-file'/, /hint: .*--config/],
    ["a secret behind a mistyped option", ["init", "--passwort=hunter22"], {}, /unknown option '--passwort'/],
    ["unknown command like nothing", ["frobnicate"], {}, /unknown command 'frobnicate'/, /hint: .*--help/],
    ["unknown command with a terminal's controls", ["\x1B[2J"], {}, /unknown command '\\u\{1b\}\[2J'/],
    ["unknown command behind an option", ["-v", "chekc"], {}, /unknown command 'chekc'/],
    ["unknown option", ["--verbos"], {}, /unknown option '--verbos'/, /--verbose/],
    ["unknown option of a command", ["check", "--frob"], {}, /unknown option '--frob'/],
    ["extra argument", ["check", "now"], {}, /too many arguments/],
    ["option without its value", ["--config"], {}, /argument missing/],
    ["a short option with =", ["-c=/dev/null"], {}, /unknown option '-c=\/dev\/null'/, /hint: write -c FILE/],
    ["a short option with =, of a command", ["check", "-c=/x"], {}, /unknown option '-c=\/x'/, /--config=FILE/],
    ["env file that is not there, by option", ["--config", "/nope/.env"], {}, /--config: .* does not exist/],
    ["vigenere: both switches", ["vigenere", "--env", "--decode", "K", "x"], {}, /--decode and --env/],
    ["vigenere: extra argument", ["vigenere", "KEY", "four", "word"], {}, /too many arguments/],
    ["a terminal's controls in a name", [], { IPCHECK_NAME: "attic\u0007\u001b[2J" }, /IPCHECK_NAME/],
    [
      "two at once",
      [],
      { IPCHECK_SMTP_PORT: "0", IPCHECK_FAMILY: "5" },
      /^ipcheck: +IPCHECK_FAMILY: /m,
      /: +IPCHECK_SMTP_/,
    ],
  ])("%s", async ([, args, env, ...said]) => {
    const echo = await startEcho();
    const home = new Home(runHere).useServices(echo);
    const before = listTree(home.path);
    const { exitCode, stdout, stderr } = await home.run(args, { env });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    for (const words of said) expect(stderr).toMatch(words);
    expect(stderr).toMatch(/^ipcheck: error: .+\n(ipcheck: {3}.+\n)*ipcheck: hint: .+\n$/);
    expect(stderr).not.toMatch(/hunter22|\p{Cc}(?<!\n)/u);
    expect(echo.requests).toEqual([]);
    expect(listTree(home.path)).toEqual(before);
  });

  test.for([
    [["--help"], /Usage: ipcheck[\s\S]*vigenere/],
    [["-h"], /Usage: ipcheck/],
    [["help"], /Usage: ipcheck/],
    [["help", "help"], /Usage: ipcheck/],
    [["check", "--help"], /Usage: ipcheck check[\s\S]*--dry-run/],
    [["vigenere", "--help"], /Usage: ipcheck vigenere[\s\S]*nobody else/],
    [["--version"], /^\d+\.\d+\.\d+\n$/],
    [["-V"], /^\d+\.\d+\.\d+\n$/],
  ] as const)("%s is an answer, not a failure", async ([args, words]) => {
    const home = new Home(runHere);
    const before = listTree(home.path);
    const { exitCode, stdout, stderr } = await home.run([...args], { env: { IPCHECK_FAMILY: "nonsense" } });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(words);
    expect(listTree(home.path)).toEqual(before);
  });
});

describe.concurrent("the state", () => {
  test.for([
    ["below /proc", () => "/proc/nope/ipcheck/state.json"],
    ["below a file", ({ path }: Home) => join(path, "file", "state.json")],
    ["in a folder's place", ({ path }: Home) => join(path, "folder")],
    ["in a device's place", () => "/dev/null"],
  ] as const)("cannot be %s: exit 4, and soon", async ([, place]) => {
    // A process that can be killed: on Node.js 20 some of these never return.
    const { mail, home } = await makeBench(ADDRESS, runIpcheck);
    writeFileSync(join(home.path, "file"), "x");
    mkdirSync(join(home.path, "folder"));
    const run = await home.run([], { env: { IPCHECK_STATE_FILE: place(home) }, killAfterMs: 5000 });
    expect(run).toMatchObject({ exitCode: 4, stdout: "" });
    expect(run.ms).toBeLessThan(3000);
    expect(run.stderr).toMatch(ERROR_AND_HINT);
    expect(readFileSync(join(home.path, "file"), "utf8")).toBe("x");
    expect(mail.arrived).toEqual([]);
  });

  test("of a newer version is refused and not touched", async () => {
    const { mail, home } = await makeBench();
    writeState(home, '{"version": 2, "addresses": ["203.0.113.99"]}\n');
    const before = listTree(dirname(home.stateFile));
    const run = await home.run();
    expect(run).toMatchObject({ exitCode: 4, stdout: "" });
    expect(run.stderr).toMatch(ERROR_AND_HINT);
    expect(run.stderr).toMatch(/newer/);
    expect(listTree(dirname(home.stateFile)).slice(1)).toEqual(before.slice(1));
    expect(mail.arrived).toEqual([]);
  });

  const NO_ADDRESS = { address: "home", confirmedBy: [] };
  test.for<[string, string]>([
    ["empty", ""],
    ["another program's", '["203.0.113.7"]\n'],
    ["of the wrong shape", encodeState({ ...EMPTY_STATE, outbox: {} } as never)],
    ["of an address that is none", encodeState({ ...EMPTY_STATE, families: { 4: { recorded: NO_ADDRESS } } })],
  ])("that is %s is kept aside for its owner, said once, and begun anew", async ([, text]) => {
    const { mail, home } = await makeBench();
    writeState(home, text);
    chmodSync(home.stateFile, 0o644);
    const run = await home.run();
    expect(run).toMatchObject({ exitCode: 0, stdout: "" });
    expect(run.stderr).toMatch(/^ipcheck: warning: [^\n]+\n$/);
    const aside = home.listStateFolder().filter((name) => !["state.json", "history.jsonl"].includes(name));
    expect(aside).toHaveLength(1);
    expect(run.stderr).toContain(aside.join());
    const path = join(dirname(home.stateFile), aside.join());
    expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual([text, 0o600]);
    expect(home.readState().families[4].recorded.address).toBe(ADDRESS);
    expect(mail.arrived).toHaveLength(1);
    expect(await home.run()).toMatchObject(SILENCE);
  });

  test.for([
    ["203.0.113.7\n", "203.0.113.7"],
    ["  203.0.113.9\r\n", "203.0.113.9"],
  ] as const)("of an older script is taken over: %j", async ([text, old]) => {
    const { mail, home } = await makeBench();
    writeState(home, text);
    // Such scripts write at a change alone: an old file is no outage.
    const longAgo = new Date(Date.now() - 100 * 86_400_000);
    utimesSync(home.stateFile, longAgo, longAgo);
    expect(await home.run()).toMatchObject(SILENCE);
    expect(home.readState().families[4].recorded.address).toBe(ADDRESS);
    expect(home.listStateFolder().filter((name) => name.includes("unreadable"))).toEqual([]);
    expect(mail.arrived).toHaveLength(old === ADDRESS ? 0 : 1);
    for (const { mail: message } of mail.arrived) expect(message.text).toMatch(/203\.0\.113\.9/);
    expect(await home.run()).toMatchObject(SILENCE);
  });
});

describe.concurrent("check's switches", () => {
  test("--dry-run says what would be done and touches nothing", async () => {
    const { mail, echo, home } = await makeBench();
    const hook = join(home.path, "hook-ran");
    home.env["IPCHECK_ON_CHANGE"] = `touch '${hook}'`;
    const expectUntouched = async (...said: RegExp[]) => {
      const before = listTree(home.path);
      const run = await home.run(["--dry-run"]);
      expect(run).toMatchObject({ exitCode: 0, stderr: "" });
      for (const words of said) expect(run.stdout).toMatch(words);
      expect(listTree(home.path)).toEqual(before);
      return run;
    };
    // Nothing recorded, no folder there: none is made.
    await expectUntouched(/203\.0\.113\.7/, /would write/, /would mail .*owner@example\.net/, /would run/);
    expect(mail.arrived).toEqual([]);
    expect(await home.run()).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(1);
    expect((await expectUntouched(/unchanged/)).stdout).not.toMatch(/would (mail|write|run)/);
    echo.answer = "203.0.113.8";
    await expectUntouched(/203\.0\.113\.8/, /would write/, /would mail/);
    // A state that would be kept aside.
    writeState(home, "{");
    await home.run(["-n"]);
    expect(readFileSync(home.stateFile, "utf8")).toBe("{");
    expect(home.listStateFolder()).toEqual(["history.jsonl", "state.json"]);
    expect(mail.arrived).toHaveLength(1);
  });

  test("--dry-run fails like the real one", async () => {
    const { home } = await makeBench("<html>");
    const before = listTree(home.path);
    const run = await home.run(["-n"]);
    expect(run).toMatchObject({ exitCode: 3, stdout: expect.not.stringContaining("would mail") });
    expect(run.stderr).toMatch(/^ipcheck: error: no trustworthy IPv4 address: /);
    expect(listTree(home.path)).toEqual(before);
  });

  test("--json prints one object, whatever happened", async () => {
    const { mail, echo, home } = await makeBench();
    const runJson = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await home.run(["--json", ...args]);
      const json = JSON.parse(stdout);
      expect(json.exitCode).toBe(exitCode);
      expect(stderr === "").toBe(exitCode === 0);
      expect(Number.isNaN(Date.parse(json.at))).toBe(false);
      return { ...json.families.ipv4, json };
    };
    const service = { service: `127.0.0.1:${echo.port}`, operator: `http://127.0.0.1:${echo.port}` };
    expect(await runJson()).toMatchObject({
      status: "first",
      address: ADDRESS,
      previous: null,
      confirmedBy: [service.operator],
      unconfirmed: false,
      requests: 1,
      services: [{ ...service, address: ADDRESS, failure: null }],
      json: { exitCode: 0, dryRun: false, pending: [], errors: [], delivery: [{ recipient: "owner@example.net" }] },
    });
    expect(await runJson()).toMatchObject({ status: "unchanged", address: ADDRESS, previous: null });
    echo.answer = "203.0.113.8";
    expect(await runJson("-n")).toMatchObject({
      status: "changed",
      json: { dryRun: true, would: expect.arrayContaining([expect.stringContaining("mail")]) },
    });
    expect(await runJson()).toMatchObject({ status: "changed", address: "203.0.113.8", previous: ADDRESS });
    await mail.close();
    echo.answer = "203.0.113.9";
    expect(await runJson()).toMatchObject({
      status: "changed",
      json: {
        exitCode: 0,
        pending: [{ kind: "change", old: "203.0.113.8", address: "203.0.113.9", unconfirmed: false, told: [] }],
      },
    });
    echo.answer = "\x1B[2J<html>";
    expect(await runJson()).toMatchObject({
      status: "failed",
      address: "203.0.113.9",
      services: [{ address: null, failure: "garbage", detail: expect.not.stringContaining("\x1B") }],
      json: { exitCode: 3, errors: [{ exitCode: 3, hint: expect.any(String) }] },
    });
  });

  test("-v speaks of each service and of the result, -q and cron's silence do not", async () => {
    const { home } = await makeBench();
    await home.run();
    expect(await home.run(["-v"])).toMatchObject({
      stdout: expect.stringMatching(/^203\.0\.113\.7 is unchanged.*\n$/),
      stderr: expect.stringMatching(/^ipcheck: 127\.0\.0\.1:\d+ answered 203\.0\.113\.7\n$/),
    });
    for (const args of [["-q"], []]) expect(await home.run(args)).toMatchObject(SILENCE);
  });

  test("a second run at the same time leaves with exit 6, and the first goes on", async () => {
    let answer = (): void => undefined;
    let asked = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const echo = await startEcho((_, response) => {
      answer = () => response.end(ADDRESS);
      asked();
    });
    const home = new Home().useServices(echo);
    const first = home.run();
    await isAsked;
    const second = await home.run();
    expect(second).toMatchObject({ exitCode: 6, stdout: "" });
    expect(second.stderr).toMatch(ERROR_AND_HINT);
    expect(echo.requests).toHaveLength(1);
    answer();
    expect(await first).toMatchObject({ exitCode: 0, stderr: "" });
    expect(home.readState().families[4].recorded.address).toBe(ADDRESS);
  });
});

describe.concurrent("vigenere", () => {
  const vigenere = (args: readonly string[], input = "") => runHere({ args: ["vigenere", ...args], input });
  const nonAscii = /warning: 2 characters outside printable ASCII stay readable/;
  test.for<[args: string[], input: string, stdout: string, stderr?: RegExp]>([
    [["LEMON", "ATTACKATDAWN"], "", "LXFOPVEFRNHR"],
    [["--decode", "LEMON", "LXFOPVEFRNHR"], "", "ATTACKATDAWN"],
    [["LEMON"], "ATTACKATDAWN\n", "LXFOPVEFRNHR"],
    [[], "LEMON\nATTACKATDAWN\n", "LXFOPVEFRNHR"],
    [[], "LEMON\r\nATTACKATDAWN\r\n", "LXFOPVEFRNHR"],
    [[], "LEMON\nATTACKATDAWN", "LXFOPVEFRNHR"],
    [["--decode"], "LEMON\nLXFOPVEFRNHR\nmore\n", "ATTACKATDAWN"],
    [["--", "b", "-9~z"], "", ".0 a"],
    [["b", "pässwört"], "", "qättxösu", nonAscii],
    [["--decode", "b", "qättxösu"], "", "pässwört", nonAscii],
    [["AAAA", "secret"], "", "secret", /warning: .*leaves the password as it is/],
  ])("%j %j prints %j", async ([args, input, stdout, stderr = /^$/]) => {
    const run = await vigenere(args, input);
    expect(run).toMatchObject({ exitCode: 0, stdout: `${stdout}\n` });
    expect(run.stderr).toMatch(stderr);
    expect(run.stderr.split("\n").length).toBeLessThanOrEqual(2);
  });

  test.for([
    [["", "Passw0rd"], "", /key is empty/],
    [[], "\nPassw0rd\n", /key is empty/],
    [[], "", /key is empty/],
    [["clé", "Passw0rd"], "", /outside printable ASCII/],
    [["a\tb", "Passw0rd"], "", /outside printable ASCII/],
    [["KEY"], "", /no password/],
    [["--decode", "KEY"], "", /no encoded password/],
    [["KEY", "-Passw0rd"], "", /unknown option/],
    [["--env", "A", "a'b\"c`#d"], "", /no quoting/],
  ] as [string[], string, RegExp][])("%j %j is refused", async ([args, input, words]) => {
    const run = await vigenere(args, input);
    expect(run).toMatchObject({ exitCode: 2, stdout: "" });
    expect(run.stderr).toMatch(ERROR_AND_HINT);
    expect(run.stderr).toMatch(words);
    expect(run.stderr).not.toMatch(/Passw0rd|clé/);
  });

  test.for([
    ["LEMON", "abcd efgh ijkl mnop"],
    ["#k", "#hash and 'single'"],
    ["a b c", "é ñ 🔑 x"],
  ] as const)("--env %j %j reads back as it was", async ([key, password]) => {
    const { exitCode, stdout } = await vigenere(["--env", "--", key, password]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^IPCHECK_SMTP_PASSWORD_VIGENERE=.*\nIPCHECK_VIGENERE_KEY=.*\n$/);
    // Between other lines, as in an env file.
    const values = parse(`IPCHECK_NAME='home'\n${stdout}IPCHECK_SSH="ssh pi@{ip}"\n`);
    expect(Object.keys(values)).toHaveLength(4);
    expect(values).toMatchObject({ IPCHECK_VIGENERE_KEY: key, IPCHECK_NAME: "home", IPCHECK_SSH: "ssh pi@{ip}" });
    const decoded = await vigenere(["--decode", "--", key, values["IPCHECK_SMTP_PASSWORD_VIGENERE"] ?? ""]);
    expect(decoded.stdout).toBe(`${password}\n`);
  });
});

// The echo must be off before the question stands there: pasted answers come at once. readme.test.ts has the patient.
test("vigenere on a terminal shows neither key nor password to whoever answers at once", async ({ skip }) => {
  const why = await whyNoTerminal();
  if (why) return skip(why);
  const through = typing([
    ["Key: ", "LEMON\r"],
    ["Password: ", "ATTACKATDAWN\r"],
  ]);
  const { stdout } = await runIpcheck({ args: ["vigenere"], preload: [SLOW_TERMINAL], through });
  expect(stdout).toBe("Key: \nPassword: \nLXFOPVEFRNHR\n\n[exit code 0]\n");
});

describe.concurrent("a mail that cannot be delivered", () => {
  const [PASSWORD, KEY] = ["corr3ct h0rse #b4ttery", "Zebra7Quagga"] as const;
  const ENCODED = encodeVigenere(PASSWORD, KEY);
  const LOGIN = { IPCHECK_SMTP_USER: USER, IPCHECK_SMTP_PASSWORD_VIGENERE: ENCODED, IPCHECK_VIGENERE_KEY: KEY };
  const RIGHT = { user: USER, password: PASSWORD };
  const WRONG = { user: USER, password: "another" };
  const STARTTLS = { IPCHECK_SMTP_SECURITY: "starttls" };
  const TLS = { IPCHECK_SMTP_SECURITY: "tls" };
  const NO_HOST = { ...STARTTLS, IPCHECK_SMTP_HOST: "mail.ipcheck-test.invalid" };
  const trust = async () => ({ IPCHECK_CA_FILE: (await authority).caFile });

  /** With `names` in its certificate the server is trusted. */
  type Server = MailServerOptions & { names?: string[] };
  const named: Server = { login: RIGHT, security: "tls", names: ["mail.example"] };

  test.for<[name: string, server: Server, env: Record<string, string>, said: RegExp, hint: RegExp]>([
    ["a wrong password", { login: WRONG }, {}, /refused the login.*5\.7\.8/, /app password/],
    ["missing STARTTLS", { login: RIGHT }, STARTTLS, /offers no STARTTLS/, /IPCHECK_SMTP_SECURITY=tls/],
    ["no trust", { login: RIGHT, security: "starttls" }, STARTTLS, /127\.0\.0\.1 is not trusted/, /IPCHECK_CA_FILE/],
    ["no trust, TLS at once", { login: RIGHT, security: "tls" }, TLS, /127\.0\.0\.1 is not trusted/, /IPCHECK_CA_FILE/],
    ["another's certificate", named, TLS, /made out to another name/, /IPCHECK_SMTP_HOST/],
    ["TLS too early", { login: RIGHT }, TLS, /no encrypted connection/, /IPCHECK_SMTP_SECURITY/],
    ["a closed port", {}, { IPCHECK_SMTP_PORT: "9" }, /refused the connection/, /IPCHECK_SMTP_PORT/],
    ["no route", {}, { FAIL_CONNECT_CODE: "ENETUNREACH" }, /no route/, /network/],
    ["no such host", {}, NO_HOST, /mail\.ipcheck-test\.invalid has no address/, /IPCHECK_SMTP_HOST/],
  ])("%s", async ([, { names, ...options }, env, said, hinted]) => {
    const mail = await startMail({ ...options, certificate: await issue(names && { names }) });
    const home = new Home(runHere).useServices(await startEcho()).useMail(mail);
    Object.assign(home.env, LOGIN, env, names && (await trust()), { FAIL_CONNECT_PORT: String(mail.port) });
    const preload = "FAIL_CONNECT_CODE" in env ? [FAILING_CONNECT] : [];
    const run = await home.run([], { preload });
    expect(run).toMatchObject({ exitCode: 5, stdout: "", stderr: expect.stringMatching(ERROR_AND_HINT) });
    const [error = "", hint = ""] = run.stderr.split("\n");
    expect(error).toMatch(/the address is recorded, but owner@example\.net has not been told yet: /);
    expect(error).toMatch(said);
    expect(hint).toMatch(hinted);
    expect(mail.logins.length > 0).toBe(options.login === WRONG);
    expect(mail.arrived).toEqual([]);
    expect(home.readState()).toMatchObject({ families: { 4: { recorded: { address: ADDRESS } } }, outbox: [{}] });
  });

  test("a server that accepts and never greets: exit 5 inside the deadline", async ({ onTestFinished }) => {
    const silent = await startPanel(1, () => hang);
    onTestFinished(silent.close);
    const { home } = await makeBench();
    home.env["IPCHECK_SMTP_PORT"] = new URL(silent.services[0]?.url ?? "").port;
    const run = await home.run([], { env: { IPCHECK_DEADLINE: "2s", IPCHECK_TIMEOUT: "1s" } });
    expect(run).toMatchObject({ exitCode: 5, stdout: "" });
    expect(run.stderr).toMatch(ERROR_AND_HINT);
    expect(run.stderr).toMatch(/did not answer in time/);
    expect(run.ms).toBeLessThan(4000);
  });

  test.for(["starttls", "tls"] as const)("with all of it right it goes out encrypted: %s", async (security) => {
    const mail = await startMail({ login: RIGHT, security, certificate: await issue() });
    const home = new Home(runHere).useServices(await startEcho()).useMail(mail);
    const env = { ...LOGIN, IPCHECK_SMTP_SECURITY: security, ...(await trust()) };
    expect(await home.run([], { env })).toMatchObject(SILENCE);
    expect(mail.arrived).toMatchObject([{ user: USER, isEncrypted: true, recipients: ["owner@example.net"] }]);
    expect(mail.logins).toEqual([RIGHT]);
  });
});

describe.concurrent("the env file", () => {
  async function makeConfigured(mode: number, secret: string) {
    const mail = await startMail({ login: { user: USER, password: "hunter22" } });
    const home = new Home(runHere).useServices(await startEcho());
    const { env } = new Home().useMail(mail);
    const lines = Object.entries(env).filter(([name]) => /^IPCHECK_(TO|FROM|SMTP)/.test(name));
    const text = lines.map(([name, value]) => `${name}=${value}\n`).join("");
    const file = writePrivate(envFileOf(home), `${text}IPCHECK_SMTP_USER=${USER}\n${secret}`, mode);
    return { mail, home, file };
  }

  test("that all can read, with a password in it, draws one warning and does its work", async () => {
    const { mail, home, file } = await makeConfigured(0o644, "IPCHECK_SMTP_PASSWORD=hunter22\n");
    const run = await home.run();
    expect(run).toMatchObject({ exitCode: 0, stdout: "" });
    expect(run.stderr).toMatch(/^ipcheck: warning: .*chmod 600 [^\n]*\n$/);
    expect(run.stderr).toContain(file);
    expect(run.stderr).not.toContain("hunter22");
    expect(mail.arrived).toHaveLength(1);
    expect(statSync(file).mode & 0o777).toBe(0o644);
  });

  test("what vigenere --env prints logs in", async () => {
    const encoded = await runHere({ args: ["vigenere", "--env", "a key", "hunter22"] });
    const { mail, home } = await makeConfigured(0o600, encoded.stdout);
    expect(await home.run()).toMatchObject(SILENCE);
    expect(mail.logins).toEqual([{ user: USER, password: "hunter22" }]);
  });

  test("is never taken from the working directory", async () => {
    const { mail, home } = await makeConfigured(0o600, "IPCHECK_SMTP_PASSWORD=hunter22\n");
    const cwd = join(home.path, "elsewhere");
    writePrivate(join(cwd, ".env"), "IPCHECK_FAMILY=nonsense\n");
    expect(await home.run([], { cwd })).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(1);
  });
});
