import { elapsedMs, isDue } from "../base/duration";
import type { Family } from "../lookup/address";
import type { Verdict } from "../lookup/quorum";
import { owe } from "./outbox";
import type { Blindness, Occurrence, Slot, State } from "./state";

/** What one family's look came to, boiled down for recording. */
export interface Finding {
  family: Family;
  verdict: Exclude<Verdict, { kind: "ask" }>;
  /** One plain sentence, where the look failed. */
  reason: string;
}

export interface RecordingContext {
  now: Date;
  /** The last good look, or undefined when there never was one. */
  lastLookAt: Date | undefined;
  /** Owe a notice when the view returns after this long; undefined for never. */
  reportOutageMs: number | undefined;
  /** Speak of failures now, whatever was said before. */
  isLoud: boolean;
  createId: () => string;
}

/** How long stderr keeps quiet about a failure that goes on. */
export const REPEAT_AFTER_MS = 24 * 3_600_000;

/**
 * The state after a look, with what is owed because of it. Returns `state` itself when nothing
 * changed, so that a quiet run writes nothing. The two go together or not at all: a recorded
 * address whose notice is not owed yet would be a change nobody hears of.
 */
export function recordFinding(state: State, finding: Finding, context: RecordingContext): State {
  const slot = state.families[finding.family] ?? {};
  switch (finding.verdict.kind) {
    case "unchanged": {
      const settled = settleDoubt(slot, finding.verdict.by);
      const next = settled === slot ? state : { ...state, families: { ...state.families, [finding.family]: settled } };
      return recordView(next, finding.family, settled, settled.recorded, context);
    }
    case "confirmed":
    case "accepted": {
      const { address, by, kind } = finding.verdict;
      const recorded = {
        address,
        since: context.now.toISOString(),
        confirmedBy: by,
        ...(kind === "accepted" && { isUnconfirmed: true as const }),
      };
      return recordView(state, finding.family, slot, recorded, context);
    }
    default:
      return recordFailure(state, finding, slot, context);
  }
}

/** An address that was accepted on one voice is confirmed by the first other operator that says it too. */
function settleDoubt(slot: Slot, by: readonly string[]): Slot {
  if (!slot.recorded?.isUnconfirmed) return slot;
  const { isUnconfirmed: _, ...recorded } = slot.recorded;
  const confirmedBy = [...new Set([...recorded.confirmedBy, ...by])];
  return confirmedBy.length > recorded.confirmedBy.length ? { ...slot, recorded: { ...recorded, confirmedBy } } : slot;
}

function recordView(
  state: State,
  family: Family,
  slot: Slot,
  recorded: Slot["recorded"],
  context: RecordingContext,
): State {
  if (!recorded) return state;
  const isNew = recorded !== slot.recorded;
  if (!isNew && !slot.blind && !slot.candidate) return state;

  const blindSince = reportableBlindness(slot.blind, context);
  const next = { ...state, families: { ...state.families, [family]: { recorded } } };
  if (!isNew && !blindSince) return next;

  const occurrence: Occurrence = {
    id: context.createId(),
    kind: !isNew ? "back" : slot.recorded ? "change" : "first",
    family,
    at: context.now.toISOString(),
    ...(slot.recorded && { old: slot.recorded.address }),
    ...(slot.recorded?.since && { oldSince: slot.recorded.since }),
    address: recorded.address,
    confirmedBy: recorded.confirmedBy,
    ...(recorded.isUnconfirmed && { isUnconfirmed: true as const }),
    ...(blindSince && { blindSince }),
    told: [],
  };
  return owe(next, occurrence);
}

function recordFailure(state: State, finding: Finding, slot: Slot, context: RecordingContext): State {
  const { verdict } = finding;
  const now = context.now.toISOString();
  const { candidate: _, ...rest } = slot;
  const blind: Blindness = {
    ...(slot.blind ?? (slot.recorded && context.lastLookAt && { since: context.lastLookAt.toISOString() })),
    failedAt: now,
    runs: (slot.blind?.runs ?? 0) + 1,
    reason: finding.reason,
    spokenAt: isSpoken(slot.blind, context) ? now : (slot.blind?.spokenAt ?? now),
  };
  const next: Slot = {
    ...rest,
    ...(verdict.kind === "unconfirmed" &&
      verdict.runs > 0 && { candidate: { address: verdict.address, runs: verdict.runs } }),
    blind,
  };
  return { ...state, families: { ...state.families, [finding.family]: next } };
}

/** Whether stderr speaks of a failed look: at the first, then once a day. */
export function isSpoken(blind: Blindness | undefined, context: { now: Date; isLoud: boolean }): boolean {
  return context.isLoud || isDue(blind?.spokenAt, REPEAT_AFTER_MS, context.now);
}

function reportableBlindness(blind: Blindness | undefined, context: RecordingContext): string | undefined {
  if (!blind?.since || context.reportOutageMs === undefined) return undefined;
  return elapsedMs(blind.since, context.now) >= context.reportOutageMs ? blind.since : undefined;
}
