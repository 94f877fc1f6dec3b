import { describe, expect, test } from "vitest";
import type { FailureKind } from "../../src/lookup/failures";
import {
  describe as describeResponse,
  explainLookup,
  isGood,
  type LookupResult,
  reasonOf,
} from "../../src/lookup/lookup-result";
import { PLAIN_HTTP } from "../../src/lookup/services";

const A = "81.2.69.142";

/** `lines` are `service/operator: vote`, where the vote is an address or the kind of a failure. */
function lookupResult(decision: LookupResult["decision"], lines: string[]): LookupResult {
  const responses = lines.map((line) => {
    const [, service = "", operator = "", said = ""] = /^(.+)\/(.+): (.+)$/.exec(line) ?? [];
    const vote = said === A ? { address: A } : { kind: said as FailureKind, detail: `failed by ${said}` };
    return { service, operator, vote, ms: 1 };
  });
  return { family: 4, decision, responses, requests: lines.length, newCoolDowns: {}, serverDate: undefined };
}

test.each<LookupResult["decision"]>([
  { kind: "unchanged", address: A, seen: A, by: ["a"] },
  { kind: "confirmed", address: A, by: ["a", "b"] },
  { kind: "accepted", address: A, by: ["a"] },
])("a good look needs no reason: $kind", (decision) => {
  expect(isGood(lookupResult(decision, []))).toBe(true);
  expect(reasonOf(lookupResult(decision, []))).toBe("");
});

describe("failed looks", () => {
  const SILENCE = { kind: "silence" } as const;
  const noQuorum = (runs: number, ...by: string[]): LookupResult["decision"] => {
    return { kind: "no-quorum", address: A, by, runs, since: "2026-06-01T12:00:00.000Z" };
  };
  const one = [`a.example/a: ${A}`, "b.example/b: timeout"];
  const inClear = [`x/${PLAIN_HTTP}: ${A}`, `y/${PLAIN_HTTP}: timeout`];
  const besidePage = [`x/a: ${A}`, `y/b: ${A}`, "z/c: portal"];

  test.each<[what: string, decision: LookupResult["decision"], heard: string[], reason: RegExp, hint: RegExp]>([
    ["silence", SILENCE, [], /none of the services/, /IPCHECK_SERVICES/],
    ["one reason", SILENCE, ["a/a: timeout", "b/b: timeout"], /no answer in time$/, /next run/],
    ["the most telling", SILENCE, ["a/a: timeout", "b/b: portal"], /captive portal/, /log in/],
    ["a clock", SILENCE, ["a/a: tls", "b/b: clock"], /clock .* wrong/, /NTP/],
    ["no IPv6", SILENCE, ["a/a: no-ipv6"], /no IPv6/, /IPCHECK_FAMILY=4/],
    ["carrier-grade NAT", SILENCE, ["a/a: cgnat"], /carrier-grade NAT/, /public IPv4 address/],
    ["a contradiction", { kind: "contradiction" }, one, /contradict each other/, /nothing was recorded/],
    ["a lone vote", noQuorum(1, "a"), one, /only a says 81\.2\.69\.142/, /third run in a row, two hours/],
    ["a lone vote among liars", noQuorum(0, "a"), one, /only a says/, /nothing was recorded/],
    ["one operator", noQuorum(1, "a"), [`x/a: ${A}`, "y/a: timeout"], /only a says/, /belong to one operator/],
    ["plain http alone", noQuorum(1, PLAIN_HTTP), inClear, /only plain http says/, /https:\/\/ URLs/],
    ["two, beside a page", noQuorum(1, "a", "b"), besidePage, /a and b say 81\.2\.69\.142/, /third run/],
  ])("%s", (_, decision, heard, reason, hint) => {
    const failed = lookupResult(decision, heard);
    expect(isGood(failed)).toBe(false);
    expect(reasonOf(failed)).toMatch(reason);
    const error = explainLookup(failed, undefined);
    expect(error.code).toBe("no-address");
    expect(error.message).toBe(`no trustworthy IPv4 address: ${reasonOf(failed)}`);
    expect(error.hint).toMatch(hint);
    for (const text of [error.message, error.hint]) expect(text).toMatch(/^(?:[a-z']|IPCHECK).*[^.]$/);
    expect(error.details).toEqual(failed.responses.map(describeResponse));
    expect(explainLookup(failed, "192.0.2.9").message).toBe(`${error.message}; 192.0.2.9 stays recorded`);
  });

  test("each service's answer is named", () => {
    const said = lookupResult(SILENCE, one).responses.map(describeResponse);
    expect(said).toEqual([`a.example answered ${A}`, "b.example failed by timeout"]);
  });
});
