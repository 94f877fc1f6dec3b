import { describe, expect, test } from "vitest";
import type { Family } from "../../src/lookup/address";
import {
  type DeliveryRules,
  enqueue,
  markTold,
  noticeId,
  type Outcome,
  owedTo,
  planMails,
  prune,
  recordOutcome,
} from "../../src/state/outbox";
import { type AddressEvent, EMPTY_STATE, HISTORY, HOOK, STDOUT, type State } from "../../src/state/state";
import { addressOf, GREYLISTED, HOUR_MS, MINUTE_MS, OK, REFUSED } from "../support/fake-home";

const [A, B, C] = ["a@example.net", "b@example.net", "c@example.net"] as const;
const NOW = new Date("2026-06-01T12:00:00Z");
const RULES: DeliveryRules = {
  now: NOW,
  mailIntervalMs: 15 * MINUTE_MS,
  configHash: () => "first",
  ignoreDeferral: false,
};

const OUTCOME_RULES = { now: NOW, configHash: () => "first", random: () => 0 };

const idsOf = (events: readonly AddressEvent[]) => events.map(({ id }) => id).join("");
const ago = (minutes: number) => new Date(NOW.getTime() - minutes * MINUTE_MS).toISOString();

function event(id: string, rest: Partial<AddressEvent> = {}): AddressEvent {
  return { id, kind: "change", family: 4, at: ago(0), address: addressOf("1"), confirmedBy: [], told: [], ...rest };
}

function stateOf(outbox: AddressEvent[], channels: Record<string, Partial<State["channels"][string]>> = {}): State {
  const whole = Object.entries(channels).map(([name, channel]) => {
    return [name, { failures: 0, refusals: 0, triedAt: ago(60), ...channel }];
  });
  return { ...EMPTY_STATE, outbox, channels: Object.fromEntries(whole) };
}

test("after an answer that never came each recipient is tried alone", () => {
  const state = stateOf([event("1")], { [A]: { unknowns: 1 }, [B]: { unknowns: 2 } });
  const { deliveries } = planMails(state, [A, B, C], RULES);
  expect(deliveries.map(({ channels }) => channels)).toEqual([[A], [B], [C]]);
  expect(new Set(deliveries.map(({ events }) => noticeId(events))).size).toBe(1);
});

describe("who is owed what", () => {
  const state = stateOf([
    event("1", { kind: "first", told: [A] }),
    event("2", { told: [A, HOOK, HISTORY] }),
    event("3", { kind: "back" }),
    event("4", { kind: "heartbeat", told: [B] }),
  ]);

  test.each([
    [A, "34"],
    [B, "123"],
    [STDOUT, "1234"],
    [HISTORY, "1"],
    [HOOK, "1"],
  ])("%s: %s", (channel, ids) => expect(idsOf(owedTo(state, channel))).toBe(ids));

  test.each([
    [[A, HISTORY], "134"],
    [[B], "123"],
    [[HISTORY], "1"],
    [[HISTORY, HOOK], "1"],
    [[A, B], "1234"],
    [[], ""],
  ])("what %j do not all know is kept: %s", (channels, ids) => expect(idsOf(prune(state, channels).outbox)).toBe(ids));

  test("records of channels that are gone go too; where nothing goes, nothing changes", () => {
    const kept = stateOf([event("1")], { [A]: {}, [B]: {} });
    expect(prune(kept, [A, B])).toBe(kept);
    expect(Object.keys(prune(kept, [B, C]).channels)).toEqual([B]);
  });

  test("striking off marks one channel, once", () => {
    const struck = markTold(markTold(state, B, new Set(["1", "4"])), B, new Set(["1"]));
    expect(struck.outbox.map(({ told }) => told)).toEqual([[A, B], [A, HOOK, HISTORY], [], [B]]);
  });
});

