import { isIP } from "node:net";
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
  // Also what the same operators say over https: one of them would count twice otherwise.
  const inClear = new Set(configured.filter(isPlainHttp).map(operatorOf));
  const voiceOf = (url: URL) => (inClear.has(operatorOf(url)) ? PLAIN_HTTP : operatorOf(url));
  const services = configured.filter((url) => serves(url, family)).map((url) => toService(url, voiceOf(url)));
  return services.filter((service, index) => services.findIndex(({ url }) => url.href === service.url.href) === index);
}

/** Who runs a URL: a known operator by its domain, otherwise the host, at whichever port; on loopback the origin. */
export function operatorOf(url: URL): string {
  const host = hostOf(url);
  if (isLoopback(host)) return url.origin;
  const isTheirs = (domain: string) => host === domain || host.endsWith(`.${domain}`);
  return PANEL.find(({ domains }) => domains.some(isTheirs))?.operator ?? `https://${host}`;
}

/** The one voice of everything that is asked in clear: whoever sits on the line can give all these answers. */
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
