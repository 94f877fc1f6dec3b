import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeFileSync } from "node:fs";
import type { AddressEvent } from "./state";

/** How much of the history's end is searched for lines that a crash left behind. */
const TAIL_BYTES = 16 * 1024;

/** Appends a line for each event that has none yet, and waits until they are on the disk. */
export function appendLines(path: string, events: readonly AddressEvent[]): void {
  const file = openSync(path, "a+", 0o600);
  try {
    const { size } = fstatSync(file);
    const start = Math.max(0, size - TAIL_BYTES);
    const tail = Buffer.alloc(size - start);
    readSync(file, tail, 0, tail.length, start);
    const known = tail.toString("utf8");
    // A run killed between the append and its note in the state comes here again with the same lines.
    // A line that a full disk cut in half does not count.
    const whole = known.split("\n").filter((line) => line.endsWith("}"));
    const missing = events.filter(({ id }) => !whole.some((line) => line.includes(`"id":"${id}"`)));
    if (missing.length === 0) return;
    const lines = missing.map((event) => `${JSON.stringify(historyEntry(event))}\n`).join("");
    // A torn last line stays one damaged line; ours begins on its own.
    writeFileSync(file, size > 0 && !known.endsWith("\n") ? `\n${lines}` : lines);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function historyEntry({ id, kind, family, at, old, address, confirmedBy, isUnconfirmed }: AddressEvent): object {
  return {
    id,
    at,
    kind,
    family,
    ...(old !== undefined && { old }),
    address,
    confirmedBy,
    ...(isUnconfirmed && { unconfirmed: true }),
  };
}
