import { createHash } from "node:crypto";
import { elapsedMs, isDue } from "../base/time";
import { type AddressEvent, type ChannelState, HISTORY, HOOK, type State } from "./state";

/** One message to be sent: these events, to these channels. */
interface Delivery {
  channels: string[];
  events: AddressEvent[];
}

/** How telling one channel went. */
export type Outcome = { ok: true } | FailedOutcome;

export interface FailedOutcome {
  ok: false;
  /** Refused for good (SMTP 5xx): tried less and less often. */
  isPermanent: boolean;
  /** The server never answered after the final dot: it may have taken the message (RFC 1047). */
  isUnknown?: true;
  /** Which part of the mail's configuration it speaks of, where it does. */
  about?: "login" | "server" | "sender" | "recipient";
  reason: string;
  hint?: string | undefined;
}

/** A channel that is owed something but is not tried in this run. */
export interface Wait {
  channel: string;
  until: string;
  /** `deferred`: refused for good, or its answer is unknown. `grouping`: the last mail is too recent. */
  why: "deferred" | "grouping";
  reason?: string | undefined;
}

export interface DeliveryRules {
  now: Date;
  mailIntervalMs: number;
  /** A hash of the mail settings: a deferral that was set under other settings is over. */
  configHash: () => string;
  /** A person is watching: try everybody now. */
  ignoreDeferral: boolean;
}

/** More than this are folded together: an outbox that nobody empties for a year stays small. */
const MAX_EVENTS = 60;

/** More than this are folded although the history still lacks their lines: it cannot be written for long. */
const MAX_UNWRITTEN = 90;

/** Adds an event to the outbox. */
export function enqueue(state: State, event: AddressEvent): State {
  return { ...state, outbox: fold([...state.outbox, event]) };
}

/**
 * Keeps the outbox bounded by folding neighbours into one entry that says how many it stands for.
 * Nothing is forgotten: where it began, where it ended and how often it changed stay, and
 * history.jsonl has every step, where it can be written.
 */
function fold(outbox: AddressEvent[]): AddressEvent[] {
  if (outbox.length <= MAX_EVENTS) return outbox;
  // From the second on: the mail begins with the oldest one's old address.
  for (let i = 1; i < outbox.length - 1; i++) {
    const a = outbox[i];
    if (!a || (a.kind !== "change" && a.kind !== "back")) continue;
    // The next of its kind; what lies between belongs to the other family or kind.
    const j = outbox.findIndex((other, index) => index > i && other.family === a.family && other.kind === a.kind);
    const b = outbox[j];
    if (!b || a.told.length !== b.told.length || !a.told.every((channel) => b.told.includes(channel))) continue;
    if (a.kind === "change" && !a.told.includes(HISTORY) && outbox.length <= MAX_UNWRITTEN) continue;
    const { old: _old, oldSince: _oldSince, ...rest } = b;
    const folded: AddressEvent = {
      ...rest,
      ...(a.old !== undefined && { old: a.old }),
      ...(a.oldSince !== undefined && { oldSince: a.oldSince }),
      folded: (a.folded ?? 0) + (b.folded ?? 0) + 1,
    };
    return fold(outbox.map((one, index) => (index === j ? folded : one)).filter((_, index) => index !== i));
  }
  return outbox;
}

/** What a channel has not been told yet, oldest first. */
export function owedTo(state: State, channel: string): AddressEvent[] {
  return state.outbox.filter((event) => !event.told.includes(channel) && concerns(event, channel));
}

// Only changes are history and call the command; people are told the rest too.
function concerns(event: AddressEvent, channel: string): boolean {
  return (channel !== HISTORY && channel !== HOOK) || isMove(event);
}

/** Whether an event tells of a new address: by a first look, or by a change. */
export function isMove({ kind }: AddressEvent): boolean {
  return kind === "first" || kind === "change";
}

