// A failed look says why in a plain sentence and what to do, once a day at most; and when it is over.

import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { ADDRESS, authority, issue, SILENCE, startEcho, startMail } from "../setup/workbench";
import type { EchoServer, Handler } from "../support/echo-server";
import { Home } from "../support/home";
import { runHere } from "../support/run-here";

vi.setConfig({ maxConcurrency: 3 });

const CUT_OFF = ["fake-names", "failing-connect"].map((name) => join(__dirname, "..", "support", `${name}.cjs`));
const DAY_MS = 86_400_000;

function startEchoes(answer: EchoServer["answer"] = ADDRESS, options?: Parameters<typeof startEcho>[1]) {
  return Promise.all([1, 2, 3].map(() => startEcho(answer, options)));
}

async function startTls(validity: Parameters<typeof issue>[0] = {}) {
  return startEchoes(ADDRESS, { tls: await issue(validity) });
}

const withStatus =
  (status: number, headers: Record<string, string> = {}): Handler =>
  (_, response) =>
    response.writeHead(status, headers).end(ADDRESS);

/** What else is the case, and what must not be said. */
interface Cause {
  now?: string;
  env?: Record<string, string>;
  not?: RegExp;
}

const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
// Ports that no other test is given while this one goes on.
const closed = async () => [1, 2].map((port) => ({ url: `http://127.0.0.1:${port}/` }));
const saying = (answer: EchoServer["answer"]) => () => startEchoes(answer);
const NAMES = ["one", "two"].map((name) => `${name}.ipcheck-test.invalid`);
const KNOWN_NAMES = Object.fromEntries(NAMES.map((name) => [name, ["192.0.2.1"]]));
const nowhere = async () => NAMES.map((name) => ({ url: `https://${name}/` }));
const portal = withStatus(302, { Location: "http://portal.example/login?mac=02:00:00:00:00:01" });
const notYetValid = () => startTls({ notBefore: inDays(1), notAfter: inDays(60) });
const expired = () => startTls({ notBefore: inDays(-60), notAfter: inDays(-1) });

type Row = [what: string, services: () => Promise<{ url: string }[]>, sentence: RegExp, hint: RegExp, cause?: Cause];
const ROWS: Row[] = [
  ["captive portal: a page", saying("<html><form action=/login>Our terms</form></html>"), /captive portal/, /log in/],
  [
    "captive portal: a redirect, whose query stays private",
    saying(portal),
    /captive portal/,
    /log in/,
    { not: /mac=/ },
  ],
  ["carrier-grade NAT", saying("100.64.3.4\n"), /carrier-grade NAT/, /public IPv4 address/],
  ["a private answer", saying("192.168.1.20\n"), /no public address/, /VPN or proxy/],
  ["a proxied list", saying(`${ADDRESS}, 10.1.2.3`), /a proxy on the way/, /proxy/],
  ["refused", closed, /connection refused/, /firewall/],
  ["DNS failure", nowhere, /names cannot be resolved/, /resolv\.conf|router/],
  ["no network", startEchoes, /no network/, /cable/, { env: { FAIL_CONNECT_CODE: "ENETUNREACH" } }],
  [
    "no network, while a name server nearby still knows the names",
    nowhere,
    /no network/,
    /cable/,
    { env: { FAIL_CONNECT_CODE: "ENETUNREACH", FAKE_NAMES: JSON.stringify(KNOWN_NAMES) } },
  ],
  ["no answer", saying(() => undefined), /no answer in time/, /IPCHECK_TIMEOUT/, { env: { IPCHECK_TIMEOUT: "1s" } }],
  ["rate limit", saying(withStatus(429)), /come back later/, /less often/],
  ["out of order", saying(withStatus(500)), /out of order/, /next run/],
  ["untrusted certificate", startTls, /not trusted/, /openssl|date/, { env: { IPCHECK_CA_FILE: "" } }],
  // OpenSSL goes by the kernel's clock, which no test may set: the certificate moves instead.
  ["clock in 1970", notYetValid, /the clock of this machine is wrong/, /NTP/, { now: "1970-01-01T00:01:00Z" }],
  [
    "an expired certificate, by a clock that is right",
    expired,
    /not trusted/,
    /openssl|date/,
    { now: "2026-06-01T12:00:00Z", not: /clock of this machine is wrong/ },
  ],
];

