import { isIP } from "node:net";
import { isDue } from "../base/time";
import type { Family } from "./address";

/** An operator of echo services. */
interface PanelRow {
  operator: string;
  /** The URL that answers in each family. */
  urls: Partial<Record<Family, string>>;
  /** All its domains, those of services that are not asked here too, so that its vote is not counted twice. */
  domains: readonly string[];
}

/** The built-in panel: every row another operator, plain-text answers over HTTPS. A service is one row here. */
export const PANEL: readonly PanelRow[] = [
  {
    operator: "ipify",
    urls: { 4: "https://api.ipify.org/", 6: "https://api6.ipify.org/" },
    domains: ["ipify.org"],
  },
  {
    operator: "Cloudflare",
    urls: { 4: "https://ipv4.icanhazip.com/", 6: "https://ipv6.icanhazip.com/" },
    domains: ["icanhazip.com", "cloudflare.com", "one.one.one.one"],
  },
  {
    operator: "AWS",
    urls: { 4: "https://checkip.amazonaws.com/" },
    domains: ["amazonaws.com"],
  },
  {
    operator: "deSEC",
    urls: { 4: "https://checkipv4.dedyn.io/", 6: "https://checkipv6.dedyn.io/" },
    domains: ["dedyn.io", "desec.io"],
  },
  {
    operator: "ident.me",
    urls: { 4: "https://v4.ident.me/", 6: "https://v6.ident.me/" },
    domains: ["ident.me", "tnedi.me"],
  },
  {
    operator: "nnev.de",
    urls: { 4: "https://ip4.nnev.de/", 6: "https://ip6.nnev.de/" },
    domains: ["nnev.de"],
  },
];

/** One URL to ask, in one family. */
export interface EchoService {
  /** Host, with the port where it is not the usual one: how the service is called in output. */
  name: string;
  operator: string;
  url: URL;
}

/** The services that can be asked over `family`: the configured ones, or the panel's. */
export function servicesFor(family: Family, configured: readonly URL[] | undefined): EchoService[] {
  if (!configured) {
    return PANEL.flatMap(({ operator, urls }) => {
      const url = urls[family];
      return url ? [toService(new URL(url), operator)] : [];
    });
  }
  // An operator that is asked in clear counts as plain http over https too: otherwise it would have two votes.
  const inClear = new Set(configured.filter(isPlainHttp).map(operatorOf));
  const countedAs = (url: URL) => (inClear.has(operatorOf(url)) ? PLAIN_HTTP : operatorOf(url));
  const services = configured.filter((url) => serves(url, family)).map((url) => toService(url, countedAs(url)));
  return services.filter((service, index) => services.findIndex(({ url }) => url.href === service.url.href) === index);
}

/** Who runs a URL: a known operator by its domain, otherwise the host, at whichever port; on loopback the origin. */
export function operatorOf(url: URL): string {
  const host = hostOf(url);
  if (isLoopback(host)) return url.origin;
  const isTheirs = (domain: string) => host === domain || host.endsWith(`.${domain}`);
  return PANEL.find(({ domains }) => domains.some(isTheirs))?.operator ?? `https://${host}`;
}

/** The one operator of all services that are asked in clear: one attacker on the line can forge all their answers. */
export const PLAIN_HTTP = "plain http";

function isPlainHttp(url: URL): boolean {
  return url.protocol === "http:" && !isLoopback(hostOf(url));
}

// Names below localhost may be resolved by the DNS.
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || (isIP(host) === 4 && host.startsWith("127."));
}

function hostOf(url: URL): string {
  return url.hostname.toLowerCase().replace(/\.$/, "");
}

function toService(url: URL, operator: string): EchoService {
  return { name: url.host, operator, url };
}

// A literal address has a family of its own, and so have the panel's hosts.
function serves(url: URL, family: Family): boolean {
  const host = hostOf(url);
  const literal = isIP(host.replace(/^\[|\]$/g, ""));
  if (literal !== 0) return literal === family;
  const row = PANEL.find(({ urls }) => Object.values(urls).some((known) => hostOf(new URL(known)) === host));
  const known = row?.urls[family];
  return row === undefined || (known !== undefined && hostOf(new URL(known)) === host);
}

/** How long a service that says 429 or 503 without a time is left alone: an hourly run asks it again. */
const DEFAULT_COOL_DOWN_MS = 30 * 60_000;

/** No longer than this, whatever the service says. */
const LONGEST_COOL_DOWN_MS = 24 * 3_600_000;

/** Services are asked in spite of a cool-down once an hour at most, less the seconds by which cron is early. */
const OVERRIDE_INTERVAL_MS = 3_600_000 - 30_000;

/** When a service may be asked again, by its Retry-After field in seconds or as a date (RFC 9110, 10.2.3). */
export function coolDownUntil(retryAfter: string | string[] | undefined, now: Date): Date {
  const text = typeof retryAfter === "string" ? retryAfter.trim() : "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : new Date(text).getTime() - now.getTime();
  const lengthMs = Number.isNaN(ms) || ms <= 0 ? DEFAULT_COOL_DOWN_MS : Math.min(ms, LONGEST_COOL_DOWN_MS);
  return new Date(now.getTime() + lengthMs);
}

/** Whether a service is still left alone. A time further off than a day was not set by us: the clock jumped. */
export function isCoolingDown(until: string | undefined, now: Date): boolean {
  if (until === undefined) return false;
  const ms = new Date(until).getTime() - now.getTime();
  return ms > 0 && ms <= LONGEST_COOL_DOWN_MS;
}

/** What is remembered of cool-downs from run to run. */
interface CoolDownState {
  /** Services that asked to be left alone: host → until (ISO 8601 UTC). */
  coolDowns: Readonly<Record<string, string>>;
  /** When one did, or was asked in vain in spite of it; in an hour's time the first that did. */
  backedOffAt?: string;
}

/** Whether services may be asked although they cool down: an hour after the first asked to be left alone, or the last such try. */
export function mayOverrideCoolDowns({ backedOffAt }: CoolDownState, now: Date): boolean {
  return isDue(backedOffAt, OVERRIDE_INTERVAL_MS, now);
}

/**
 * `state` with what looks learned about cool-downs (`newCoolDowns` of each lookup result);
 * `state` itself where that is nothing.
 */
export function updateCoolDowns<S extends CoolDownState>(
  state: S,
  changes: readonly Readonly<Record<string, string | undefined>>[],
  now: Date,
): S {
  const changed = changes.flatMap((change) => Object.entries(change));
  if (changed.length === 0) return state;
  const merged = Object.fromEntries([...Object.entries(state.coolDowns), ...changed]);
  const coolDowns = Object.fromEntries(
    Object.entries(merged).flatMap(([host, until]) => (until && isCoolingDown(until, now) ? [[host, until]] : [])),
  );
  // Further refusals do not put the hour off: one service that refuses every quarter of an hour would leave us without
  // an answer for as long as all others cool down.
  const beginsHour = changed.some(([, until]) => until !== undefined) && mayOverrideCoolDowns(state, now);
  return { ...state, coolDowns, ...(beginsHour && { backedOffAt: now.toISOString() }) };
}
