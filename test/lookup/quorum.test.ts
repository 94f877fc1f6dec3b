import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FailureKind, isUnreachable } from "../../src/lookup/failures";
import { type Decision, decide, type Tally, type Vote } from "../../src/lookup/quorum";

const OPERATORS = "abcdefg";
const NOW = new Date("2026-06-01T12:00:00Z");
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString();
const FAILURES: Record<string, FailureKind> = { t: "timeout", p: "portal", g: "garbage", l: "rate-limit", c: "cgnat" };

/** `1` and `2` are addresses, a letter is a failure, and the operators are called a, b, c, … */
function voicesOf(text: string): Map<string, Vote> {
  const marks = [...text].filter((mark) => mark !== " ");
  return new Map(marks.map((mark, index) => [OPERATORS[index] ?? "", voiceOf(mark)]));
}

function voiceOf(mark: string): Vote {
  const kind = FAILURES[mark];
  return kind ? { kind, detail: "failed" } : { address: `192.0.2.${mark}` };
}

function tallyOf(votes: string | Map<string, Vote>, rest: Partial<Tally> = {}): Tally {
  return {
    recorded: undefined,
    votes: typeof votes === "string" ? voicesOf(votes) : votes,
    remaining: 0,
    isSoleService: false,
    ipv6PrefixLength: 64,
    now: NOW,
    ...rest,
  };
}

/** `confirmed 1 by ab`, `ask 2`, `no-quorum 1 by a, run 1`. */
function inWords(decision: Decision): string {
  const address = "address" in decision ? ` ${decision.address.replace("192.0.2.", "")}` : "";
  const by = "by" in decision ? ` by ${decision.by.join("")}` : "";
  const runs = "runs" in decision ? `, run ${decision.runs}` : "";
  return `${decision.kind}${"count" in decision ? ` ${decision.count}` : ""}${address}${by}${runs}`;
}

