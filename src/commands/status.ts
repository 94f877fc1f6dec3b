import { EXIT_CODES, exitCodeFor, IpcheckError, systemCode } from "../base/errors";
import type { Output } from "../base/output";
import { quote, toJson } from "../base/text";
import { elapsedMs, formatDuration, localTime, parseDuration, plausibleElapsedMs } from "../base/time";
import { loadSettings, type Settings } from "../config/settings";
import { findSystemState } from "../schedule/systemd";
import { HOOK, type LoadedState, type State } from "../state/state";
import { openStateFile } from "../state/state-file";
import { openStore } from "../state/store";
import type { GlobalOptions, Host } from "./host";
import {
  describePending,
  type FamilyStatus,
  formatPrometheus,
  MAX_REASON,
  readStatus,
  type Status,
  type StatusRules,
} from "./status-report";

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
