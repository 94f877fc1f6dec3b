import { describe, expect, test } from "vitest";
import { explain, type FailureKind } from "../../src/lookup/failures";
import {
  describe as describeHearing,
  explainLookup,
  isGood,
  type LookupResult,
  reasonOf,
  type ServiceResponse,
} from "../../src/lookup/lookup-result";
import { PLAIN_HTTP } from "../../src/lookup/services";

const A = "81.2.69.142";

/** Responses from `service/operator: vote`, where the vote is an address or the kind of a failure. */
function responses(...lines: string[]): ServiceResponse[] {
  return lines.map((line) => {
    const [, service = "", operator = "", said = ""] = /^(.+)\/(.+): (.+)$/.exec(line) ?? [];
    const vote = said === A ? { address: A } : { kind: said as FailureKind, detail: `failed by ${said}` };
    return { service, operator, vote, ms: 1 };
  });
}

function lookupResult(
  decision: LookupResult["decision"],
  heard: ServiceResponse[] = [],
  family: 4 | 6 = 4,
): LookupResult {
  return { family, decision, responses: heard, requests: heard.length, newCoolDowns: {}, serverDate: undefined };
}

const GOOD: LookupResult["decision"][] = [
  { kind: "unchanged", address: A, seen: A, by: ["a"] },
  { kind: "confirmed", address: A, by: ["a", "b"] },
  { kind: "accepted", address: A, by: ["a"] },
];

describe("good looks", () => {
  test.each(GOOD)("$kind needs no reason", (decision) => {
    expect(isGood(lookupResult(decision))).toBe(true);
    expect(reasonOf(lookupResult(decision))).toBe("");
  });
});

describe("failed looks", () => {
  const one = responses(`a.example/a: ${A}`, "b.example/b: timeout");
  const since = "2026-06-01T12:00:00.000Z";
  const lone = (runs: number, by = ["a"]): LookupResult["decision"] => {
    return { kind: "unconfirmed", address: A, by, runs, since };
  };

  test.each([
    ["silence", lookupResult({ kind: "silence" }), /none of the services/, /IPCHECK_SERVICES/],
    [
      "one reason",
      lookupResult({ kind: "silence" }, responses("a/a: timeout", "b/b: timeout")),
      /no answer in time$/,
      /next run/,
    ],
    [
      "the most telling",
      lookupResult({ kind: "silence" }, responses("a/a: timeout", "b/b: portal")),
      /captive portal/,
      /log in/,
    ],
    ["a clock", lookupResult({ kind: "silence" }, responses("a/a: tls", "b/b: clock")), /clock .* wrong/, /NTP/],
    ["no IPv6", lookupResult({ kind: "silence" }, responses("a/a: no-ipv6"), 6), /no IPv6/, /IPCHECK_FAMILY=4/],
    [
      "carrier-grade NAT",
      lookupResult({ kind: "silence" }, responses("a/a: cgnat")),
      /carrier-grade NAT/,
      /public IPv4 address/,
    ],
    ["a contradiction", lookupResult({ kind: "contradiction" }, one), /contradict each other/, /nothing was recorded/],
    ["a lone vote", lookupResult(lone(1), one), /only a says 81\.2\.69\.142/, /third run in a row, two hours/],
    ["a lone vote among liars", lookupResult(lone(0), one), /only a says/, /nothing was recorded/],
    [
      "one operator",
      lookupResult(lone(1), responses(`x/a: ${A}`, "y/a: timeout")),
      /only a says/,
      /belong to one operator/,
    ],
    [
      "plain http alone",
      lookupResult(lone(1, [PLAIN_HTTP]), responses(`x/${PLAIN_HTTP}: ${A}`, `y/${PLAIN_HTTP}: timeout`)),
      /only plain http says/,
      /https:\/\/ URLs/,
    ],
    [
      "two, beside a page",
      lookupResult(lone(1, ["a", "b"]), responses(`x/a: ${A}`, `y/b: ${A}`, "z/c: portal")),
      /a and b say 81\.2\.69\.142/,
      /third run/,
    ],
  ])("%s", (_, failed, reason, hint) => {
    expect(isGood(failed)).toBe(false);
    expect(reasonOf(failed)).toMatch(reason);
    const error = explainLookup(failed, undefined);
    expect(error.code).toBe("no-address");
    expect(error.message).toBe(`no trustworthy IPv${failed.family} address: ${reasonOf(failed)}`);
    expect(error.hint).toMatch(hint);
    for (const text of [error.message, error.hint]) expect(text).toMatch(/^(?:[a-z']|IPCHECK).*[^.]$/);
    expect(error.details).toEqual(failed.responses.map(describeHearing));
    expect(explainLookup(failed, "192.0.2.9").message).toBe(`${error.message}; 192.0.2.9 stays recorded`);
  });

  test("each service's answer is named", () => {
    expect(one.map(describeHearing)).toEqual([`a.example answered ${A}`, "b.example failed by timeout"]);
  });

  test("silence of one kind gives that kind's sentence and hint", () => {
    const failed = lookupResult({ kind: "silence" }, responses("a/a: server", "b/b: server"));
    expect(reasonOf(failed)).toBe(explain("server").sentence);
    expect(explainLookup(failed, undefined).hint).toBe(explain("server").hint);
  });
});
