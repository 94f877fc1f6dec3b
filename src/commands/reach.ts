// 'Can I get in?': whether a port of this machine answers from outside, and who is in the way where it does not.
import { networkInterfaces } from "node:os";
import { takesConnection, trustOptions } from "../base/network";
import { TerminalPrompter } from "../base/prompts";
import type { Settings } from "../config/settings";
import { type Family, findSpecialRange, hasSamePrefix, isInCidr } from "../lookup/address";
import { askGlobalping, askReach, REACH_TIMEOUT_MS, reachHost } from "../lookup/reach";
import type { Finding } from "./diagnosis";
import type { Host } from "./host";

/** The address of this home in each family, as far as one is known. */
export type Addresses = Partial<Record<Family, string | undefined>>;

type ReachSettings = Pick<
  Settings,
  "acceptRanges" | "extraCa" | "families" | "ipv6PrefixLength" | "reachUrl" | "sshLine"
>;

type Asker = Pick<Host, "userAgent" | "isStdinTerminal" | "openStdin" | "openStderr">;

/** How a person is asked, and where the second prober is; given in tests. */
interface ReachTools {
  confirm?: ((question: string) => Promise<boolean>) | undefined;
  globalpingUrl?: string;
}

/** Says for each configured family whether `port` (by default that of the ssh line) can be reached from outside. */
export async function* checkReach(
  port: number | undefined,
  settings: ReachSettings,
  host: Asker,
  addresses: Addresses = {},
  tools: ReachTools = { confirm: confirmOnTerminal(host) },
): AsyncGenerator<Finding> {
  for (const family of settings.families) {
    const known = addresses[family];
    yield await checkFamily(family, port ?? sshPort(settings.sshLine), known, settings, host, tools);
  }
}

/** As the last step of `init`: says who would be asked what, and asks them where that is wanted. */
export async function* offerReach(
  settings: ReachSettings,
  host: Asker,
  confirm: (question: string) => Promise<boolean>,
): AsyncGenerator<Finding> {
  const port = sshPort(settings.sshLine);
  const question = `Try whether port ${port} can be reached from outside? ${reachHost(settings.reachUrl)} is asked to connect to it.`;
  if (await confirm(question)) yield* checkReach(port, settings, host, {}, {});
}

/** The port that an ssh command line connects to. */
export function sshPort(sshLine: string): number {
  const option = /(?:^|\s)["']?(?:-p\s*|-o\s*["']?[Pp]ort[\s=]+|ssh:\/\/\S*:)["']?(\d{1,5})\b/.exec(sshLine)?.[1];
  const port = Number(option);
  return port >= 1 && port <= 65_535 ? port : 22;
}

function confirmOnTerminal(host: Asker): ReachTools["confirm"] {
  if (!host.isStdinTerminal) return undefined;
  // The default is no, because the result becomes public.
  return (question) => new TerminalPrompter(host.openStdin(), host.openStderr()).confirm(question, false);
}

async function checkFamily(
  family: Family,
  port: number,
  known: string | undefined,
  settings: ReachSettings,
  { userAgent }: Asker,
  { confirm, globalpingUrl }: ReachTools,
): Promise<Finding> {
  const title = `port ${port} (IPv${family})`;
  const warning = (text: string, hint: string): Finding => ({ title, status: "warning", text, hint });
  const listener = await findListener(port, family);
  if (listener === "nothing") {
    return warning(
      `nothing listens on it on this machine, over IPv${family}`,
      "start the service (for ssh: sudo systemctl enable --now ssh), or name its port: 'ipcheck doctor --reach PORT'",
    );
  }
  const unreached = (address: string, who: string) =>
    warning(
      `it listens here, but nothing comes through: ${who} cannot connect to ${address}`,
      listener === "loopback" ? LOOPBACK_HINT : family === 4 ? forwardHint(address) : FIREWALL_HINT,
    );

  const service = reachHost(settings.reachUrl);
  const asking = { userAgent, tls: trustOptions(settings.extraCa) };
  const time = { timeoutMs: REACH_TIMEOUT_MS, signal: AbortSignal.timeout(2 * REACH_TIMEOUT_MS) };
  const answer = await askReach(settings.reachUrl, port, { ...asking, ...time, family, from: known });
  if ("address" in answer) {
    const { address, isReachable } = answer;
    if (!isThisHome(address, known, family, settings)) {
      return warning(
        `${service} saw ${address}${known === undefined ? `, which is no public IPv${family} address` : `, not ${known}`}: a VPN or a proxy is on the way, so it tried another place`,
        "take this machine out of the VPN's or the proxy's rules, then try again",
      );
    }
    if (!isReachable) return unreached(address, service);
    return { title, status: "ok", text: `reachable from outside: ${service} could connect to ${address}` };
  }

  const silence = `${service} did not answer, which says nothing about this home: it ${answer.failure}`;
  const later = "try again later, or name another service that speaks echoip's /port in IPCHECK_REACH_URL";
  if (known === undefined) return warning(silence, later);
  if (!confirm) return warning(silence, `${later}; on a terminal Globalping can be asked instead`);
  const question = `${service} did not answer. Ask Globalping (api.globalping.io) instead? Its result, with ${known} and port ${port} in it, is public for a while.`;
  if (!(await confirm(question))) return warning(silence, later);
  const seconds = { timeoutMs: REACH_TIMEOUT_MS, signal: AbortSignal.timeout(3 * REACH_TIMEOUT_MS) };
  const result = await askGlobalping(known, port, { ...asking, ...seconds, baseUrl: globalpingUrl });
  if ("failure" in result) return warning(`${silence}; Globalping ${result.failure}`, later);
  if (!result.isReachable) return unreached(known, "Globalping");
  return { title, status: "ok", text: `reachable from outside: Globalping could connect to ${known}` };
}

const LOOPBACK_HINT =
  "it listens on the loopback address only: let it listen on this machine's own addresses too (for ssh: ListenAddress in sshd_config)";

const FIREWALL_HINT = "allow the port to this machine in the router's firewall for IPv6, and in that of this machine";

function forwardHint(address: string): string {
  return `forward the port to this machine in the router; if the router shows another address as its own than ${address}, the provider shares addresses (carrier-grade NAT): ask for one of your own, or use IPv6 (IPCHECK_FAMILY=both)`;
}

function isThisHome(
  address: string,
  known: string | undefined,
  family: Family,
  { acceptRanges, ipv6PrefixLength }: ReachSettings,
): boolean {
  if (known !== undefined) return hasSamePrefix(address, known, ipv6PrefixLength);
  if (address.includes(":") !== (family === 6)) return false;
  return !findSpecialRange(family, address) || acceptRanges.some((range) => isInCidr(address, range));
}

/** A port of this very machine answers at once. */
const LOCAL_TIMEOUT_MS = 2000;

/** Whether something listens on a port here, and whether others could reach it. */
async function findListener(port: number, family: Family): Promise<"all" | "loopback" | "nothing"> {
  const own = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((one) => one.family === `IPv${family}` && !one.internal && !/^fe80:/i.test(one.address))
    .map(({ address }) => address);
  const [onLoopback, ...onOwn] = await Promise.all(
    [family === 4 ? "127.0.0.1" : "::1", ...own].map((address) => takesConnection(address, port, LOCAL_TIMEOUT_MS)),
  );
  if (onOwn.includes(true) || (onLoopback && own.length === 0)) return "all";
  return onLoopback ? "loopback" : "nothing";
}
