import { BlockList, isIPv4, isIPv6, SocketAddress } from "node:net";

/** The IP version: a home has at most one recorded address of each. */
export type Family = 4 | 6;

/** A range of addresses in CIDR notation, parsed. */
export interface Cidr {
  family: Family;
  network: string;
  prefixLength: number;
}

/**
 * The canonical text (RFC 5952 for IPv6) of `text`, which must be one address and nothing else;
 * undefined for anything else: zone ids, ports, masks, leading zeros, octal and hexadecimal forms.
 */
export function parseAddress(text: string): { family: Family; address: string } | undefined {
  if (isIPv4(text)) return { family: 4, address: text };
  if (!isIPv6(text) || text.includes("%")) return undefined;
  return { family: 6, address: new SocketAddress({ address: text, family: "ipv6" }).address };
}

/** True for `::ffff:192.0.2.1` in any spelling: an IPv4 host seen through an IPv6 socket. */
export function isIpv4Mapped(address: string): boolean {
  return isInCidr(address, { family: 6, network: "::ffff:0:0", prefixLength: 96 });
}

/** Reads `203.0.113.0/24`, `2001:db8::/32` or a single address; undefined when it is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const [network = "", length, ...rest] = text.split("/");
  const parsed = parseAddress(network);
  if (!parsed || rest.length > 0) return undefined;
  const bits = parsed.family === 4 ? 32 : 128;
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || Number(length) > bits)) return undefined;
  return { family: parsed.family, network: parsed.address, prefixLength: Number(length ?? bits) };
}

/** Whether `address` lies in `range`; an address of the other family never does. */
export function isInCidr(address: string, range: Cidr): boolean {
  if (isIPv4(address) !== (range.family === 4)) return false;
  if (range.family === 4) {
    const size = 2 ** (32 - range.prefixLength);
    return Math.floor(toNumber(address) / size) === Math.floor(toNumber(range.network) / size);
  }
  const list = new BlockList();
  list.addSubnet(range.network, range.prefixLength, "ipv6");
  return list.check(address, "ipv6");
}

// An IPv4 home never loads BlockList, which costs a hundredth of a quiet run.
function toNumber(ipv4: string): number {
  return ipv4.split(".").reduce((number, octet) => number * 256 + Number(octet), 0);
}

/** The special-purpose range that makes `address` unfit for a public address, or undefined. */
export function findSpecialRange(family: Family, address: string): SpecialRange | undefined {
  let narrowest: { range: SpecialRange; prefixLength: number } | undefined;
  for (const range of SPECIAL_RANGES[family]) {
    const cidr = parseCidr(range.cidr);
    if (!cidr || (narrowest && cidr.prefixLength < narrowest.prefixLength)) continue;
    if (isInCidr(address, cidr)) narrowest = { range, prefixLength: cidr.prefixLength };
  }
  return narrowest && !narrowest.range.reachable ? narrowest.range : undefined;
}

/**
 * Whether two addresses count as the same home: equal for IPv4, equal in the leading
 * `ipv6PrefixLength` bits for IPv6, because privacy addresses change every day (RFC 8981).
 */
export function hasSamePrefix(a: string, b: string, ipv6PrefixLength: number): boolean {
  if (a === b) return true;
  if (isIPv4(a) || isIPv4(b)) return false;
  return isInCidr(a, { family: 6, network: b, prefixLength: ipv6PrefixLength });
}

/** True for an address of this very machine, where clear text crosses no wire. */
export function isLoopbackAddress(address: string): boolean {
  const canonical = parseAddress(address)?.address ?? "";
  return canonical === "::1" || /^(::ffff:)?127\./.test(canonical);
}

/** By RFC 6761, and by the /etc/hosts that distributions bring along. */
const LOOPBACK_NAMES = /^(.+\.)?localhost\.?$|^localhost[46]?(\.localdomain[46]?)?\.?$|^ip6-(localhost|loopback)\.?$/i;

/** True for what is meant to be this very machine; where a name really leads is seen at its look-up. */
export function isLoopbackHost(host: string): boolean {
  return isLoopbackAddress(host) || LOOPBACK_NAMES.test(host);
}

/** A row of an IANA special-purpose address registry. */
interface SpecialRange {
  cidr: string;
  name: string;
  /** The registry's 'Globally Reachable' column; 'N/A' (6to4, Teredo, deprecated blocks) counts as false. */
  reachable: boolean;
}

const no = (cidr: string, name: string): SpecialRange => ({ cidr, name, reachable: false });
const yes = (cidr: string, name: string): SpecialRange => ({ cidr, name, reachable: true });

/** The carrier-grade NAT block of RFC 6598; named because it has an explanation of its own. */
export const CGNAT_CIDR = "100.64.0.0/10";

