import { BlockList, isIP } from "node:net";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** True for an address of this very machine, where clear text crosses no wire. */
export function isLoopbackAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** By RFC 6761, and by the /etc/hosts that distributions bring along. */
const NAMES = /^(.+\.)?localhost\.?$|^localhost[46]?(\.localdomain[46]?)?\.?$|^ip6-(localhost|loopback)\.?$/i;

/** True for what is meant to be this very machine; where a name really leads is seen at its look-up. */
export function isLoopbackHost(host: string): boolean {
  return isLoopbackAddress(host) || NAMES.test(host);
}
