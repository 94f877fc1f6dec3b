// Whether the home can be reached: what the services say, as `doctor` and `init` say it, and in the mail about a change.
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, test, vi } from "vitest";
import type { Finding } from "../../src/commands/diagnosis";
import { checkReach, offerReach, sshPort } from "../../src/commands/reach";
import { parseCidr } from "../../src/lookup/address";
import { SILENCE, startEcho, startMail } from "../setup/workbench";
import type { Handler } from "../support/echo-server";
import { Home } from "../support/home";
import { HAS_IPV6 } from "../support/ipv6";
import { runHere } from "../support/run-here";

vi.setConfig({ maxConcurrency: 3 });

const [OLD, NEW] = ["203.0.113.7", "203.0.113.8"];
const [OLD_V6, NEW_V6] = ["2001:db8:1:2::7", "2001:db8:1:3::7"];
const START = Date.UTC(2026, 5, 1, 12);
const ON_IPV6 = { host: "::1" } as const;

/** A port on which something listens, or did a moment ago. */
async function listen(host = "0.0.0.0", isGone = false): Promise<number> {
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  if (isGone) await new Promise((resolve) => server.close(resolve));
  return port;
}

const json =
  (value: unknown, status = 200): Handler =>
  (_request, response) => {
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
  };

/** A body, a handler, or what is different from 'reachable, at the old address'. */
type Saying = string | Handler | { ip?: string; port?: number; reachable?: unknown };

/** A service like echoip, which notes what it was asked. */
async function startProber(says: Saying = {}, options?: typeof ON_IPV6) {
  const asked: (string | undefined)[] = [];
  const service = await startEcho((request, response) => {
    asked.push(request.url);
    const port = Number(request.url?.replace("/port/", ""));
    if (typeof says === "function") says(request, response);
    else if (typeof says === "string") response.end(says);
    else json({ ip: OLD, port, reachable: true, ...says })(request, response);
  }, options);
  return { asked, service, url: `${service.url}port/{port}` };
}

const HOST = {
  userAgent: "ipcheck/test",
  isStdinTerminal: false,
  openStdin: () => process.stdin,
  openStderr: () => process.stderr,
};

const settingsFor = ({ url }: { url: string }, sshLine = "ssh pi@{ip}") => ({
  acceptRanges: [parseCidr("203.0.113.0/24")].flatMap((range) => range ?? []),
  extraCa: undefined,
  families: [4 as const],
  ipv6PrefixLength: 64,
  reachUrl: url,
  sshLine,
});

async function first(findings: AsyncIterable<Finding>): Promise<Finding | undefined> {
  for await (const finding of findings) return finding;
  return undefined;
}

test.each([
  ["ssh pi@{ip}", 22],
  ["ssh -p 2222 pi@{ip}", 2222],
  ["ssh -p2222 pi@{ip}", 2222],
  ["ssh pi@{ip} -p '2222'", 2222],
  ["ssh -o Port=2222 pi@{ip}", 2222],
  ["ssh -oPort=2222 pi@{ip}", 2222],
  ['ssh -o "Port 2222" pi@{ip}', 2222],
  ["ssh ssh://pi@{ip}:2222", 2222],
  ['mosh --ssh="ssh -p 2222" pi@{ip}', 2222],
  ["ssh -i key-p2222 pi@{ip}", 22],
  ["ssh -p 99999 pi@{ip}", 22],
  ["ssh -p 222222 pi@{ip}", 22],
  ["ssh -p 0 pi@{ip}", 22],
  ["ssh -p pi@{ip}", 22],
])("the port of %s is %i", (line, port) => {
  expect(sshPort(line)).toBe(port);
});