// With nobody left to be asked and nothing recorded, every set of answers is judged at the end of this file.
describe("what the votes amount to", () => {
  test.each([
    // heard, not heard yet, recorded, decision
    ["", 5, "1", "ask 1"],
    ["", 0, "", "silence"],
    // Nothing to compare the first answer with: as many as a majority needs.
    ["", 1, "", "ask 1"],
    ["", 2, "", "ask 2"],
    ["", 3, "", "ask 2"],
    ["", 5, "", "ask 3"],
    ["", 6, "", "ask 4"],
    ["t t", 1, "", "ask 1"],
    ["t", 4, "1", "ask 1"],
    ["p t g", 0, "", "silence"],
    // The cheap look: one vote says what is recorded.
    ["1", 5, "1", "unchanged 1 by a"],
    ["1", 0, "1", "unchanged 1 by a"],
    ["t p 1", 2, "1", "unchanged 1 by c"],
    // Nothing new is believed on one vote.
    ["1", 1, "", "ask 1"],
    ["1", 4, "", "ask 2"],
    ["1", 5, "", "ask 3"],
    ["2", 5, "1", "ask 3"],
    ["1", 6, "", "ask 3"],
    ["1 t t", 3, "", "ask 3"],
    ["2", 0, "1", "no-quorum 2 by a, run 1"],
    // More than half of all: 2 of 2 or 3, 3 of 4 or 5, 4 of 6.
    ["1 1", 1, "", "confirmed 1 by ab"],
    ["1 1", 2, "", "ask 1"],
    ["1 1", 3, "", "ask 1"],
    ["1 1", 4, "", "ask 2"],
    ["1 1 1", 1, "", "confirmed 1 by abc"],
    ["1 1 1", 2, "", "confirmed 1 by abc"],
    ["1 1 1", 3, "2", "ask 1"],
    ["1 1 1 1", 2, "", "confirmed 1 by abcd"],
    // Who cannot be reached cannot be asked.
    ["1 1 t", 1, "", "ask 1"],
    ["1 1 t t", 0, "2", "confirmed 1 by ab"],
    ["1 1 t t l l", 0, "2", "confirmed 1 by ab"],
    // Who answers with a page was asked, and did not agree.
    ["1 1 p t", 0, "", "no-quorum 1 by ab, run 1"],
    ["1 1 p p", 0, "", "no-quorum 1 by ab, run 0"],
    ["1 1 1 1 p g", 0, "", "confirmed 1 by abcd"],
    ["1 p 1", 0, "", "confirmed 1 by ac"],
    // A contradiction needs a strict majority of those that answered.
    ["1 2", 3, "", "ask 3"],
    ["1 2", 0, "1", "contradiction"],
    ["1 1 2", 0, "1", "unchanged 1 by ab"],
    ["1 2 2", 0, "1", "confirmed 2 by bc"],
    ["1 2 t t 2", 0, "1", "confirmed 2 by be"],
    ["1 1 2", 1, "", "ask 1"],
    ["1 1 2 3", 0, "", "contradiction"],
    ["1 1 1 2 3", 0, "", "confirmed 1 by abc"],
    ["1 1 1 2", 1, "", "confirmed 1 by abc"],
    ["1 1 1 2", 2, "", "ask 2"],
    ["1 1 1 2 2", 1, "2", "ask 1"],
    ["1 1 1 2 2 2", 0, "1", "contradiction"],
    ["1 1 2 2 t", 0, "1", "contradiction"],
    ["2 2 p p p", 0, "1", "no-quorum 2 by ab, run 0"],
  ])("%j, %d to come, recorded %j: %s", (votes, remaining, mark, expected) => {
    const recorded = mark === "" ? undefined : `192.0.2.${mark}`;
    expect(inWords(decide(tallyOf(votes, { remaining, recorded })))).toBe(expected);
  });

  test.each([
    ["1", "", "confirmed 1 by a"],
    ["2", "1", "confirmed 2 by a"],
    ["1", "1", "unchanged 1 by a"],
    ["p", "1", "silence"],
  ])("the only service says %s, recorded %j: %s", (votes, mark, expected) => {
    const recorded = mark === "" ? undefined : `192.0.2.${mark}`;
    expect(inWords(decide(tallyOf(votes, { isSoleService: true, recorded })))).toBe(expected);
  });
});

describe("after a contradiction everybody is asked, whatever the first say", () => {
  test.each([
    ["", 6, "ask 6"],
    ["1", 5, "ask 5"],
    ["1 1 1 1", 2, "ask 2"],
    ["1 1 1 1 2 2", 0, "unchanged 1 by abcd"],
    ["2 2 2 2 1 1", 0, "confirmed 2 by abcd"],
    ["1 1 1 2 2 2", 0, "contradiction"],
    ["1 t t t t t", 0, "unchanged 1 by a"],
  ])("%j, %d to come: %s", (votes, remaining, expected) => {
    const one = tallyOf(votes, { remaining, recorded: "192.0.2.1", isContradicted: true });
    expect(inWords(decide(one))).toBe(expected);
  });
});

