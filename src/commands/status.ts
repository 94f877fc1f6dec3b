import { EXIT_CODES, exitCodeFor, IpcheckError, systemCode } from "../base/errors";
import type { Output } from "../base/output";
import { quote, toJson } from "../base/text";
import { elapsedMs, formatDuration, localTime, parseDuration, plausibleElapsedMs } from "../base/time";
import { loadSettings, type Settings } from "../config/settings";
import type { Family } from "../lookup/address";
import { findSystemState } from "../schedule/systemd";
import { type Deferred, owedTo, planMails } from "../state/outbox";
import { channelName, HOOK, type LoadedState, type State } from "../state/state";
import { openStateFile } from "../state/state-file";
import { openStore } from "../state/store";
import type { GlobalOptions, Host } from "./host";

/** `ipcheck status`: reads, and touches nothing. Resolves to the exit code. */
export async function composeStatus(options: StatusOptions & GlobalOptions, host: Host): Promise<number> {
  const settings = loadSettings(options.config, host, host.output.redactor.secrets);
  const { loaded, path, isSystem } = await loadOwnOrSystem(settings, host);
  if (loaded.condition === "damaged") {
    await host.output.warn("the state file cannot be read; the next check keeps it aside and begins anew");
  }
  if (loaded.error && !loaded.stateFile) throw loaded.error;
  if (loaded.error) await host.output.fail(loaded.error);
  // A program reads it as a field; under cron each line on stderr is a mail.
  const isForPerson = !options.json && !options.prometheus;
  if (isSystem && isForPerson) await host.output.note(`this is the state of the machine's timer, in ${path}`);
  if (loaded.stateFile && isForPerson) {
    await host.output.warn(
      `${quote(path)} cannot be written: this comes from the runtime folder, which is empty after a restart`,
    );
  }
  const now = new Date();
  const rules = isSystem ? rulesOf(loaded.state) : { ...settings, hasHook: settings.onChange !== undefined };
  const exitCode = await runStatus(options, readStatus(loaded, rules, now), now, host.output);
  return loaded.error ? exitCodeFor([loaded.error]) : exitCode;
}

interface Found {
  loaded: LoadedState;
  path: string;
  isSystem?: true;
}

/** The user's own state; where there is none, that of a machine-wide installation. */
async function loadOwnOrSystem(settings: Settings, host: Host): Promise<Found> {
  const store = openStore(settings.stateFile, host);
  const loaded = store.load();
  if (loaded.condition !== "absent" || settings.origins.has("IPCHECK_STATE_FILE")) return { loaded, path: store.path };
  const path = await findSystemState();
  if (path === undefined) return { loaded, path: store.path };
  try {
    // The service's user is a dynamic one, whose files would look like another user's: they are only read here.
    const system = openStateFile(path, { uid: undefined }).load();
    return { loaded: system, path, isSystem: true };
  } catch (error) {
    if (!(error instanceof IpcheckError) || !/^(EACCES|EPERM)$/.test(systemCode(error.cause))) throw error;
    throw new IpcheckError("state", `the machine's timer keeps its state in ${path}, which only root can read`, {
      hint: "run 'sudo ipcheck status'",
    });
  }
}

// The service's configuration is a credential of its own: whom it tells is taken from what it did.
function rulesOf({ channels }: State): StatusRules {
  const recipients = Object.keys(channels).filter((channel) => channel !== HOOK);
  const revision = Object.values(channels).find(({ deferredFor }) => deferredFor !== undefined)?.deferredFor ?? "";
  return { recipients, hasHook: HOOK in channels, mailIntervalMs: 0, revision: () => revision };
}

/** The switches of `status`. */
export interface StatusOptions {
  json?: boolean;
  prometheus?: boolean;
  maxAge?: string;
}