describe.concurrent("what else a service may say", () => {
  test.for<[string, Saying, RegExp]>([
    ["a page", "<!doctype html><title>Just a moment…</title>", /answered with a web page/],
    ["a challenge", json({}, 403), /it refused \(403\)/],
    ["too many", json({}, 429), /asked to come back later \(429\)/],
    ["an error", json({}, 500), /answered with status 500/],
    ["a redirect", (_request, response) => void response.writeHead(302, { Location: "/" }).end(), /status 302/],
    ["no JSON", "yes", /something else/],
    ["null", "null", /something else/],
    ["another port", { port: 1 }, /something else/],
    ["no address", { ip: "home" }, /something else/],
    ["neither yes nor no", { reachable: "true" }, /something else/],
    ["far too much", "x".repeat(100_000), /web page/],
    ["nothing", (request) => request.destroy(), /connection broke off|reset|ECONNRESET/],
  ])("%s: it did not answer, and nothing is claimed", async ([, says, detail]) => {
    const settings = settingsFor(await startProber(says));
    const finding = await first(checkReach(await listen(), settings, HOST, { 4: OLD }, {}));
    expect(finding).toMatchObject({ status: "warning", text: expect.stringMatching(detail) });
    expect(finding?.text).toMatch(/did not answer, which says nothing about this home/);
    expect(finding?.hint).toMatch(/IPCHECK_REACH_URL.*on a terminal Globalping/);
  });

  test("an address that is none of the internet's, where none is known", async () => {
    const settings = settingsFor(await startProber({ ip: "10.0.0.5" }));
    const text = expect.stringMatching(/saw 10\.0\.0\.5, which is no public/);
    expect(await first(checkReach(await listen(), settings, HOST, {}, {}))).toMatchObject({ status: "warning", text });
  });
});

describe.concurrent("Globalping, when the service does not answer", () => {
  const result = (...received: unknown[]) => ({
    status: "finished",
    results: received.map((rcv) => ({ result: { status: "finished", stats: { rcv } } })),
  });

  async function askedWith(measurement: unknown, says = true) {
    const port = await listen();
    const orders: unknown[] = [];
    let polls = 0;
    const globalping = await startEcho(async (request, response) => {
      if (request.method === "POST") {
        const body = (await request.toArray()).join("");
        orders.push([request.url, request.headers["content-type"], JSON.parse(body)]);
        json({ id: "a1", probesCount: 3 }, 202)(request, response);
      } else {
        expect(request.url).toBe("/v1/measurements/a1");
        json(polls++ === 0 ? { status: "in-progress", results: [] } : measurement)(request, response);
      }
    });
    const settings = settingsFor(await startProber(json({}, 403)));
    const questions: string[] = [];
    const confirm = async (question: string) => {
      questions.push(question);
      expect(orders).toEqual([]);
      return says;
    };
    const tools = { confirm, globalpingUrl: globalping.url.slice(0, -1) };
    const finding = await first(checkReach(port, settings, HOST, { 4: OLD }, tools));
    return { finding, orders, questions, port };
  }

  test("a person is told that it is public, and says yes: its probes connect to the address", async () => {
    const { finding, orders, questions, port } = await askedWith(result(0, 3, 0));
    expect(questions).toEqual([expect.stringMatching(/Globalping.*203\.0\.113\.7.*public for a while/)]);
    const order = { type: "ping", target: OLD, limit: 3, measurementOptions: { protocol: "TCP", port, packets: 3 } };
    expect(orders).toEqual([["/v1/measurements", "application/json", order]]);
    expect(finding).toMatchObject({ status: "ok", text: expect.stringMatching(/reachable.*Globalping/) });
  });

  test.for<[unknown, RegExp]>([
    [result(0, 0, 0), /nothing comes through: Globalping/],
    // What proves nothing says nothing.
    [result(), /Globalping had no probe/],
    [result("3"), /Globalping had no probe/],
    [{ status: "finished" }, /Globalping had no probe/],
    [null, /Globalping had no probe/],
    [{ status: "finished", results: [{}, null] }, /Globalping had no probe/],
  ])("%j: %s", async ([measurement, text]) => {
    const { finding } = await askedWith(measurement);
    expect(finding).toMatchObject({ status: "warning", text: expect.stringMatching(text) });
  });

  test("without a yes nothing is asked", async () => {
    const { finding, orders } = await askedWith(result(3), false);
    expect(orders).toEqual([]);
    expect(finding?.text).toMatch(/did not answer/);
  });
});

