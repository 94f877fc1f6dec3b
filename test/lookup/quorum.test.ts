import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { explain, type FailureKind } from "../../src/lookup/failures";
import { type Decision, decide, type Tally, type Vote } from "../../src/lookup/quorum";

const OPERATORS = "abcdefg";
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

function ballot(votes: string | Map<string, Vote>, rest: Partial<Tally> = {}): Tally {
  return {
    recorded: undefined,
    votes: typeof votes === "string" ? voicesOf(votes) : votes,
    remaining: 0,
    isSoleService: false,
    ipv6PrefixLength: 64,
    ...rest,
  };
}

/** `confirmed 1 by ab`, `ask 2`, `unconfirmed 1 by a, run 1`. */
function inWords(decision: Decision): string {
  const address = "address" in decision ? ` ${decision.address.replace("192.0.2.", "")}` : "";
  const by = "by" in decision ? ` by ${decision.by.join("")}` : "";
  const runs = "runs" in decision ? `, run ${decision.runs}` : "";
  return `${decision.kind}${"count" in decision ? ` ${decision.count}` : ""}${address}${by}${runs}`;
}

describe("what the votes amount to", () => {
  test.each([
    // heard, not heard yet, recorded, decision
    ["", 5, "", "ask 1"],
    ["", 0, "", "silence"],
    ["t", 4, "1", "ask 1"],
    ["t t t t t", 0, "1", "silence"],
    ["p t g", 0, "", "silence"],
    // The cheap look: one vote says what is recorded.
    ["1", 5, "1", "unchanged 1 by a"],
    ["1", 0, "1", "unchanged 1 by a"],
    ["t p 1", 2, "1", "unchanged 1 by c"],
    // Nothing new is believed on one vote.
    ["1", 1, "", "ask 1"],
    ["1", 4, "", "ask 2"],
    ["1", 5, "", "ask 2"],
    ["2", 5, "1", "ask 2"],
    ["1", 6, "", "ask 3"],
    ["1", 0, "", "unconfirmed 1 by a, run 1"],
    ["2", 0, "1", "unconfirmed 2 by a, run 1"],
    // Two agree; of many operators, so many that no minority made it up.
    ["1 1", 0, "", "confirmed 1 by ab"],
    ["1 1", 1, "", "confirmed 1 by ab"],
    ["1 1", 2, "", "confirmed 1 by ab"],
    ["1 1", 3, "", "ask 1"],
    ["1 1 1", 2, "", "confirmed 1 by abc"],
    ["1 1 1", 3, "2", "confirmed 1 by abc"],
    ["1 1 1", 4, "", "ask 1"],
    ["1 1 t t t", 0, "", "confirmed 1 by ab"],
    ["1 t t 1 t", 0, "", "confirmed 1 by ad"],
    ["1 p 1", 0, "", "confirmed 1 by ac"],
    // A contradiction needs a strict majority of those that answered.
    ["1 2", 0, "", "contradiction"],
    ["1 2", 3, "", "ask 3"],
    ["1 2", 0, "1", "contradiction"],
    ["1 1 2", 0, "", "confirmed 1 by ab"],
    ["1 1 2", 0, "1", "unchanged 1 by ab"],
    ["1 2 2", 0, "1", "confirmed 2 by bc"],
    ["1 2 t t 2", 0, "1", "confirmed 2 by be"],
    ["1 1 2", 1, "", "ask 1"],
    ["1 1 2 2", 0, "", "contradiction"],
    ["1 1 2 3", 0, "", "contradiction"],
    ["1 1 1 2 3", 0, "", "confirmed 1 by abc"],
    ["1 2 3 4 5", 0, "", "contradiction"],
    ["1 1 1 2", 1, "", "confirmed 1 by abc"],
    ["1 1 2 2 t", 0, "1", "contradiction"],
    ["2 2 p p p", 0, "1", "confirmed 2 by ab"],
  ])("%j, %d to come, recorded %j: %s", (votes, remaining, mark, expected) => {
    const recorded = mark === "" ? undefined : `192.0.2.${mark}`;
    expect(inWords(decide(ballot(votes, { remaining, recorded })))).toBe(expected);
  });

  test.each([
    ["1", "", "confirmed 1 by a"],
    ["2", "1", "confirmed 2 by a"],
    ["1", "1", "unchanged 1 by a"],
    ["p", "1", "silence"],
  ])("the only service says %s, recorded %j: %s", (votes, mark, expected) => {
    const recorded = mark === "" ? undefined : `192.0.2.${mark}`;
    expect(inWords(decide(ballot(votes, { isSoleService: true, recorded })))).toBe(expected);
  });
});