describe("one vote, three runs in a row, while nobody else can be reached", () => {
  test.each([
    ["1 t t", "1", 0, "no-quorum 1 by a, run 1"],
    ["1 t t", "1", 1, "no-quorum 1 by a, run 2"],
    ["1 t t", "1", 2, "accepted 1 by a"],
    ["t l 1", "1", 2, "accepted 1 by c"],
    ["1", "1", 2, "accepted 1 by a"],
    ["2 t t", "1", 2, "no-quorum 2 by a, run 1"],
    ["1 p t", "1", 2, "no-quorum 1 by a, run 0"],
    ["1 t g", "1", 2, "no-quorum 1 by a, run 0"],
    ["1 c t", "1", 2, "no-quorum 1 by a, run 0"],
    ["1 2 t", "1", 2, "contradiction"],
    ["1 1 t", "1", 1, "confirmed 1 by ab"],
    ["t t t", "1", 2, "silence"],
  ])("%j, heard %s in %d runs before: %s", (votes, mark, runs, expected) => {
    const candidate = { address: `192.0.2.${mark}`, runs, since: minutesAgo(120) };
    expect(inWords(decide(tallyOf(votes, { candidate, recorded: "192.0.2.9" })))).toBe(expected);
  });

  test.each([
    ["two hours", 2, minutesAgo(120), "accepted 1 by a"],
    ["two hours, by a timer that is late by seconds", 2, minutesAgo(119.6), "accepted 1 by a"],
    ["two hours less a minute", 2, minutesAgo(119), "no-quorum 1 by a, run 3"],
    ["80 ms", 2, new Date(NOW.getTime() - 80).toISOString(), "no-quorum 1 by a, run 3"],
    ["two hours, in two runs", 1, minutesAgo(120), "no-quorum 1 by a, run 2"],
    ["many runs, in no time", 99, minutesAgo(0), "no-quorum 1 by a, run 100"],
    ["a week", 2, minutesAgo(7 * 1440), "accepted 1 by a"],
    ["since a time before the clock was set", 2, "1970-01-01T00:01:00.000Z", "no-quorum 1 by a, run 1"],
    ["since a time in the future", 9, minutesAgo(-1), "no-quorum 1 by a, run 1"],
    ["since no time at all", 9, "yesterday", "no-quorum 1 by a, run 1"],
    ["since nobody knows when: the state of version 1.0.0", 9, undefined, "no-quorum 1 by a, run 1"],
    ["a day by a clock that was set, an hour after the start", 2, minutesAgo(1440), "no-quorum 1 by a, run 3", 60],
    ["a day, two hours after the start", 2, minutesAgo(1440), "accepted 1 by a", 120],
  ] as [string, number, string | undefined, string, number?][])("%s: after %d runs since %s: %s", (...row) => {
    const [, runs, since, expected, uptimeMinutes] = row;
    const uptimeMs = uptimeMinutes === undefined ? undefined : uptimeMinutes * 60_000;
    const candidate = { address: "192.0.2.1", runs, ...(since !== undefined && { since }) };
    const decision = decide(tallyOf("1 t t", { candidate, recorded: "192.0.2.9", uptimeMs }));
    expect(inWords(decision)).toBe(expected);
    if (decision.kind !== "no-quorum") return;
    expect(decision.since).toBe(decision.runs === 1 ? NOW.toISOString() : since);
  });

  test("not while somebody can still be asked", () => {
    const candidate = { address: "192.0.2.1", runs: 2, since: minutesAgo(120) };
    expect(decide(tallyOf("1 t", { candidate, remaining: 1 }))).toEqual({ kind: "ask", count: 1 });
  });
});

test("IPv6 addresses agree when their prefix does", () => {
  const votes = new Map([
    ["a", { address: "2001:db8:0:1::a" }],
    ["b", { address: "2001:db8:0:1::b" }],
    ["c", { address: "2001:db8:0:2::c" }],
  ]);
  expect(decide(tallyOf(votes))).toEqual({ kind: "confirmed", address: "2001:db8:0:1::a", by: ["a", "b"] });
  const recorded = "2001:db8:0:1::ffff";
  // Recorded stays what was told; what is seen now is said beside it.
  const seen = "2001:db8:0:1::a";
  expect(decide(tallyOf(votes, { recorded }))).toEqual({ kind: "unchanged", address: recorded, seen, by: ["a", "b"] });
  expect(decide(tallyOf(votes, { ipv6PrefixLength: 128 })).kind).toBe("contradiction");
  expect(decide(tallyOf(votes, { ipv6PrefixLength: 56 }))).toMatchObject({ kind: "confirmed", by: ["a", "b", "c"] });
});