describe("the plan", () => {
  const change = event("1");
  const first = event("1", { kind: "first" });
  const back = event("1", { kind: "back" });
  const DEFERRED = { deferredUntil: ago(-30), deferredFor: "first" };
  const REFUSED_ALREADY = { ...DEFERRED, deferredChange: "1" };

  test("recipients who are owed the same share one message", () => {
    const state = stateOf([event("1", { told: [C] }), event("2")]);
    const { deliveries, waiting } = planMails(state, [A, B, C], RULES);
    expect(waiting).toEqual([]);
    expect(deliveries.map(({ channels, events }) => `${channels.join()}: ${idsOf(events)}`)).toEqual([
      `${A},${B}: 12`,
      `${C}: 2`,
    ]);
  });

  test.each([
    ["never tried", change, undefined, ""],
    ["served long ago", change, { changeServedAt: ago(15) }, ""],
    ["served a moment ago", change, { changeServedAt: ago(14) }, "grouping until 12:01"],
    ["served in what is now the future", change, { changeServedAt: ago(-60) }, ""],
    ["served something else a moment ago", change, { servedAt: ago(1) }, ""],
    ["served a moment ago, and no change is owed", first, { changeServedAt: ago(1) }, ""],
    ["failed a moment ago", change, { triedAt: ago(1), failures: 3, reason: "later" }, ""],
    ["refused", change, REFUSED_ALREADY, "deferred until 12:30"],
    ["refused, with a pause longer than any of ours", change, { ...REFUSED_ALREADY, deferredUntil: ago(-1500) }, ""],
    ["refused, and another change came up", change, { ...REFUSED_ALREADY, deferredChange: "0" }, ""],
    ["refused before there was a change", change, DEFERRED, ""],
    ["refused, and no change is owed", first, DEFERRED, "deferred until 12:30"],
    ["not known to have been served, a moment ago", change, { unknowns: 1, unknownAt: ago(1) }, "grouping until 12:14"],
    ["not known to have been served, then refused", change, { unknowns: 1, unknownAt: ago(60), triedAt: ago(1) }, ""],
    ["told of an outage yesterday", back, { outageServedAt: ago(1439) }, "grouping until 12:01"],
    ["told of an outage before", back, { outageServedAt: ago(1440) }, ""],
    ["told of an outage lately, and the address changed", change, { outageServedAt: ago(1) }, ""],
    ["refused, and the pause is over", change, { ...REFUSED_ALREADY, deferredUntil: ago(0) }, ""],
    ["refused under other settings", change, { ...REFUSED_ALREADY, deferredFor: "other" }, ""],
    ["refused in what is now the future", change, { ...REFUSED_ALREADY, triedAt: ago(-10) }, ""],
  ])("%s: %j", (_, owed, channel, expected) => {
    const { deliveries, waiting } = planMails(stateOf([owed], channel && { [A]: channel }), [A], RULES);
    expect(deliveries).toHaveLength(expected === "" ? 1 : 0);
    expect(waiting.map(({ why, until }) => `${why} until ${until.slice(11, 16)}`).join()).toBe(expected);
  });

  test("a person who is watching waits for no pause, but grouping stays", () => {
    const deferred = stateOf([change], { [A]: REFUSED_ALREADY });
    expect(planMails(deferred, [A], { ...RULES, ignoreDeferral: true }).deliveries).toHaveLength(1);
    const grouping = stateOf([change], { [A]: { changeServedAt: ago(1) } });
    expect(planMails(grouping, [A], { ...RULES, ignoreDeferral: true }).waiting).toHaveLength(1);
    expect(planMails(grouping, [A], { ...RULES, mailIntervalMs: 0 }).deliveries).toHaveLength(1);
  });
});

