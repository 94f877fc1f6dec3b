// IPv4 and IPv6 are two slots: each fails, recovers and changes on its own.

import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { SILENCE, startEcho, startMail } from "../setup/workbench";
import type { EchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import { HAS_IPV6 } from "../support/ipv6";
import { runHere } from "../support/run-here";

vi.setConfig({ maxConcurrency: 3 });

const SUPPORT = join(__dirname, "..", "support");
const FAILING_CONNECT = join(SUPPORT, "failing-connect.cjs");
const FAKE_NAMES = join(SUPPORT, "fake-names.cjs");
const V4 = { old: "203.0.113.7", new: "203.0.113.8" };
const V6 = { old: "2001:db8:1:2::aaaa", privacy: "2001:db8:1:2:ffff::bbbb", new: "2001:db8:1:3::aaaa" };
const START = Date.UTC(2026, 5, 1, 12);

type Dual = Awaited<ReturnType<typeof startDual>>;

/** A home of both families that has recorded the old addresses and mailed them. */
async function startDual({ isSettled = true } = {}) {
  const start = (answer: string, host: "127.0.0.1" | "::1") =>
    Promise.all([1, 2].map(() => startEcho(answer, { host })));
  const echoes = { 4: await start(V4.old, "127.0.0.1"), 6: await start(V6.old, "::1") };
  const mail = await startMail();
  const home = new Home(runHere).useServices(...echoes[4], ...echoes[6]).useMail(mail);
  Object.assign(home.env, { IPCHECK_FAMILY: "both", IPCHECK_TIMEOUT: "1s", IPCHECK_DEADLINE: "5s" });
  const say = (family: 4 | 6, answer: EchoServer["answer"]) => {
    for (const echo of echoes[family]) echo.answer = answer;
  };
  /** `without` a family: connecting over it fails with `code`. */
  const at = (hours: number, { without = "", code = "ENETUNREACH", env = {} } = {}) =>
    home.run([], {
      now: new Date(START + hours * 3_600_000),
      env: { ...env, ...(without && { FAIL_CONNECT_CODE: code, FAIL_CONNECT_FAMILY: without }) },
      preload: without ? [FAILING_CONNECT] : [],
    });
  const recorded = (family: 4 | 6) => home.readState()?.families[family]?.recorded?.address;
  if (isSettled) {
    expect(await at(-10)).toMatchObject(SILENCE);
    expect([recorded(4), recorded(6)]).toEqual([V4.old, V6.old]);
    const told = mail.arrived.map(({ mail: { text } }) => text).join();
    expect(told).toContain(V4.old);
    expect(told).toContain(V6.old);
    mail.arrived.length = 0;
  }
  return { home, mail, echoes, say, at, recorded };
}

describe.skipIf(!HAS_IPV6)("one family fails, the other goes on", { concurrent: true }, () => {
  const hang: EchoServer["answer"] = () => undefined;
  const contradict = ({ echoes }: Dual) => {
    for (const [index, echo] of echoes[6].entries()) echo.answer = `2001:db8:${index + 5}::1`;
  };
  const closeAll = ({ echoes }: Dual, family: 4 | 6) => Promise.all(echoes[family].map((echo) => echo.close()));
  test.for([
    ["its services refuse", 6, (dual: Dual) => closeAll(dual, 6), /refused/],
    ["its services refuse", 4, (dual: Dual) => closeAll(dual, 4), /refused/],
    ["its services never answer", 6, (dual: Dual) => dual.say(6, hang), /in time/],
    ["its services never answer", 4, (dual: Dual) => dual.say(4, hang), /in time/],
    ["a page answers", 6, (dual: Dual) => dual.say(6, "<html>"), /portal/],
    ["the other family answers", 6, (dual: Dual) => dual.say(6, V4.new), /wrong family/],
    ["the other family answers", 4, (dual: Dual) => dual.say(4, V6.new), /wrong family/],
    ["the services contradict", 6, contradict, /contradict/],
  ] as const)("%s: IPv%i", async ([, broken, breakIt, reason]) => {
    const dual = await startDual();
    const { home, mail, at, recorded } = dual;
    await breakIt(dual);
    const whole = broken === 6 ? 4 : 6;
    const moved = whole === 4 ? V4.new : V6.new;
    dual.say(whole, moved);
    const run = await at(0);
    expect(run).toMatchObject({ exitCode: 3, stdout: "" });
    expect(run.ms).toBeLessThan(5000);
    expect(run.stderr).toMatch(new RegExp(`^ipcheck: error: .*IPv${broken} address: .*${reason.source}.*\n`));
    expect(run.stderr.match(/^ipcheck: error: /gm)).toHaveLength(1);
    expect(run.stderr).not.toContain(`IPv${whole}`);
    expect(recorded(whole)).toBe(moved);
    expect(recorded(broken)).toBe(broken === 6 ? V6.old : V4.old);
    expect(mail.arrived).toHaveLength(1);
    expect(mail.arrived[0]?.mail.subject).toContain(moved);
    expect(home.readState().outbox).toEqual([]);
  });

  test("at the first look too", async () => {
    const dual = await startDual({ isSettled: false });
    dual.say(6, V4.old);
    const run = await dual.at(0);
    expect(run).toMatchObject({ exitCode: 3 });
    expect(run.stderr).toMatch(/^ipcheck: error: no trustworthy IPv6 address: .*wrong family/);
    expect([dual.recorded(4), dual.recorded(6)]).toEqual([V4.old, undefined]);
    expect(dual.mail.arrived).toHaveLength(1);
  });
});

describe.skipIf(!HAS_IPV6)("a host without IPv6", { concurrent: true }, () => {
  test.for(["ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"])("%s: said plainly, never announced", async (code) => {
    const { home, mail, echoes, say, at, recorded } = await startDual();
    for (let hour = 0; hour < 4; hour++) {
      const run = await at(hour, { without: "6", code });
      expect(run).toMatchObject({ exitCode: 3, stdout: "" });
      // Once a day is enough.
      if (hour > 0) expect(run.stderr).toBe("");
      else
        expect(run.stderr).toMatch(/^ipcheck: error: [^\n]*this machine has no IPv6.*\nipcheck: hint: .*FAMILY=4\n$/s);
    }
    expect(mail.arrived).toEqual([]);
    expect(home.readState()).toMatchObject({ families: { 6: { recorded: { address: V6.old } } }, outbox: [] });
    // IPv4 is watched as ever.
    say(4, V4.new);
    expect(await at(4, { without: "6", code })).toMatchObject({ exitCode: 3, stdout: "", stderr: "" });
    expect(mail.arrived).toHaveLength(1);
    expect(mail.arrived[0]?.mail.subject).toContain(V4.new);
    expect(mail.arrived[0]?.mail.text).not.toMatch(/2001:db8|IPv6/);
    // And when it comes back changed, that is a change.
    say(6, V6.new);
    expect(await at(5)).toMatchObject(SILENCE);
    expect([recorded(4), recorded(6)]).toEqual([V4.new, V6.new]);
    expect(mail.arrived).toHaveLength(2);
    expect(echoes[6].every(({ requests }) => requests.length > 0)).toBe(true);
  });

  test("from the first look on: IPv4 is recorded and told, IPv6 is nothing", async () => {
    const { home, mail, at } = await startDual({ isSettled: false });
    expect(await at(0, { without: "6" })).toMatchObject({ exitCode: 3 });
    expect(Object.keys(home.readState().families[6])).toEqual(["blind"]);
    expect(mail.arrived).toHaveLength(1);
    expect(await at(1, { without: "6", env: { IPCHECK_FAMILY: "4" } })).toMatchObject(SILENCE);
  });

  test("without IPv4 instead, there is no network to blame on IPv6", async () => {
    const { at } = await startDual();
    const run = await at(0, { without: "4" });
    expect(run).toMatchObject({ exitCode: 3 });
    expect(run.stderr).toMatch(/^ipcheck: error: no trustworthy IPv4 address: no network/);
    expect(run.stderr).not.toContain("IPv6 address");
  });
});

describe.skipIf(!HAS_IPV6)("IPv6 is judged by its prefix", { concurrent: true }, () => {
  test.for([
    ["another privacy address", V6.privacy, undefined, false],
    ["the same in another spelling, to the last bit", "2001:0DB8:0001:0002:0:0:0:AAAA", "128", false],
    ["another /64", V6.new, undefined, true],
    ["another /64 in the same /56", V6.new, "56", false],
    ["another privacy address, to the last bit", V6.privacy, "128", true],
  ] as const)("%s", async ([, address, prefix, isChange]) => {
    const { home, mail, echoes, say, at, recorded } = await startDual();
    const before = home.fingerprint();
    const asked = echoes[6].flatMap(({ requests }) => requests).length;
    say(6, address);
    const env: Record<string, string> = prefix ? { IPCHECK_IPV6_PREFIX: prefix } : {};
    expect(await at(0, { env })).toMatchObject(SILENCE);
    expect(recorded(6)).toBe(isChange ? address : V6.old);
    expect(mail.arrived).toHaveLength(isChange ? 1 : 0);
    if (!isChange) {
      expect(home.fingerprint()).toBe(before);
      expect(echoes[6].flatMap(({ requests }) => requests)).toHaveLength(asked + 1);
    }
  });

  test("what is told by hand is the address seen now, what is recorded stays", async () => {
    const { home, say, recorded } = await startDual();
    say(6, V6.privacy);
    const run = await home.run(["-v"], { now: new Date(START) });
    expect(run.stdout).toContain(`${V6.privacy} is unchanged`);
    expect(recorded(6)).toBe(V6.old);
  });

  test("two services that see two addresses of one /64 agree", async () => {
    const { mail, echoes, at, recorded } = await startDual();
    for (const [index, echo] of echoes[6].entries()) echo.answer = `2001:db8:9:9::${index + 1}`;
    expect(await at(0)).toMatchObject(SILENCE);
    expect(recorded(6)).toMatch(/^2001:db8:9:9::[12]$/);
    expect(mail.arrived).toHaveLength(1);
  });
});

test.skipIf(!HAS_IPV6)("a name with both families is asked over the family that is meant", async () => {
  const seen: (4 | 6)[] = [];
  // One socket for both: a port that is free for one family may be taken for the other.
  const echo = await startEcho(
    (request, response) => {
      const family = request.socket.remoteAddress?.startsWith("::ffff:") ? 4 : 6;
      seen.push(family);
      response.end(family === 4 ? V4.old : V6.old);
    },
    { host: "::" },
  );
  const home = new Home().useServices({ url: `http://dual.test:${echo.port}/` });
  for (const family of ["4", "6", "both"]) {
    const env = { IPCHECK_FAMILY: family, FAKE_NAMES: '{"dual.test":["127.0.0.1","::1"]}' };
    const run = await home.run([], { env, preload: [FAKE_NAMES] });
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  }
  expect(seen.toSorted()).toEqual([4, 4, 6, 6]);
  expect(home.readState().families).toMatchObject({
    4: { recorded: { address: V4.old } },
    6: { recorded: { address: V6.old } },
  });
});
