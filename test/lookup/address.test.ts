import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  findSpecialRange,
  hasSamePrefix,
  isInCidr,
  isIpv4Mapped,
  isLoopbackAddress,
  isLoopbackHost,
  parseAddress,
  parseCidr,
  SPECIAL_RANGES,
} from "../../src/lookup/address";

/** The last 112, 96, 80 and 64 bits set. */
const F7 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff";
const [F6, F5, F4] = [F7.slice(5), F7.slice(10), F7.slice(15)];

const hextets = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
const ipv6 = hextets.map((parts) => parts.map((part) => part.toString(16)).join(":"));

describe("parseAddress", () => {
  test.each([
    ["0.0.0.0", 4, "0.0.0.0"],
    ["81.2.69.142", 4, "81.2.69.142"],
    ["255.255.255.255", 4, "255.255.255.255"],
    ["::", 6, "::"],
    ["0:0:0:0:0:0:0:1", 6, "::1"],
    ["2A02:0DB8:0000:0000:0000:0000:0000:0001", 6, "2a02:db8::1"],
    ["2001:db8:0:1:1:1:1:1", 6, "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", 6, "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", 6, "2001:db8::1:0:0:1"],
    ["::FFFF:C000:0201", 6, "::ffff:192.0.2.1"],
    ["64:ff9b::192.0.2.33", 6, "64:ff9b::c000:221"],
  ])("%s", (text, family, address) => expect(parseAddress(text)).toEqual({ family, address }));

  const SCRAPS = `| 81.2.69.142|81.2.69.142\n|81.2.69.042|81.2.00.1|0121.2.69.142|0x51.0x2.0x45.0x8e|0x5102458e|1359103374
    81.2.69|81.2.69.142.1|81.2.69.142.|81.2.69.256|81.2.69.-1|81.2.69.1e1|٨١.2.69.142|８1.2.69.142|81.2.69.142:443
    81.2.69.142/32|81.2.69.142 81.2.69.143|81.2.69.142\0|localhost|fe80::1%eth0|2a02::1%1|2a02::1%|[2a02::1]|[2a02::1]:443
    2a02::1/64|2a02::1::2|2a02:::1|1:2:3:4:5:6:7|1:2:3:4:5:6:7:8:9|2a02::12345|2a02::g|::ffff:192.0.2.01`;
  test.each(SCRAPS.split(/\||\n {4}/))("no address: %j", (text) => expect(parseAddress(text)).toBeUndefined());

  test("every spelling of an IPv6 address has one canonical form", () => {
    fc.assert(
      fc.property(hextets, (parts) => {
        const plain = parts.map((part) => part.toString(16));
        const canonical = parseAddress(plain.join(":"))?.address ?? "";
        const padded = plain.map((part) => part.padStart(4, "0")).join(":");
        expect(parseAddress(padded)?.address).toBe(canonical);
        expect(parseAddress(padded.toUpperCase())?.address).toBe(canonical);
        expect(parseAddress(canonical)?.address).toBe(canonical);
        // A URL's host is written by another implementation of RFC 5952; only the mapped ones differ in style.
        if (!canonical.includes(".")) expect(new URL(`http://[${padded}]/`).hostname).toBe(`[${canonical}]`);
      }),
    );
  });

  test("an IPv4 address is what four plain numbers from 0 to 255 spell", () => {
    const part = fc.oneof(fc.nat(300).map(String), fc.constantFrom("", "00", "01", "0x1", "+1", "1 "));
    fc.assert(
      fc.property(fc.array(part, { minLength: 3, maxLength: 5 }), (parts) => {
        const isAddress =
          parts.length === 4 && parts.every((text) => /^(0|[1-9]\d*)$/.test(text) && Number(text) < 256);
        expect(parseAddress(parts.join("."))?.address).toBe(isAddress ? parts.join(".") : undefined);
      }),
    );
  });
});

