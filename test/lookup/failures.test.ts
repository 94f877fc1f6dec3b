import { describe, expect, test } from "vitest";
import { explain, type FailureKind, failureOfConnection, isUnreachable, mostSpecific } from "../../src/lookup/failures";

/** Every kind, the most telling first. */
const ALL = `clock no-ipv6 portal no-network cgnat private proxy dns tls timeout refused reset wrong-family rate-limit
  server status garbage no-service`.split(/\s+/) as FailureKind[];
/** Of a service that was heard. */
const HEARD = ["portal", "cgnat", "private", "proxy", "wrong-family", "status", "garbage"];

/** What the operator messages keep to: lower case, no full stop, one line. */
const MESSAGE = /^(?!(?:.*[.\n]$))(?:[a-z'][^\n]*|(?:IPCHECK|DNS|NTP)[^\n]*)$/;

describe("explain", () => {
  test.each(ALL)("%s says what happened and what to do", (kind) => {
    const { sentence, hint } = explain(kind);
    expect(sentence).toMatch(MESSAGE);
    expect(hint).toMatch(MESSAGE);
    expect(isUnreachable(kind)).toBe(!HEARD.includes(kind));
  });
});

describe("mostSpecific", () => {
  const failures = ALL.map((kind) => ({ kind, detail: "" }));

  test("every kind beats those after it, in whatever order they come", () => {
    for (const [index, kind] of ALL.entries()) {
      expect(mostSpecific(failures.slice(index))).toBe(kind);
      expect(mostSpecific(failures.slice(index).reverse())).toBe(kind);
    }
    expect(mostSpecific([])).toBe("no-service");
  });
});

describe("failureOfConnection", () => {
  const now = new Date("2026-06-01T12:00:00Z");

  test.each<[over4: FailureKind, over6: FailureKind, codes: string]>([
    ["no-network", "no-ipv6", "ENETUNREACH EADDRNOTAVAIL EAFNOSUPPORT"],
    ["no-network", "no-network", "ENETDOWN EHOSTUNREACH"],
    ["dns", "dns", "ENOTFOUND EAI_AGAIN EAI_FAIL"],
    ["refused", "refused", "ECONNREFUSED"],
    ["timeout", "timeout", "ETIMEDOUT"],
    ["reset", "reset", "ECONNRESET EPIPE ESOMETHING"],
    ["tls", "tls", "SELF_SIGNED_CERT_IN_CHAIN DEPTH_ZERO_SELF_SIGNED_CERT CERT_UNTRUSTED EPROTO HOSTNAME_MISMATCH"],
    ["tls", "tls", "UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY"],
    ["tls", "tls", "ERR_TLS_CERT_ALTNAME_INVALID ERR_SSL_WRONG_VERSION_NUMBER"],
    ["garbage", "garbage", "HPE_INVALID_CONSTANT HPE_HEADER_OVERFLOW"],
    ["reset", "reset", ""],
  ])("%s over IPv4, %s over IPv6: %s", (over4, over6, codes) => {
    for (const code of codes.split(" ")) {
      for (const [family, kind] of [[4, over4] as const, [6, over6] as const]) {
        const failure = failureOfConnection(code, { family, now });
        expect(failure.kind).toBe(kind);
        // The end of a sentence that begins with the service's name.
        expect(failure.detail).toMatch(/^(has|cannot|could|did|does|refused|broke) .*[^.]$/);
      }
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
