import { elapsedMs, formatDuration } from "./duration";
import type { Occurrence } from "./state";

/** What a mail says besides the occurrences themselves. */
export interface LetterFacts {
  machineName: string;
  /** The line to paste, with `{ip}` in it. */
  sshLine: string;
  hostName: string;
  version: string;
  timeZone: string;
}

export interface Letter {
  subject: string;
  text: string;
}

/** Writes the mail that tells `occurrences`, oldest first. */
export function composeLetter(occurrences: readonly Occurrence[], facts: LetterFacts): Letter {
  const latest = occurrences.at(-1);
  if (!latest) throw new RangeError("a letter tells at least one occurrence");
  const changes = occurrences.filter(({ kind }) => kind === "change");
  const lines = [headlineOf(latest, changes.length, facts), ""];
  lines.push(`New address: ${latest.address}`);
  const first = changes[0] ?? latest;
  if (first.old) lines.push(`Old address: ${first.old}${heldFor(first)}`);
  lines.push(`Since:       ${formatTime(latest.at, facts.timeZone)}`);
  lines.push(`Machine:     ${facts.machineName} (${facts.hostName})`);
  if (latest.confirmedBy.length > 0) lines.push(`Confirmed by ${latest.confirmedBy.join(", ")}`);
  if (latest.isUnconfirmed) lines.push("No second service could be reached to confirm it.");
  lines.push("", "To log in:", "", `    ${facts.sshLine.replaceAll("{ip}", latest.address)}`, "");
  if (occurrences.length > 1) {
    lines.push("All that happened since the last mail:", "");
    for (const occurrence of occurrences) lines.push(`    ${describeOccurrence(occurrence, facts.timeZone)}`);
    lines.push("");
  }
  lines.push("-- ", `ipcheck ${facts.version} on ${facts.hostName}`);
  return { subject: subjectOf(latest, facts), text: lines.join("\n") };
}

function subjectOf({ kind, address }: Occurrence, { machineName }: LetterFacts): string {
  const words = {
    first: "first look",
    change: "new address",
    back: "back again",
    heartbeat: "still there",
    test: "TEST",
  };
  return `${machineName} ${address} ${words[kind]}`;
}

function headlineOf({ kind }: Occurrence, changes: number, { machineName }: LetterFacts): string {
  if (changes > 1) return `The public address of ${machineName} has changed ${changes} times.`;
  switch (kind) {
    case "first":
      return `ipcheck watches the public address of ${machineName} from now on.`;
    case "change":
      return `The public address of ${machineName} has changed.`;
    case "back":
      return `${machineName} is back; its public address is still the same.`;
    case "test":
      return `This is a test. A change of ${machineName}'s public address would look like this.`;
    case "heartbeat":
      return `${machineName} is well; its public address is still the same.`;
  }
}

function heldFor({ oldSince, at }: Occurrence): string {
  return oldSince ? ` (held for ${formatDuration(elapsedMs(oldSince, at))})` : "";
}

function describeOccurrence({ at, old, address, folded }: Occurrence, timeZone: string): string {
  const steps = folded ? `, after ${folded} more changes` : "";
  return `${formatTime(at, timeZone)}  ${old && old !== address ? `${old} -> ` : ""}${address}${steps}`;
}

function formatTime(at: string, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long", timeZone }).format(new Date(at));
}
