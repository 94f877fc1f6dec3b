// Whether the home can be reached, as the built program says it: by hand, and in the mail about a change.

import { type AddressInfo, createServer } from "node:net";
import { afterAll, describe, expect, test, vi } from "vitest";
import { startEcho, startMail } from "../setup/workbench";
import type { EchoServer, Handler } from "../support/echo-server";
import { Home } from "../support/home";
import { HAS_IPV6 } from "../support/ipv6";
import { runHere } from "../support/run-here";

vi.setConfig({ maxConcurrency: 3 });

const [OLD, NEW] = ["203.0.113.7", "203.0.113.8"];
const START = Date.UTC(2026, 5, 1, 12);
const [OLD_V6, NEW_V6] = ["2001:db8:1:2::7", "2001:db8:1:3::7"];
const ON_IPV6 = { host: "::1" } as const;

const closers: (() => unknown)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

/** A port on which something listens, or did a moment ago. */
async function listen(host = "0.0.0.0", isGone = false): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  if (isGone) await new Promise((resolve) => server.close(resolve));
  else closers.push(() => server.close());
  return port;
}

/** A service like echoip, which notes what it was asked. */
async function startProber(ip: string, reachable: boolean, options?: typeof ON_IPV6) {
  const asked: (string | undefined)[] = [];
  const service = await startEcho((request, response) => {
    asked.push(request.url);
    const port = Number(request.url?.replace("/port/", ""));
    response.setHeader("Content-Type", "application/json").end(JSON.stringify({ ip, port, reachable }));
  }, options);
  return { asked, service, url: `${service.url}port/{port}` };
}

/** A home that asks two services at `address`, and one more at `alsoAt`. */
async function startHome(address = OLD, alsoAt?: string) {
  const start = (answer: string) => startEcho(answer, answer.includes(":") ? ON_IPV6 : {});
  const echoes = [await start(address), await start(address)];
  const mail = await startMail();
  const home = new Home(runHere).useServices(...echoes, ...(alsoAt ? [await start(alsoAt)] : [])).useMail(mail);
  if (alsoAt) home.env["IPCHECK_FAMILY"] = "both";
  const at = (hours: number) => home.run([], { now: new Date(START + hours * 3_600_000) });
  const move = (to: string) => {
    for (const echo of echoes) echo.answer = to;
  };
  return { home, mail, at, move };
}

