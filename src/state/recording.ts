import { elapsedMs, isDue } from "../base/duration";
import type { Family } from "../lookup/address";
import type { Decision } from "../lookup/quorum";
import { enqueue } from "./outbox";
import type { AddressEvent, FamilyState, Outage, State } from "./state";

/** What one family's look came to, boiled down for recording. */
export interface LookupOutcome {
  family: Family;
  decision: Exclude<Decision, { kind: "ask" }>;
  /** One plain sentence, where the look failed. */
  reason: string;
}

export interface RecordingContext {
  now: Date;
  /** The last good look, or undefined when there never was one. */
  lastLookAt: Date | undefined;
  /** Report the recovery of an outage that lasted this long; undefined for never. */
  reportOutageMs: number | undefined;
  /** Speak of failures now, whatever was said before. */
  isInteractive: boolean;
  createId: () => string;
}

/** How long stderr keeps quiet about a failure that goes on. */
export const REPEAT_AFTER_MS = 24 * 3_600_000;

/**
 * The state after a look, with what is owed because of it. Returns `state` itself when nothing
 * changed, so that a quiet run writes nothing. The two go together or not at all: a recorded
 * address whose notice is not owed yet would be a change nobody hears of.
 */
export function recordLookup(state: State, outcome: LookupOutcome, context: RecordingContext): State {
  const familyState = state.families[outcome.family] ?? {};
  switch (outcome.decision.kind) {
    case "unchanged": {
      const updated = addConfirmation(familyState, outcome.decision.by);
      const next =
        updated === familyState ? state : { ...state, families: { ...state.families, [outcome.family]: updated } };
      return recordSuccess(next, outcome.family, updated, updated.recorded, context);
    }
    case "confirmed":
    case "accepted": {
      const { address, by, kind } = outcome.decision;
      const recorded = {
        address,
        since: context.now.toISOString(),
        confirmedBy: by,
        ...(kind === "accepted" && { isUnconfirmed: true as const }),
      };
      return recordSuccess(state, outcome.family, familyState, recorded, context);
    }
    default:
      return recordFailure(state, outcome, familyState, context);
  }
}

/** An address that was accepted on one vote is confirmed by the first other operator that says it too. */
function addConfirmation(familyState: FamilyState, by: readonly string[]): FamilyState {
  if (!familyState.recorded?.isUnconfirmed) return familyState;
  const { isUnconfirmed: _, ...recorded } = familyState.recorded;
  const confirmedBy = [...new Set([...recorded.confirmedBy, ...by])];
  return confirmedBy.length > recorded.confirmedBy.length
    ? { ...familyState, recorded: { ...recorded, confirmedBy } }
    : familyState;
}

function recordSuccess(
  state: State,
  family: Family,
  familyState: FamilyState,
  recorded: FamilyState["recorded"],
  context: RecordingContext,
): State {
  if (!recorded) return state;
  const isNew = recorded !== familyState.recorded;
  if (!isNew && !familyState.outage && !familyState.candidate && !familyState.isContradicted) return state;

  const outageSince = reportableBlindness(familyState.outage, context);
  const next = { ...state, families: { ...state.families, [family]: { recorded } } };
  if (!isNew && !outageSince) return next;

  const event: AddressEvent = {
    id: context.createId(),
    kind: !isNew ? "back" : familyState.recorded ? "change" : "first",
    family,
    at: context.now.toISOString(),
    ...(familyState.recorded && { old: familyState.recorded.address }),
    ...(familyState.recorded?.since && { oldSince: familyState.recorded.since }),
    address: recorded.address,
    confirmedBy: recorded.confirmedBy,
    ...(recorded.isUnconfirmed && { isUnconfirmed: true as const }),
    ...(outageSince && { outageSince }),
    told: [],
  };
  return enqueue(next, event);
}

function recordFailure(
  state: State,
  outcome: LookupOutcome,
  familyState: FamilyState,
  context: RecordingContext,
): State {
  const { decision } = outcome;
  const now = context.now.toISOString();
  const { candidate: _, ...rest } = familyState;
  const outage: Outage = {
    ...(familyState.outage ??
      (familyState.recorded && context.lastLookAt && { since: context.lastLookAt.toISOString() })),
    failedAt: now,
    runs: (familyState.outage?.runs ?? 0) + 1,
    reason: outcome.reason,
    spokenAt: isSpoken(familyState.outage, context) ? now : (familyState.outage?.spokenAt ?? now),
  };
  const next: FamilyState = {
    ...rest,
    ...(decision.kind === "unconfirmed" &&
      decision.runs > 0 && { candidate: { address: decision.address, runs: decision.runs, since: decision.since } }),
    ...(decision.kind === "contradiction" && { isContradicted: true as const }),
    outage,
  };
  return { ...state, families: { ...state.families, [outcome.family]: next } };
}

/** Whether stderr speaks of a failed look: at the first, then once a day. */
export function isSpoken(outage: Outage | undefined, context: { now: Date; isInteractive: boolean }): boolean {
  return context.isInteractive || isDue(outage?.spokenAt, REPEAT_AFTER_MS, context.now);
}

function reportableBlindness(outage: Outage | undefined, context: RecordingContext): string | undefined {
  if (!outage?.since || context.reportOutageMs === undefined) return undefined;
  return elapsedMs(outage.since, context.now) >= context.reportOutageMs ? outage.since : undefined;
}
