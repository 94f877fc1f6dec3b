import { afterAll, describe, expect, test } from "vitest";
import { parseCidr } from "../../src/lookup/address";
import { type LookupOptions, look, lookAtAll } from "../../src/lookup/lookup";
import { chooseSources, findSources, parseIfInet6 } from "../../src/lookup/source-address";
import { type EchoServer, startEchoServer } from "../support/echo-server";
import { HAS_IPV6 } from "../support/ipv6";
import { hang, startPanel } from "../support/panel";

const LOOPBACK = "00000000000000000000000000000001 01 80 10 80       lo\n";
const [HARDWARE, TEMPORARY, OTHER] = [
  "20010db800010002ba27ebfffe123456 02 40 00 00     eth0\n",
  "20010db800010002c9d8f0a1b2c3d4e5 02 40 00 01     eth0\n",
  "20010db8000100020000000000000abc 02 80 00 80     eth0\n",
];
const LINK_LOCAL = "fe80000000000000ba27ebfffe123456 02 40 20 80     eth0\n";
const chosen = "2001:db8:1:2:c9d8:f0a1:b2c3:d4e5";
const hardware = "2001:db8:1:2:ba27:ebff:fe12:3456";
const RULES = {
  acceptRanges: [parseCidr("2001:db8::/32") as never],
  ipv6PrefixLength: 64,
  recorded: undefined,
  chosen,
};

test("a row of /proc/net/if_inet6", () => {
  expect(parseIfInet6(TEMPORARY)).toEqual([
    {
      address: chosen,
      interfaceName: "eth0",
      isGlobal: true,
      isTemporary: true,
      isStable: false,
      isPermanent: false,
      isEui64: false,
    },
  ]);
  expect(parseIfInet6(LOOPBACK + LINK_LOCAL).map(({ isGlobal }) => isGlobal)).toEqual([false, false]);
});

test("what is no row is skipped", () => {
  const scraps = ["", "\n\n", "no such file", `${"0".repeat(31)} 01 80 10 80 lo`, `${"g".repeat(32)} 01 80 10 80 lo`];
  for (const text of scraps) expect(parseIfInet6(text)).toEqual([]);
});

const eth = (network: string, host: string, flags: string, name = "eth0") =>
  `20010db8${network}${host} 02 40 00 ${flags} ${name.padStart(8)}\n`;
const HOST = "0000000000000abc";
const RANDOM = eth("00010002", "1111222233334444", "00");
const SECOND = eth("00010003", HOST, "00");
const UNIQUE_LOCAL = "fd00000000000000ba27ebfffe123456 02 40 00 80     eth0\n";

/** A Raspberry Pi with Wi-Fi beside the cable, containers and a VPN, as the kernel prints it. */
const CROWDED = `fe80000000000000dea632fffe0a1b2c 02 40 20 80     eth0
20010db800010002dea632fffe0a1b2c 02 40 00 00     eth0
20010db8000100024d1f0c9ae6b37521 02 40 00 21     eth0
20010db800010002f5a27c3e19d8b064 02 40 00 01     eth0
20010db800010002dea632fffe0a1b2d 03 40 00 00    wlan0
fe80000000000000dea632fffe0a1b2d 03 40 20 80    wlan0
fd00000000000000dea632fffe0a1b2c 02 40 00 00     eth0
fe800000000000000042a1fffe5c6d7e 04 40 20 80  docker0
20010db8ffff000000000000000000a1 05 80 00 80      wg0
00000000000000000000000000000001 01 80 10 80       lo
`;

