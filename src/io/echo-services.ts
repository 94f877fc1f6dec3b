import { isIP } from "node:net";
import type { Family } from "../core/address";

/** An operator of echo services, with the URL that answers in each family. */
interface PanelRow {
  operator: string;
  urls: Partial<Record<Family, string>>;
}

/** The built-in panel: every row another operator, plain-text answers over HTTPS. */
export const PANEL: readonly PanelRow[] = [
  { operator: "ipify", urls: { 4: "https://api.ipify.org/", 6: "https://api6.ipify.org/" } },
  { operator: "Cloudflare", urls: { 4: "https://ipv4.icanhazip.com/", 6: "https://ipv6.icanhazip.com/" } },
  { operator: "AWS", urls: { 4: "https://checkip.amazonaws.com/" } },
  { operator: "deSEC", urls: { 4: "https://checkipv4.dedyn.io/", 6: "https://checkipv6.dedyn.io/" } },
  { operator: "ident.me", urls: { 4: "https://v4.ident.me/", 6: "https://v6.ident.me/" } },
  { operator: "nnev.de", urls: { 4: "https://ip4.nnev.de/", 6: "https://ip6.nnev.de/" } },
];

/** Other hosts of operators on the panel, so that their voices are not counted twice. */
const RELATED_DOMAINS: Record<string, string> = {
  "ipify.org": "ipify",
  "icanhazip.com": "Cloudflare",
  "cloudflare.com": "Cloudflare",
  "one.one.one.one": "Cloudflare",
  "amazonaws.com": "AWS",
  "dedyn.io": "deSEC",
  "desec.io": "deSEC",
  "ident.me": "ident.me",
  "tnedi.me": "ident.me",
  "nnev.de": "nnev.de",
};

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
  const services = configured.filter((url) => serves(url, family)).map((url) => toService(url, operatorOf(url)));
  return services.filter((service, index) => services.findIndex(({ url }) => url.href === service.url.href) === index);
}

/** Who runs a URL: a known operator by its domain, otherwise the origin itself. */
export function operatorOf(url: URL): string {
  const host = url.hostname.toLowerCase().replace(/\.$/, "");
  const domain = Object.keys(RELATED_DOMAINS).find((name) => host === name || host.endsWith(`.${name}`));
  return (domain && RELATED_DOMAINS[domain]) || url.origin;
}

function toService(url: URL, operator: string): EchoService {
  return { name: url.host, operator, url };
}

// A literal address has a family of its own, and so have the panel's hosts.
function serves(url: URL, family: Family): boolean {
  const literal = isIP(url.hostname.replace(/^\[|\]$/g, ""));
  if (literal !== 0) return literal === family;
  const row = PANEL.find(({ urls }) => Object.values(urls).some((known) => new URL(known).host === url.host));
  const known = row?.urls[family];
  return row === undefined || (known !== undefined && new URL(known).host === url.host);
}
