import { elapsedMs } from "../base/time";
import type { Family } from "../lookup/address";
import type { LookupResult } from "../lookup/lookup-result";
import { enqueue, eventId, owedTo } from "./outbox";
import type { AddressEvent, FamilyState, Outage, State } from "./state";

type Recorded = NonNullable<FamilyState["recorded"]>;

/** What recording needs to know of one family's look. */
export interface LookupOutcome extends Pick<LookupResult, "family" | "decision"> {
  /** One plain sentence, where the look failed. */
  reason: string;
}

export interface RecordingContext {
  now: Date;
  /** The last good look, or undefined when there never was one. */
  lastLookAt: Date | undefined;
  /** The outage of all families that ends now: a notice of it is owed. */
  outage: HomeOutage | undefined;
  createId: () => string;
}

/** A time in which no family could be seen. */
interface HomeOutage {
  since: string;
  /** No look was tried in it: the machine was off. */
  isUnwatched?: true;
}

/** More than twice the longest interval that `schedule` offers: after such a gap runs have been missed. */
const UNWATCHED_AFTER_MS = 49 * 3_600_000;

/** A longer gap is a clock that was set, not a machine that was off. */
const LONGEST_UNWATCHED_MS = 366 * 24 * 3_600_000;

interface OutageRules extends Pick<RecordingContext, "now" | "lastLookAt"> {
  families: readonly Family[];
  reportOutageMs: number | undefined;
}

/**
 * The outage that a good look ends now, where it lasted for `reportOutageMs` (undefined: none is
 * ever reported). It began with the last good look in whichever family.
 */
export function endedOutage(
  state: State,
  { families, lastLookAt, reportOutageMs, now }: OutageRules,
): HomeOutage | undefined {
  if (reportOutageMs === undefined) return undefined;
  const outages = families.map((family) => state.families[family]?.outage);
  if (outages.every((outage) => outage !== undefined)) {
    const since = outages
      .flatMap((outage) => outage?.since ?? [])
      .sort()
      .at(-1);
    return since !== undefined && elapsedMs(since, now) >= reportOutageMs ? { since } : undefined;
  }
  // A family that is recorded and in no outage was seen by the last run: where there is none, runs were made in the
  // gap. One that never is seen, at a home without IPv6, does not matter.
  const wasSeen = families.some((family) => {
    const { recorded, outage } = state.families[family] ?? {};
    return recorded !== undefined && outage === undefined;
  });
  if (!lastLookAt || !wasSeen) return undefined;
  const gapMs = elapsedMs(lastLookAt, now);
  const isUnwatched = gapMs >= Math.max(UNWATCHED_AFTER_MS, reportOutageMs) && gapMs <= LONGEST_UNWATCHED_MS;
  return isUnwatched ? { since: lastLookAt.toISOString(), isUnwatched } : undefined;
}

/**
 * The state after a look, with what is owed because of it. Returns `state` itself when nothing
 * changed, so that a quiet run writes nothing. Both are one value, to be written at once: if only the
 * address were recorded and the run died then, nobody would be told of the change.
 */
export function recordLookup(state: State, outcome: LookupOutcome, context: RecordingContext): State {
  const { family, decision } = outcome;
  const { recorded } = state.families[family] ?? {};
  switch (decision.kind) {
    case "unchanged":
      return recorded ? recordSuccess(state, family, addConfirmation(recorded, decision.by), false, context) : state;
    case "confirmed":
    case "accepted": {
      const moved = {
        address: decision.address,
        since: context.now.toISOString(),
        confirmedBy: decision.by,
        ...(decision.kind === "accepted" && { isUnconfirmed: true as const }),
      };
      return recordSuccess(state, family, moved, true, context);
    }
    default:
      return recordFailure(state, outcome, context);
  }
}

/** An address that was accepted on one vote is confirmed by the first other operator that says it too. */
function addConfirmation(recorded: Recorded, by: readonly string[]): Recorded {
  const { isUnconfirmed, ...rest } = recorded;
  const confirmedBy = [...new Set([...recorded.confirmedBy, ...by])];
  const isConfirmed = isUnconfirmed && confirmedBy.length > recorded.confirmedBy.length;
  return isConfirmed ? { ...rest, confirmedBy } : recorded;
}