describe("ranges", () => {
  test.each([
    ["192.0.2.0/24", { family: 4, network: "192.0.2.0", prefixLength: 24 }],
    ["192.0.2.7", { family: 4, network: "192.0.2.7", prefixLength: 32 }],
    ["0.0.0.0/0", { family: 4, network: "0.0.0.0", prefixLength: 0 }],
    ["2001:DB8::/32", { family: 6, network: "2001:db8::", prefixLength: 32 }],
    ["::1", { family: 6, network: "::1", prefixLength: 128 }],
  ])("parseCidr %j", (text, expected) => expect(parseCidr(text)).toEqual(expected));

  const SCRAPS = `192.0.2.0/33|2001:db8::/129|192.0.2.0/|192.0.2.0/-1|192.0.2.0/+8|192.0.2.0/8.0|192.0.2.0/24/24
    192.0.2.0/255.255.255.0|192.0.2/24|/24||home`;
  test.each(SCRAPS.split(/\||\n {4}/))("no range: %j", (text) => expect(parseCidr(text)).toBeUndefined());

  test.each([
    ["192.0.2.0", "192.0.2.0/24", true],
    ["192.0.2.255", "192.0.2.0/24", true],
    ["192.0.3.0", "192.0.2.0/24", false],
    ["192.0.2.9", "192.0.2.200/24", true],
    ["8.8.8.8", "0.0.0.0/0", true],
    ["2001:db8:ffff::1", "2001:db8::/32", true],
    ["2001:db9::", "2001:db8::/32", false],
    ["::192.0.2.1", "192.0.2.0/24", false],
    ["::ffff:192.0.2.1", "192.0.2.0/24", false],
    ["192.0.2.1", "::ffff:192.0.2.0/120", false],
    ["192.0.2.1", "::/0", false],
  ])("%s in %s: %s", (address, range, expected) => {
    const cidr = parseCidr(range);
    expect(cidr && isInCidr(address, cidr)).toBe(expected);
  });

  test.each([
    ["::ffff:192.0.2.1", true],
    ["::FFFF:C000:201", true],
    ["0:0:0:0:0:ffff:1:2", true],
    ["::192.0.2.1", false],
    ["::fffe:192.0.2.1", false],
    ["192.0.2.1", false],
  ])("isIpv4Mapped %s: %s", (address, expected) => expect(isIpv4Mapped(address)).toBe(expected));
});

describe("hasSamePrefix", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1", 64, true],
    ["192.0.2.1", "192.0.2.2", 64, false],
    ["192.0.2.1", "2001:db8::1", 1, false],
    ["2001:db8::1", "192.0.2.1", 1, false],
    ["2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", 64, true],
    ["2001:db8:0:1::1", "2001:db8:0:2::1", 64, false],
    ["2001:db8:0:1::1", "2001:db8:0:2::1", 56, true],
    ["2001:db8::1", "2001:db8::2", 128, false],
    ["2001:db8::1", "2001:db8::1", 128, true],
  ])("%s and %s on %d bits: %s", (a, b, bits, expected) => {
    expect(hasSamePrefix(a, b, bits)).toBe(expected);
    expect(hasSamePrefix(b, a, bits)).toBe(expected);
  });

  test("one bit decides: inside the prefix another place, behind it the same", () => {
    fc.assert(
      fc.property(ipv6, fc.integer({ min: 1, max: 128 }), fc.nat(127), (text, prefixLength, bit) => {
        const flipped = text.split(":").map((part, index) => {
          const mask = index === Math.floor(bit / 16) ? 1 << (15 - (bit % 16)) : 0;
          return (Number.parseInt(part, 16) ^ mask).toString(16);
        });
        const [a, b] = [parseAddress(text)?.address ?? "", parseAddress(flipped.join(":"))?.address ?? ""];
        expect(hasSamePrefix(a, b, prefixLength)).toBe(bit >= prefixLength);
      }),
    );
  });
});

/**
 * Copied from the registries by hand: first and last address, by whether the range is globally reachable.
 * 64:ff9b::/96 is reachable there, but is a translator's form and never the address of a home.
 */
const REGISTRIES: Record<4 | 6, { special: string; reachable: string }> = {
  4: {
    special: `0.0.0.0..0.255.255.255 0.0.0.0 10.0.0.0..10.255.255.255 100.64.0.0..100.127.255.255
    127.0.0.0..127.255.255.255 169.254.0.0..169.254.255.255 172.16.0.0..172.31.255.255 192.0.0.0..192.0.0.255
    192.0.0.0..192.0.0.7 192.0.0.8 192.0.0.170 192.0.0.171
    192.0.2.0..192.0.2.255 192.88.99.0..192.88.99.255 192.88.99.2 192.168.0.0..192.168.255.255
    198.18.0.0..198.19.255.255 198.51.100.0..198.51.100.255 203.0.113.0..203.0.113.255
    224.0.0.0..239.255.255.255 240.0.0.0..255.255.255.255 255.255.255.255`,
    reachable: `192.0.0.9 192.0.0.10 192.31.196.0..192.31.196.255 192.52.193.0..192.52.193.255
    192.175.48.0..192.175.48.255`,
  },
  6: {
    special: `::..ffff:${F7} ::1 :: ::ffff:0.0.0.0..::ffff:255.255.255.255 64:ff9b::..64:ff9b::ffff:ffff
    64:ff9b:1::..64:ff9b:1:${F5} 100::..100::${F4} 100:0:0:1::..100::1:${F4} 2001::..2001:1ff:${F6}
    2001::..2001:0:${F6} 2001:2::..2001:2:0:${F5} 2001:10::..2001:1f:${F6} 2001:db8::..2001:db8:${F6}
    2002::..2002:${F7} 3fff::..3fff:fff:${F6} 5f00::..5f00:${F7} fc00::..fdff:${F7} fe80::..febf:${F7}
    ff00::..ffff:${F7}`,
    reachable: `2000::..3fff:${F7} 2001:1::1 2001:1::2 2001:1::3 2001:3::..2001:3:${F6}
    2001:4:112::..2001:4:112:${F5} 2001:20::..2001:2f:${F6} 2001:30::..2001:3f:${F6}
    2620:4f:8000::..2620:4f:8000:${F5}`,
  },
};

