import { BlockList, isIP } from "node:net";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** True for an address of this very machine, where clear text crosses no wire. */
export function isLoopbackAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** True for what is meant to be this very machine (RFC 6761, 6.3); where a name really leads is seen at its look-up. */
export function isLoopbackHost(host: string): boolean {
  return isLoopbackAddress(host) || /^(.+\.)?localhost\.?$|^ip6-(localhost|loopback)$/i.test(host);
}
