import { EXIT_CODES, exitCodeFor, IpcheckError, systemCode } from "../base/errors";
import type { Output } from "../base/output";
import { quote, toJson } from "../base/text";
import { elapsedMs, formatDuration, localTime, parseDuration, plausibleElapsedMs } from "../base/time";
import { loadSettings, type Settings } from "../config/settings";
import { findSystemState } from "../schedule/systemd";
import { owedTo, planMails } from "../state/outbox";
import { channelName, HOOK, type LoadedState, type State } from "../state/state";
import { openStateFile } from "../state/state-file";
import { openStore } from "../state/store";
import type { GlobalOptions, Host } from "./host";

/** `ipcheck status`: reads, and touches nothing. Resolves to the exit code. */
export async function runStatus(options: StatusOptions & GlobalOptions, host: Host): Promise<number> {
  const settings = loadSettings(options.config, host, host.output.redactor.secrets);
  const { loaded, path, isSystem } = await loadOwnOrSystem(settings, host);
  if (loaded.condition === "damaged") {
    await host.output.warn("the state file cannot be read; the next check keeps it aside and begins anew");
  }
  if (loaded.error && !loaded.stateOnDisk) throw loaded.error;
  if (loaded.error) await host.output.fail(loaded.error);
  // A program reads it as a field; under cron each line on stderr is a mail.
  const isForPerson = !options.json && !options.prometheus;
  if (isSystem && isForPerson) await host.output.note(`this is the state of the machine's timer, in ${path}`);
  if (loaded.stateOnDisk && isForPerson) {
    await host.output.warn(
      `${quote(path)} cannot be written: this comes from the runtime folder, which is empty after a restart`,
    );
  }
  const now = new Date();
  const rules = isSystem ? rulesOf(loaded.state) : settings;
  const exitCode = await printStatus(options, readStatus(loaded, rules, now), now, host.output);
  return loaded.error ? exitCodeFor([loaded.error]) : exitCode;
}