describe("the outcome", () => {
  const settleWith = (state: State, outcome: Outcome, random = 0) =>
    recordOutcome(state, A, state.outbox, outcome, { ...OUTCOME_RULES, random: () => random });

  test("served: struck off, and what went wrong before is forgotten", () => {
    const before = stateOf([event("1")], { [A]: { failures: 2, refusals: 1, reason: "no", deferredUntil: ago(1) } });
    const { outbox, channels } = settleWith(before, OK);
    expect(outbox[0]?.told).toEqual([A]);
    expect(channels[A]).toEqual({
      failures: 0,
      refusals: 0,
      triedAt: ago(0),
      servedAt: ago(0),
      changeServedAt: ago(0),
    });
  });

  test("served something that is no change: the next change waits for nothing", () => {
    const { channels } = settleWith(stateOf([event("1", { kind: "back" })], { [A]: { changeServedAt: ago(90) } }), OK);
    expect(channels[A]).toMatchObject({ servedAt: ago(0), changeServedAt: ago(90) });
  });

  test("failed for now: still owed, tried again at once, and when it was served is remembered", () => {
    const before = stateOf([event("1")], { [A]: { failures: 2, servedAt: ago(90), changeServedAt: ago(95) } });
    const after = settleWith(before, { ...GREYLISTED, hint: "wait" });
    expect(after.outbox).toEqual(before.outbox);
    expect(after.channels[A]).toEqual({
      failures: 3,
      refusals: 0,
      triedAt: ago(0),
      reason: "later, please",
      hint: "wait",
      servedAt: ago(90),
      changeServedAt: ago(95),
    });
    expect(planMails(after, [A], RULES).deliveries).toHaveLength(1);
  });

  const HOURS = [1, 2, 4, 8, 16, 24, 24, 24];
  const REFUSALS = [0, 1, 2, 3, 4, 5, 6, 5000].map((refusals, index) => [refusals, HOURS[index] ?? 0] as const);
  test.each(REFUSALS)("refused after %d refusals: a pause of %d hours, or up to a tenth less", (refusals, hours) => {
    const before = stateOf([event("1")], { [A]: { refusals, failures: refusals } });
    const pauses = [0, 0.5, 0.999].map((random) => {
      const { deferredUntil, deferredFor } = settleWith(before, REFUSED, random).channels[A] ?? {};
      expect(deferredFor).toBe("first");
      return (new Date(deferredUntil ?? 0).getTime() - NOW.getTime()) / HOUR_MS;
    });
    expect(pauses[0]).toBe(hours);
    expect(pauses[1]).toBeCloseTo(hours * 0.95);
    expect(pauses[2]).toBeCloseTo(hours * 0.9, 1);
  });
});

test("an outcome that stays unknown: tried at growing intervals, with no more than three copies in any day", () => {
  const UNKNOWN: Outcome = { ok: false, isPermanent: false, isUnknown: true, reason: "no answer" };
  let state = stateOf([event("1")]);
  const tries: number[] = [];
  for (let hour = 0; hour < 24 * 14; hour++) {
    const now = new Date(NOW.getTime() + hour * HOUR_MS);
    if (planMails(state, [A], { ...RULES, mailIntervalMs: 0, now }).deliveries.length === 0) continue;
    tries.push(hour);
    state = recordOutcome(state, A, state.outbox, UNKNOWN, { ...OUTCOME_RULES, now });
  }
  expect(tries.slice(0, 6)).toEqual([0, 1, 3, 25, 49, 73]);
  for (const start of tries) expect(tries.filter((hour) => hour >= start && hour < start + 24).length).toBeLessThan(4);
});

test.each([
  ["fails for now, in the middle of it", GREYLISTED, -30, -30],
  ["fails for now, at its end", GREYLISTED, 30, undefined],
  ["is refused for good, and its own pause is shorter", REFUSED, -300, -300],
  ["is refused for good, and its own pause is longer", REFUSED, -30, -60],
])("a pause after an unknown outcome, where the next try %s", (_, outcome, minutesOver, expected) => {
  const paused = { unknowns: 1, unknownAt: ago(90), deferredUntil: ago(minutesOver), deferredFor: "first" };
  const before = stateOf([event("1", { kind: "first" })], { [A]: paused });
  const record = recordOutcome(before, A, before.outbox, outcome, OUTCOME_RULES).channels[A];
  expect(record).toMatchObject({ unknowns: 1, unknownAt: ago(90) });
  expect(record?.deferredUntil).toBe(expected && ago(expected));
  expect(record?.deferredFor).toBe(expected && "first");
});