describe.concurrent("why there is no address", () => {
  test.for(ROWS)("%s", async ([, start, sentence, hint, cause = {}]) => {
    const services = await start();
    const home = new Home(runHere).useServices(...services);
    home.env["IPCHECK_CA_FILE"] = (await authority).caFile;
    const { not, ...options } = cause;
    const preload = cause.env?.["FAIL_CONNECT_CODE"] ? CUT_OFF : [];
    const { exitCode, stdout, stderr } = await home.run([], { ...options, preload });
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
    const lines = stderr.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ipcheck: error: no trustworthy IPv4 address: /);
    expect(lines[0]).toMatch(sentence);
    expect(lines.at(-1)).toMatch(/^ipcheck: hint: /);
    expect(lines.at(-1)).toMatch(hint);
    // Between them each service by its name, with its own reason.
    expect(lines.slice(1, -1)).toHaveLength(services.length);
    for (const { url } of services) expect(lines.slice(1, -1).join("\n")).toContain(`  ${new URL(url).host} `);
    for (const line of [lines[0], lines.at(-1)]) expect(line).not.toMatch(/\.$/);
    if (not) expect(stderr).not.toMatch(not);
    expect(home.readState().families[4].recorded).toBeUndefined();
  });

  test("the recorded address is said to stand", async () => {
    const echoes = await startEchoes();
    const home = new Home(runHere).useServices(...echoes);
    expect(await home.run()).toMatchObject({ exitCode: 0 });
    for (const echo of echoes) echo.answer = "100.64.3.4";
    const { stderr } = await home.run();
    expect(stderr).toMatch(/^ipcheck: error: .*carrier-grade NAT.*203\.0\.113\.7 stays recorded\n/);
    expect(home.readState().families[4].recorded.address).toBe(ADDRESS);
  });
});

// How often each is said, and which outages are told, is proven in commands/check-run.test.ts.
describe("a failure that goes on", () => {
  const START = Date.UTC(2026, 5, 1, 12);
  const hour = (hours: number) => ({ now: new Date(START + hours * 3_600_000) });

  test("is said once, a day later again, and with -v always", async () => {
    const home = new Home(runHere).useServices(...(await closed()));
    const isSaid = async (hours: number, args: string[] = []) => {
      const { exitCode, stdout, stderr } = await home.run(args, hour(hours));
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
      expect(stderr).toMatch(/^$|connection refused/);
      return stderr !== "";
    };
    expect([await isSaid(0), await isSaid(0.1), await isSaid(5, ["-v"]), await isSaid(5.1)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect([await isSaid(30), await isSaid(30.1)]).toEqual([true, false]);
  });

  test("is over: one mail says for how long nobody looked", async () => {
    const echoes = await startEchoes();
    const mail = await startMail();
    const home = new Home(runHere).useServices(...echoes).useMail(mail);
    const say = (answer: EchoServer["answer"]) => {
      for (const echo of echoes) echo.answer = answer;
    };
    // Ten hours of peace first: the address is held for fourteen, the outage lasts four.
    for (const hours of [0, 10]) expect(await home.run([], hour(hours))).toMatchObject(SILENCE);
    say(withStatus(500));
    for (const hours of [11, 12, 13]) expect(await home.run([], hour(hours))).toMatchObject({ exitCode: 3 });
    expect(mail.arrived).toHaveLength(1);
    say(ADDRESS);
    for (const hours of [14, 15, 16]) expect(await home.run([], hour(hours))).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(2);
    expect(mail.arrived[1]?.mail.subject).toContain(ADDRESS);
    expect(mail.arrived[1]?.mail.text).toMatch(/\b4 hours/);
  });
});
