import { createReadStream } from "node:fs";
import { constants, open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { IpcheckError, systemCode } from "../base/errors";
import { quote } from "../base/quote";
import { type HistoryEntry, type HistoryLine, parseHistoryLine } from "./history";

/** As much of the end as the last few dozen changes take. */
const TAIL_BYTES = 16 * 1024;

/** The last changes, oldest first; empty where they cannot be read: a mail is more important. */
export async function readRecentHistory(path: string): Promise<HistoryEntry[]> {
  try {
    // Non-blocking, so that a pipe in the file's place cannot hold a mail up.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = await file.stat();
      const size = stats.isFile() ? stats.size : 0;
      const start = Math.max(0, size - TAIL_BYTES);
      const buffer = Buffer.alloc(size - start);
      await file.read(buffer, 0, buffer.length, start);
      const entries = buffer.toString("utf8").split("\n").map(parseHistoryLine);
      return [...new Map(entries.flatMap((entry) => (entry ? [[entry.id, entry]] : []))).values()];
    } finally {
      await file.close();
    }
  } catch {
    return [];
  }
}

/**
 * Reads the whole history line by line, oldest first, in memory that does not grow with it.
 * @throws IpcheckError `state` when it exists and cannot be read
 */
export async function* readHistory(path: string): AsyncGenerator<HistoryLine> {
  const stream = createReadStream(path, { encoding: "utf8" });
  let lineNumber = 0;
  const lastIds = new Set<string>();
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      lineNumber++;
      if (line === "") continue;
      const entry = parseHistoryLine(line);
      if (!entry) yield { damagedLine: lineNumber };
      // A run killed between appending and noting it may have written its lines twice.
      else if (!lastIds.has(entry.id)) yield remembered(entry, lastIds);
    }
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return;
    throw new IpcheckError("state", `cannot read ${quote(path)} (${code || "unknown error"})`, { cause: error });
  }
}

/** One run appends no more than an outbox holds. */
const MAX_REMEMBERED = 200;

function remembered(entry: HistoryEntry, ids: Set<string>): HistoryEntry {
  ids.add(entry.id);
  const [oldest] = ids;
  if (ids.size > MAX_REMEMBERED && oldest !== undefined) ids.delete(oldest);
  return entry;
}
