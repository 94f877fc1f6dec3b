import { networkInterfaces } from "node:os";

/** Whether this machine has the IPv6 loopback address; some containers have not. */
export const HAS_IPV6 = Object.values(networkInterfaces())
  .flat()
  .some((entry) => entry?.address === "::1");
