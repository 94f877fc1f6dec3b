import { type Family, parseAddress } from "../lookup/address";
import type { AddressEvent } from "./state";
import { isTime } from "./state-schema";

/** A line of `history.jsonl`: what became of the address. */
export interface HistoryEntry {
  id: string;
  at: string;
  kind: "first" | "change";
  family: Family;
  old?: string;
  address: string;
  confirmedBy: string[];
  unconfirmed?: boolean;
}

/** A line of the history: an entry, or the number of one that is damaged. */
export type HistoryLine = HistoryEntry | { damagedLine: number };

/** What is longer was not written by us. */
export const MAX_LINE_BYTES = 4096;

/** So many operators' names fit, were each the longest host name there is. */
const MAX_CONFIRMATIONS = 12;

/** The line of an event, without its end. */
export function formatHistoryLine(event: AddressEvent): string {
  const { id, kind, family, at, old, address, confirmedBy, isUnconfirmed } = event;
  return JSON.stringify({
    id,
    at,
    kind,
    family,
    ...(old !== undefined && { old }),
    address,
    confirmedBy: confirmedBy.slice(0, MAX_CONFIRMATIONS),
    ...(isUnconfirmed && { unconfirmed: true }),
  });
}

/** Reads one line; undefined for a damaged one. */
export function parseHistoryLine(line: string): HistoryEntry | undefined {
  if (Buffer.byteLength(line) > MAX_LINE_BYTES) return undefined;
  let entry: Partial<HistoryEntry> | null;
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof entry !== "object" || entry === null) return undefined;
  const { id, at, address, family, old, confirmedBy, unconfirmed } = entry;
  if (typeof id !== "string" || !isTime(at)) return undefined;
  if (typeof address !== "string" || parseAddress(address)?.family !== family || family === undefined) return undefined;
  return {
    id,
    at,
    kind: entry.kind === "first" ? "first" : "change",
    family,
    ...(typeof old === "string" && parseAddress(old) && { old }),
    address,
    confirmedBy: Array.isArray(confirmedBy) ? confirmedBy.filter((name) => typeof name === "string") : [],
    ...(unconfirmed === true && { unconfirmed }),
  };
}
