import { formatDuration, plausibleElapsedMs } from "../base/duration";
import { exitCodeFor } from "../base/exit-codes";
import type { Output } from "../base/output";
import { quote } from "../base/quote";
import { describe, isGood, reasonOf } from "../lookup/explanation";
import type { LookupResult } from "../lookup/lookup-result";
import { type AddressEvent, channelName, HOOK } from "../state/state";
import type { CheckReport } from "./check-run";

/** The switches of `check`. */
export interface CheckOptions {
  dryRun?: boolean;
  json?: boolean;
  verbose?: boolean;
  quiet?: boolean;
}

export interface ReportOptions extends CheckOptions {
  exitCode: number;
  /** What a dry run would have done. */
  plan: readonly string[];
  /** What is printed stands in for a mail: a reader that went away was not told. */
  isOwed?: boolean;
  /** The JSON object has been printed already. */
  isPrinted?: boolean;
}

/** Prints a run: errors always, results where somebody is there to read them. */
export async function printReport(report: CheckReport, options: ReportOptions, output: Output): Promise<void> {
  if (report.quarantined !== undefined) {
    await output.warn(
      `the state file could not be read and was kept as ${quote(report.quarantined)}; this run begins anew`,
    );
  }
  for (const error of report.errors) if (!report.muted.has(error)) await output.fail(error);
  for (const bug of report.bugs) await output.fail(bug);
  if (options.json) return options.isPrinted ? undefined : printJsonReport(report, options, output);
  if (options.verbose) {
    for (const response of report.lookupResults.flatMap((lookupResult) => lookupResult.responses))
      await output.note(describe(response));
    for (const { channel, why, until } of report.waiting) await output.note(`${channel}: ${why} until ${until}`);
  }
  const isSpoken = options.verbose || options.dryRun || (output.isTerminal && !options.quiet);
  if (!isSpoken) return;
  for (const lookupResult of report.lookupResults)
    if (isGood(lookupResult)) await output.print(resultLine(report, lookupResult));
  for (const deed of options.plan) await output.print(`would ${deed}`);
}

/** The whole run as one JSON object on stdout. */
export function printJsonReport(report: CheckReport, options: ReportOptions, output: Output): Promise<void> {
  return output.printJson(toJson(report, options), { isOwed: options.isOwed ?? false });
}

/** The line that tells a change on stdout, where nobody is configured to be mailed. */
export function announcement({ kind, old, address, family }: AddressEvent): string {
  const words: Record<AddressEvent["kind"], string> = {
    first: `${address} is the public IPv${family} address (first look)`,
    change: `the public IPv${family} address is now ${address}, it was ${old}`,
    back: `the home is back after an outage, its public IPv${family} address is still ${address}`,
    heartbeat: `the public IPv${family} address is still ${address}`,
    test: `the public IPv${family} address is ${address} (test)`,
  };
  return words[kind];
}

function resultLine(report: CheckReport, { family }: LookupResult): string {
  const before = report.before.families[family]?.recorded;
  const after = report.after.families[family]?.recorded;
  const address = after?.address ?? "";
  if (before?.address === address) {
    const heldMs = plausibleElapsedMs(before.since ?? "", report.startedAt);
    const held = heldMs === undefined ? "" : `, for ${formatDuration(heldMs)}`;
    return `${address} is unchanged${held}`;
  }
  return before ? `${address} is new, it was ${before.address}` : `${address} is recorded (first look)`;
}

// The README documents these fields; other programs read them.
function toJson(report: CheckReport, { exitCode, dryRun, plan }: ReportOptions): object {
  return {
    exitCode,
    dryRun: dryRun ?? false,
    at: report.startedAt.toISOString(),
    families: Object.fromEntries(
      report.lookupResults.map((lookupResult) => [`ipv${lookupResult.family}`, familyJson(report, lookupResult)]),
    ),
    pending: report.after.outbox.map(({ id, kind, family, at, old, address, told }) => ({
      id,
      kind,
      family,
      at,
      old: old ?? null,
      address,
      told: told.filter((channel) => channel === HOOK || !channel.startsWith("(")).map(channelName),
    })),
    delivery: Object.entries(report.after.channels).map(([recipient, channel]) => ({
      recipient: channelName(recipient),
      failures: channel.failures,
      reason: channel.reason ?? null,
      pausedUntil: channel.deferredUntil ?? null,
      servedAt: channel.servedAt ?? null,
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
