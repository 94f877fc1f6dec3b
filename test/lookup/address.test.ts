import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  findSpecialRange,
  isInCidr,
  isIpv4Mapped,
  isSamePlace,
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

  test.each([
    ["nothing", ""],
    ["a space", " 81.2.69.142"],
    ["a line feed", "81.2.69.142\n"],
    ["a leading zero", "81.2.69.042"],
    ["two zeros", "81.2.00.1"],
    ["octal", "0121.2.69.142"],
    ["hexadecimal", "0x51.0x2.0x45.0x8e"],
    ["one hexadecimal number", "0x5102458e"],
    ["one decimal number", "1359103374"],
    ["three parts", "81.2.69"],
    ["five parts", "81.2.69.142.1"],
    ["a dot at the end", "81.2.69.142."],
    ["256", "81.2.69.256"],
    ["a sign", "81.2.69.-1"],
    ["an exponent", "81.2.69.1e1"],
    ["other digits", "٨١.2.69.142"],
    ["full-width digits", "８1.2.69.142"],
    ["a port", "81.2.69.142:443"],
    ["a mask", "81.2.69.142/32"],
    ["two addresses", "81.2.69.142 81.2.69.143"],
    ["NUL", "81.2.69.142\0"],
    ["a name", "localhost"],
    ["a zone id", "fe80::1%eth0"],
    ["a numeric zone id", "2a02::1%1"],
    ["an empty zone id", "2a02::1%"],
    ["brackets", "[2a02::1]"],
    ["brackets and a port", "[2a02::1]:443"],
    ["an IPv6 mask", "2a02::1/64"],
    ["two gaps", "2a02::1::2"],
    ["three colons", "2a02:::1"],
    ["seven hextets", "1:2:3:4:5:6:7"],
    ["nine hextets", "1:2:3:4:5:6:7:8:9"],
    ["five digits", "2a02::12345"],
    ["a letter beyond f", "2a02::g"],
    ["a leading zero in its IPv4 tail", "::ffff:192.0.2.01"],
  ])("no address: %s", (_, text) => expect(parseAddress(text)).toBeUndefined());

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
    ["192.0.2.0/33", undefined],
    ["2001:db8::/129", undefined],
    ["192.0.2.0/", undefined],
    ["192.0.2.0/-1", undefined],
    ["192.0.2.0/+8", undefined],
    ["192.0.2.0/8.0", undefined],
    ["192.0.2.0/24/24", undefined],
    ["192.0.2.0/255.255.255.0", undefined],
    ["192.0.2/24", undefined],
    ["/24", undefined],
    ["", undefined],
    ["home", undefined],
  ])("parseCidr %j", (text, expected) => expect(parseCidr(text)).toEqual(expected));

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

describe("isSamePlace", () => {
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
    expect(isSamePlace(a, b, bits)).toBe(expected);
    expect(isSamePlace(b, a, bits)).toBe(expected);
  });

  test("one bit decides: inside the prefix another place, behind it the same", () => {
    fc.assert(
      fc.property(ipv6, fc.integer({ min: 1, max: 128 }), fc.nat(127), (text, prefixLength, bit) => {
        const flipped = text.split(":").map((part, index) => {
          const mask = index === Math.floor(bit / 16) ? 1 << (15 - (bit % 16)) : 0;
          return (Number.parseInt(part, 16) ^ mask).toString(16);
        });
        const [a, b] = [parseAddress(text)?.address ?? "", parseAddress(flipped.join(":"))?.address ?? ""];
        expect(isSamePlace(a, b, prefixLength)).toBe(bit >= prefixLength);
      }),
    );
  });
});

/**
 * Copied from the registries by hand: first address, last address, globally reachable.
 * 64:ff9b::/96 is reachable there, but is a translator's form and never the address of a home.
 */
const REGISTRIES: Record<4 | 6, [string, string, boolean][]> = {
  4: [
    ["0.0.0.0", "0.255.255.255", false],
    ["0.0.0.0", "0.0.0.0", false],
    ["10.0.0.0", "10.255.255.255", false],
    ["100.64.0.0", "100.127.255.255", false],
    ["127.0.0.0", "127.255.255.255", false],
    ["169.254.0.0", "169.254.255.255", false],
    ["172.16.0.0", "172.31.255.255", false],
    ["192.0.0.0", "192.0.0.255", false],
    ["192.0.0.0", "192.0.0.7", false],
    ["192.0.0.8", "192.0.0.8", false],
    ["192.0.0.9", "192.0.0.9", true],
    ["192.0.0.10", "192.0.0.10", true],
    ["192.0.0.170", "192.0.0.170", false],
    ["192.0.0.171", "192.0.0.171", false],
    ["192.0.2.0", "192.0.2.255", false],
    ["192.31.196.0", "192.31.196.255", true],
    ["192.52.193.0", "192.52.193.255", true],
    ["192.88.99.0", "192.88.99.255", false],
    ["192.88.99.2", "192.88.99.2", false],
    ["192.168.0.0", "192.168.255.255", false],
    ["192.175.48.0", "192.175.48.255", true],
    ["198.18.0.0", "198.19.255.255", false],
    ["198.51.100.0", "198.51.100.255", false],
    ["203.0.113.0", "203.0.113.255", false],
    ["224.0.0.0", "239.255.255.255", false],
    ["240.0.0.0", "255.255.255.255", false],
    ["255.255.255.255", "255.255.255.255", false],
  ],
  6: [
    ["::", `ffff:${F7}`, false],
    ["2000::", `3fff:${F7}`, true],
    ["::1", "::1", false],
    ["::", "::", false],
    ["::ffff:0.0.0.0", "::ffff:255.255.255.255", false],
    ["64:ff9b::", "64:ff9b::ffff:ffff", false],
    ["64:ff9b:1::", `64:ff9b:1:${F5}`, false],
    ["100::", `100::${F4}`, false],
    ["100:0:0:1::", `100::1:${F4}`, false],
    ["2001::", `2001:1ff:${F6}`, false],
    ["2001::", `2001:0:${F6}`, false],
    ["2001:1::1", "2001:1::1", true],
    ["2001:1::2", "2001:1::2", true],
    ["2001:1::3", "2001:1::3", true],
    ["2001:2::", `2001:2:0:${F5}`, false],
    ["2001:3::", `2001:3:${F6}`, true],
    ["2001:4:112::", `2001:4:112:${F5}`, true],
    ["2001:10::", `2001:1f:${F6}`, false],
    ["2001:20::", `2001:2f:${F6}`, true],
    ["2001:30::", `2001:3f:${F6}`, true],
    ["2001:db8::", `2001:db8:${F6}`, false],
    ["2002::", `2002:${F7}`, false],
    ["2620:4f:8000::", `2620:4f:8000:${F5}`, true],
    ["3fff::", `3fff:fff:${F6}`, false],
    ["5f00::", `5f00:${F7}`, false],
    ["fc00::", `fdff:${F7}`, false],
    ["fe80::", `febf:${F7}`, false],
    ["ff00::", `ffff:${F7}`, false],
  ],
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

  test("have every row of the registries", () => {
    const rows = SPECIAL_RANGES[family].map(({ cidr, reachable }) => [parseCidr(cidr)?.network, reachable]);
    expect(rows).toEqual(REGISTRIES[family].map(([first, , reachable]) => [first, reachable]));
  });

  test.each(REGISTRIES[family])("%s to %s: reachable %s", (first, last, isReachable) => {
    expect([reachOf(first), reachOf(last)]).toEqual([isReachable, isReachable]);
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