function recordSuccess(
  state: State,
  family: Family,
  recorded: Recorded,
  isNew: boolean,
  { outage, now, createId }: RecordingContext,
): State {
  const before = state.families[family] ?? {};
  const hadDoubt = before.outage || before.candidate || before.isContradicted;
  if (recorded === before.recorded && !hadDoubt && !outage) return state;

  const next = { ...state, families: { ...state.families, [family]: { recorded } } };
  if (!isNew && !outage) return next;

  const event: Omit<AddressEvent, "id"> = {
    kind: !isNew ? "back" : before.recorded ? "change" : "first",
    family,
    at: now.toISOString(),
    ...(before.recorded && { old: before.recorded.address }),
    ...(before.recorded?.since && { oldSince: before.recorded.since }),
    address: recorded.address,
    confirmedBy: recorded.confirmedBy,
    ...(recorded.isUnconfirmed && { isUnconfirmed: true as const }),
    ...(outage && { outageSince: outage.since }),
    ...(outage?.isUnwatched && { isUnwatched: true as const }),
    told: [],
  };
  // A run that cannot know of a change, and sees it again, gives it the same id.
  return enqueue(next, { ...event, id: event.kind === "change" ? eventId(event) : createId() });
}

function recordFailure(
  state: State,
  { family, decision, reason }: LookupOutcome,
  { now, lastLookAt }: RecordingContext,
): State {
  const { recorded, outage: before, isContradicted }: FamilyState = state.families[family] ?? {};
  const outage: Outage = {
    ...(before ?? (recorded && lastLookAt && { since: lastLookAt.toISOString() })),
    failedAt: now.toISOString(),
    runs: (before?.runs ?? 0) + 1,
    reason,
  };
  const next: FamilyState = {
    ...(recorded && { recorded }),
    ...(decision.kind === "no-quorum" &&
      decision.runs > 0 && { candidate: { address: decision.address, runs: decision.runs, since: decision.since } }),
    ...((isContradicted || decision.kind === "contradiction") && { isContradicted: true as const }),
    outage,
  };
  return { ...state, families: { ...state.families, [family]: next } };
}

interface HeartbeatRules extends Pick<RecordingContext, "now" | "createId"> {
  family: Family;
  address: string;
  intervalMs: number;
  recipients: readonly string[];
}

/**
 * Owes a heartbeat mail to every recipient who was mailed nothing for `intervalMs`. Each is served
 * apart: one who is owed something already gets that first, and holds nobody else up.
 * `address` was seen in this run: a heartbeat must not report one that may have changed since.
 */
export function enqueueHeartbeat(
  state: State,
  { family, address, intervalMs, recipients, now, createId }: HeartbeatRules,
): State {
  const recorded = state.families[family]?.recorded;
  const isHeartbeatDue = (recipient: string) => {
    if (owedTo(state, recipient).length > 0) return false;
    const last = state.channels[recipient]?.servedAt ?? recorded?.since;
    // A time in the future was set by a wrong clock, and counts as now.
    return last === undefined || elapsedMs(last, now) >= intervalMs;
  };
  const due = recipients.filter(isHeartbeatDue);
  if (!recorded || due.length === 0) return state;
  return enqueue(state, {
    id: createId(),
    kind: "heartbeat",
    family,
    at: now.toISOString(),
    address,
    ...(recorded.since && { oldSince: recorded.since }),
    confirmedBy: recorded.confirmedBy,
    told: recipients.filter((recipient) => !due.includes(recipient)),
  });
}

/**
 * Moves times of service that lie further ahead than `intervalMs` back to now: a clock that was far
 * wrong when a mail was served must not silence the heartbeat for years.
 */
export function clampServedAt(state: State, intervalMs: number, now: Date): State {
  const wrong = Object.entries(state.channels).filter(
    ([, { servedAt }]) => elapsedMs(now, servedAt ?? now) > intervalMs,
  );
  if (wrong.length === 0) return state;
  const mended = wrong.map(([channel, record]) => [channel, { ...record, servedAt: now.toISOString() }]);
  return { ...state, channels: { ...state.channels, ...Object.fromEntries(mended) } };
}