/**
 * Both registries, complete, with the multicast and unallocated space around them.
 * The most specific range that holds an address decides.
 * https://www.iana.org/assignments/iana-ipv4-special-registry
 * https://www.iana.org/assignments/iana-ipv6-special-registry
 */
export const SPECIAL_RANGES: Record<4 | 6, readonly SpecialRange[]> = {
  4: [
    no("0.0.0.0/8", "'this network' (RFC 791)"),
    no("0.0.0.0/32", "'this host on this network' (RFC 1122)"),
    no("10.0.0.0/8", "private use (RFC 1918)"),
    no(CGNAT_CIDR, "shared address space of carrier-grade NAT (RFC 6598)"),
    no("127.0.0.0/8", "loopback (RFC 1122)"),
    no("169.254.0.0/16", "link-local (RFC 3927)"),
    no("172.16.0.0/12", "private use (RFC 1918)"),
    no("192.0.0.0/24", "IETF protocol assignments (RFC 6890)"),
    no("192.0.0.0/29", "IPv4 service continuity prefix (RFC 7335)"),
    no("192.0.0.8/32", "IPv4 dummy address (RFC 7600)"),
    yes("192.0.0.9/32", "Port Control Protocol anycast (RFC 7723)"),
    yes("192.0.0.10/32", "TURN anycast (RFC 8155)"),
    no("192.0.0.170/32", "NAT64/DNS64 discovery (RFC 8880)"),
    no("192.0.0.171/32", "NAT64/DNS64 discovery (RFC 8880)"),
    no("192.0.2.0/24", "documentation TEST-NET-1 (RFC 5737)"),
    yes("192.31.196.0/24", "AS112-v4 (RFC 7535)"),
    yes("192.52.193.0/24", "AMT (RFC 7450)"),
    no("192.88.99.0/24", "deprecated 6to4 relay anycast (RFC 7526)"),
    no("192.88.99.2/32", "6a44 relay anycast (RFC 6751)"),
    no("192.168.0.0/16", "private use (RFC 1918)"),
    yes("192.175.48.0/24", "direct delegation AS112 service (RFC 7534)"),
    no("198.18.0.0/15", "benchmarking (RFC 2544)"),
    no("198.51.100.0/24", "documentation TEST-NET-2 (RFC 5737)"),
    no("203.0.113.0/24", "documentation TEST-NET-3 (RFC 5737)"),
    no("224.0.0.0/4", "multicast (RFC 5771)"),
    no("240.0.0.0/4", "reserved (RFC 1112)"),
    no("255.255.255.255/32", "limited broadcast (RFC 919)"),
  ],
  6: [
    // Everything that IANA has not opened for global unicast: only 2000::/3 is (RFC 3513, RFC 4291).
    no("::/0", "outside the global unicast space 2000::/3 (RFC 4291)"),
    yes("2000::/3", "global unicast (RFC 4291)"),
    no("::1/128", "loopback (RFC 4291)"),
    no("::/128", "unspecified (RFC 4291)"),
    no("::ffff:0:0/96", "IPv4-mapped (RFC 4291)"),
    // Reachable, but a translator's form of an IPv4 host: never the address of a home.
    no("64:ff9b::/96", "IPv4-IPv6 translation (RFC 6052)"),
    no("64:ff9b:1::/48", "IPv4-IPv6 translation (RFC 8215)"),
    no("100::/64", "discard-only (RFC 6666)"),
    no("100:0:0:1::/64", "dummy prefix (RFC 9780)"),
    no("2001::/23", "IETF protocol assignments (RFC 2928)"),
    no("2001::/32", "Teredo (RFC 4380)"),
    yes("2001:1::1/128", "Port Control Protocol anycast (RFC 7723)"),
    yes("2001:1::2/128", "TURN anycast (RFC 8155)"),
    yes("2001:1::3/128", "DNS-SD service registration anycast (RFC 9665)"),
    no("2001:2::/48", "benchmarking (RFC 5180)"),
    yes("2001:3::/32", "AMT (RFC 7450)"),
    yes("2001:4:112::/48", "AS112-v6 (RFC 7535)"),
    no("2001:10::/28", "deprecated ORCHID (RFC 4843)"),
    yes("2001:20::/28", "ORCHIDv2 (RFC 7343)"),
    yes("2001:30::/28", "drone remote ID (RFC 9374)"),
    no("2001:db8::/32", "documentation (RFC 3849)"),
    no("2002::/16", "6to4 (RFC 3056)"),
    yes("2620:4f:8000::/48", "direct delegation AS112 service (RFC 7534)"),
    no("3fff::/20", "documentation (RFC 9637)"),
    no("5f00::/16", "segment routing SIDs (RFC 9602)"),
    no("fc00::/7", "unique-local (RFC 4193)"),
    no("fe80::/10", "link-local (RFC 4291)"),
    no("ff00::/8", "multicast (RFC 4291)"),
  ],
};
