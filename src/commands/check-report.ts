import { asIpcheckError, exitCodeFor, type IpcheckError } from "../base/errors";
import type { Output } from "../base/output";
import { quote } from "../base/text";
import { formatDuration, plausibleElapsedMs, recentTime } from "../base/time";
import { describe, isGood, type LookupResult, reasonOf } from "../lookup/lookup-result";
import { type AddressEvent, channelName, HOOK } from "../state/state";
import type { CheckReport } from "./check-run";

/** The switches of `check`. */
export interface CheckOptions {
  dryRun?: boolean;
  json?: boolean;
  verbose?: boolean;
  quiet?: boolean;
}

interface ReportOptions extends CheckOptions {
  exitCode: number;
  /** What a dry run would have done. */
  plan: readonly string[];
  /** What is printed stands in for a mail: a reader that went away was not told. */
  isOwed?: boolean;
  /** What has been printed already in place of a mail; with --json the object. */
  announced?: readonly AddressEvent[];
}

/**
 * Prints a run: the results on a terminal or where they were asked for, and every error that is not muted. Resolves
 * to what kept the results from being printed.
 */
export async function printReport(
  report: CheckReport,
  options: ReportOptions,
  output: Output,
): Promise<IpcheckError | undefined> {
  const { quarantined, errors, muted, bugs } = report;
  if (quarantined !== undefined) {
    await output.warn(`the state file could not be read and was kept as ${quote(quarantined)}; this run begins anew`);
  }
  const failure = await printResults(report, options, output).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  for (const error of errors) if (!muted.has(error)) await output.fail(error);
  for (const bug of bugs) await output.fail(bug);
  if (!failure) return undefined;
  const error = asIpcheckError(failure.error);
  // A failed announcement has been reported already, with its consequences.
  const isSaid = errors.some((one) => !muted.has(one) && one.message.includes(error.message));
  if (!isSaid) await output.fail(error);
  return error;
}

async function printResults(report: CheckReport, options: ReportOptions, output: Output): Promise<void> {
  const { announced = [], verbose, dryRun, quiet } = options;
  if (options.json) return announced.length > 0 ? undefined : printJsonReport(report, options, output);
  if (verbose) {
    // The error of a failed look names each answer itself.
    const results = report.lookupResults.filter(isGood);
    for (const response of results.flatMap(({ responses }) => responses)) await output.note(describe(response));
  }
  if (!(verbose || dryRun || (output.isTerminal && !quiet))) return;
  const lines = [
    ...report.lookupResults.filter(isGood).flatMap((result) => resultLine(report, result, announced)),
    ...options.plan.map((action) => `would ${action}`),
    ...(dryRun ? [] : describeDeliveries(report)),
  ];
  for (const line of lines) await output.printText(line);
}

/** Who was told in this run, and for whom a notice is being gathered. */
function describeDeliveries({ delivered, waiting, lookedAt, after }: CheckReport): string[] {
  const told = new Map<string, string[]>();
  for (const { channel, events } of delivered) {
    const since = events[0]?.at ?? "";
    // A reminder of what cannot be recorded repeats an old event; it was not owed all the time.
    const isLate = !after.unsaved && new Date(since) < lookedAt;
    const owed = isLate ? ` owed since ${recentTime(since, lookedAt)}` : "";
    const action =
      channel === HOOK
        ? `ran the command in IPCHECK_ON_CHANGE${owed && `,${owed}`}`
        : owed
          ? `delivered the notice${owed} to`
          : "mailed to";
    told.set(action, [...(told.get(action) ?? []), ...(channel === HOOK ? [] : [quote(channel)])]);
  }
  const gathered = waiting.filter(({ why }) => why === "grouping");
  return [
    ...[...told].map(([action, names]) => [action, names.join(", ")].join(" ").trimEnd()),
    ...gathered.map(
      ({ channel, until }) =>
        `the notice to ${quote(channel)} waits for the first run after ${recentTime(until, lookedAt)}: what changes by then goes into the same mail`,
    ),
  ];
}

/** The whole run as one JSON object on stdout. */
export function printJsonReport(report: CheckReport, options: ReportOptions, output: Output): Promise<void> {
  return output.printJson(reportJson(report, options), { isOwed: options.isOwed ?? false });
}

