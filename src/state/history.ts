import { type Family, parseAddress } from "../lookup/address";

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

/** Reads one line; undefined for a damaged one. */
export function parseHistoryLine(line: string): HistoryEntry | undefined {
  let entry: Partial<HistoryEntry>;
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof entry !== "object" || entry === null) return undefined;
  const { id, at, address, family, old, confirmedBy, unconfirmed } = entry;
  if (typeof id !== "string" || typeof at !== "string" || Number.isNaN(Date.parse(at))) return undefined;
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
