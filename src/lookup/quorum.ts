import { compareTexts } from "../base/text";
import { plausibleElapsedMs } from "../base/time";
import { hasSamePrefix } from "./address";
import { isUnreachable, type LookupFailure } from "./failures";

/** What one operator said when asked: an address, or why there was none. */
export type Vote = { address: string } | LookupFailure;

/** An address that too few operators say to be believed at once, run after run. */
export interface Candidate {
  address: string;
  /** In how many runs in a row, this one not counted. */
  runs: number;
  /** When the first of them was (ISO 8601 UTC); states of version 1.0.0 have none. */
  since?: string;
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
  /** The look before found a contradiction: this one asks everybody. */
  isContradicted?: boolean | undefined;
  ipv6PrefixLength: number;
  now: Date;
  /** For how long the machine has been running. @default for ever */
  uptimeMs?: number | undefined;
}

export type Decision =
  /** As recorded: one vote is enough to believe that nothing happened. */
  | {
      kind: "unchanged";
      address: string;
      /** The address of this look: over IPv6 perhaps another one with the same prefix. */
      seen: string;
      by: string[];
    }
  | { kind: "confirmed"; address: string; by: string[] }
  /** Accepted without a quorum: heard in three runs in a row, over two hours. */
  | { kind: "accepted"; address: string; by: string[] }
  /** `count` more votes are needed before anything can be said. */
  | { kind: "ask"; count: number }
  | {
      kind: "no-quorum";
      address: string;
      by: string[];
      /** In how many runs in a row by now; 0 where it is no candidate. */
      runs: number;
      since: string;
    }
  | { kind: "contradiction" }
  | { kind: "silence" };

/** A candidate is accepted in this run of its row … */
const RUNS_TO_ACCEPT = 3;

/** … when the first of them was this long ago: two hours, less what cron and timers are late by. */
const TIME_TO_ACCEPT_MS = 2 * 3_600_000 - 30_000;

/**
 * Decides what the votes heard so far amount to: pure, and independent of the order of the votes.
 *
 * With N operators, of whom `heard` gave any answer at all (an address, or a page, a private
 * address and the like) and `by` say the same address:
 *
 * | case | decision |
 * | --- | --- |
 * | nobody contradicts the recorded address | `unchanged`, on one vote |
 * | by ≥ 2 and by > N/2 | `confirmed`, whatever the others would say |
 * | not everybody was asked | `ask` |
 * | by ≥ 2 and by > heard/2, all heard say an address | `confirmed`: nobody else could be asked |
 * | several addresses were heard | `contradiction` |
 * | by > heard/2: one vote alone, or several and a page | `no-quorum`, in time `accepted` |
 * | anything else was heard besides the address | `no-quorum`, never `accepted` |
 *
 * The third row makes the outcome independent of who is asked first: a search ends early only with
 * a majority of all, which the operators not asked could not overturn.
 */
export function decide(tally: Tally): Decision {
  const { recorded, votes, remaining, ipv6PrefixLength } = tally;
  const majority = tally.isSoleService ? 1 : Math.max(2, Math.floor((votes.size + remaining) / 2) + 1);
  const groups = groupVotes(votes, ipv6PrefixLength);
  const [first, second] = groups;
  if (tally.isContradicted && remaining > 0) return { kind: "ask", count: remaining };
  if (!first) {
    if (remaining === 0) return { kind: "silence" };
    return { kind: "ask", count: recorded === undefined ? Math.min(majority, remaining) : 1 };
  }

  const { address, by } = first;
  const isRecorded = recorded !== undefined && hasSamePrefix(address, recorded, ipv6PrefixLength);
  const believed: Decision = isRecorded
    ? { kind: "unchanged", address: recorded, seen: address, by }
    : { kind: "confirmed", address, by };
  if (by.length >= majority || (isRecorded && !second)) return believed;
  if (remaining > 0) return { kind: "ask", count: second ? remaining : Math.min(remaining, majority - by.length) };

  const answered = groups.reduce((sum, group) => sum + group.by.length, 0);
  const heard = [...votes.values()].filter((vote) => "address" in vote || !isUnreachable(vote.kind)).length;
  const isMajorityOfHeard = by.length * 2 > heard;
  if (by.length >= 2 && isMajorityOfHeard && heard === answered) return believed;
  if (second) return { kind: "contradiction" };
  return isMajorityOfHeard ? decideCandidate(tally, first) : noQuorum(tally, first, 0);
}

function decideCandidate(tally: Tally, group: VoteGroup): Decision {
  const { candidate, ipv6PrefixLength, now, uptimeMs = Number.POSITIVE_INFINITY } = tally;
  const isSame = candidate && hasSamePrefix(candidate.address, group.address, ipv6PrefixLength);
  const since = isSame ? candidate.since : undefined;
  const ageMs = plausibleElapsedMs(since ?? "", now);
  // A first run in the future, at no known time, or before the clock was set, proves nothing.
  if (!candidate || since === undefined || ageMs === undefined) return noQuorum(tally, group, 1);
  const runs = candidate.runs + 1;
  // A board without a battery starts with the clock of hours ago: set right, it makes hours of minutes.
  return runs >= RUNS_TO_ACCEPT && Math.min(ageMs, uptimeMs) >= TIME_TO_ACCEPT_MS
    ? { kind: "accepted", ...group }
    : { kind: "no-quorum", ...group, runs, since };
}

function noQuorum({ now }: Tally, group: VoteGroup, runs: number): Decision {
  return { kind: "no-quorum", ...group, runs, since: now.toISOString() };
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
    .sort((a, b) => compareTexts(a.address, b.address) || compareTexts(a.operator, b.operator));
  for (const { operator, address } of answers) {
    const group = groups.find((other) => hasSamePrefix(other.address, address, ipv6PrefixLength));
    if (group) group.by.push(operator);
    else groups.push({ address, by: [operator] });
  }
  return groups.sort((a, b) => b.by.length - a.by.length);
}
