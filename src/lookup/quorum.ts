import { isSamePlace } from "./address";
import { explain, type LookupFailure } from "./failures";

/** What one operator said when asked: an address, or why there was none. */
export type Vote = { address: string } | LookupFailure;

/** An address said by one operator only, run after run. */
export interface Candidate {
  address: string;
  /** In how many runs in a row, this one not counted. */
  runs: number;
}

export interface Tally {
  recorded: string | undefined;
  /** Every operator heard or given up, by name: two URLs of one operator are one vote. */
  votes: ReadonlyMap<string, Vote>;
  /** Operators that could still be asked, or are being asked. */
  remaining: number;
  /** One service was configured and no other: its word is taken. */
  isSoleService: boolean;
  candidate?: Candidate | undefined;
  ipv6PrefixLength: number;
}

export type Decision =
  /** As recorded: one vote is enough to believe that nothing happened. */
  | { kind: "unchanged"; address: string; by: string[] }
  | { kind: "confirmed"; address: string; by: string[] }
  /** Accepted on one vote: heard three runs in a row while nobody else could be reached. */
  | { kind: "accepted"; address: string; by: string[] }
  /** `count` more votes are needed before anything can be said. */
  | { kind: "ask"; count: number }
  | { kind: "unconfirmed"; address: string; by: string[]; runs: number }
  | { kind: "contradiction" }
  | { kind: "silence" };

/** A lone vote is accepted in this run of its row. */
const RUNS_TO_ACCEPT = 3;

/**
 * Decides what the votes heard so far amount to. Nothing new is believed on fewer than two
 * operators, nor on so few that a minority of all operators could have said it together; once
 * two answers contradict each other, it takes a strict majority of those that answered.
 */
export function decide(ballot: Tally): Decision {
  const { recorded, votes, remaining, ipv6PrefixLength } = ballot;
  const groups = groupVotes(votes, ipv6PrefixLength);
  const answered = groups.reduce((sum, group) => sum + group.by.length, 0);
  const [first, second] = groups;
  if (!first) return remaining > 0 ? { kind: "ask", count: 1 } : { kind: "silence" };

  const isRecorded = recorded !== undefined && isSamePlace(first.address, recorded, ipv6PrefixLength);
  if (!second) {
    if (isRecorded) return { kind: "unchanged", address: recorded, by: first.by };
    if (ballot.isSoleService) return { kind: "confirmed", ...first };
    // One more than half of the others could be: what k operators agree on, no minority made up.
    const needed = Math.max(2, Math.ceil((votes.size + remaining) / 2));
    if (answered >= needed || (remaining === 0 && answered >= 2)) return { kind: "confirmed", ...first };
    if (remaining > 0) return { kind: "ask", count: Math.min(remaining, needed - answered) };
    return decideLoneVote(ballot, first);
  }

  // A winner that the votes still missing could not outvote needs not wait for them.
  if (first.by.length >= 2 && first.by.length * 2 > answered + remaining) {
    return isRecorded ? { kind: "unchanged", address: recorded, by: first.by } : { kind: "confirmed", ...first };
  }
  return remaining > 0 ? { kind: "ask", count: remaining } : { kind: "contradiction" };
}

function decideLoneVote({ votes, candidate, ipv6PrefixLength }: Tally, group: VoteGroup): Decision {
  // Somebody who answered with a page or a private address was heard: that is a middleman at work,
  // and no time to take one vote for the truth.
  const othersUnheard = [...votes.values()].every((vote) => "address" in vote || explain(vote.kind).unreachable);
  const isSame = candidate && isSamePlace(candidate.address, group.address, ipv6PrefixLength);
  const runs = othersUnheard ? (isSame ? candidate.runs : 0) + 1 : 0;
  return runs >= RUNS_TO_ACCEPT ? { kind: "accepted", ...group } : { kind: "unconfirmed", ...group, runs };
}

interface VoteGroup {
  address: string;
  by: string[];
}

/** The operators grouped by what they said, the largest group first; independent of their order. */
function groupVotes(votes: ReadonlyMap<string, Vote>, ipv6PrefixLength: number): VoteGroup[] {
  const groups: VoteGroup[] = [];
  const answers = [...votes]
    .flatMap(([operator, vote]) => ("address" in vote ? [{ operator, address: vote.address }] : []))
    .sort((a, b) => compare(a.address, b.address) || compare(a.operator, b.operator));
  for (const { operator, address } of answers) {
    const group = groups.find((other) => isSamePlace(other.address, address, ipv6PrefixLength));
    if (group) group.by.push(operator);
    else groups.push({ address, by: [operator] });
  }
  return groups.sort((a, b) => b.by.length - a.by.length);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
