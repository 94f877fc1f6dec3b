import type { Redact } from "../base/redaction";
import { quote } from "../base/text";
import { CGNAT_CIDR, type Cidr, type Family, findSpecialRange, isInCidr, isIpv4Mapped, parseAddress } from "./address";
import type { LookupFailure } from "./failures";

/** What an echo service sent back, before anything of it is believed. */
export interface RawAnswer {
  status: number;
  /** Header fields by lower-case name. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body as latin-1, so that no byte is lost or repaired. */
  body: string;
}

interface TrustRules {
  family: Family;
  acceptRanges: readonly Cidr[];
  /** Takes secrets out of what is quoted: some servers repeat what they were sent. */
  redact: Redact;
}

/**
 * The address in an answer, or why it is not believed. The whole trimmed body must be one address:
 * looking for something like an address inside a page is how portals and error pages get recorded.
 */
export function readAnswer(raw: RawAnswer, rules: TrustRules): { address: string } | LookupFailure {
  const { status, body } = raw;
  if (status !== 200) return failureOfStatus(raw, rules);
  // Only white space of an HTTP body: a byte order mark, a no-break space or NUL is not trimmed away.
  const text = body.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  const parsed = parseAddress(text);
  if (!parsed) return failureOfBody(raw, text, rules);
  const { family, address } = parsed;
  if (family !== rules.family || (family === 6 && isIpv4Mapped(address))) {
    return { kind: "wrong-family", detail: `answered ${address}, which is not IPv${rules.family}` };
  }
  if (rules.acceptRanges.some((range) => isInCidr(address, range))) return { address };
  const special = findSpecialRange(family, address);
  if (!special) return { address };
  const kind = special.cidr === CGNAT_CIDR ? "cgnat" : "private";
  return { kind, detail: `answered ${address}: ${special.name}` };
}

function failureOfStatus({ status, headers }: RawAnswer, { redact }: TrustRules): LookupFailure {
  if (status === 511) return { kind: "portal", detail: "answered 511, network authentication required" };
  if (status >= 300 && status < 400) {
    const target = headers["location"];
    const to = typeof target === "string" ? ` to ${quote(redact(hostOf(target)), 80)}` : "";
    return { kind: "portal", detail: `answered ${status}, a redirect${to}` };
  }
  if (status === 429 || status === 503) return { kind: "rate-limit", detail: `answered ${status}, come back later` };
  if (status === 407) return { kind: "proxy", detail: "answered 407, a proxy wants a login" };
  return { kind: status >= 500 ? "server" : "status", detail: `answered HTTP status ${status}` };
}

function failureOfBody({ headers }: RawAnswer, text: string, { redact }: TrustRules): LookupFailure {
  const type = String(headers["content-type"] ?? "");
  if (/^text\/html|xhtml/i.test(type) || /^\s*(<!doctype|<html|<\?xml|<head|<body|<script|<meta)/i.test(text)) {
    return { kind: "portal", detail: "answered a web page instead of an address" };
  }
  // 'client, proxy1, proxy2': the shape of X-Forwarded-For, repeated by some services.
  const parts = text.split(/\s*,\s*/);
  if (parts.length > 1 && parts.every((part) => parseAddress(part))) {
    return { kind: "proxy", detail: `answered a list of addresses: ${quote(redact(text), 80)}` };
  }
  if (text === "") return { kind: "garbage", detail: "answered nothing" };
  // Redacted before it is cut: half a secret would not be recognised.
  return { kind: "garbage", detail: `answered something that is no address: ${quote(redact(text), 60)}` };
}

// Portals put the visitor's data into the query; the host says enough.
function hostOf(url: string): string {
  try {
    return new URL(url).host || "another page";
  } catch {
    return "another page";
  }
}