/** Prints how things stand; resolves to the exit code, which is 0 unless --max-age says otherwise. */
export async function runStatus(options: StatusOptions, status: Status, now: Date, output: Output): Promise<number> {
  if (options.json && options.prometheus) {
    throw new IpcheckError("usage", "--json and --prometheus do not go together");
  }
  const maxAgeMs = readMaxAge(options.maxAge);
  if (options.json) await output.print(toJson(status, 2));
  else if (options.prometheus) await output.print(formatPrometheus(status));
  else for (const line of describeStatus(status, now)) await output.printText(line);

  const problem =
    maxAgeMs === undefined ? undefined : judgeAge(status.lastLook, { text: options.maxAge, ms: maxAgeMs }, now);
  if (!problem) return 0;
  await output.fail(problem);
  return EXIT_CODES["no-address"];
}

/** NTP moves a clock by so little at any time; a last look further ahead tells nothing about its age. */
const CLOCK_TOLERANCE_MS = 60_000;

function judgeAge(
  lastLook: string | null,
  maxAge: { text: string | undefined; ms: number },
  now: Date,
): IpcheckError | undefined {
  const aheadMs = lastLook === null ? 0 : new Date(lastLook).getTime() - now.getTime();
  if (aheadMs > CLOCK_TOLERANCE_MS) {
    const message = `the last good look lies ${formatDuration(aheadMs)} in the future, so its age is not known: the clock of this machine is wrong, or was`;
    return new IpcheckError("no-address", message, {
      hint: "wait for NTP ('timedatectl' shows it), then run 'ipcheck check'",
    });
  }
  const ageMs = lastLook === null ? undefined : elapsedMs(lastLook, now);
  if (ageMs !== undefined && ageMs <= maxAge.ms) return undefined;
  const age = ageMs === undefined ? "there never was one" : `it was ${formatDuration(ageMs)} ago`;
  return new IpcheckError("no-address", `the last good look is older than ${maxAge.text}: ${age}`, {
    hint: "'ipcheck doctor' looks for the reason",
  });
}

function readMaxAge(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined) throw new IpcheckError("usage", "--max-age: expected a duration like 90m or 3h");
  return ms;
}

function describeStatus(status: Status, now: Date): string[] {
  const { families, pending, lastLook, rests } = status;
  if (families.length === 0) return ["nothing is recorded yet: 'ipcheck check' makes the first look"];
  return [
    ...families.flatMap((family) => describeFamily(family, now)),
    lastLook === null
      ? "last good look: never"
      : `last good look: ${describeAge(lastLook, now)} (${localTime(lastLook)})`,
    ...(pending.length === 0
      ? ["pending: nothing"]
      : pending.map((channel) => `pending: ${describePending(channel, now)}`)),
    ...rests.map(({ service, until }) => `left alone: ${quote(service)}, until ${localTime(until)}`),
  ];
}

function describeFamily(
  { family, address, since, confirmedBy, unconfirmed, failing }: FamilyStatus,
  now: Date,
): string[] {
  const name = family === "ipv4" ? "IPv4" : "IPv6";
  const heldMs = since === null ? undefined : plausibleElapsedMs(since, now);
  const held =
    since === null || heldMs === undefined ? "" : `, for ${formatDuration(heldMs)} (since ${localTime(since)})`;
  const by = unconfirmed
    ? ", confirmed by nobody"
    : confirmedBy.length > 0
      ? `, confirmed by ${quote(confirmedBy.join(", "))}`
      : "";
  const lines = [`${name}: ${address ?? "no address yet"}${held}${by}`];
  if (failing) {
    const { since: outageSince, lastFailure, runs, reason } = failing;
    const count = runs === 1 ? "the last look" : `the last ${runs} looks`;
    const from = outageSince === null ? "" : `, outage since ${localTime(outageSince)}`;
    lines.push(`${name} last failure: ${localTime(lastFailure)}, ${count} failed${from}: ${quote(reason, MAX_REASON)}`);
  }
  return lines;
}

function describeAge(at: string, now: Date): string {
  const ms = plausibleElapsedMs(at, now);
  return ms === undefined ? "an unknown time ago" : `${formatDuration(ms)} ago`;
}

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
  const whom = channel === channelName(HOOK) ? "the command in IPCHECK_ON_CHANGE" : quote(channel);
  const what = `${owed === 1 ? "1 notice" : `${owed} notices`} to ${whom}`;
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
