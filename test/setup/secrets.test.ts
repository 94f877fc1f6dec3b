import { spawnSync } from "node:child_process";
import { readFileSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "dotenv";
import fc from "fast-check";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { editEnvText } from "../../src/config/env-edit";
import { encodeVigenere } from "../../src/config/vigenere";
import * as bench from "./workbench";
import { envFileOf, makeHomeHere, SILENCE, startEcho, startMail, startProvider, USER, writePrivate } from "./workbench";

vi.setConfig({ maxConcurrency: 3 });

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe.concurrent("no secret in any output, whoever repeats it", () => {
  const [URL_USER, URL_PASSWORD] = ["watcher", "svc p@ss:word"];
  const TOKEN = "0123456789abcdef".repeat(5);
  const PING = "3f1c9a52-7d1e-4b64-9a51-heartbeat";
  const HOOK_TOKEN = "w4tchw0rd";
  const withSecrets = ({ url }: { url: string }, path: string) =>
    url.replace("//", `//${URL_USER}:${encodeURIComponent(URL_PASSWORD)}@`).replace(/\/$/, `${path}?token=${TOKEN}`);

  const anySecret = fc
    .array(fc.constantFrom(..."abcXYZ0189 #$%&'()*+,-./:;<=>?@[\\]^_{|}~"), { minLength: 10, maxLength: 20 })
    .map((characters) => `k${characters.join("")}7`);

  async function makeLeaky(password: string, key: string) {
    const mail = await startProvider("another", {
      loginRefusal: (tried) => `5.7.8 no: ${USER} ${tried} ${base64(tried)} ${base64(`\0${USER}\0${tried}`)}`,
    });
    const monitor = await startEcho((request, response) => response.writeHead(500).end(request.url));
    const echoes = await Promise.all([startEcho(), startEcho()]);
    const home = await makeHomeHere();
    home.env["IPCHECK_SERVICES"] = echoes.map((echo) => withSecrets(echo, "/")).join(",");
    home.env["IPCHECK_HEARTBEAT_URL"] = withSecrets(monitor, `/${PING}`);
    home.env["IPCHECK_ON_CHANGE"] = `sh -c 'echo "tried $1: no" >&2; exit 1' x pi:${HOOK_TOKEN}`;
    const encoded = encodeVigenere(password, key);
    const text = editEnvText("", {
      IPCHECK_TO: "owner@example.net",
      IPCHECK_SMTP_HOST: "localhost",
      IPCHECK_SMTP_PORT: String(mail.port),
      IPCHECK_SMTP_USER: USER,
      IPCHECK_SMTP_PASSWORD_VIGENERE: encoded,
      IPCHECK_VIGENERE_KEY: key,
    });
    writePrivate(envFileOf(home), text ?? expect.fail("no quoting carries this row"));
    const secrets = [password, encoded, key, URL_USER, URL_PASSWORD, TOKEN, PING, HOOK_TOKEN];
    const forms = [...secrets.flatMap(bench.formsOf), base64(`${URL_USER}:${URL_PASSWORD}`)];
    return { home, mail, monitor, forms, secrets };
  }

  test.for([
    ["corr3ct h0rse #b4ttery", "Zebra7Quagga"],
    ['pa$$w"ord\\n{}%s', "key with spaces"],
    ["pässwörd €uro/+=", "#'=$&"],
    [`${"x".repeat(60)}-Tail9`, "LEMON"],
    // Shorter than any word.
    ["zq9", "Kx7"],
    ...fc.sample(fc.tuple(anySecret, anySecret), { numRuns: 2, seed: 1 }),
  ])("password %j, key %j", async ([password = "", key = ""]) => {
    const { home, mail, monitor, forms } = await makeLeaky(password, key);
    const commands: [string[], number][] = [
      [["check", "--dry-run"], 0],
      [["check"], 5],
      [["check", "-v"], 5],
      [["check", "--json"], 5],
      [["doctor"], 5],
      [["doctor", "--json", "--send"], 5],
      [["status"], 0],
      [["status", "--json"], 0],
    ];
    for (const [args, exitCode] of commands) {
      const run = await home.run(args);
      expect({ args, ...run }).toMatchObject({ args, exitCode });
      for (const form of forms) expect(run.stdout + run.stderr, args.join(" ")).not.toContain(form);
    }
    expect(JSON.stringify(home.readState())).toContain("refused the login");
    for (const form of forms) expect(JSON.stringify(home.readState())).not.toContain(form);
    // They were really sent, and really repeated.
    expect(mail.logins[0]).toEqual({ user: USER, password });
    expect(monitor.requests.length).toBeGreaterThan(0);

    const init = await home.run(["init", "--yes", "--password-stdin", "--send"], { input: `${password}\n` });
    expect(init).toMatchObject({ exitCode: 5, stderr: expect.stringMatching(/refused the login/) });
    const values = parse(readFileSync(envFileOf(home)));
    const anew = [values["IPCHECK_SMTP_PASSWORD_VIGENERE"], values["IPCHECK_VIGENERE_KEY"]];
    expect(anew).not.toContain(key);
    for (const form of [...forms, ...anew]) expect(init.stdout + init.stderr).not.toContain(form);
  });

  // A service's words are cut before the secrets are taken out; 'user:password' in base64 is not known as one.
  test.for([
    ["the query", (url: string | undefined) => `no such ${url}`],
    ["the Authorization header", (_: unknown, login: string | undefined) => `no ${login}`],
  ] as const)("an echo service that repeats %s", async ([, body]) => {
    const { home, forms } = await makeLeaky("hunter #22", "LEMON");
    const reflecting = await startEcho(({ url, headers }, response) => response.end(body(url, headers.authorization)));
    home.env["IPCHECK_SERVICES"] = withSecrets(reflecting, "/");
    for (const args of [["check", "-v"], ["doctor"]]) {
      const { stdout, stderr } = await home.run(args);
      // Also not what is left of them when a part was cut off or taken out.
      const coolDowns = [TOKEN.slice(0, 32), base64(`${URL_USER}:${URL_PASSWORD}`).slice(12)];
      for (const form of [...forms, ...coolDowns]) expect(stdout + stderr).not.toContain(form);
    }
  });
});

describe.concurrent("what was measured or stored is shown as it is, whatever the secrets look like", () => {
  /** Every output of a home whose change was refused by one recipient, without what differs from run to run. */
  async function readEverything(key: string, heartbeatPath = "/ping") {
    const mail = await startMail({ login: { user: "pi", password: "203.0.113.7" } });
    mail.refusals.set("owner@example.net", [550, "5.1.1 no such user"]);
    const [echo, other, monitor] = await Promise.all([startEcho(), startEcho(), startEcho()]);
    const home = (await makeHomeHere(echo, other)).useMail(mail);
    Object.assign(home.env, {
      IPCHECK_SMTP_USER: "pi",
      IPCHECK_SMTP_PASSWORD_VIGENERE: encodeVigenere("203.0.113.7", key),
      IPCHECK_VIGENERE_KEY: key,
      IPCHECK_HEARTBEAT_URL: `${monitor.url.replace(/\/$/, "")}${heartbeatPath}`,
    });
    const runs: { command: string; exitCode: number | null; text: string[] }[] = [];
    const commands = ["check -v", "check --json", "status --json", "history", "history --json", "doctor --json"];
    for (const [hour, command] of commands.entries()) {
      const now = new Date(Date.UTC(2026, 5, 10, hour));
      const unwatched = { secret: "the password is the address" };
      const { exitCode, stdout, stderr } = await home.run(command.split(" "), { now, unwatched });
      const text = (stdout + stderr)
        // A pause has a part that is left to chance.
        .replaceAll(/\d{4}-\d\d-\d\d[T ][\d:.]+Z?|\b\d\d:\d\d\b|[0-9a-f]{8}-[0-9a-f-]{27}|\/tmp\/\S+/g, "*")
        .replaceAll(/:\d{4,5}\b|PORT=\d+|\d+ ms|seconds": ?\d+|lastLookAgeSeconds": \d+|\d seconds?/g, "*");
      runs.push({ command, exitCode, text: text.split("\n").sort() });
    }
    return { runs, state: home.readState() };
  }
  let ordinary: ReturnType<typeof readEverything>;
  beforeAll(() => {
    ordinary = readEverything("LEMON");
  });

  test.for([
    ["203"],
    ["203.0.113.7"],
    ["owner@example.net"],
    ["ipv4", "/family"],
    ["true"],
    ["4", "/address/status"],
  ] as const)("key %s", async ([key, path]) => {
    const [{ runs, state }, usual] = await Promise.all([readEverything(key, path), ordinary]);
    // What a busy machine makes slow, these two tell otherwise.
    const steady = ({ command }: { command: string }) => command !== "check -v" && command !== "doctor --json";
    expect(runs.filter(steady)).toEqual(usual.runs.filter(steady));
    expect(state.families[4].recorded.address).toBe("203.0.113.7");
    expect(JSON.stringify(runs)).not.toContain("[redacted]");
  });
});

describe.concurrent("doctor, pasted into a bug report", () => {
  test("names programs and hosts, and nothing that stands behind them", async () => {
    const monitor = await startEcho();
    const home = await makeHomeHere();
    Object.assign(home.env, {
      IPCHECK_SERVICES: home.env["IPCHECK_SERVICES"]?.replaceAll(/\/\/([^,]*)/g, "//u:q7~@$1ip?k=z9~&t#f8~"),
      IPCHECK_HEARTBEAT_URL: `${monitor.url}p6~/t5~?x=v4~`,
      IPCHECK_ON_CHANGE: "TOKEN=h3~ /usr/bin/curl -u pi:g2~ https://u:e1~@hook.example/d0~",
      IPCHECK_SMTP_USER: "pi@example.net",
      IPCHECK_SMTP_PASSWORD_COMMAND: "TOKEN='c1~ b2~' pass show a3~",
    });
    for (const args of [["doctor"], ["doctor", "--json"]]) {
      const { stdout, stderr } = await home.run(args);
      for (const secret of "q7~ z9~ f8~ p6~ t5~ v4~ h3~ g2~ e1~ d0~ c1~ b2~ a3~".split(" ")) {
        expect(stdout + stderr).not.toContain(secret);
      }
      expect(stdout).toMatch(/IPCHECK_SERVICES=http:\/\/…@127\.0\.0\.1:\d+\/…,http/);
      expect(stdout).toContain(`IPCHECK_HEARTBEAT_URL=${monitor.url}… (environment)`);
      expect(stdout).toContain("IPCHECK_ON_CHANGE is set: runs curl … (environment)");
      expect(stdout).toContain("IPCHECK_SMTP_PASSWORD_COMMAND is set: runs a command (environment)");
    }
  });
});

describe.concurrent("where the password comes from", () => {
  const PASSWORD = "hunter #22";
  async function makeOwing() {
    const echo = await startEcho();
    const mail = await startMail({ login: { user: USER, password: PASSWORD } });
    const home = (await makeHomeHere(echo)).useMail(mail);
    home.env["IPCHECK_SMTP_USER"] = USER;
    const file = writePrivate(join(home.path, "password"), `${PASSWORD}\r\nsecond\n`);
    // systemd's own mode, for whoever runs the unit.
    const credential = writePrivate(join(home.path, "credentials", "smtp-password"), `${PASSWORD}\nsecond\n`, 0o440);
    const command = `printf '%s\\nsecond\\n' '${PASSWORD}'; echo noise >&2`;
    const sources = {
      value: { IPCHECK_SMTP_PASSWORD: PASSWORD },
      vigenere: { IPCHECK_SMTP_PASSWORD_VIGENERE: encodeVigenere(PASSWORD, "LEMON"), IPCHECK_VIGENERE_KEY: "LEMON" },
      file: { IPCHECK_SMTP_PASSWORD_FILE: file },
      command: { IPCHECK_SMTP_PASSWORD_COMMAND: command },
      credential: { CREDENTIALS_DIRECTORY: dirname(credential) },
    };
    return { echo, mail, home, sources, credential };
  }

  test.for(["value", "vigenere", "file", "command", "credential"] as const)(
    "the first line alone of: %s",
    async (source) => {
      const { mail, home, sources } = await makeOwing();
      expect(await home.run([], { env: sources[source] })).toMatchObject(SILENCE);
      expect(mail.logins).toEqual([{ user: USER, password: PASSWORD }]);
      expect(mail.arrived).toHaveLength(1);
    },
  );

  test("the command is run only when a mail is owed", async () => {
    const { echo, mail, home } = await makeOwing();
    const log = join(home.path, "runs");
    home.env["IPCHECK_SMTP_PASSWORD_COMMAND"] = `echo >> '${log}'; echo '${PASSWORD}'`;
    home.env["IPCHECK_MAIL_INTERVAL"] = "0s";
    const runs = () => readFileSync(log, "utf8").length;
    const counts: number[] = [];
    for (const address of ["203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.8", "203.0.113.8"]) {
      echo.answer = address;
      expect(await home.run()).toMatchObject(SILENCE);
      counts.push(runs());
    }
    await home.run(["check", "--dry-run"]);
    expect([...counts, runs()]).toEqual([1, 1, 1, 2, 2, 2]);
    expect(mail.arrived).toHaveLength(2);
  });

  test.for([
    ["fails", "echo pa55word; echo first >&2; echo gpg: locked >&2; exit 2", /code 2; its last words: gpg: locked/],
    ["prints nothing", "true", /printed no password on its first line/],
    ["is not there", "no-such-program-here", /exit code 127; its last words: .*not found/],
    ["repeats the password on stderr", "echo pa55word; echo no pa55word >&2; exit 1", /last words: no \[redacted\]/],
  ] as const)("a command that %s: exit 5, its stdout is not shown", async ([, line, said]) => {
    const { mail, home } = await makeOwing();
    const run = await home.run([], { env: { IPCHECK_SMTP_PASSWORD_COMMAND: line } });
    expect(run).toMatchObject({ exitCode: 5, stdout: "", stderr: expect.stringMatching(said) });
    expect(run.stderr).toMatch(bench.ERROR_AND_HINT);
    expect(run.stderr + JSON.stringify(home.readState())).not.toContain("pa55word");
    expect([mail.logins, home.readState().outbox.length]).toEqual([[], 1]);
  });

  test("a pause survives a credential that is written anew, and ends with another password", async () => {
    const { mail, home, sources, credential } = await makeOwing();
    mail.refusals.set("owner@example.net", [550, "5.1.1 no such user"]);
    const logins: number[] = [];
    for (const [hour, password] of [PASSWORD, PASSWORD, "another"].entries()) {
      writePrivate(credential, `${password}\nsecond\n`, 0o440);
      utimesSync(credential, hour + 1, hour + 1);
      await home.run([], { env: sources.credential, now: new Date(Date.UTC(2026, 5, 10, 12, hour)) });
      logins.push(mail.logins.length);
    }
    expect(logins).toEqual([1, 1, 2]);
    // Nothing of it is in what is kept.
    expect(JSON.stringify(home.readState())).not.toContain(PASSWORD);
  });

  test("a command that never ends is killed with all it started, inside the deadline", async () => {
    const { home } = await makeOwing();
    const pidFile = join(home.path, "pid");
    const line = `sleep 300 & echo $! > '${pidFile}'; echo pa55word; wait`;
    const run = await home.run([], { env: { IPCHECK_SMTP_PASSWORD_COMMAND: line, IPCHECK_DEADLINE: "2s" } });
    expect(run).toMatchObject({ exitCode: 5, stdout: "", stderr: expect.stringMatching(/did not end within/) });
    expect(run.stderr).not.toContain("pa55word");
    expect(run.ms).toBeLessThan(6000);
    const pid = readFileSync(pidFile, "utf8").trim();
    const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", pid], { encoding: "utf8" });
    // Dead, be it that nobody has collected it yet.
    expect(stdout.trim()).toMatch(/^(Z.*)?$/);
  });
});
