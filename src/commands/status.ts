import { elapsedMs, formatDuration, parseDuration, plausibleElapsedMs } from "../base/duration";
import { IpcheckError } from "../base/errors";
import { EXIT_CODES } from "../base/exit-codes";
import { localTime } from "../base/local-time";
import type { Output } from "../base/output";
import { quote, toJson } from "../base/quote";
import { loadSettings } from "../config/settings";
import { HOOK } from "../state/state";
import { openStateFile } from "../state/state-file";
import type { GlobalOptions, Host } from "./host";
import { formatPrometheus } from "./prometheus";
import type { FamilyStatus, PendingChannel, Status } from "./status-report";
import { readStatus } from "./status-report";

/** `ipcheck status`: reads, and touches nothing. Resolves to the exit code. */
export async function composeStatus(options: StatusOptions & GlobalOptions, host: Host): Promise<number> {
  const settings = loadSettings(options.config, host, host.output.redactor.secrets);
  const store = openStateFile(settings.stateFile, host);
  const loaded = store.load();
  if (loaded.condition === "damaged") {
    await host.output.warn("the state file cannot be read; the next check keeps it aside and begins anew");
  }
  const now = new Date();
  const channels = [...settings.recipients, ...(settings.onChange === undefined ? [] : [HOOK])];
  return runStatus(options, readStatus(loaded, channels, now), now, host.output);
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
  else for (const line of describeStatus(status, now)) await output.print(line);

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

/** A server's answer may have several lines. */
const MAX_REASON = 1000;

function describeStatus(status: Status, now: Date): string[] {
  const { families, pending, lastLook, rests } = status;
  if (families.length === 0) return ["nothing is recorded yet: 'ipcheck check' makes the first look"];
  return [
    ...families.flatMap((family) => describeFamily(family, now)),
    lastLook === null
      ? "last good look: never"
      : `last good look: ${describeAge(lastLook, now)} (${localTime(lastLook)})`,
    ...(pending.length === 0 ? ["pending: nothing"] : pending.map((channel) => describePending(channel, now))),
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

function describePending({ channel, owed, failures, reason, nextTry }: PendingChannel, now: Date): string {
  const what = owed === 1 ? "1 notice" : `${owed} notices`;
  const tries =
    failures === 0
      ? "not tried yet"
      : `${failures} failed ${failures === 1 ? "try" : "tries"}: ${quote(reason ?? "", MAX_REASON)}`;
  const next = nextTry !== null && new Date(nextTry) > now ? `after ${localTime(nextTry)}` : "with the next run";
  return `pending: ${what} to ${quote(channel)}, ${tries}; next try ${next}`;
}
