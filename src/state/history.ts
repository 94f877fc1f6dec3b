import { constants, fstatSync, fsyncSync, readFileSync, readSync, type Stats, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { resolveLinks, syncDirectory } from "../base/atomic-file";
import { IpcheckError, systemCode } from "../base/errors";
import { quote } from "../base/text";
import { openTrusted, type Principal, refuseUntrustedFolders } from "../base/trusted-file";
import { type Family, parseAddress } from "../lookup/address";
import { type AddressEvent, isTime } from "./state";

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

/** Longer than any line that ipcheck writes: counts as damaged. */
const MAX_LINE_BYTES = 4096;

/** As many operators fit into a line, even if each has the longest host name there is. */
const MAX_CONFIRMATIONS = 12;

/** The line of an event, without its end. */
function formatHistoryLine(event: AddressEvent): string {
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
function parseHistoryLine(line: string): HistoryEntry | undefined {
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

/** How much of the end is read: as much as one run appends at most, and more than a mail shows. */
const TAIL_BYTES = 64 * 1024;

/** The last changes, oldest first, whoever wrote them; empty where they cannot be read: a mail is more important. */
export function readRecentHistory(path: string): HistoryEntry[] {
  try {
    const nobody = { uid: undefined };
    return openTrusted(path, constants.O_RDONLY, nobody, (file) => [...parseLines(readTail(file)).values()]);
  } catch {
    return [];
  }
}

/**
 * Appends a line for each event that has none yet, and waits until they are on the disk.
 * @throws UnusableFileError, NodeJS.ErrnoException
 */
export function appendLines(path: string, events: readonly AddressEvent[], who: Principal): void {
  openForAppending(path, constants.O_CREAT, who, (file, { size }, target) => {
    const tail = readTail(file);
    // A run killed between the append and its note in the state comes here again with the same lines.
    const known = parseLines(tail);
    const missing = events.filter(({ id }) => !known.has(id));
    if (missing.length === 0) return;
    const lines = missing.map((event) => `${formatHistoryLine(event)}\n`).join("");
    // A torn last line stays one damaged line; ours begins on its own.
    writeFileSync(file, tail === "" || tail.endsWith("\n") ? lines : `\n${lines}`);
    fsyncSync(file);
    if (size === 0) syncDirectory(dirname(target));
  });
}

/**
 * Opens the file as for lines to be appended, and appends none; nothing is wrong where there is no file yet.
 * @throws UnusableFileError, NodeJS.ErrnoException
 */
export function tryAppending(path: string, who: Principal): void {
  try {
    openForAppending(path, 0, who, () => undefined);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

function openForAppending(
  path: string,
  flags: number,
  who: Principal,
  work: (file: number, stats: Stats, target: string) => void,
): void {
  const { O_RDWR, O_APPEND, O_NOFOLLOW = 0 } = constants;
  // Links are followed here, after the check of their owners; one that is put there in between is refused.
  refuseUntrustedFolders(path, who);
  const target = resolveLinks(path);
  openTrusted(target, O_RDWR | O_APPEND | O_NOFOLLOW | flags, who, (file, stats) => work(file, stats, target));
}

/**
 * Every change, oldest first, and the numbers of the lines that are damaged; nothing where there is no file.
 * @throws IpcheckError `state` when it exists and cannot be read
 */
export function readHistory(path: string, who: Principal): { entries: HistoryEntry[]; damagedLines: number[] } {
  const entries = new Map<string, HistoryEntry>();
  const damagedLines: number[] = [];
  const text = readIfThere(path, who);
  for (const [index, line] of text.split("\n").entries()) {
    const entry = parseHistoryLine(line);
    if (!entry && line !== "") damagedLines.push(index + 1);
    // A run killed between appending and noting it may have written its lines twice.
    else if (entry && !entries.has(entry.id)) entries.set(entry.id, entry);
  }
  return { entries: [...entries.values()], damagedLines };
}

function readIfThere(path: string, who: Principal): string {
  try {
    return openTrusted(path, constants.O_RDONLY, who, (file) => readFileSync(file, "utf8"));
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return "";
    const why = code || (error instanceof Error ? error.message : "unknown error");
    const hint = code === "EACCES" ? "'ls -l' shows whose it and its folder are: run it as that user" : undefined;
    throw new IpcheckError("state", `cannot read ${quote(path)} (${why})`, { hint, cause: error });
  }
}

/** The end of an open file. It may begin in the middle of a line, which then reads as a damaged one. */
function readTail(file: number): string {
  const { size } = fstatSync(file);
  const start = Math.max(0, size - TAIL_BYTES);
  const buffer = Buffer.alloc(size - start);
  return buffer.toString("utf8", 0, readSync(file, buffer, 0, buffer.length, start));
}

function parseLines(text: string): Map<string, HistoryEntry> {
  const entries = text.split("\n").flatMap((line) => parseHistoryLine(line) ?? []);
  return new Map(entries.map((entry) => [entry.id, entry]));
}