test("init's last step says who will be asked what, and asks nobody without a yes", async () => {
  const port = await listen();
  const prober = await startProber();
  const settings = settingsFor(prober, `ssh -p ${port} pi@{ip}`);
  const questions: string[] = [];
  const say = (answer: boolean) => async (question: string) => {
    questions.push(question);
    return answer;
  };
  expect(await first(offerReach(settings, HOST, say(false)))).toBeUndefined();
  expect(prober.asked).toEqual([]);
  expect(questions[0]).toMatch(new RegExp(`port ${port} .*127\\.0\\.0\\.1:${prober.service.port} is asked`));
  expect(await first(offerReach(settings, HOST, say(true)))).toMatchObject({ status: "ok" });
});

/** A home that asks two services at `address`, and one more at `alsoAt`. */
async function startHome({ url }: { url: string }, address = OLD, alsoAt?: string) {
  const start = (answer: string) => startEcho(answer, answer.includes(":") ? ON_IPV6 : {});
  const echoes = [await start(address), await start(address)];
  const mail = await startMail();
  const home = new Home(runHere).useServices(...echoes, ...(alsoAt ? [await start(alsoAt)] : [])).useMail(mail);
  home.env["IPCHECK_REACH_URL"] = url;
  if (alsoAt) home.env["IPCHECK_FAMILY"] = "both";
  const at = (hours: number) => home.run([], { now: new Date(START + hours * 3_600_000) });
  const move = (to: string) => {
    for (const echo of echoes) echo.answer = to;
  };
  return { home, mail, at, move };
}

describe.concurrent("doctor --reach", () => {
  test.for<[string, Saying, boolean, RegExp]>([
    [
      "reachable from outside",
      {},
      false,
      /^ok +port \d+ \(IPv4\): reachable from outside: 127\.0\.0\.1:\d+ could connect to 203\.0\.113\.7$/m,
    ],
    [
      "listens here, but nothing comes through",
      { reachable: false },
      false,
      /^warning {2}port \d+ \(IPv4\): it listens here, but nothing comes through: .* 203\.0\.113\.7\n +hint: forward the port .*router shows another address .*carrier-grade NAT.*IPCHECK_FAMILY=both/m,
    ],
    ["nothing listens here", {}, true, /^warning .*nothing listens on it on this machine.*\n +hint: .*ssh/m],
    [
      "the service saw another address",
      { ip: "198.51.100.9" },
      false,
      /^warning .*saw 198\.51\.100\.9, not 203\.0\.113\.7: a VPN or a proxy/m,
    ],
  ])("%s", async ([, says, isGone, said]) => {
    const prober = await startProber(says);
    const { home, mail } = await startHome(prober);
    const port = await listen("0.0.0.0", isGone);
    const run = await home.run(["doctor", "--reach", String(port)]);
    expect(run).toMatchObject({ exitCode: 0, stderr: "", stdout: expect.stringMatching(said) });
    expect(prober.asked).toEqual(isGone ? [] : [`/port/${port}`]);
    expect(mail.arrived).toEqual([]);
    expect(home.readState()).toBeUndefined();
  });

  test("without a port: that of the ssh line; without the switch nobody is asked", async () => {
    const prober = await startProber();
    const { home } = await startHome(prober);
    const port = await listen();
    home.env["IPCHECK_SSH"] = `ssh -p ${port} pi@{ip}`;
    await home.run(["doctor"]);
    expect(prober.asked).toEqual([]);
    const { stdout } = await home.run(["doctor", "--reach", "--json"]);
    expect(prober.asked).toEqual([`/port/${port}`]);
    expect(JSON.parse(stdout).checks.at(-1)).toMatchObject({ title: `port ${port} (IPv4)`, status: "ok" });
  });

  test.skipIf(!HAS_IPV6)("over each configured family, where the service has an address in it", async () => {
    const prober = await startProber({ ip: OLD_V6 }, ON_IPV6);
    const { home } = await startHome(prober, OLD_V6, OLD);
    const { stdout } = await home.run(["doctor", "--reach", String(await listen("::"))]);
    expect(stdout).toMatch(/\(IPv4\): .*cannot be asked over IPv4[\s\S]*\(IPv6\): reachable from outside/);
    expect(prober.asked).toHaveLength(1);
  });

  test.for([["--reach", "0"], ["--reach", "ssh"], ["--reach=65536"]])("%j is no port: exit 2", async (args) => {
    const said = expect.stringMatching(/--reach: expected a port from 1 to 65535/);
    expect(await new Home().run(["doctor", ...args])).toMatchObject({ exitCode: 2, stderr: said });
  });
});

