import { BlockList, isIPv4, isIPv6, SocketAddress } from "node:net";
import { SPECIAL_RANGES, type SpecialRange } from "./special-ranges";

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
export function isSamePlace(a: string, b: string, ipv6PrefixLength: number): boolean {
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