/** The addresses next to those ranges, which somebody may have at home. */
const NEIGHBOURS: Record<4 | 6, string> = {
  4: `1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
    172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.1.255 192.0.3.0 192.31.195.255 192.31.197.0
    192.52.192.255 192.52.194.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 192.175.47.255 192.175.49.0
    198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255`,
  6: `2000:${F7} 2001:200:: 2001:db7:${F6} 2001:db9:: 2001:${F7} 2003:: 2620:4f:7fff:${F5} 2620:4f:8001:: 3ffe:${F7}
    3fff:1000::`,
};

/** Reserved once more just behind an exception, or just before the global unicast space. */
const STILL_SPECIAL: Record<4 | 6, string> = {
  4: "192.0.0.11 192.0.0.169 192.0.0.172 192.88.99.1 192.88.99.3 255.255.255.254 0.0.0.1",
  6: `2001:1:: 2001:1::4 2001:2:1:: 2001:4:111:${F5} 2001:4:113:: 2001:40:: 2001:f:${F6} 1fff:${F7} 4000:: ::2
    64:ff9b::1:0:0 100:0:0:2:: 5eff:${F7} 5f01:: fbff:${F7} fe00:: fec0:: ::192.0.2.1`,
};

describe.each([4, 6] as const)("special-purpose ranges of IPv%d", (family) => {
  const reachOf = (address: string) => findSpecialRange(family, address) === undefined;

  const rows = Object.entries(REGISTRIES[family]).flatMap(([kind, ranges]) =>
    ranges.split(/\s+/).map((range) => ({ range, ends: range.split(".."), isReachable: kind === "reachable" })),
  );

  test("have every row of the registries", () => {
    const listed = SPECIAL_RANGES[family].map(({ cidr, reachable }) => `${parseCidr(cidr)?.network} ${reachable}`);
    expect(listed.toSorted()).toEqual(rows.map(({ ends, isReachable }) => `${ends[0]} ${isReachable}`).toSorted());
  });

  test.each(rows)("$range: reachable $isReachable", ({ ends, isReachable }) => {
    for (const end of ends) expect(reachOf(end)).toBe(isReachable);
  });

  test.each(NEIGHBOURS[family].split(/\s+/))("%s is public", (address) => expect(reachOf(address)).toBe(true));

  test.each(STILL_SPECIAL[family].split(/\s+/))("%s is not", (address) => expect(reachOf(address)).toBe(false));
});

test("the name of a range is that of the narrowest one", () => {
  expect(findSpecialRange(4, "0.0.0.0")?.cidr).toBe("0.0.0.0/32");
  expect(findSpecialRange(4, "192.0.0.3")?.cidr).toBe("192.0.0.0/29");
  expect(findSpecialRange(4, "100.100.1.1")?.cidr).toBe("100.64.0.0/10");
  expect(findSpecialRange(6, "2001:0:1::")?.cidr).toBe("2001::/32");
  expect(findSpecialRange(6, "::1")?.cidr).toBe("::1/128");
});

describe("this very machine", () => {
  const NAMES = "localhost LocalHost localhost. mail.localhost ip6-localhost localhost.localdomain localhost4";
  const HOSTS = `${NAMES} localhost6.localdomain6 127.0.0.1 127.255.0.9 ::1 0:0:0:0:0:0:0:1`;
  const OTHERS = `localhost.example.net notlocalhost localhost.localdomain.example.net 127.0.0.1.example.net
    127.999.0.1 128.0.0.1 10.0.0.1 ::2`;
  test.each(HOSTS.split(" "))("%s", (name) => expect(isLoopbackHost(name)).toBe(true));
  test.each(["", ...OTHERS.split(/\s+/)])("not %j", (name) => expect(isLoopbackHost(name)).toBe(false));

  test.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])("the address %s", (address) => {
    expect(isLoopbackAddress(address)).toBe(true);
  });
  test.each(["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "localhost"])("not the address %s", (address) => {
    expect(isLoopbackAddress(address)).toBe(false);
  });
});
