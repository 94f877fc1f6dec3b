import { describe, expect, test } from "vitest";
import { resolveHost, resolverOptions } from "../../src/base/network";

const { signal } = new AbortController();

test.for([
  ["192.0.2.1", 4],
  ["2001:db8::1", 6],
  ["[2001:db8::1]", 6],
  ["fe80::1%eth0", 6],
] as const)("the literal %s is returned as it is", async ([host, family]) => {
  expect(await resolveHost(host, { signal })).toEqual([{ address: host.replace(/[[\]]/g, ""), family }]);
});

test("names are looked up as the system does it: /etc/hosts counts", async () => {
  expect(await resolveHost("localhost", { family: 4, signal })).toEqual([{ address: "127.0.0.1", family: 4 }]);
});

test("who asks for a name that is being looked up waits for the same answer", async () => {
  const [one, other] = await Promise.all([resolveHost("localhost", { signal }), resolveHost("localhost", { signal })]);
  expect(one).toBe(other);
  expect(await resolveHost("localhost", { signal })).not.toBe(one);
});

test("a look-up that is not waited for any more fails as one without an answer", async () => {
  await expect(resolveHost("localhost", { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "EAI_AGAIN" });
  const stopped = new AbortController();
  const looking = resolveHost("localhost", { signal: stopped.signal });
  stopped.abort();
  await expect(looking).rejects.toMatchObject({ code: "EAI_AGAIN" });
});

describe("what glibc is told", () => {
  test.for([
    [120_000, 1, undefined, "timeout:2 attempts:5"],
    [120_000, 2, undefined, "timeout:2 attempts:3"],
    [120_000, 3, undefined, "timeout:2 attempts:2"],
    // More than three are not asked; without any it asks the loopback address.
    [120_000, 9, undefined, "timeout:2 attempts:2"],
    [120_000, 0, undefined, "timeout:2 attempts:5"],
    [3_600_000, 2, undefined, "timeout:2 attempts:3"],
    [60_000, 2, undefined, "timeout:2 attempts:3"],
    [10_000, 1, undefined, "timeout:1 attempts:2"],
    [10_000, 3, undefined, "timeout:1 attempts:1"],
    [1000, 1, undefined, "timeout:1 attempts:1"],
    // The last one wins.
    [10_000, 1, "timeout:3 edns0", "timeout:1 attempts:2 timeout:3 edns0"],
  ] as const)("for %i ms and %i servers, besides %s: %s", ([deadlineMs, servers, own, expected]) => {
    expect(resolverOptions(deadlineMs, servers, own)).toBe(expected);
  });
});
