import { describe, expect, test } from "vitest";
import { explain, type FailureKind, failureOfConnection, isUnreachable, mostSpecific } from "../../src/lookup/failures";

/** Every kind, the most telling first, and whether its service went remaining. */
const KINDS: Record<FailureKind, boolean> = {
  clock: true,
  "no-ipv6": true,
  portal: false,
  "no-network": true,
  cgnat: false,
  private: false,
  proxy: false,
  dns: true,
  tls: true,
  timeout: true,
  refused: true,
  reset: true,
  "wrong-family": false,
  "rate-limit": true,
  server: true,
  status: false,
  garbage: false,
  "no-service": true,
};
const ALL = Object.keys(KINDS) as FailureKind[];

/** What the operator messages keep to: lower case, no full stop, one line. */
const MESSAGE = /^(?!(?:.*[.\n]$))(?:[a-z'][^\n]*|(?:IPCHECK|DNS|NTP)[^\n]*)$/;

describe("explain", () => {
  test.each(ALL)("%s says what happened and what to do", (kind) => {
    const { sentence, hint } = explain(kind);
    expect(sentence).toMatch(MESSAGE);
    expect(hint).toMatch(MESSAGE);
    expect(isUnreachable(kind)).toBe(KINDS[kind]);
  });
});

describe("mostSpecific", () => {
  test.each([
    [[], "no-service"],
    [["timeout"], "timeout"],
    [["timeout", "clock"], "clock"],
    [["garbage", "timeout", "dns"], "dns"],
    [["dns", "portal", "refused"], "portal"],
    [["tls", "no-network"], "no-network"],
    [["no-network", "no-ipv6"], "no-ipv6"],
    [["status", "cgnat", "timeout"], "cgnat"],
    [["server", "rate-limit"], "rate-limit"],
  ] as [FailureKind[], FailureKind][])("%j: %s", (kinds, expected) => {
    expect(mostSpecific(kinds.map((kind) => ({ kind, detail: "" })))).toBe(expected);
    expect(mostSpecific(kinds.map((kind) => ({ kind, detail: "" })).reverse())).toBe(expected);
  });

  test("every kind beats those after it", () => {
    for (const [index, kind] of ALL.entries()) {
      expect(mostSpecific(ALL.slice(index).map((other) => ({ kind: other, detail: "" })))).toBe(kind);
    }
  });
});

describe("failureOfConnection", () => {
  const now = new Date("2026-06-01T12:00:00Z");

  test.each([
    ["ENETUNREACH", "no-network", "no-ipv6"],
    ["EADDRNOTAVAIL", "no-network", "no-ipv6"],
    ["EAFNOSUPPORT", "no-network", "no-ipv6"],
    ["ENETDOWN", "no-network", "no-network"],
    ["EHOSTUNREACH", "no-network", "no-network"],
    ["ENOTFOUND", "dns", "dns"],
    ["EAI_AGAIN", "dns", "dns"],
    ["EAI_FAIL", "dns", "dns"],
    ["ECONNREFUSED", "refused", "refused"],
    ["ETIMEDOUT", "timeout", "timeout"],
    ["ECONNRESET", "reset", "reset"],
    ["EPIPE", "reset", "reset"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "tls", "tls"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "tls", "tls"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls", "tls"],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "tls", "tls"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "tls", "tls"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "tls", "tls"],
    ["HOSTNAME_MISMATCH", "tls", "tls"],
    ["CERT_UNTRUSTED", "tls", "tls"],
    ["EPROTO", "tls", "tls"],
    ["HPE_INVALID_CONSTANT", "garbage", "garbage"],
    ["HPE_HEADER_OVERFLOW", "garbage", "garbage"],
    ["ESOMETHING", "reset", "reset"],
    ["", "reset", "reset"],
  ])("%s: %s over IPv4, %s over IPv6", (code, over4, over6) => {
    for (const [family, kind] of [[4, over4] as const, [6, over6] as const]) {
      const failure = failureOfConnection(code, { family, now });
      expect(failure.kind).toBe(kind);
      // The end of a sentence that begins with the service's name.
      expect(failure.detail).toMatch(/^(has|cannot|could|did|does|refused|broke) .*[^.]$/);
    }
  });

  const early = "CERT_NOT_YET_VALID";
  const late = "CERT_HAS_EXPIRED";
  test.each([
    [early, "2026-06-01T12:00:00Z", undefined, "clock"],
    [early, "1970-01-01T00:00:09Z", undefined, "clock"],
    [early, "1970-01-01T00:00:09Z", "2026-06-01T12:00:00Z", "clock"],
    [early, "2026-05-30T11:59:59Z", "2026-06-01T12:00:00Z", "clock"],
    // The server agrees about the time: its certificate is at fault.
    [early, "2026-06-01T12:00:00Z", "2026-06-01T12:00:05Z", "tls"],
    [early, "2026-06-01T00:00:00Z", "2026-06-01T12:00:00Z", "tls"],
    [early, "2027-06-01T12:00:00Z", "2026-06-01T12:00:00Z", "tls"],
    [late, "2026-06-01T12:00:00Z", undefined, "tls"],
    [late, "2025-12-31T23:59:59Z", undefined, "clock"],
    [late, "2040-06-01T12:00:00Z", undefined, "tls"],
    [late, "2040-06-01T12:00:00Z", "2026-06-01T12:00:00Z", "clock"],
    [late, "2026-06-01T12:00:00Z", "2026-06-01T12:00:05Z", "tls"],
    [late, "1970-01-01T00:00:00Z", "2026-06-01T12:00:00Z", "tls"],
  ])("%s at %s, the server says %s: %s", (code, at, serverDate, kind) => {
    const failure = failureOfConnection(code, {
      family: 4,
      now: new Date(at),
      serverDate: serverDate === undefined ? undefined : new Date(serverDate),
    });
    expect(failure.kind).toBe(kind);
    expect(failure.detail).toContain(`(${at.slice(0, 16).replace("T", " ")} UTC)`);
  });
});