/** The user's own state; where there is none, that of a machine-wide installation. */
async function loadOwnOrSystem(settings: Settings, host: Host) {
  const store = openStore(settings.stateFile, host);
  const own = { loaded: store.load(), path: store.path, isSystem: false };
  if (own.loaded.condition !== "absent" || settings.origins.has("IPCHECK_STATE_FILE")) return own;
  const path = await findSystemState();
  if (path === undefined) return own;
  try {
    // The service's user is a dynamic one, whose files would look like another user's: they are only read here.
    return { loaded: openStateFile(path, { uid: undefined }).load(), path, isSystem: true };
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
  const hash = Object.values(channels).find(({ deferredFor }) => deferredFor !== undefined)?.deferredFor ?? "";
  return { recipients, hasHook: HOOK in channels, mailIntervalMs: 0, configHash: () => hash };
}

/** The switches of `status`. */
export interface StatusOptions {
  json?: boolean;
  prometheus?: boolean;
  maxAge?: string;
}

/** Prints how things stand; resolves to the exit code, which is 0 unless --max-age says otherwise. */
export async function printStatus(options: StatusOptions, status: Status, now: Date, output: Output): Promise<number> {
  if (options.json && options.prometheus) {
    throw new IpcheckError("usage", "--json and --prometheus do not go together");
  }
  const problem = options.maxAge === undefined ? undefined : judgeAge(status.lastLook, options.maxAge, now);
  if (options.json) await output.print(toJson(status, 2));
  else if (options.prometheus) await output.print(formatPrometheus(status));
  else for (const line of describeStatus(status, now)) await output.printText(line);
  if (!problem) return 0;
  await output.fail(problem);
  return EXIT_CODES["no-address"];
}

/** NTP moves a clock by so little at any time; a last look further ahead tells nothing about its age. */
const CLOCK_TOLERANCE_MS = 60_000;

/** @throws IpcheckError `usage` where `maxAge` is no duration */
function judgeAge(lastLook: string | null, maxAge: string, now: Date): IpcheckError | undefined {
  const maxAgeMs = parseDuration(maxAge);
  if (maxAgeMs === undefined) throw new IpcheckError("usage", "--max-age: expected a duration like 90m or 3h");
  const aheadMs = lastLook === null ? 0 : new Date(lastLook).getTime() - now.getTime();
  if (aheadMs > CLOCK_TOLERANCE_MS) {
    const message = `the last good look lies ${formatDuration(aheadMs)} in the future, so its age is not known: the clock of this machine is wrong, or was`;
    return new IpcheckError("no-address", message, {
      hint: "wait for NTP ('timedatectl' shows it), then run 'ipcheck check'",
    });
  }
  const ageMs = lastLook === null ? undefined : elapsedMs(lastLook, now);
  if (ageMs !== undefined && ageMs <= maxAgeMs) return undefined;
  const age = ageMs === undefined ? "there never was one" : `it was ${formatDuration(ageMs)} ago`;
  return new IpcheckError("no-address", `the last good look is older than ${maxAge}: ${age}`, {
    hint: "'ipcheck doctor' looks for the reason",
  });
}

function describeStatus({ families, pending, lastLook, rests }: Status, now: Date): string[] {
  if (families.length === 0) return ["nothing is recorded yet: 'ipcheck check' makes the first look"];
  const ms = lastLook === null ? undefined : plausibleElapsedMs(lastLook, now);
  const age = ms === undefined ? "an unknown time ago" : `${formatDuration(ms)} ago`;
  return [
    ...families.flatMap((family) => describeFamily(family, now)),
    `last good look: ${lastLook === null ? "never" : `${age} (${localTime(lastLook)})`}`,
    ...(pending.length === 0 ? ["pending: nothing"] : []),
    ...pending.map((channel) => `pending: ${describePending(channel, now)}`),
    ...rests.map(({ service, until }) => `left alone: ${quote(service)}, until ${localTime(until)}`),
  ];
}

function describeFamily({ family, address, since, confirmedBy, unconfirmed, failing }: FamilyStatus, now: Date) {
  const name = family === "ipv4" ? "IPv4" : "IPv6";
  let line = `${name}: ${address ?? "no address yet"}`;
  const heldMs = since === null ? undefined : plausibleElapsedMs(since, now);
  if (since !== null && heldMs !== undefined) line += `, for ${formatDuration(heldMs)} (since ${localTime(since)})`;
  if (unconfirmed) line += ", confirmed by nobody";
  else if (confirmedBy.length > 0) line += `, confirmed by ${quote(confirmedBy.join(", "))}`;
  if (!failing) return [line];
  const count = failing.runs === 1 ? "the last look" : `the last ${failing.runs} looks`;
  const from = failing.since === null ? "" : `, outage since ${localTime(failing.since)}`;
  const reason = quote(failing.reason, MAX_REASON);
  return [line, `${name} last failure: ${localTime(failing.lastFailure)}, ${count} failed${from}: ${reason}`];
}

/** Who is told, and by which rules. */
export interface StatusRules {
  recipients: readonly string[];
  /** Besides recipients: the command. */
  hasHook: boolean;
  mailIntervalMs: number;
  configHash: () => string;
}

/** How things stand, as plain data: what `status --json` prints. */
export function readStatus({ state, lastLookAt, stateOnDisk }: LoadedState, rules: StatusRules, now: Date) {
  const ageMs = lastLookAt && plausibleElapsedMs(lastLookAt, now);
  return {
    /** The last good look; null when there never was one. */
    lastLook: lastLookAt?.toISOString() ?? null,
    /** Null also where the clock was wrong then, or is now. */
    lastLookAgeSeconds: ageMs === undefined ? null : Math.round(ageMs / 1000),
    families: readFamilies(state),
    pending: pendingChannels(state, rules, now).map(({ hint: _, ...channel }) => channel),
    /** The state file cannot be written: all this is in the runtime folder until it can. */
    unsaved: stateOnDisk !== undefined,
    rests: Object.entries(state.coolDowns)
      .filter(([, until]) => new Date(until) > now)
      .map(([service, until]) => ({ service, until })),
  };
}

export type Status = ReturnType<typeof readStatus>;

function readFamilies({ families }: State) {
  return ([4, 6] as const).flatMap((family) => {
    if (!families[family]) return [];
    const { recorded, outage } = families[family];
    const failing = outage && {
      since: outage.since ?? null,
      lastFailure: outage.failedAt,
      runs: outage.runs,
      reason: outage.reason,
    };
    return {
      family: `ipv${family}`,
      address: recorded?.address ?? null,
      since: recorded?.since ?? null,
      confirmedBy: recorded?.confirmedBy ?? [],
      unconfirmed: recorded?.isUnconfirmed ?? false,
      failing: failing ?? null,
    };
  });
}

type FamilyStatus = Status["families"][number];

/** Who is owed something, why still, and when it is tried again. */
export function pendingChannels(state: State, rules: StatusRules, now: Date) {
  const { waiting } = planMails(state, rules.recipients, { ...rules, now, ignoreDeferral: false });
  const channels = [...rules.recipients, ...(rules.hasHook ? [HOOK] : [])];
  return channels.flatMap((channel) => {
    const owed = owedTo(state, channel).length;
    if (owed === 0) return [];
    const record = state.channels[channel];
    const wait = waiting.find((one) => one.channel === channel);
    return {
      /** A recipient's address, or `command` for IPCHECK_ON_CHANGE. */
      channel: channelName(channel),
      /** How many events. */
      owed,
      failures: record?.failures ?? 0,
      reason: record?.reason ?? null,
      hint: record?.hint ?? null,
      lastTry: record?.triedAt ?? null,
      /** Until when changes are gathered into one notice, where that is why it waits. */
      groupedUntil: wait?.why === "grouping" ? wait.until : null,
      /** Null for the next run. */
      nextTry: wait?.until ?? null,
    };
  });
}

type PendingChannel = Status["pending"][number];

/** A server's answer may have several lines. */
const MAX_REASON = 1000;

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

/**
 * The status in Prometheus' text exposition format, for node_exporter's textfile collector.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function formatPrometheus({ lastLook, families, pending }: Status): string {
  const seconds = (time: string | null) => (time === null ? [] : [new Date(time).getTime() / 1000]);
  const recorded = families.filter(({ address }) => address !== null);
  const channels = summarizeChannels(pending);
  return [
    ...gauge(
      "ipcheck_last_success_timestamp_seconds",
      "When the public address was last seen, as a Unix time.",
      seconds(lastLook).map((value) => [{}, value]),
    ),
    ...gauge(
      "ipcheck_address_info",
      "The recorded public address.",
      recorded.map(({ family, address }) => [{ family, address: address ?? "" }, 1]),
    ),
    ...gauge(
      "ipcheck_address_since_timestamp_seconds",
      "Since when the recorded address has been in use, as a Unix time.",
      recorded.flatMap(({ family, since }) => seconds(since).map((value): Sample => [{ family }, value])),
    ),
    ...gauge(
      "ipcheck_address_unconfirmed",
      "1 where no second operator could confirm the recorded address.",
      recorded.map(({ family, unconfirmed }) => [{ family }, Number(unconfirmed)]),
    ),
    ...gauge(
      "ipcheck_failed_runs",
      "How many looks in a row have failed.",
      families.map(({ family, failing }) => [{ family }, failing?.runs ?? 0]),
    ),
    ...gauge(
      "ipcheck_pending_notices",
      "How many events are still to be told, counted for each recipient.",
      channels.length > 0 ? channels.map(({ channel, owed }) => [{ channel }, owed]) : [[{}, 0]],
    ),
    ...gauge(
      "ipcheck_delivery_failures",
      "How many tries to tell somebody have failed in a row; of mail the recipient with the most.",
      channels.map(({ channel, failures }) => [{ channel }, failures]),
    ),
  ].join("\n");
}

type Sample = [labels: Record<string, string>, value: number];

function gauge(name: string, help: string, samples: Sample[]): string[] {
  if (samples.length === 0) return [];
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
  });
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines];
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

function escapeLabel(text: string): string {
  return quote(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
