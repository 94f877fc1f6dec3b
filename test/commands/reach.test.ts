import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import type { Finding } from "../../src/commands/diagnosis";
import { checkReach, offerReach, sshPort } from "../../src/commands/reach";
import { parseCidr } from "../../src/lookup/address";
import { type EchoServer, type Handler, startEchoServer } from "../support/echo-server";

const ADDRESS = "203.0.113.7";
const closers: (() => unknown)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

/** Something that listens on a port of this machine. */
async function listen(host = "0.0.0.0"): Promise<number> {
  const server: Server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function startService(answer: string | Handler): Promise<EchoServer> {
  const echo = await startEchoServer(answer);
  closers.push(echo.close);
  return echo;
}

const json =
  (value: unknown, status = 200): Handler =>
  (_request, response) => {
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
  };

const HOST = {
  userAgent: "ipcheck/test",
  isStdinTerminal: false,
  openStdin: () => process.stdin,
  openStderr: () => process.stderr,
};

function settingsFor({ url }: { url: string }, sshLine = "ssh pi@{ip}") {
  const range = parseCidr("203.0.113.0/24");
  return {
    acceptRanges: range ? [range] : [],
    extraCa: undefined,
    families: [4 as const],
    ipv6PrefixLength: 64,
    reachUrl: `${url}port/{port}`,
    sshLine,
  };
}

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
  test.for<[string, Handler | string, RegExp]>([
    ["a page", "<!doctype html><title>Just a moment…</title>", /answered with a web page/],
    ["a challenge", json({}, 403), /it refused \(403\)/],
    ["too many", json({}, 429), /asked to come back later \(429\)/],
    ["an error", json({}, 500), /answered with status 500/],
    ["a redirect", (_request, response) => void response.writeHead(302, { Location: "/" }).end(), /status 302/],
    ["no JSON", "yes", /something else/],
    ["null", "null", /something else/],
    ["another port", json({ ip: ADDRESS, port: 1, reachable: true }), /something else/],
    ["no address", json({ ip: "home", port: "PORT", reachable: true }), /something else/],
    ["neither yes nor no", json({ ip: ADDRESS, port: "PORT", reachable: "true" }), /something else/],
    ["far too much", "x".repeat(100_000), /web page/],
    ["nothing", (request) => request.destroy(), /connection broke off|reset|ECONNRESET/],
  ])("%s: it did not answer, and nothing is claimed", async ([, answer, detail]) => {
    const port = await listen();
    const service = await startService(answer);
    if (typeof answer === "function") {
      service.answer = (request, response) => {
        const end = response.end.bind(response);
        // The right port, where the row does not mean another.
        response.end = ((text?: string) => end(text?.replace('"PORT"', String(port)))) as typeof response.end;
        answer(request, response);
      };
    }
    const finding = await first(checkReach(port, settingsFor(service), HOST, { 4: ADDRESS }, {}));
    expect(finding).toMatchObject({ status: "warning", text: expect.stringMatching(detail) });
    expect(finding?.text).toMatch(/did not answer, which says nothing about this home/);
    expect(finding?.hint).toMatch(/IPCHECK_REACH_URL.*on a terminal Globalping/);
  });

  test("an address that is none of the internet's, where none is known", async () => {
    const port = await listen();
    const service = await startService(json({ ip: "10.0.0.5", port, reachable: true }));
    const finding = await first(checkReach(port, settingsFor(service), HOST, {}, {}));
    expect(finding).toMatchObject({
      status: "warning",
      text: expect.stringMatching(/saw 10\.0\.0\.5, which is no public/),
    });
  });

  test("a service of the other family is not asked", async () => {
    const port = await listen("::");
    const service = await startService(json({ ip: ADDRESS, port, reachable: true }));
    const settings = { ...settingsFor(service), families: [6 as const] };
    const finding = await first(checkReach(port, settings, HOST, {}, {}));
    expect(finding?.text).toMatch(/did not answer.*cannot be asked over IPv6|nothing listens/);
    expect(service.requests).toEqual([]);
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
    const globalping = await startService((request, response) => {
      if (request.method === "POST") {
        let body = "";
        request.on("data", (chunk) => {
          body += chunk;
        });
        request.on("end", () => {
          orders.push([request.url, request.headers["content-type"], JSON.parse(body)]);
          json({ id: "a1", probesCount: 3 }, 202)(request, response);
        });
      } else {
        expect(request.url).toBe("/v1/measurements/a1");
        json(polls++ === 0 ? { status: "in-progress", results: [] } : measurement)(request, response);
      }
    });
    const service = await startService(json({}, 403));
    const questions: string[] = [];
    const confirm = async (question: string) => {
      questions.push(question);
      expect(orders).toEqual([]);
      return says;
    };
    const tools = { confirm, globalpingUrl: globalping.url.slice(0, -1) };
    const finding = await first(checkReach(port, settingsFor(service), HOST, { 4: ADDRESS }, tools));
    return { finding, orders, questions, port };
  }

  test("a person is told that it is public, and says yes: its probes connect to the address", async () => {
    const { finding, orders, questions, port } = await askedWith(result(0, 3, 0));
    expect(questions).toEqual([expect.stringMatching(/Globalping.*203\.0\.113\.7.*public for a while/)]);
    expect(orders).toEqual([
      [
        "/v1/measurements",
        "application/json",
        { type: "ping", target: ADDRESS, limit: 3, measurementOptions: { protocol: "TCP", port, packets: 3 } },
      ],
    ]);
    expect(finding).toMatchObject({ status: "ok", text: expect.stringMatching(/reachable.*Globalping/) });
  });

  test("nobody gets through", async () => {
    const { finding } = await askedWith(result(0, 0, 0));
    expect(finding).toMatchObject({
      status: "warning",
      text: expect.stringMatching(/nothing comes through: Globalping/),
    });
  });

  test.for([
    [result()],
    [result("3")],
    [{ status: "finished" }],
    [null],
    [{ status: "finished", results: [{}, null] }],
  ])("what proves nothing says nothing: %j", async ([measurement]) => {
    const { finding } = await askedWith(measurement);
    expect(finding).toMatchObject({ status: "warning", text: expect.stringMatching(/Globalping had no probe/) });
  });

  test("without a yes nothing is asked", async () => {
    const { finding, orders } = await askedWith(result(3), false);
    expect(orders).toEqual([]);
    expect(finding?.text).toMatch(/did not answer/);
  });
});

test("init's last step says who will be asked what, and asks nobody without a yes", async () => {
  const port = await listen();
  const service = await startService(json({ ip: ADDRESS, port, reachable: true }));
  const settings = settingsFor(service, `ssh -p ${port} pi@{ip}`);
  const questions: string[] = [];
  const say = (answer: boolean) => async (question: string) => {
    questions.push(question);
    return answer;
  };
  expect(await first(offerReach(settings, HOST, say(false)))).toBeUndefined();
  expect(service.requests).toEqual([]);
  expect(questions[0]).toMatch(new RegExp(`port ${port} .*127\\.0\\.0\\.1:${service.port} is asked`));
  expect(await first(offerReach(settings, HOST, say(true)))).toMatchObject({ status: "ok" });
});
