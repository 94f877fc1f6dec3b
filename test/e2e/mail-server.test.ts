// The built program and mail servers as people have them: names of every kind, certificates of one's own, and
// recipients in other spellings than the server's.

import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { authority, issue, SILENCE, startEcho, startMail } from "../setup/workbench";
import { Home } from "../support/home";
import { HAS_IPV6 } from "../support/ipv6";
import type { MailServerOptions } from "../support/mail-server";
import { runHere } from "../support/run-here";

vi.setConfig({ maxConcurrency: 4 });

const FAKE_NAMES = join(__dirname, "..", "support", "fake-names.cjs");
const LOGIN = { user: "pi@example.net", password: "corr3ct-h0rse" };
const CREDENTIALS = { IPCHECK_SMTP_USER: LOGIN.user, IPCHECK_SMTP_PASSWORD: LOGIN.password };

async function makeBench(options: MailServerOptions = {}) {
  const [echo, mail] = await Promise.all([startEcho(), startMail(options)]);
  return { mail, echo, home: new Home(runHere).useServices(echo).useMail(mail) };
}

// That spellings of one address are one, and what its domain is in ASCII, settings.test.ts shows.
describe.concurrent("recipients in another spelling", () => {
  test.for([
    ["dad@Orange.Example", "dad@orange.example", 550],
    ["dad@MÜNCHEN.example", "dad@xn--mnchen-3ya.example", 450],
    ["d.!#$%&*/=?^`{|}~d@Orange.Example", "d.!#$%&*/=?^`{|}~d@orange.example", 550],
  ] as const)("%s, refused", async ([given, used, code]) => {
    const { mail, home } = await makeBench();
    home.env["IPCHECK_TO"] = `me@example.net,${given}`;
    mail.refusals.set(used.replace("xn--mnchen-3ya", "münchen"), [code, "not here"]);
    const first = await home.run([], { now: "2026-06-01T00:00:00Z" });
    expect(first).toMatchObject({
      exitCode: 5,
      stdout: "",
      stderr: expect.stringContaining(`${used} has not been told`),
    });
    expect(home.readState().outbox).toMatchObject([{ told: ["(history)", "me@example.net"] }]);
    const test = await home.run(["doctor", "--send"]);
    expect(test).toMatchObject({ exitCode: 5 });
    expect(test.stdout).toContain("the server took it for me@example.net");
    expect(test.stdout).toMatch(/ERROR +test mail: .*not here/);
    mail.refusals.clear();
    expect(await home.run([], { now: "2026-06-01T03:00:00Z" })).toMatchObject(SILENCE);
    const notices = mail.arrived.filter((arrived) => !arrived.mail.subject?.includes("test"));
    expect(notices.map(({ recipients }) => recipients).at(-1)).toEqual([used.replace("xn--mnchen-3ya", "münchen")]);
    expect(home.readState().outbox).toEqual([]);
  });
});

describe.concurrent("the mail server's name", () => {
  const named = (names: Record<string, string[]>) => ({
    env: { FAKE_NAMES: JSON.stringify(names) },
    preload: [FAKE_NAMES],
  });

  test.for<[security: string, addresses: string[], login?: object]>([
    ["none", ["192.0.2.1"], CREDENTIALS],
    ["starttls", ["127.0.0.1", "192.0.2.1"], CREDENTIALS],
    ["tls", ["::ffff:192.0.2.1"], CREDENTIALS],
    // Without a login neither: a mail would vanish into a 250.
    ["none", ["192.0.2.1"]],
  ])("localhost that leads elsewhere gets nothing: %s, %j", async ([security, addresses, login]) => {
    const { home } = await makeBench();
    Object.assign(home.env, { ...login, IPCHECK_SMTP_HOST: "localhost", IPCHECK_SMTP_SECURITY: security });
    const run = await home.run(["-v"], named({ localhost: addresses }));
    expect(run).toMatchObject({ exitCode: 5 });
    expect(run.stderr).toMatch(/localhost leads to \S*192\.0\.2\.1, which is not this machine, so nothing was sent/);
    expect(run.stderr).toMatch(/hint: look at \/etc\/hosts/);
  });

  // Two ports of localhost are two operators, because nobody else can answer there.
  test("services and a monitor on a localhost that leads elsewhere are not asked", async () => {
    const { home } = await makeBench();
    const here = (home.env["IPCHECK_SERVICES"] ?? "").replaceAll("127.0.0.1", "localhost");
    const names = named({ localhost: ["127.0.0.1", "192.0.2.1"] });
    home.env["IPCHECK_HEARTBEAT_URL"] = here.split(",", 1)[0] ?? "";
    expect((await home.run([], names)).stderr).toMatch(
      /heartbeat was not heard: localhost:\d+ leads to another machine/,
    );
    const run = await home.run([], { ...names, env: { ...names.env, IPCHECK_SERVICES: here } });
    expect(run).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("leads to another machine") });
  });

  test.for([
    ["a name that only the system knows", "home-server.test", ["127.0.0.1"]],
    ["a trailing dot", "home-server.test.", ["127.0.0.1"]],
    [
      "a first address that answers to nobody",
      "home-server.test",
      HAS_IPV6 ? ["::1", "127.0.0.1"] : ["127.0.0.2", "127.0.0.1"],
    ],
  ] as const)("%s", async ([, host, addresses]) => {
    const certificate = await issue({ names: ["home-server.test"] });
    const { mail, home } = await makeBench({ security: "starttls", certificate, login: LOGIN });
    Object.assign(home.env, {
      ...CREDENTIALS,
      IPCHECK_SMTP_HOST: host,
      IPCHECK_SMTP_SECURITY: "starttls",
      IPCHECK_CA_FILE: (await authority).caFile,
    });
    expect(await home.run([], named({ [host]: [...addresses] }))).toMatchObject(SILENCE);
    expect(mail.arrived).toMatchObject([{ user: LOGIN.user, isEncrypted: true }]);
  });
});

test("certificates are verified whatever NODE_TLS_REJECT_UNAUTHORIZED says, and doctor names it", async () => {
  const { mail, echo } = await makeBench({ security: "starttls", certificate: await issue(), login: LOGIN });
  // Node reads the variable at its start.
  const home = new Home().useServices(echo).useMail(mail);
  Object.assign(home.env, CREDENTIALS, { IPCHECK_SMTP_SECURITY: "starttls", NODE_TLS_REJECT_UNAUTHORIZED: "0" });
  const run = await home.run();
  expect(run).toMatchObject({ exitCode: 5, stderr: expect.stringMatching(/is not trusted.*\n.*IPCHECK_CA_FILE/) });
  const doctor = await home.run(["doctor"]);
  expect(doctor.stdout).toMatch(/warning +environment: NODE_TLS_REJECT_UNAUTHORIZED=0/);
  expect(doctor.stdout).toMatch(/ERROR +mail server: .*is not trusted/);
  expect(mail.logins).toEqual([]);
});
