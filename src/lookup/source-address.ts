// Which IPv6 address of this machine lasts. Linux only: elsewhere none is known, and the system chooses.
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { type Cidr, findSpecialRange, hasSamePrefix, isInCidr, parseAddress } from "./address";

/** One row of /proc/net/if_inet6. */
export interface InterfaceAddress {
  address: string;
  interfaceName: string;
  isGlobal: boolean;
  /** Made for privacy (RFC 8981): replaced within a day. */
  isTemporary: boolean;
  /** Neither temporary nor on its way in or out. */
  isStable: boolean;
  /** Has no lifetime: configured by hand or by DHCP. */
  isPermanent: boolean;
  /** Made of the network card's number (EUI-64): the same in every network and after every new start. */
  isEui64: boolean;
}

/** `IFA_F_` … of linux/if_addr.h. */
const TEMPORARY = 0x01;
const DAD_FAILED = 0x08;
const DEPRECATED = 0x20;
const TENTATIVE = 0x40;
const PERMANENT = 0x80;

/** Reads the text of /proc/net/if_inet6: address, interface index, prefix length, scope, flags (hexadecimal), name. */
export function parseIfInet6(text: string): InterfaceAddress[] {
  return text.split("\n").flatMap((line) => {
    const [hex = "", , , scope = "", flagText = "", interfaceName = ""] = line.trim().split(/\s+/);
    const parsed = /^[\da-f]{32}$/i.test(hex) ? parseAddress(hex.match(/.{4}/g)?.join(":") ?? "") : undefined;
    const flags = Number.parseInt(flagText, 16);
    if (!parsed || Number.isNaN(flags)) return [];
    return [
      {
        address: parsed.address,
        interfaceName,
        isGlobal: /^0+$/.test(scope),
        isTemporary: (flags & TEMPORARY) !== 0,
        isStable: (flags & (TEMPORARY | DAD_FAILED | DEPRECATED | TENTATIVE)) === 0,
        isPermanent: (flags & PERMANENT) !== 0,
        isEui64: /^.{22}fffe/i.test(hex),
      },
    ];
  });
}

interface SourceRules {
  acceptRanges: readonly Cidr[];
  ipv6PrefixLength: number;
}

/** Each is waited for until it has failed twice. */
const MAX_SOURCES = 2;

/**
 * The addresses to ask from, the best first, one of each network. They lie on the interface of `chosen`, which the
 * system would ask from, so that a VPN or a second line is no change of address; and in its network or the recorded one.
 */
export function chooseSources(
  addresses: readonly InterfaceAddress[],
  { chosen, recorded, acceptRanges, ipv6PrefixLength }: SourceRules & { chosen: string; recorded: string | undefined },
): string[] {
  const interfaceName = addresses.find(({ address }) => address === chosen)?.interfaceName;
  const isPublic = (address: string) =>
    !findSpecialRange(6, address) || acceptRanges.some((range) => isInCidr(address, range));
  const isRecorded = ({ address }: InterfaceAddress) =>
    recorded !== undefined && hasSamePrefix(address, recorded, ipv6PrefixLength);
  const rank = (one: InterfaceAddress) =>
    [isRecorded(one), one.isPermanent, one.isEui64].map((is) => (is ? "0" : "1")).join("") + one.address;
  return addresses
    .filter((one) => one.interfaceName === interfaceName && one.isGlobal && one.isStable && isPublic(one.address))
    .filter((one) => isRecorded(one) || hasSamePrefix(one.address, chosen, NETWORK_BITS))
    .sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
    .map(({ address }) => address)
    .filter((address, index, all) => all.findIndex((one) => hasSamePrefix(one, address, NETWORK_BITS)) === index)
    .slice(0, MAX_SOURCES);
}

/** The network part of an address that a host gives itself (RFC 4291, 2.5.1). */
const NETWORK_BITS = 64;

/** Such addresses of this machine; none where the system tells nothing, or has no way to the IPv6 internet. */
export async function findSources(recorded: string | undefined, rules: SourceRules): Promise<string[]> {
  const addresses = readInterfaceAddresses();
  if (!addresses.some(({ isGlobal, isStable }) => isGlobal && isStable)) return [];
  const chosen = await findDefaultSource();
  return chosen === undefined ? [] : chooseSources(addresses, { chosen, recorded, ...rules });
}

/** The IPv6 addresses of this machine; empty where the system does not list them. */
export function readInterfaceAddresses(): InterfaceAddress[] {
  try {
    return parseIfInet6(readFileSync("/proc/net/if_inet6", "latin1"));
  } catch {
    return [];
  }
}

/** Somewhere behind the default route; no packet is sent there. */
const ANYWHERE = "2000::1";

/** The address that the system would ask from (RFC 6724): a connected UDP socket knows it. */
function findDefaultSource(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket("udp6");
    const finish = (address: string | undefined) => {
      socket.close();
      resolve(address && parseAddress(address)?.address);
    };
    socket.once("error", () => finish(undefined));
    socket.once("connect", () => finish(socket.address().address));
    socket.connect(53, ANYWHERE);
  });
}