/** The line that tells a change on stdout, where nobody is configured to be mailed. */
export function announcement({ kind, old, address, family, isUnconfirmed }: AddressEvent): string {
  const words: Record<AddressEvent["kind"], string> = {
    first: `${address} is the public IPv${family} address (first look)`,
    change: `the public IPv${family} address is now ${address}, it was ${old}`,
    back: `the home is back after an outage, its public IPv${family} address is still ${address}`,
    heartbeat: `the public IPv${family} address is still ${address}`,
    test: `the public IPv${family} address is ${address} (test)`,
  };
  return `${words[kind]}${isUnconfirmed ? UNCONFIRMED : ""}`;
}

const UNCONFIRMED = ", unconfirmed: only one operator could be asked";

/** Nothing where the same has been announced already. */
function resultLine(
  report: CheckReport,
  { family, decision }: LookupResult,
  announced: readonly AddressEvent[],
): string[] {
  const before = report.before.families[family]?.recorded;
  const after = report.after.families[family]?.recorded;
  const address = after?.address ?? "";
  if (before?.address === address) {
    const heldMs = plausibleElapsedMs(before.since ?? "", report.lookedAt);
    const held = heldMs === undefined ? "" : `, for ${formatDuration(heldMs)}`;
    // Over IPv6 another address of the same prefix may be the one in use now.
    return [`${"seen" in decision ? decision.seen : address} is unchanged${held}`];
  }
  if (announced.some((event) => event.family === family && event.address === address)) return [];
  const note = after?.isUnconfirmed ? UNCONFIRMED : "";
  return [`${address} ${before ? `is new, it was ${before.address}` : "is recorded (first look)"}${note}`];
}

// The README documents these fields; other programs read them.
function reportJson(report: CheckReport, { exitCode, dryRun, plan }: ReportOptions): object {
  return {
    exitCode,
    dryRun: dryRun ?? false,
    at: report.lookedAt.toISOString(),
    families: Object.fromEntries(
      report.lookupResults.map((lookupResult) => [`ipv${lookupResult.family}`, familyJson(report, lookupResult)]),
    ),
    pending: report.after.outbox.map(({ id, kind, family, at, old, address, isUnconfirmed, told }) => ({
      id,
      kind,
      family,
      at,
      old: old ?? null,
      address,
      unconfirmed: isUnconfirmed === true,
      told: told.filter((channel) => channel === HOOK || !channel.startsWith("(")).map(channelName),
    })),
    delivery: Object.entries(report.after.channels).map(([channel, record]) => ({
      recipient: channelName(channel),
      failures: record.failures,
      reason: record.reason ?? null,
      pausedUntil: record.deferredUntil ?? null,
      groupedUntil: report.waiting.find((wait) => wait.channel === channel && wait.why === "grouping")?.until ?? null,
      servedAt: record.servedAt ?? null,
    })),
    errors: report.errors.map((error) => ({
      exitCode: exitCodeFor([error]),
      message: error.message,
      details: error.details,
      hint: error.hint ?? null,
    })),
    ...(dryRun && { would: plan }),
  };
}

function familyJson(report: CheckReport, lookupResult: LookupResult): object {
  const before = report.before.families[lookupResult.family]?.recorded;
  const after = report.after.families[lookupResult.family]?.recorded;
  const status = !isGood(lookupResult)
    ? "failed"
    : before === undefined
      ? "first"
      : before.address === after?.address
        ? "unchanged"
        : "changed";
  return {
    status,
    address: after?.address ?? null,
    previous: status === "changed" ? before?.address : null,
    since: after?.since ?? null,
    confirmedBy: after?.confirmedBy ?? [],
    unconfirmed: after?.isUnconfirmed ?? false,
    reason: reasonOf(lookupResult) || null,
    requests: lookupResult.requests,
    services: lookupResult.responses.map((response) => ({
      service: response.service,
      operator: response.operator,
      address: "address" in response.vote ? response.vote.address : null,
      failure: "address" in response.vote ? null : response.vote.kind,
      detail: "address" in response.vote ? null : response.vote.detail,
    })),
  };
}
