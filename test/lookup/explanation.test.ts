import { describe, expect, test } from "vitest";
import { describe as describeHearing, explainView, isGood, reasonOf } from "../../src/lookup/explanation";
import { explain, type FailureKind } from "../../src/lookup/failures";
import type { Hearing, View } from "../../src/lookup/lookup-result";

const A = "81.2.69.142";

/** Hearings from `service/operator: voice`, where the voice is an address or the kind of a failure. */
function hearings(...lines: string[]): Hearing[] {
  return lines.map((line) => {
    const [, service = "", operator = "", said = ""] = /^(.+)\/(.+): (.+)$/.exec(line) ?? [];
    const voice = said === A ? { address: A } : { kind: said as FailureKind, detail: `failed by ${said}` };
    return { service, operator, voice, ms: 1 };
  });
}

function view(verdict: View["verdict"], heard: Hearing[] = [], family: 4 | 6 = 4): View {
  return { family, verdict, hearings: heard, requests: heard.length, newRests: {}, serverDate: undefined };
}

const GOOD: View["verdict"][] = [
  { kind: "unchanged", address: A, by: ["a"] },
  { kind: "confirmed", address: A, by: ["a", "b"] },
  { kind: "accepted", address: A, by: ["a"] },
];

describe("good views", () => {
  test.each(GOOD)("$kind needs no reason", (verdict) => {
    expect(isGood(view(verdict))).toBe(true);
    expect(reasonOf(view(verdict))).toBe("");
  });
});

describe("failed views", () => {
  const one = hearings(`a.example/a: ${A}`, "b.example/b: timeout");
  const lone = (runs: number): View["verdict"] => ({ kind: "unconfirmed", address: A, by: ["a"], runs });

  test.each([
    ["silence", view({ kind: "silence" }), /none of the services/, /IPCHECK_SERVICES/],
    [
      "one reason",
      view({ kind: "silence" }, hearings("a/a: timeout", "b/b: timeout")),
      /no answer in time$/,
      /next run/,
    ],
    [
      "the most telling",
      view({ kind: "silence" }, hearings("a/a: timeout", "b/b: portal")),
      /captive portal/,
      /log in/,
    ],
    ["a clock", view({ kind: "silence" }, hearings("a/a: tls", "b/b: clock")), /clock .* wrong/, /NTP/],
    ["no IPv6", view({ kind: "silence" }, hearings("a/a: no-ipv6"), 6), /no IPv6/, /IPCHECK_FAMILY=4/],
    [
      "carrier-grade NAT",
      view({ kind: "silence" }, hearings("a/a: cgnat")),
      /carrier-grade NAT/,
      /public IPv4 address/,
    ],
    ["a contradiction", view({ kind: "contradiction" }, one), /contradict each other/, /nothing was recorded/],
    ["a lone voice", view(lone(1), one), /only a says 81\.2\.69\.142/, /third run/],
    ["a lone voice among liars", view(lone(0), one), /only a says/, /nothing was recorded/],
    ["one operator", view(lone(1), hearings(`x/a: ${A}`, "y/a: timeout")), /only a says/, /belong to one operator/],
  ])("%s", (_, failed, reason, hint) => {
    expect(isGood(failed)).toBe(false);
    expect(reasonOf(failed)).toMatch(reason);
    const error = explainView(failed, undefined);
    expect(error.code).toBe("no-address");
    expect(error.message).toBe(`no trustworthy IPv${failed.family} address: ${reasonOf(failed)}`);
    expect(error.hint).toMatch(hint);
    for (const text of [error.message, error.hint]) expect(text).toMatch(/^(?:[a-z']|IPCHECK).*[^.]$/);
    expect(error.details).toEqual(failed.hearings.map(describeHearing));
    expect(explainView(failed, "192.0.2.9").message).toBe(`${error.message}; 192.0.2.9 stays recorded`);
  });

  test("each service's answer is named", () => {
    expect(one.map(describeHearing)).toEqual([`a.example answered ${A}`, "b.example failed by timeout"]);
  });

  test("silence of one kind gives that kind's sentence and hint", () => {
    const failed = view({ kind: "silence" }, hearings("a/a: server", "b/b: server"));
    expect(reasonOf(failed)).toBe(explain("server").sentence);
    expect(explainView(failed, undefined).hint).toBe(explain("server").hint);
  });
});
