import { isTlsCode } from "../base/errors";
import type { Family } from "./address";

/** Why one service gave no usable answer. The kind decides; `detail` is for people. */
export interface LookupFailure {
  kind: FailureKind;
  /** What that service did, as the end of a sentence that begins with its name. */
  detail: string;
}

export type FailureKind = keyof typeof EXPLANATIONS;

/** What a failure means for the home, and what to do about it. */
interface Explanation {
  sentence: string;
  hint: string;
}

/**
 * One sentence and one hint per kind, the most telling first: when services fail for different
 * reasons, the topmost kind is the one worth saying.
 */
const EXPLANATIONS = {
  clock: {
    sentence: "the clock of this machine is wrong, so no certificate can be checked",
    hint: "wait until the time is set by NTP (timedatectl shows it), or set it by hand; nothing else needs to be changed",
  },
  "no-ipv6": {
    sentence: "this machine has no IPv6",
    hint: "nothing was taken for a change; without IPv6 at the provider set IPCHECK_FAMILY=4",
  },
  portal: {
    sentence: "a login page or another middleman answers in place of the services (captive portal)",
    hint: "open any http page in a browser on this network and log in there, or look at what the router intercepts",
  },
  "no-network": {
    sentence: "no network",
    hint: "look at the cable, the Wi-Fi and the router; the next run tries again",
  },
  cgnat: {
    sentence: "the provider shares one public address among many homes (carrier-grade NAT)",
    hint: "ssh from outside cannot reach this home over IPv4; ask the provider for a public IPv4 address, or use IPv6 (IPCHECK_FAMILY=6)",
  },
  private: {
    sentence: "the answer is no public address, so something between here and the service rewrites it",
    hint: "look for a VPN or proxy on this network; where such an address is right, list its range in IPCHECK_ACCEPT_RANGES",
  },
  proxy: {
    sentence: "a proxy on the way changes the answer",
    hint: "take this machine out of the proxy's or the VPN's rules; a proxied answer is not the address of this home",
  },
  dns: {
    sentence: "names cannot be resolved: no DNS, or no network",
    hint: "look at the router and at /etc/resolv.conf; the next run tries again",
  },
  tls: {
    sentence: "the services' certificates are not trusted from here",
    hint: "a login page, a filter or a wrong clock does that; look at the date, and at who answers: openssl s_client -connect api.ipify.org:443",
  },
  timeout: {
    sentence: "no answer in time",
    hint: "the line may be down or slow; the next run tries again, IPCHECK_TIMEOUT=10s waits longer",
  },
  refused: {
    sentence: "connection refused",
    hint: "a firewall on the way, or the service is down; the next run tries again",
  },
  reset: {
    sentence: "the connection broke off",
    hint: "the line may be unstable; the next run tries again",
  },
  "wrong-family": {
    sentence: "the answer is an address of the wrong family",
    hint: "a proxy or VPN may be on the way; or the URL in IPCHECK_SERVICES serves the other family: see IPCHECK_FAMILY",
  },
  "rate-limit": {
    sentence: "the services ask to come back later",
    hint: "they are left alone until then; run less often, or name more services in IPCHECK_SERVICES",
  },
  server: {
    sentence: "the services are out of order",
    hint: "the next run tries again; IPCHECK_SERVICES can name others",
  },
  status: {
    sentence: "the services do not answer with an address",
    hint: "they may have moved: look at IPCHECK_SERVICES, or update ipcheck",
  },
  garbage: {
    sentence: "the services do not answer with an address",
    hint: "they may have moved, or something on the way changes the answer: look at IPCHECK_SERVICES",
  },
  "no-service": {
    sentence: "none of the services can be asked over this family",
    hint: "name one in IPCHECK_SERVICES, or set IPCHECK_FAMILY to the family the services have",
  },
} as const satisfies Record<string, Explanation>;

const KINDS = Object.keys(EXPLANATIONS) as FailureKind[];

/** Sentence and hint for one kind. */
export function explain(kind: FailureKind): Explanation {
  return EXPLANATIONS[kind];
}

/** Kinds of a service that was heard, and said something else than an address. */
const HEARD = new Set<FailureKind>(["portal", "cgnat", "private", "proxy", "wrong-family", "status", "garbage"]);