/** Who is to be mailed what, now: recipients who are owed the same share one message. */
export function planMails(
  state: State,
  recipients: readonly string[],
  rules: DeliveryRules,
): { deliveries: Delivery[]; waiting: Wait[] } {
  const deliveries = new Map<string, Delivery>();
  const waiting: Wait[] = [];
  for (const channel of recipients) {
    const events = owedTo(state, channel);
    if (events.length === 0) continue;
    const wait = waitOf(channel, events, state.channels[channel], rules);
    if (wait) {
      waiting.push(wait);
      continue;
    }
    // After an unknown outcome each recipient is tried alone: one of them may be what makes the server hang.
    const key = `${noticeId(events)} ${state.channels[channel]?.unknowns ? channel : ""}`;
    const delivery = deliveries.get(key) ?? { channels: [], events };
    delivery.channels.push(channel);
    deliveries.set(key, delivery);
  }
  return { deliveries: [...deliveries.values()], waiting };
}

/** An id made of the event's facts: a run that sees the same change again without knowing of it makes the same id. */
export function eventId({
  kind,
  family,
  old = "",
  oldSince = "",
  address,
  outageSince = "",
}: Omit<AddressEvent, "id">): string {
  const facts = [kind, family, old, oldSince, address, ...(kind === "back" ? [outageSince] : [])].join(" ");
  return createHash("sha256").update(facts).digest("hex").slice(0, 32);
}

/** Names a notice by what it tells, so that telling it again after a crash repeats the Message-ID. */
export function noticeId(events: readonly AddressEvent[]): string {
  const ids = events.map((event) => event.id).join(" ");
  return createHash("sha256").update(ids).digest("hex").slice(0, 32);
}

/** No pause after a failure is longer. */
const LONGEST_DEFERRAL_MS = 24 * 3_600_000;

function waitOf(
  channel: string,
  events: readonly AddressEvent[],
  record: ChannelState | undefined,
  rules: DeliveryRules,
): Wait | undefined {
  if (!record) return undefined;
  const { deferredUntil, deferredFor, deferredChange, triedAt, reason } = record;
  const isDeferred =
    deferredUntil !== undefined &&
    new Date(deferredUntil) > rules.now &&
    new Date(triedAt) <= rules.now &&
    // A longer pause was not set by us.
    elapsedMs(triedAt, deferredUntil) <= LONGEST_DEFERRAL_MS &&
    deferredChange === latestChange(events)?.id &&
    !rules.ignoreDeferral &&
    // Last, because it computes a slow hash.
    deferredFor === rules.configHash();
  if (isDeferred) return { channel, until: deferredUntil, why: "deferred", reason };
  const until = groupedUntil(events, record, rules);
  return until && { channel, until: until.toISOString(), why: "grouping" };
}

/** Outages without a change are told once a day at most: a line that comes and goes is one piece of news. */
const OUTAGE_INTERVAL_MS = 24 * 3_600_000;

/** Until when what is owed waits for more of its kind; undefined where it is to be told now. */
function groupedUntil(events: readonly AddressEvent[], record: ChannelState, rules: DeliveryRules): Date | undefined {
  const { changeServedAt, outageServedAt, unknownAt } = record;
  const wait = (last: string | undefined, intervalMs: number) =>
    last !== undefined && !isDue(last, intervalMs, rules.now)
      ? new Date(new Date(last).getTime() + intervalMs)
      : undefined;
  // A message whose outcome is unknown may have been the last mail.
  if (latestChange(events)) return wait(unknownAt ?? changeServedAt, rules.mailIntervalMs);
  if (events.every(({ kind }) => kind === "back")) {
    return wait(outageServedAt, Math.max(OUTAGE_INTERVAL_MS, rules.mailIntervalMs));
  }
  return undefined;
}

function latestChange(events: readonly AddressEvent[]): AddressEvent | undefined {
  return events.findLast(({ kind }) => kind === "change");
}