describe("for any votes", () => {
  const marks = (alphabet: string, length: object) => fc.array(fc.constantFrom(...alphabet), length);
  const candidate = fc.option(
    fc.record({
      address: fc.constantFrom("192.0.2.1", "192.0.2.2"),
      runs: fc.nat(3),
      since: fc.integer({ min: -10, max: 300 }).map(minutesAgo),
    }),
    { nil: undefined },
  );
  const recorded = fc.constantFrom(undefined, "192.0.2.1", "192.0.2.2", "192.0.2.9");
  const anyTally = fc
    .record({
      votes: marks("111222345tpglc", { maxLength: 7 }).map((array) => voicesOf(array.join(""))),
      remaining: fc.nat(4),
      recorded,
      candidate,
      isContradicted: fc.boolean(),
    })
    .map(({ votes, ...rest }) => tallyOf(votes, rest));

  test("their order does not matter", () => {
    const shuffled = anyTally.chain((one) =>
      fc.tuple(fc.constant(one), fc.shuffledSubarray([...one.votes], { minLength: one.votes.size })),
    );
    fc.assert(
      fc.property(shuffled, ([one, votes]) => {
        expect(decide({ ...one, votes: new Map(votes) })).toEqual(decide(one));
      }),
    );
  });

  test("nothing is confirmed by fewer than two, nor by half of those that answered", () => {
    fc.assert(
      fc.property(anyTally, (one) => {
        const decision = decide(one);
        const answers = [...one.votes.values()].flatMap((vote) => ("address" in vote ? [vote.address] : []));
        if (decision.kind === "confirmed") {
          expect(decision.by.length).toBeGreaterThanOrEqual(2);
          expect(decision.by.length * 2).toBeGreaterThan(answers.length);
          for (const name of decision.by) expect(one.votes.get(name)).toEqual({ address: decision.address });
        }
        if (decision.kind === "accepted") {
          expect(new Set(answers)).toEqual(new Set([decision.address]));
          expect(one.candidate).toMatchObject({ address: decision.address });
          const kinds = [...one.votes.values()].flatMap((vote) => ("kind" in vote ? [vote.kind] : []));
          const heard = kinds.filter((kind) => !isUnreachable(kind)).length;
          expect(answers.length).toBeGreaterThan(heard);
          expect(Date.parse(one.candidate?.since ?? "")).toBeLessThanOrEqual(NOW.getTime() - 119.5 * 60_000);
        }
        if (decision.kind === "unchanged") expect(answers).toContain(one.recorded);
        // Only where there is somebody to be asked, so the asking ends.
        if (decision.kind === "ask") {
          expect(decision.count).toBeGreaterThan(0);
          expect(decision.count).toBeLessThanOrEqual(one.remaining);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("one more vote for what is believed leaves it believed", () => {
    fc.assert(
      fc.property(anyTally, (one) => {
        const decision = decide(one);
        if (decision.kind !== "confirmed" && decision.kind !== "unchanged") return;
        const address = "seen" in decision ? decision.seen : decision.address;
        const votes = new Map([...one.votes, ["z", { address }] as const]);
        const after = decide({ ...one, votes, remaining: Math.max(0, one.remaining - 1) });
        expect(after).toMatchObject({ kind: decision.kind, address: decision.address });
      }),
      { numRuns: 2000 },
    );
  });

  test("a minority of liars never has its way, even together", () => {
    const truth = "192.0.2.1";
    const scene = fc.integer({ min: 3, max: 7 }).chain((size) =>
      fc.record({
        lies: marks("2223456tpglc", { maxLength: Math.ceil(size / 2) - 1 }),
        size: fc.constant(size),
        order: fc.shuffledSubarray([...OPERATORS.slice(0, size)], { minLength: size }),
        // As many at once as are asked for, or one by one.
        isEager: fc.boolean(),
        recorded: fc.constantFrom(undefined, truth, "192.0.2.9"),
        candidate,
      }),
    );
    fc.assert(
      fc.property(scene, ({ lies, size, order, isEager, recorded, candidate }) => {
        // The first operators lie; which of them is asked first is up to the order.
        const opinions = voicesOf([...lies, ..."1".repeat(size - lies.length)].join(""));
        const votes = new Map<string, Vote>();
        for (;;) {
          const remaining = size - votes.size;
          const decision = decide(tallyOf(votes, { remaining, recorded, candidate }));
          if (decision.kind !== "ask") {
            expect(decision).toMatchObject({ kind: recorded === truth ? "unchanged" : "confirmed", address: truth });
            return;
          }
          for (const name of order.slice(votes.size, votes.size + (isEager ? decision.count : 1))) {
            const vote = opinions.get(name);
            if (vote) votes.set(name, vote);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });
});

/** Asks one operator after another, in this order, until the decision stands. */
function search(opinions: ReadonlyMap<string, Vote>, order: readonly string[], rest: Partial<Tally> = {}): Decision {
  const votes = new Map<string, Vote>();
  for (const name of order) {
    const decision = decide(tallyOf(votes, { ...rest, remaining: order.length - votes.size }));
    if (decision.kind !== "ask") return decision;
    votes.set(name, opinions.get(name) ?? { kind: "timeout", detail: "failed" });
  }
  return decide(tallyOf(votes, rest));
}

function permutations(names: readonly string[]): string[][] {
  if (names.length < 2) return [[...names]];
  return names.flatMap((name) => permutations(names.filter((other) => other !== name)).map((rest) => [name, ...rest]));
}

describe.each([1, 2, 3, 4, 5, 6])("every set of answers of %i operators", (size) => {
  const sets = (length: number): string[] =>
    length === 0 ? [""] : sets(length - 1).flatMap((set) => [..."12tp"].map((mark) => set + mark));

  test("is believed as the table says", () => {
    for (const marks of sets(size)) {
      const count = (mark: string) => marks.split(mark).length - 1;
      const [ones, twos, pages] = [count("1"), count("2"), count("p")];
      const by = Math.max(ones, twos);
      const isMajority = by * 2 > size || (by * 2 > ones + twos + pages && pages === 0);
      const isCandidate = by > 0 && by * 2 > by + pages;
      let expected = isCandidate ? "accepted" : "no-quorum";
      if (ones > 0 && twos > 0) expected = "contradiction";
      if (by === 0) expected = "silence";
      if (by >= 2 && isMajority) expected = "confirmed";
      const candidate = { address: `192.0.2.${ones > twos ? 1 : 2}`, runs: 2, since: minutesAgo(120) };
      expect([marks, decide(tallyOf(marks, { candidate })).kind]).toEqual([marks, expected]);
    }
  });

  test("comes to the same whoever is asked first", () => {
    // Which operator says what does not matter in itself: one representative of each mixture will do.
    const mixtures = sets(size).filter((set) => [...set].sort().join("") === set);
    const orders = permutations([...OPERATORS.slice(0, size)]);
    for (const set of mixtures) {
      const opinions = voicesOf(set);
      for (const recorded of [undefined, "192.0.2.9"]) {
        const outcomes = orders.map((order) => {
          const { kind, address } = { address: "", ...search(opinions, order, { recorded }) };
          return `${kind} ${address}`;
        });
        expect([set, ...new Set(outcomes)]).toHaveLength(2);
      }
    }
  });
});

test("six operators in two camps of three, one of them for what is recorded: nobody is announced", () => {
  const opinions = voicesOf("1 1 1 2 2 2");
  for (const order of permutations([..."abcdef"])) {
    expect(["unchanged", "contradiction"]).toContain(search(opinions, order, { recorded: "192.0.2.1" }).kind);
    expect(search(opinions, order, { recorded: "192.0.2.1", isContradicted: true }).kind).toBe("contradiction");
  }
});
