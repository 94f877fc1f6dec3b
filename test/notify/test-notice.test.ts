import { expect, test } from "vitest";
import type { LookupResult } from "../../src/lookup/lookup-result";
import { testNotice } from "../../src/notify/test-mail";
import { EMPTY_STATE, type State } from "../../src/state/state";

const NOW = new Date("2026-06-01T12:00:00Z");
const RULES = { families: [4, 6] as const, recipients: ["owner@example.net"] };
const RECORDED: State = {
  ...EMPTY_STATE,
  families: { 6: { recorded: { address: "2001:db8::7", since: "2026-05-01T00:00:00.000Z", confirmedBy: ["x"] } } },
};
const lookupResult = (family: 4 | 6, decision: LookupResult["decision"]): LookupResult => ({
  family,
  decision,
  responses: [
    { service: "a.example.net", operator: "a", vote: { address: "203.0.113.9" }, ms: 1 },
    { service: "b.example.net", operator: "b", vote: { kind: "server", detail: "answered 500" }, ms: 1 },
  ],
  requests: 2,
  newCoolDowns: {},
  serverDate: undefined,
});
const SEEN = lookupResult(4, { kind: "accepted", address: "203.0.113.9", by: ["a"] });
const BLIND = lookupResult(4, { kind: "silence" });
const SEEN_6 = lookupResult(6, { kind: "accepted", address: "2001:db8::9", by: ["a"] });
const SAME_PREFIX = lookupResult(6, { kind: "unchanged", address: "2001:db8::7", seen: "2001:db8::8", by: ["a"] });

test.each<[string, State | undefined, LookupResult[], object]>([
  ["what is seen now", undefined, [SEEN], { family: 4, address: "203.0.113.9", confirmedBy: ["a"] }],
  ["the family that sees", undefined, [BLIND, SEEN_6], { family: 6, address: "2001:db8::9" }],
  ["what was recorded before", RECORDED, [SEEN_6], { address: "2001:db8::9", old: "2001:db8::7" }],
  ["for how long it was held", RECORDED, [SEEN_6], { oldSince: "2026-05-01T00:00:00.000Z" }],
  // No change, and so not to be shown as one.
  ["what is recorded, not another address of its prefix", RECORDED, [SAME_PREFIX], { address: "2001:db8::7" }],
  ["any address during an outage", undefined, [BLIND], { family: 4, address: "192.0.2.1", confirmedBy: [] }],
])("a test mail tells %s", (_, state, lookupResults, facts) => {
  const { recipients, events } = testNotice(RULES, state, lookupResults, NOW);
  expect(recipients).toEqual(["owner@example.net"]);
  expect(events).toEqual([expect.objectContaining({ kind: "test", at: NOW.toISOString(), ...facts })]);
});

test("during an outage it tells the recorded address of the family that is configured", () => {
  const { events } = testNotice({ ...RULES, families: [6] }, RECORDED, [], NOW);
  expect(events).toMatchObject([{ family: 6, address: "2001:db8::7", oldSince: "2026-05-01T00:00:00.000Z" }]);
  // Nothing has changed: the same address is not shown as an old one too.
  expect(events[0]).not.toHaveProperty("old");
});
