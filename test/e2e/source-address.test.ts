// The IPv6 address that is told is one that lasts; an IPv4 home does not pay for it.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startEcho } from "../setup/workbench";
import type { EchoServer } from "../support/echo-server";
import { Home, TEST_RANGES } from "../support/home";
import { HAS_IPV6 } from "../support/ipv6";

const FAKE = join(__dirname, "..", "support", "fake-if-inet6.cjs");

/** A home whose only addresses are those of the loopback interface, one of them called temporary. */
async function makeHome(host: "127.0.0.1" | "::1", answer: EchoServer["answer"]) {
  const home = new Home().useServices(await startEcho(answer, { host }), await startEcho(answer, { host }));
  const log = join(home.path, "read");
  Object.assign(home.env, {
    IPCHECK_ACCEPT_RANGES: `${TEST_RANGES},::1/128`,
    IPCHECK_FAMILY: host === "::1" ? "6" : "4",
    FAKE_IF_INET6: "00000000000000000000000000000001 01 80 00 80 lo\n00000000000000000000000000000002 01 80 00 01 lo\n",
    FAKE_SOURCE: "::2",
    FAKE_IF_INET6_READ: log,
  });
  return { log, run: (...args: string[]) => home.run(args, { preload: [FAKE] }) };
}

test.skipIf(!HAS_IPV6)("doctor says which one it is", async () => {
  const { run } = await makeHome("::1", "2001:db8:1:2::7");
  expect((await run("doctor")).stdout).toMatch(/^ok +IPv6 address: ::1 lasts .* asked from it$/m);
});

test("an IPv4 home does not look at its IPv6 addresses", async () => {
  const { log, run } = await makeHome("127.0.0.1", "203.0.113.7");
  for (const args of [[], [], ["doctor"]]) expect(await run(...args)).toMatchObject({ exitCode: 0, stderr: "" });
  expect(existsSync(log)).toBe(false);
});

test.skipIf(!HAS_IPV6)("an IPv6 home does, and asks one service in a quiet hour", async () => {
  let requests = 0;
  const { log, run } = await makeHome("::1", (_request, response) => {
    requests++;
    response.end("2001:db8:1:2::7");
  });
  await run();
  requests = 0;
  expect(await run()).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
  expect([requests, existsSync(log)]).toEqual([1, true]);
});