/** True when the service was not heard at all: it neither confirmed nor contradicted anybody. */
export function isUnreachable(kind: FailureKind): boolean {
  return !HEARD.has(kind);
}

/** The kind that explains several failures best: the topmost of the table. */
export function mostSpecific(failures: readonly LookupFailure[]): FailureKind {
  return KINDS.find((kind) => failures.some((failure) => failure.kind === kind)) ?? "no-service";
}

/** No released copy of this program ran before this day: an earlier clock is certainly wrong. */
export const EARLIEST_PLAUSIBLE = Date.UTC(2026, 0, 1);

/** A clock further off than this breaks certificates and durations. */
export const CLOCK_TOLERANCE_MS = 24 * 3_600_000;

/**
 * What a connection error means, by its `code` (never by its text).
 * `now` is this machine's clock, in question when certificates fail; `serverDate` what a service's
 * HTTP Date header said, where one was seen.
 */
export function failureOfConnection(
  code: string,
  context: { family: Family; now: Date; serverDate?: Date | undefined },
): LookupFailure {
  const known = CONNECTION_FAILURES[code];
  if (known) {
    const noRoute = known.kind === "no-network" && context.family === 6 && NO_FAMILY_CODES.has(code);
    return noRoute ? { kind: "no-ipv6", detail: `cannot be reached over IPv6 (${code})` } : known;
  }
  if (code === "CERT_NOT_YET_VALID" || code === "CERT_HAS_EXPIRED") return failureOfDates(code, context);
  if (isTlsCode(code)) {
    return { kind: "tls", detail: `has a certificate or TLS problem (${code})` };
  }
  if (code.startsWith("HPE_")) return { kind: "garbage", detail: `does not speak HTTP properly (${code})` };
  return { kind: "reset", detail: `could not be asked (${code || "unknown error"})` };
}

const NO_FAMILY_CODES = new Set(["ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"]);

const CONNECTION_FAILURES: Record<string, LookupFailure> = {
  ENETUNREACH: { kind: "no-network", detail: "cannot be reached: no route (ENETUNREACH)" },
  EADDRNOTAVAIL: { kind: "no-network", detail: "cannot be reached: no address to ask from (EADDRNOTAVAIL)" },
  EAFNOSUPPORT: { kind: "no-network", detail: "cannot be reached: family not supported (EAFNOSUPPORT)" },
  ENETDOWN: { kind: "no-network", detail: "cannot be reached: network is down (ENETDOWN)" },
  EHOSTUNREACH: { kind: "no-network", detail: "cannot be reached: no route to host (EHOSTUNREACH)" },
  ENOTFOUND: { kind: "dns", detail: "has no address in the DNS (ENOTFOUND)" },
  EAI_AGAIN: { kind: "dns", detail: "cannot be looked up: no DNS server answers (EAI_AGAIN)" },
  EAI_FAIL: { kind: "dns", detail: "cannot be looked up: the DNS server failed (EAI_FAIL)" },
  ENOTLOCAL: { kind: "dns", detail: "leads to another machine, though its name means this one: look at /etc/hosts" },
  ECONNREFUSED: { kind: "refused", detail: "refused the connection (ECONNREFUSED)" },
  ETIMEDOUT: { kind: "timeout", detail: "did not answer in time" },
  ECONNRESET: { kind: "reset", detail: "broke off the connection (ECONNRESET)" },
  EPIPE: { kind: "reset", detail: "broke off the connection (EPIPE)" },
};

function failureOfDates(
  code: string,
  { now, serverDate }: { now: Date; serverDate?: Date | undefined },
): LookupFailure {
  const early = code === "CERT_NOT_YET_VALID";
  const clock = now.toISOString().slice(0, 16).replace("T", " ");
  const detail = `has a certificate that is ${early ? "not valid yet" : "no longer valid"} by this clock (${clock} UTC)`;
  if (serverDate) {
    const offMs = now.getTime() - serverDate.getTime();
    const isClock = early ? offMs < -CLOCK_TOLERANCE_MS : offMs > CLOCK_TOLERANCE_MS;
    return { kind: isClock ? "clock" : "tls", detail };
  }
  // A service's certificate has been valid for days before anybody sees it: not yet valid means our clock.
  return { kind: early || now.getTime() < EARLIEST_PLAUSIBLE ? "clock" : "tls", detail };
}