describe("one vote, three runs in a row, while nobody else can be reached", () => {
  test.each([
    ["1 t t", "1", 0, "unconfirmed 1 by a, run 1"],
    ["1 t t", "1", 1, "unconfirmed 1 by a, run 2"],
    ["1 t t", "1", 2, "accepted 1 by a"],
    ["t l 1", "1", 2, "accepted 1 by c"],
    ["1", "1", 2, "accepted 1 by a"],
    ["2 t t", "1", 2, "unconfirmed 2 by a, run 1"],
    ["1 p t", "1", 2, "unconfirmed 1 by a, run 0"],
    ["1 t g", "1", 2, "unconfirmed 1 by a, run 0"],
    ["1 c t", "1", 2, "unconfirmed 1 by a, run 0"],
    ["1 2 t", "1", 2, "contradiction"],
    ["1 1 t", "1", 1, "confirmed 1 by ab"],
    ["t t t", "1", 2, "silence"],
  ])("%j, heard %s in %d runs before: %s", (votes, mark, runs, expected) => {
    const candidate = { address: `192.0.2.${mark}`, runs };
    expect(inWords(decide(ballot(votes, { candidate, recorded: "192.0.2.9" })))).toBe(expected);
  });

  test("not while somebody can still be asked", () => {
    const candidate = { address: "192.0.2.1", runs: 2 };
    expect(decide(ballot("1 t", { candidate, remaining: 1 }))).toEqual({ kind: "ask", count: 1 });
  });
});

test("IPv6 addresses agree when their prefix does", () => {
  const votes = new Map([
    ["a", { address: "2001:db8:0:1::a" }],
    ["b", { address: "2001:db8:0:1::b" }],
    ["c", { address: "2001:db8:0:2::c" }],
  ]);
  expect(decide(ballot(votes))).toEqual({ kind: "confirmed", address: "2001:db8:0:1::a", by: ["a", "b"] });
  const recorded = "2001:db8:0:1::ffff";
  expect(decide(ballot(votes, { recorded }))).toEqual({ kind: "unchanged", address: recorded, by: ["a", "b"] });
  expect(decide(ballot(votes, { ipv6PrefixLength: 128 })).kind).toBe("contradiction");
  expect(decide(ballot(votes, { ipv6PrefixLength: 56 }))).toMatchObject({ kind: "confirmed", by: ["a", "b", "c"] });
});

describe("for any votes", () => {
  const marks = (alphabet: string, length: object) => fc.array(fc.constantFrom(...alphabet), length);
  const candidate = fc.option(fc.record({ address: fc.constantFrom("192.0.2.1", "192.0.2.2"), runs: fc.nat(3) }), {
    nil: undefined,
  });
  const recorded = fc.constantFrom(undefined, "192.0.2.1", "192.0.2.2", "192.0.2.9");
  const anyBallot = fc
    .record({
      votes: marks("111222345tpglc", { maxLength: 7 }).map((array) => voicesOf(array.join(""))),
      remaining: fc.nat(4),
      recorded,
      candidate,
    })
    .map(({ votes, ...rest }) => ballot(votes, rest));

  test("their order does not matter", () => {
    const shuffled = anyBallot.chain((one) => {
      const votes = fc.shuffledSubarray([...one.votes], { minLength: one.votes.size });
      return fc.tuple(fc.constant(one), votes);
    });
    fc.assert(
      fc.property(shuffled, ([one, votes]) => {
        expect(decide({ ...one, votes: new Map(votes) })).toEqual(decide(one));
      }),
    );
  });

  test("nothing is confirmed by fewer than two, nor by half of those that answered", () => {
    fc.assert(
      fc.property(anyBallot, (one) => {
        const decision = decide(one);
        const answers = [...one.votes.values()].flatMap((vote) => ("address" in vote ? [vote.address] : []));
        if (decision.kind === "confirmed") {
          expect(decision.by.length).toBeGreaterThanOrEqual(2);
          expect(decision.by.length * 2).toBeGreaterThan(answers.length);
          for (const name of decision.by) expect(one.votes.get(name)).toEqual({ address: decision.address });
        }
        if (decision.kind === "accepted") {
          expect(answers).toEqual([decision.address]);
          expect(one.candidate).toMatchObject({ address: decision.address });
          const kinds = [...one.votes.values()].flatMap((vote) => ("kind" in vote ? [vote.kind] : []));
          expect(kinds.every((kind) => explain(kind).unreachable)).toBe(true);
        }
        if (decision.kind === "unchanged") expect(answers).toContain(one.recorded);
      }),
      { numRuns: 2000 },
    );
  });

  test("more are asked only where there are more, so the asking ends", () => {
    fc.assert(
      fc.property(anyBallot, (one) => {
        const decision = decide(one);
        if (decision.kind !== "ask") return;
        expect(decision.count).toBeGreaterThan(0);
        expect(decision.count).toBeLessThanOrEqual(one.remaining);
      }),
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
          const decision = decide(ballot(votes, { remaining, recorded, candidate }));
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
