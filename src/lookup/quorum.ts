import { isSamePlace } from "./address";
import { explain, type LookupFailure } from "./failures";

/** What one operator said when asked: an address, or why there was none. */
export type Voice = { address: string } | LookupFailure;

/** An address said by one operator only, run after run. */
export interface Candidate {
  address: string;
  /** In how many runs in a row, this one not counted. */
  runs: number;
}

export interface Ballot {
  recorded: string | undefined;
  /** Every operator heard or given up, by name: two URLs of one operator are one voice. */
  voices: ReadonlyMap<string, Voice>;
  /** Operators that could still be asked, or are being asked. */
  unheard: number;
  /** One service was configured and no other: its word is taken. */
  isSoleService: boolean;
  candidate?: Candidate | undefined;
  ipv6PrefixLength: number;
}

export type Verdict =
  /** As recorded: one voice is enough to believe that nothing happened. */
  | { kind: "unchanged"; address: string; by: string[] }
  | { kind: "confirmed"; address: string; by: string[] }
  /** Accepted on one voice: heard three runs in a row while nobody else could be reached. */
  | { kind: "accepted"; address: string; by: string[] }
  /** `count` more voices are needed before anything can be said. */
  | { kind: "ask"; count: number }
  | { kind: "unconfirmed"; address: string; by: string[]; runs: number }
  | { kind: "contradiction" }
  | { kind: "silence" };

/** A lone voice is accepted in this run of its row. */
const RUNS_TO_ACCEPT = 3;

/**
 * Decides what the voices heard so far amount to. Nothing new is believed on fewer than two
 * operators, nor on so few that a minority of all operators could have said it together; once
 * two answers contradict each other, it takes a strict majority of those that answered.
 */
export function judge(ballot: Ballot): Verdict {
  const { recorded, voices, unheard, ipv6PrefixLength } = ballot;
  const camps = countCamps(voices, ipv6PrefixLength);
  const answered = camps.reduce((sum, camp) => sum + camp.by.length, 0);
  const [first, second] = camps;
  if (!first) return unheard > 0 ? { kind: "ask", count: 1 } : { kind: "silence" };

  const isRecorded = recorded !== undefined && isSamePlace(first.address, recorded, ipv6PrefixLength);
  if (!second) {
    if (isRecorded) return { kind: "unchanged", address: recorded, by: first.by };
    if (ballot.isSoleService) return { kind: "confirmed", ...first };
    // One more than half of the others could be: what k operators agree on, no minority made up.
    const needed = Math.max(2, Math.ceil((voices.size + unheard) / 2));
    if (answered >= needed || (unheard === 0 && answered >= 2)) return { kind: "confirmed", ...first };
    if (unheard > 0) return { kind: "ask", count: Math.min(unheard, needed - answered) };
    return judgeLoneVoice(ballot, first);
  }

  // A winner that the voices still missing could not outvote needs not wait for them.
  if (first.by.length >= 2 && first.by.length * 2 > answered + unheard) {
    return isRecorded ? { kind: "unchanged", address: recorded, by: first.by } : { kind: "confirmed", ...first };
  }
  return unheard > 0 ? { kind: "ask", count: unheard } : { kind: "contradiction" };
}

function judgeLoneVoice({ voices, candidate, ipv6PrefixLength }: Ballot, camp: Camp): Verdict {
  // Somebody who answered with a page or a private address was heard: that is a middleman at work,
  // and no time to take one voice for the truth.
  const othersUnheard = [...voices.values()].every((voice) => "address" in voice || explain(voice.kind).unheard);
  const isSame = candidate && isSamePlace(candidate.address, camp.address, ipv6PrefixLength);
  const runs = othersUnheard ? (isSame ? candidate.runs : 0) + 1 : 0;
  return runs >= RUNS_TO_ACCEPT ? { kind: "accepted", ...camp } : { kind: "unconfirmed", ...camp, runs };
}

interface Camp {
  address: string;
  by: string[];
}

/** The operators grouped by what they said, the largest group first; independent of their order. */
function countCamps(voices: ReadonlyMap<string, Voice>, ipv6PrefixLength: number): Camp[] {
  const camps: Camp[] = [];
  const answers = [...voices]
    .flatMap(([operator, voice]) => ("address" in voice ? [{ operator, address: voice.address }] : []))
    .sort((a, b) => compare(a.address, b.address) || compare(a.operator, b.operator));
  for (const { operator, address } of answers) {
    const camp = camps.find((other) => isSamePlace(other.address, address, ipv6PrefixLength));
    if (camp) camp.by.push(operator);
    else camps.push({ address, by: [operator] });
  }
  return camps.sort((a, b) => b.by.length - a.by.length);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