test("a notice is named by what it tells", () => {
  const [one, two] = [event("1"), event("2")];
  expect(noticeId([one, two])).toBe(noticeId([{ ...one, told: [A] }, two]));
  expect(new Set([[one], [two], [one, two], [two, one]].map(noticeId)).size).toBe(4);
  expect(noticeId([one])).toMatch(/^[0-9a-f]{32}$/);
});

describe("an outbox that nobody empties stays small", () => {
  const weigh = (outbox: AddressEvent[]) => outbox.reduce((sum, { folded = 0 }) => sum + 1 + folded, 0);

  /** What a thousand runs leave behind, `make` saying what each of them saw; a change begins where the last one ended. */
  function pileUp(make: (index: number) => Partial<AddressEvent>) {
    const last = new Map<Family, string>();
    let state = EMPTY_STATE;
    for (let index = 0; index < 1000; index++) {
      const address = `81.2.${index >> 8}.${index & 255}`;
      const { family = 4, kind = "change", ...rest } = make(index);
      const old = last.get(family) ?? "81.2.69.142";
      if (kind === "change") last.set(family, address);
      state = enqueue(state, event(`${index}`, { family, kind, address, old, at: ago(-index), ...rest }));
      state = markTold(state, HISTORY, new Set([`${index}`]));
    }
    return { outbox: state.outbox, last };
  }

  // Two families that change together are never neighbours of themselves.
  test.each<[what: string, most: number, make: (index: number) => Partial<AddressEvent>]>([
    ["changes", 60, () => ({})],
    ["changes of two families in turn", 100, (index) => ({ family: index % 2 === 0 ? 4 : 6 })],
    ["outages", 100, (index) => ({ kind: "back", outageSince: ago(1 - index) })],
    [
      "changes and outages of two families, all mixed up",
      100,
      (index) => ({ family: index % 3 === 0 ? 6 : 4, kind: index % 5 === 0 ? "back" : "change" }),
    ],
  ])("a thousand %s: where each began, where it ended and how many there were stay", (_, most, make) => {
    const { outbox, last } = pileUp(make);
    expect(outbox.length).toBeLessThanOrEqual(most);
    expect(weigh(outbox)).toBe(1000);
    expect([outbox[0]?.id, outbox.at(-1)?.id]).toEqual(["0", "999"]);
    // Each family's changes are still one chain, in order.
    for (const family of [4, 6] as const) {
      const changes = outbox.filter((one) => one.family === family && one.kind === "change");
      const ends = ["81.2.69.142", ...changes.map(({ address }) => address)];
      expect([...changes.map(({ old }) => old), last.get(family) ?? ends[0]]).toEqual(ends);
      expect(changes.toSorted((a, b) => a.at.localeCompare(b.at))).toEqual(changes);
    }
  });

  test("what is not in the history yet is folded later than the rest", () => {
    let state = EMPTY_STATE;
    for (let index = 0; index < 90; index++) state = enqueue(state, event(`${index}`));
    expect(state.outbox).toHaveLength(90);
    for (let index = 90; index < 300; index++) state = enqueue(state, event(`${index}`));
    expect(state.outbox).toHaveLength(90);
    expect(weigh(state.outbox)).toBe(300);
  });

  test("what one recipient knows and another does not is not mixed", () => {
    const { outbox } = pileUp((index) => ({ told: index < 500 ? [A] : [] }));
    expect(outbox.length).toBeLessThanOrEqual(60);
    expect(weigh(outbox.filter(({ told }) => told.includes(A)))).toBe(500);
  });
});
