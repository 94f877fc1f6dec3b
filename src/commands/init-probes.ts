import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { Deadline } from "../base/deadline";
import { machineSeed } from "../base/machine-id";
import { findSpecialRange } from "../lookup/address";
import { isGood } from "../lookup/explanation";
import { look } from "../lookup/lookup";
import type { Host } from "./host";

/** Nobody waits longer for a question's suggestion. */
const PROBE_MS = 4000;

/** Whether this machine has a public IPv6 address that the world sees. */
export async function detectIpv6(host: Host): Promise<boolean> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const isPublic = addresses.some(({ family, address }) => family === "IPv6" && !findSpecialRange(6, address));
  if (!isPublic) return false;
  const deadline = new Deadline(PROBE_MS, host.monotonicMs);
  try {
    const lookup = {
      ...host,
      seed: machineSeed(host.hostName),
      serviceUrls: undefined,
      acceptRanges: [],
      ipv6PrefixLength: 64,
      timeoutMs: PROBE_MS,
      now: () => new Date(),
      redact: (text: string) => text,
      signal: deadline.lookSignal,
    };
    return isGood(await look({ family: 6, recorded: undefined, candidate: undefined, coolDowns: {} }, lookup));
  } finally {
    deadline.clear();
  }
}

/** Where a domain's mail server usually is, the best first (RFC 8314 prefers 465), as far as it takes a connection. */
export async function findMailServers(domain: string): Promise<{ host: string; port: string }[]> {
  const places = ["smtp", "mail"].flatMap((name) =>
    ["465", "587"].map((port) => ({ host: `${name}.${domain}`, port })),
  );
  const answers = await Promise.all(places.map(takesConnection));
  return places.filter((_, index) => answers[index]);
}

function takesConnection({ host, port }: { host: string; port: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), autoSelectFamilyAttemptTimeout: PROBE_MS / 4 });
    const end = (isAnswer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isAnswer);
    };
    const timer = setTimeout(() => end(false), PROBE_MS);
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
