import { quote } from "../base/text";
import { localTime, plausibleElapsedMs } from "../base/time";
import type { Family } from "../lookup/address";
import { type Deferred, owedTo, planMails } from "../state/outbox";
import { channelName, HOOK, type LoadedState, type State } from "../state/state";

/** How things stand, as plain data: what `status --json` prints. */
export interface Status {
  /** The last good look; null when there never was one. */
  lastLook: string | null;
  /** Null also where the clock was wrong then, or is now. */
  lastLookAgeSeconds: number | null;
  families: FamilyStatus[];
  pending: PendingChannel[];
  /** The state file cannot be written: all this is in the runtime folder until it can. */
  unsaved: boolean;
  rests: { service: string; until: string }[];
}

export interface FamilyStatus {
  family: "ipv4" | "ipv6";
  address: string | null;
  since: string | null;
  confirmedBy: string[];
  unconfirmed: boolean;
  failing: { since: string | null; lastFailure: string; runs: number; reason: string } | null;
}

export interface PendingChannel {
  /** A recipient's address, or `command` for IPCHECK_ON_CHANGE. */
  channel: string;
  /** How many events are owed. */
  owed: number;
  failures: number;
  reason: string | null;
  lastTry: string | null;
  /** Until when changes are gathered into one notice, where that is why it waits. */
  groupedUntil: string | null;
  /** Null for the next run. */
  nextTry: string | null;
}

/** Who is told, and by which rules. */
export interface StatusRules {
  recipients: readonly string[];
  /** Besides recipients: the command. */
  hasHook: boolean;
  mailIntervalMs: number;
  revision: () => string;
}

/** Reads the state for people and programs. */
export function readStatus({ state, lastLookAt, stateFile }: LoadedState, rules: StatusRules, now: Date): Status {
  return {
    lastLook: lastLookAt?.toISOString() ?? null,
    lastLookAgeSeconds: inSeconds(lastLookAt && plausibleElapsedMs(lastLookAt, now)),
    families: ([4, 6] as Family[]).flatMap((family) => familyStatus(state, family)),
    pending: pendingChannels(state, rules, now).map(({ hint: _, ...channel }) => channel),
    unsaved: stateFile !== undefined,
    rests: Object.entries(state.coolDowns)
      .filter(([, until]) => new Date(until) > now)
      .map(([service, until]) => ({ service, until })),
  };
}

function inSeconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms / 1000);
}

function familyStatus(state: State, family: Family): FamilyStatus[] {
  const familyState = state.families[family];
  if (!familyState) return [];
  const { recorded, outage } = familyState;
  return [
    {
      family: `ipv${family}`,
      address: recorded?.address ?? null,
      since: recorded?.since ?? null,
      confirmedBy: recorded?.confirmedBy ?? [],
      unconfirmed: recorded?.isUnconfirmed ?? false,
      failing: outage
        ? { since: outage.since ?? null, lastFailure: outage.failedAt, runs: outage.runs, reason: outage.reason }
        : null,
    },
  ];
}

/** Who is owed something, why still, and when it is tried again. */
export function pendingChannels(
  state: State,
  rules: StatusRules,
  now: Date,
): (PendingChannel & { hint: string | null })[] {
  const { waiting } = planMails(state, rules.recipients, { ...rules, now, ignoreDeferral: false });
  const channels = [...rules.recipients, ...(rules.hasHook ? [HOOK] : [])];
  return channels.flatMap((channel) => pendingChannel(state, channel, waiting));
}

function pendingChannel(state: State, channel: string, waiting: readonly Deferred[]) {
  const wait = waiting.find((one) => one.channel === channel);
  const owed = owedTo(state, channel).length;
  const record = state.channels[channel];
  if (owed === 0) return [];
  return [
    {
      channel: channelName(channel),
      owed,
      failures: record?.failures ?? 0,
      reason: record?.reason ?? null,
      hint: record?.hint ?? null,
      lastTry: record?.triedAt ?? null,
      groupedUntil: wait?.why === "grouping" ? wait.until : null,
      nextTry: wait?.until ?? null,
    },
  ];
}

/** A server's answer may have several lines. */
export const MAX_REASON = 1000;

/** What is owed to one channel, and when it is tried. */
export function describePending(
  { channel, owed, failures, reason, groupedUntil, nextTry }: PendingChannel,
  now: Date,
): string {
  const what = `${owed === 1 ? "1 notice" : `${owed} notices`} to ${quote(channel)}`;
  if (groupedUntil !== null) return `${what}, gathering what changes by ${localTime(groupedUntil)}`;
  const tries =
    failures === 0
      ? "not tried yet"
      : `${failures} failed ${failures === 1 ? "try" : "tries"}: ${quote(reason ?? "", MAX_REASON)}`;
  const next = nextTry !== null && new Date(nextTry) > now ? `after ${localTime(nextTry)}` : "with the next run";
  return `${what}, ${tries}; next try ${next}`;
}

type Sample = [labels: Record<string, string>, value: number];

/**
 * The status in Prometheus' text exposition format, for node_exporter's textfile collector.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function formatPrometheus(status: Status): string {
  const seconds = (time: string | null) => (time === null ? [] : [new Date(time).getTime() / 1000]);
  const { families } = status;
  const channels = summarizeChannels(status.pending);
  const recorded = families.filter(({ address }) => address !== null);
  const metrics: [name: string, help: string, samples: Sample[]][] = [
    [
      "ipcheck_last_success_timestamp_seconds",
      "When the public address was last seen, as a Unix time.",
      seconds(status.lastLook).map((value) => [{}, value]),
    ],
    [
      "ipcheck_address_info",
      "The recorded public address.",
      recorded.map(({ family, address }) => [{ family, address: address ?? "" }, 1]),
    ],
    [
      "ipcheck_address_since_timestamp_seconds",
      "Since when the recorded address has been in use, as a Unix time.",
      recorded.flatMap(({ family, since }) => seconds(since).map((value): Sample => [{ family }, value])),
    ],
    [
      "ipcheck_address_unconfirmed",
      "1 where no second operator could confirm the recorded address.",
      recorded.map(({ family, unconfirmed }) => [{ family }, Number(unconfirmed)]),
    ],
    [
      "ipcheck_failed_runs",
      "How many looks in a row have failed.",
      families.map(({ family, failing }) => [{ family }, failing?.runs ?? 0]),
    ],
    [
      "ipcheck_pending_notices",
      "How many events are still to be told, counted for each recipient.",
      channels.length > 0 ? channels.map(({ channel, owed }) => [{ channel }, owed]) : [[{}, 0]],
    ],
    [
      "ipcheck_delivery_failures",
      "How many tries to tell somebody have failed in a row; of mail the recipient with the most.",
      channels.map(({ channel, failures }) => [{ channel }, failures]),
    ],
  ];
  return metrics
    .filter(([, , samples]) => samples.length > 0)
    .flatMap(([name, help, samples]) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} gauge`,
      ...samples.map(sampleLine(name)),
    ])
    .join("\n");
}

// Metrics are shown to more people than mails: recipients are counted, not named.
function summarizeChannels(pending: readonly PendingChannel[]) {
  return (["mail", "command"] as const).flatMap((channel) => {
    const group = pending.filter((one) => (one.channel === "command") === (channel === "command"));
    if (group.length === 0) return [];
    const owed = group.reduce((sum, one) => sum + one.owed, 0);
    return [{ channel, owed, failures: Math.max(...group.map(({ failures }) => failures)) }];
  });
}

function sampleLine(name: string): (sample: Sample) => string {
  return ([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
  };
}

function escapeLabel(text: string): string {
  return quote(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