describe.concurrent("doctor --reach", () => {
  const html: Handler = (_request, response) => {
    response.setHeader("Content-Type", "text/html").end("<!doctype html>");
  };
  test.for<[string, { ip?: string; reachable?: boolean; isGone?: boolean; answer?: Handler }, RegExp, number]>([
    [
      "reachable from outside",
      { reachable: true },
      /^ok +port \d+ \(IPv4\): reachable from outside: 127\.0\.0\.1:\d+ could connect to 203\.0\.113\.7$/m,
      1,
    ],
    [
      "listens here, but nothing comes through",
      {},
      /^warning {2}port \d+ \(IPv4\): it listens here, but nothing comes through: .* 203\.0\.113\.7\n +hint: forward the port .*router shows another address .*carrier-grade NAT.*IPCHECK_FAMILY=both/m,
      1,
    ],
    ["nothing listens here", { isGone: true }, /^warning .*nothing listens on it on this machine.*\n +hint: .*ssh/m, 0],
    [
      "the service saw another address",
      { ip: "198.51.100.9", reachable: true },
      /^warning .*saw 198\.51\.100\.9, not 203\.0\.113\.7: a VPN or a proxy/m,
      1,
    ],
    [
      "the service did not answer",
      { answer: html },
      /^warning .*did not answer, which says nothing about this home: .*web page/m,
      0,
    ],
  ])("%s", async ([, { ip = OLD, reachable = false, isGone, answer }, said, requests]) => {
    const { home, mail } = await startHome();
    const prober = await startProber(ip, reachable);
    if (answer) prober.service.answer = answer;
    home.env["IPCHECK_REACH_URL"] = prober.url;
    const port = await listen("0.0.0.0", isGone);
    const run = await home.run(["doctor", "--reach", String(port)]);
    expect(run).toMatchObject({ exitCode: 0, stderr: "", stdout: expect.stringMatching(said) });
    expect(prober.asked).toEqual(Array(requests).fill(`/port/${port}`));
    expect(mail.arrived).toEqual([]);
    expect(home.readState()).toBeUndefined();
  });

  test("without a port: that of the ssh line; without the switch nobody is asked", async () => {
    const { home } = await startHome();
    const prober = await startProber(OLD, true);
    const port = await listen();
    Object.assign(home.env, { IPCHECK_REACH_URL: prober.url, IPCHECK_SSH: `ssh -p ${port} pi@{ip}` });
    await home.run(["doctor"]);
    expect(prober.asked).toEqual([]);
    const { stdout } = await home.run(["doctor", "--reach", "--json"]);
    expect(prober.asked).toEqual([`/port/${port}`]);
    expect(JSON.parse(stdout).checks.at(-1)).toMatchObject({ title: `port ${port} (IPv4)`, status: "ok" });
  });

  test.skipIf(!HAS_IPV6)("over each configured family", async () => {
    const { home } = await startHome(OLD_V6, OLD);
    const prober = await startProber(OLD_V6, true, ON_IPV6);
    const port = await listen("::");
    home.env["IPCHECK_REACH_URL"] = prober.url;
    const { stdout } = await home.run(["doctor", "--reach", String(port)]);
    expect(stdout).toMatch(/\(IPv4\): .*cannot be asked over IPv4[\s\S]*\(IPv6\): reachable from outside/);
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
    const { home, mail, at, move } = await startHome();
    const prober = await startProber(NEW, reachable);
    Object.assign(home.env, {
      IPCHECK_REACH_URL: prober.url,
      IPCHECK_REACH_PORT: "22",
      IPCHECK_TO: "a@example.net,b@example.net",
    });
    expect(await at(0)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(textOf(mail)).not.toMatch(/From outside/);
    await at(1);
    expect(prober.asked).toEqual([]);
    move(NEW);
    expect(await at(2)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(textOf(mail)).toMatch(sentence);
    await at(3);
    // Once, though there are two recipients; never at a first look, nor in a quiet run.
    expect(prober.asked).toEqual(["/port/22"]);
  });

  test.for<[string, EchoServer["answer"] | "another" | "gone"]>([
    ["saw another address", "another"],
    ["is gone", "gone"],
    ["shows a page", "<html>"],
    ["never answers", () => undefined],
  ])("says nothing where the service %s, and comes all the same", async ([, how]) => {
    const { home, mail, at, move } = await startHome();
    const prober = await startProber("198.51.100.9", true);
    if (how === "gone") await prober.service.close();
    else if (how !== "another") prober.service.answer = how;
    Object.assign(home.env, { IPCHECK_REACH_URL: prober.url, IPCHECK_REACH_PORT: "22", IPCHECK_DEADLINE: "8s" });
    await at(0);
    move(NEW);
    const run = await at(1);
    expect(run).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    expect(run.ms).toBeLessThan(6000);
    expect(mail.arrived).toHaveLength(2);
    expect(textOf(mail)).not.toMatch(/From outside/);
  });

  test("comes where the template and the port make no URL", async () => {
    const { home, mail, at, move } = await startHome();
    Object.assign(home.env, { IPCHECK_REACH_URL: "http://192.0.2.{port}/", IPCHECK_REACH_PORT: "256" });
    await at(0);
    move(NEW);
    expect(await at(1)).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    expect(mail.arrived).toHaveLength(2);
    const { exitCode, stdout } = await home.run(["doctor", "--reach", String(await listen())]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^warning .*did not answer.* \(ERR_INVALID_URL\)/m);
  });

  test.skipIf(!HAS_IPV6)("asks over the family of the change", async () => {
    const { home, mail, at, move } = await startHome(OLD_V6, OLD);
    const prober = await startProber(NEW_V6, true, ON_IPV6);
    Object.assign(home.env, { IPCHECK_REACH_URL: prober.url, IPCHECK_REACH_PORT: "22" });
    await at(0);
    move(NEW_V6);
    expect(await at(1)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(textOf(mail)).toMatch(/From outside, port 22 answers at 2001:db8:1:3::7/);
    expect(prober.asked).toEqual(["/port/22"]);
  });

  test("tried again later it asks nobody a second time", async () => {
    const { home, mail, at, move } = await startHome();
    const prober = await startProber(NEW, true);
    Object.assign(home.env, { IPCHECK_REACH_URL: prober.url, IPCHECK_REACH_PORT: "22" });
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
    const { home, mail, at, move } = await startHome();
    const prober = await startProber(NEW, true);
    home.env["IPCHECK_REACH_URL"] = prober.url;
    await at(0);
    move(NEW);
    await at(1);
    expect(mail.arrived).toHaveLength(2);
    expect(prober.asked).toEqual([]);
  });
});