describe("the address to ask from", () => {
  const CROWDED_LASTING = "2001:db8:1:2:dea6:32ff:fe0a:1b2c";
  const RECORDED_THERE = { recorded: "2001:db8:1:3::1" };

  test.each<[what: string, text: string, rules: object, ...sources: string[]]>([
    ["a Raspberry Pi with privacy extensions", LOOPBACK + TEMPORARY + HARDWARE + LINK_LOCAL, {}, hardware],
    ["one with much around it", CROWDED, { chosen: "2001:db8:1:2:f5a2:7c3e:19d8:b064" }, CROWDED_LASTING],
    ["only a temporary one", LOOPBACK + TEMPORARY + LINK_LOCAL, {}],
    ["none of the whole machine", LOOPBACK + LINK_LOCAL, {}],
    ["a permanent one comes before one from the hardware", TEMPORARY + HARDWARE + OTHER, {}, "2001:db8:1:2::abc"],
    ["one from the hardware before a random one", TEMPORARY + RANDOM + HARDWARE, {}, hardware],
    ["deprecated", TEMPORARY + eth("00010002", HOST, "20"), {}],
    ["tentative", TEMPORARY + eth("00010002", HOST, "40"), {}],
    ["a duplicate elsewhere", TEMPORARY + eth("00010002", HOST, "88"), {}],
    ["temporary and deprecated", TEMPORARY + eth("00010002", HOST, "21"), {}],
    ["unique-local addresses only", UNIQUE_LOCAL, { chosen: "fd00::ba27:ebff:fe12:3456" }],
    ["beside unique-local ones", UNIQUE_LOCAL + TEMPORARY + HARDWARE, {}, hardware],
    ["not of another interface, such as a VPN's", TEMPORARY + eth("00990000", HOST, "80", "wg0"), {}],
    ["not even in the same network", TEMPORARY + eth("00010002", HOST, "80", "wlan0"), {}],
    ["not of a second network of the line", TEMPORARY + SECOND, {}],
    ["but the recorded one first", TEMPORARY + HARDWARE + SECOND, RECORDED_THERE, "2001:db8:1:3::abc", hardware],
    ["the system's choice is no address of this machine", TEMPORARY + HARDWARE, { chosen: "2001:db8:7::1" }],
    ["documentation ranges are none of the internet", TEMPORARY + HARDWARE, { acceptRanges: [] }],
    ["recorded in full", TEMPORARY + HARDWARE, { recorded: hardware, ipv6PrefixLength: 128 }, hardware],
  ])("%s", (_, text, rules, ...sources) => {
    expect(chooseSources(parseIfInet6(text), { ...RULES, ...rules })).toEqual(sources);
  });

  test("where this machine has no way to the IPv6 internet there is none, and nothing fails", async () => {
    await expect(findSources(undefined, { acceptRanges: [], ipv6PrefixLength: 64 })).resolves.toBeInstanceOf(Array);
  });
});

describe.skipIf(!HAS_IPV6)("asking from it", () => {
  const closers: (() => Promise<void>)[] = [];
  afterAll(() => Promise.all(closers.map((close) => close())));
  const start = async (answer: EchoServer["answer"] = "2001:db8:1:2::abc") => {
    const echo = await startEchoServer(answer, { host: "::1" });
    closers.push(echo.close);
    return echo;
  };
  const optionsFor = (services: { url: string }[], ...sources: string[]): LookupOptions => ({
    serviceUrls: services.map(({ url }) => new URL(url)),
    acceptRanges: RULES.acceptRanges,
    ipv6PrefixLength: 64,
    timeoutMs: 300,
    userAgent: "ipcheck/test",
    redact: (text) => text,
    seed: "",
    now: () => new Date(),
    monotonicMs: () => performance.now(),
    signal: AbortSignal.timeout(20_000),
    findSources: async () => sources,
  });
  const REQUEST = { family: 6, recorded: undefined, candidate: undefined, coolDowns: {} } as const;

  const LOOKS = { look, lookAtAll };

  test.each(Object.entries(LOOKS))("%s: the services see it", async (_, lookFrom) => {
    const seen: (string | undefined)[] = [];
    const answer: EchoServer["answer"] = (request, response) => {
      seen.push(request.socket.remoteAddress);
      response.end("2001:db8:1:2::abc");
    };
    const result = await lookFrom(REQUEST, optionsFor([await start(answer), await start(answer)], "::1"));
    expect(result).toMatchObject({ decision: { kind: "confirmed" }, askedFrom: "::1", requests: 2 });
    expect(seen).toEqual(["::1", "::1"]);
  });

  test.each(Object.entries(LOOKS))("%s: one that is gone is done without", async (_, lookFrom) => {
    const result = await lookFrom(REQUEST, optionsFor([await start(), await start()], "2001:db8:1:2::dead"));
    expect(result).toMatchObject({ decision: { kind: "confirmed", address: "2001:db8:1:2::abc" } });
    expect(result.askedFrom).toBeUndefined();
  });

  test("one from which no packet comes back costs two time-outs, then the next is asked from", async () => {
    // The first two requests are those from it.
    const panel = await startPanel(6, (position) => (position < 2 ? hang : "2001:db8:1:2::abc"), "::1");
    closers.push(panel.close);
    const options = optionsFor(panel.services, "::1");
    const result = await look({ ...REQUEST, recorded: "2001:db8:1:2::1" }, options);
    expect(result).toMatchObject({ decision: { kind: "unchanged" }, requests: 3 });
    expect(result.askedFrom).toBeUndefined();
  });

  test("a page in place of an answer is no reason to ask from another", async () => {
    const services = [await start("<html>"), await start("<html>")];
    const result = await look(REQUEST, optionsFor(services, "::1"));
    expect(result).toMatchObject({ decision: { kind: "silence" }, askedFrom: "::1", requests: 2 });
  });
});
