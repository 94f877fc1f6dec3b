import { createHash } from "node:crypto";
import { isDue } from "../base/duration";
import { type AddressEvent, type Channel, HISTORY, HOOK, type State } from "./state";

/** One message to be told: these events, to these channels. */
export interface Delivery {
  channels: string[];
  events: AddressEvent[];
}

/** How telling one channel went. */
export type Outcome = { ok: true } | FailedOutcome;

export interface FailedOutcome {
  ok: false;
  /** Refused for good (SMTP 5xx): ask less and less often. */
  isPermanent: boolean;
  /** The whole message was sent and never answered: it may have arrived. */
  isUnknown?: true;
  reason: string;
  hint?: string | undefined;
}

/** A channel that is owed something but is not tried in this run. */
export interface Deferred {
  channel: string;
  until: string;
  /** `deferred`: it refused for good. `grouping`: the last change mail is too recent. */
  why: "deferred" | "grouping";
  reason?: string | undefined;
}

export interface TellingRules {
  now: Date;
  mailIntervalMs: number;
  /** Names the mail settings in force; a pause set under others is over. */
  revision: string;
  /** A person is watching: try everybody now. */
  ignoreDeferral: boolean;
}

/** More than this are folded together: an outbox that nobody empties for a year stays small. */
const MAX_OCCURRENCES = 60;

/** Adds an event to the outbox. */
export function enqueue(state: State, event: AddressEvent): State {
  return { ...state, outbox: fold([...state.outbox, event]) };
}

/**
 * Keeps the outbox bounded by folding neighbours into one entry that says how many it stands for.
 * Nothing is forgotten: where it began, where it ended and how often it changed stay, and
 * history.jsonl has every step.
 */
function fold(outbox: AddressEvent[]): AddressEvent[] {
  if (outbox.length <= MAX_OCCURRENCES) return outbox;
  // From the second on: the mail begins with the oldest one's old address.
  for (let i = 1; i < outbox.length - 1; i++) {
    const a = outbox[i];
    if (!a || (a.kind !== "change" && a.kind !== "back")) continue;
    // The next of its kind; what lies between belongs to the other family or kind.
    const j = outbox.findIndex((other, index) => index > i && other.family === a.family && other.kind === a.kind);
    const b = outbox[j];
    if (!b || a.told.join() !== b.told.join() || (a.kind === "change" && !a.told.includes(HISTORY))) continue;
    const { old: _old, oldSince: _oldSince, ...rest } = b;
    const folded: AddressEvent = {
      ...rest,
      ...(a.old !== undefined && { old: a.old }),
      ...(a.oldSince !== undefined && { oldSince: a.oldSince }),
      ...(a.outageSince !== undefined && { outageSince: a.outageSince }),
      folded: (a.folded ?? 0) + (b.folded ?? 0) + 1,
    };
    return fold(outbox.map((one, index) => (index === j ? folded : one)).filter((_, index) => index !== i));
  }
  return outbox;
}

/** What a channel has not acknowledged yet, oldest first. */
export function owedTo(state: State, channel: string): AddressEvent[] {
  return state.outbox.filter((event) => !event.told.includes(channel) && concerns(event, channel));
}

// Only changes are history and call the command; people are told the rest too.
function concerns({ kind }: AddressEvent, channel: string): boolean {
  return (channel !== HISTORY && channel !== HOOK) || kind === "first" || kind === "change";
}

/** Who is to be mailed what, now: recipients who are owed the same share one message. */
export function planMails(
  state: State,
  recipients: readonly string[],
  rules: TellingRules,
): { deliveries: Delivery[]; waiting: Deferred[] } {
  const deliveries = new Map<string, Delivery>();
  const waiting: Deferred[] = [];
  for (const channel of recipients) {
    const events = owedTo(state, channel);
    if (events.length === 0) continue;
    const wait = waitOf(channel, events, state.channels[channel], rules);
    if (wait) {
      waiting.push(wait);
      continue;
    }
    const id = noticeId(events);
    const delivery = deliveries.get(id) ?? { channels: [], events };
    delivery.channels.push(channel);
    deliveries.set(id, delivery);
  }
  return { deliveries: [...deliveries.values()], waiting };
}

/** Names a notice by what it tells, so that telling it again after a crash repeats the Message-ID. */
export function noticeId(events: readonly AddressEvent[]): string {
  const ids = events.map((event) => event.id).join(" ");
  return createHash("sha256").update(ids).digest("hex").slice(0, 32);
}

function waitOf(
  channel: string,
  events: readonly AddressEvent[],
  record: Channel | undefined,
  rules: TellingRules,
): Deferred | undefined {
  if (!record) return undefined;
  const { deferredUntil, deferredFor, changeServedAt, triedAt, reason } = record;
  const isDeferred =
    deferredUntil !== undefined && new Date(deferredUntil) > rules.now && new Date(triedAt) <= rules.now;
  if (isDeferred && deferredFor === rules.revision && !rules.ignoreDeferral) {
    return { channel, until: deferredUntil, why: "deferred", reason };
  }
  const tellsChange = events.some((event) => event.kind === "change");
  if (tellsChange && changeServedAt && !isDue(changeServedAt, rules.mailIntervalMs, rules.now)) {
    const until = new Date(new Date(changeServedAt).getTime() + rules.mailIntervalMs).toISOString();
    return { channel, until, why: "grouping" };
  }
  return undefined;
}

/** The state after telling `channel`: struck off when it went well, else remembered with the reason. */
export function recordOutcome(
  state: State,
  channel: string,
  events: readonly AddressEvent[],
  outcome: Outcome,
  rules: { now: Date; revision: string; random: () => number },
): State {
  const before = state.channels[channel];
  const triedAt = rules.now.toISOString();
  if (!outcome.ok) {
    const refusals = (before?.refusals ?? 0) + (outcome.isPermanent ? 1 : 0);
    const record: Channel = {
      ...pick(before),
      failures: (before?.failures ?? 0) + 1,
      refusals,
      triedAt,
      reason: outcome.reason,
      ...(outcome.hint !== undefined && { hint: outcome.hint }),
      ...(outcome.isPermanent && {
        deferredUntil: new Date(rules.now.getTime() + backoffMs(refusals, rules.random())).toISOString(),
        deferredFor: rules.revision,
      }),
    };
    return { ...state, channels: { ...state.channels, [channel]: record } };
  }
  const told = new Set(events.map((event) => event.id));
  const tellsChange = events.some((event) => event.kind === "change");
  const record: Channel = {
    ...pick(before),
    failures: 0,
    refusals: 0,
    triedAt,
    servedAt: triedAt,
    ...(tellsChange && { changeServedAt: triedAt }),
  };
  return {
    ...acknowledge(state, channel, told),
    channels: { ...state.channels, [channel]: record },
  };
}

/** Marks events as told to `channel`. */
export function acknowledge(state: State, channel: string, ids: ReadonlySet<string>): State {
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

function pick(channel: Channel | undefined): Pick<Channel, "servedAt" | "changeServedAt"> {
  return {
    ...(channel?.servedAt !== undefined && { servedAt: channel.servedAt }),
    ...(channel?.changeServedAt !== undefined && { changeServedAt: channel.changeServedAt }),
  };
}