describe.concurrent("the mail about a change", () => {
  const textOf = (mail: { arrived: { mail: { text?: string | undefined } }[] }) =>
    mail.arrived.at(-1)?.mail.text?.replace(/\s+/g, " ");

  test.for([
    [true, /From outside, port 22 answers at 203\.0\.113\.8\./],
    [false, /From outside, port 22 does not answer at 203\.0\.113\.8:/],
  ] as const)("says whether the port answers: %s", async ([reachable, sentence]) => {
    const prober = await startProber({ ip: NEW, reachable });
    const { home, mail, at, move } = await startHome(prober);
    Object.assign(home.env, { IPCHECK_REACH_PORT: "22", IPCHECK_TO: "a@example.net,b@example.net" });
    expect(await at(0)).toMatchObject(SILENCE);
    expect(textOf(mail)).not.toMatch(/From outside/);
    await at(1);
    expect(prober.asked).toEqual([]);
    move(NEW);
    expect(await at(2)).toMatchObject(SILENCE);
    expect(textOf(mail)).toMatch(sentence);
    await at(3);
    // Once, though there are two recipients; never at a first look, nor in a quiet run.
    expect(prober.asked).toEqual(["/port/22"]);
  });

  test.for<[string, Saying | "gone"]>([
    ["saw another address", { ip: "198.51.100.9" }],
    ["is gone", "gone"],
    ["shows a page", "<html>"],
    ["never answers", () => undefined],
  ])("says nothing where the service %s, and comes all the same", async ([, says]) => {
    const prober = await startProber(says);
    if (says === "gone") await prober.service.close();
    const { home, mail, at, move } = await startHome(prober);
    Object.assign(home.env, { IPCHECK_REACH_PORT: "22", IPCHECK_DEADLINE: "8s" });
    await at(0);
    move(NEW);
    const run = await at(1);
    expect(run).toMatchObject(SILENCE);
    expect(run.ms).toBeLessThan(6000);
    expect(mail.arrived).toHaveLength(2);
    expect(textOf(mail)).not.toMatch(/From outside/);
  });

  test("comes where the template and the port make no URL", async () => {
    const { home, mail, at, move } = await startHome({ url: "http://192.0.2.{port}/" });
    home.env["IPCHECK_REACH_PORT"] = "256";
    await at(0);
    move(NEW);
    expect(await at(1)).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(2);
    const { exitCode, stdout } = await home.run(["doctor", "--reach", String(await listen())]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^warning .*did not answer.* \(ERR_INVALID_URL\)/m);
  });

  test.skipIf(!HAS_IPV6)("asks over the family of the change", async () => {
    const prober = await startProber({ ip: NEW_V6 }, ON_IPV6);
    const { home, mail, at, move } = await startHome(prober, OLD_V6, OLD);
    home.env["IPCHECK_REACH_PORT"] = "22";
    await at(0);
    move(NEW_V6);
    expect(await at(1)).toMatchObject(SILENCE);
    expect(textOf(mail)).toMatch(/From outside, port 22 answers at 2001:db8:1:3::7/);
    expect(prober.asked).toEqual(["/port/22"]);
  });

  test("tried again later it asks nobody a second time", async () => {
    const prober = await startProber({ ip: NEW });
    const { home, mail, at, move } = await startHome(prober);
    home.env["IPCHECK_REACH_PORT"] = "22";
    await at(0);
    move(NEW);
    mail.refusals.set("owner@example.net", [450, "4.2.0 later"]);
    expect(await at(1)).toMatchObject({ exitCode: 5 });
    mail.refusals.clear();
    expect(await at(2)).toMatchObject({ exitCode: 0 });
    expect(mail.arrived).toHaveLength(2);
    expect(prober.asked).toHaveLength(1);
  });

  test("asks nobody where IPCHECK_REACH_PORT is not set", async () => {
    const prober = await startProber({ ip: NEW });
    const { mail, at, move } = await startHome(prober);
    await at(0);
    move(NEW);
    await at(1);
    expect(mail.arrived).toHaveLength(2);
    expect(prober.asked).toEqual([]);
  });
});