/** The state after an attempt on `channel`: told when it went well, else with the reason and a deferral. */
export function recordOutcome(
  state: State,
  channel: string,
  events: readonly AddressEvent[],
  outcome: Outcome,
  rules: { now: Date; configHash: () => string; random: () => number },
): State {
  const before = state.channels[channel];
  const { now, configHash } = rules;
  const triedAt = now.toISOString();
  if (outcome.ok) {
    const tells = (kind: AddressEvent["kind"]) => events.some((event) => event.kind === kind);
    const record: ChannelState = {
      ...pick(before, "servedAt", "changeServedAt", "outageServedAt"),
      failures: 0,
      refusals: 0,
      triedAt,
      servedAt: triedAt,
      ...(tells("change") && { changeServedAt: triedAt }),
      ...(tells("back") && { outageServedAt: triedAt }),
    };
    const told = new Set(events.map((event) => event.id));
    return { ...markTold(state, channel, told), channels: { ...state.channels, [channel]: record } };
  }
  const refusals = (before?.refusals ?? 0) + (outcome.isPermanent ? 1 : 0);
  const unknowns = (before?.unknowns ?? 0) + (outcome.isUnknown ? 1 : 0);
  const change = latestChange(events)?.id;
  const paused = pick(before, "deferredUntil", "deferredFor", "deferredChange");
  let deferral: Partial<ChannelState> = {};
  // A failed attempt by hand does not end the deferral after an unknown outcome, which bounds the number of copies.
  const isInForce = paused.deferredChange === change && isLater(paused, now) && paused.deferredFor === configHash();
  if (before?.unknowns && !outcome.isUnknown && isInForce) deferral = paused;
  if (outcome.isUnknown || outcome.isPermanent) {
    const deferralMs = outcome.isUnknown ? unknownBackoffMs(unknowns) : backoffMs(refusals, rules.random());
    const until = new Date(now.getTime() + deferralMs);
    const own = {
      deferredUntil: until.toISOString(),
      deferredFor: configHash(),
      ...(change !== undefined && { deferredChange: change }),
    };
    if (!isLater(deferral, until)) deferral = own;
  }
  const record: ChannelState = {
    ...pick(before, "servedAt", "changeServedAt", "outageServedAt", "unknownAt"),
    ...deferral,
    failures: (before?.failures ?? 0) + 1,
    refusals,
    ...(unknowns > 0 && { unknowns }),
    ...(outcome.isUnknown && { unknownAt: triedAt }),
    triedAt,
    reason: outcome.reason,
    ...(outcome.hint !== undefined && { hint: outcome.hint }),
  };
  return { ...state, channels: { ...state.channels, [channel]: record } };
}

function isLater({ deferredUntil }: Partial<ChannelState>, time: Date): boolean {
  return deferredUntil !== undefined && new Date(deferredUntil) > time;
}

/** Those of the named fields that are there. */
function pick<Name extends keyof ChannelState>(
  channel: ChannelState | undefined,
  ...names: Name[]
): Pick<Partial<ChannelState>, Name> {
  const there = names.filter((name) => channel?.[name] !== undefined);
  return Object.fromEntries(there.map((name) => [name, channel?.[name]])) as Pick<Partial<ChannelState>, Name>;
}

/** Marks events as told to `channel`. */
export function markTold(state: State, channel: string, ids: ReadonlySet<string>): State {
  const outbox = state.outbox.map((event) =>
    ids.has(event.id) && !event.told.includes(channel) ? { ...event, told: [...event.told, channel] } : event,
  );
  return { ...state, outbox };
}

/** Drops what everybody in `channels` knows, and the records of channels that are gone. */
export function prune(state: State, channels: readonly string[]): State {
  const outbox = state.outbox.filter((event) =>
    channels.some((channel) => concerns(event, channel) && !event.told.includes(channel)),
  );
  const kept = Object.entries(state.channels).filter(([channel]) => channels.includes(channel));
  if (outbox.length === state.outbox.length && kept.length === Object.keys(state.channels).length) return state;
  return { ...state, outbox, channels: Object.fromEntries(kept) };
}

// An hour, doubled with each refusal to a day at most, and up to a tenth shorter, so that many homes
// refused by one server do not come back together; the first pauses end before the hourly run that is due.
function backoffMs(refusals: number, random: number): number {
  const hours = Math.min(24, 2 ** Math.min(refusals - 1, 5));
  return hours * 3_600_000 * (1 - 0.1 * random);
}

// Each try may be one more copy in the mailbox: an hour, two hours, then as long as keeps it to three
// copies in any day. A little short of the hour, so that the hourly run that is due finds it over.
function unknownBackoffMs(unknowns: number): number {
  const hours = [0.9, 1.9, 21.5][unknowns - 1] ?? 23.5;
  return hours * 3_600_000;
}
