import { isDeepStrictEqual } from "node:util";
import { decodeState, EMPTY_STATE, encodeState, isState, type LoadedState, type State } from "../../src/state/state";
import type { StateFile } from "../../src/state/state-file";

/** A state file in memory. `guard` is asked before each deed, and throws where the disk does not let it happen. */
export function openMemoryFile(guard: (deed: "read" | "write" | "touch") => void = () => undefined) {
  let text: string | undefined;
  /** What stands there instead of a text, once the program has written it. */
  let written: State | undefined;
  let mtime = new Date(0);
  let saves = 0;

  const file = {
    path: "/state.json",
    historyFile: "/history.jsonl",
    prepare: () => undefined,
    cleanUp: () => undefined,
    findObstacle: () => undefined,
    findHistoryObstacle: () => undefined,
    appendHistory: () => undefined,

    load(): LoadedState {
      guard("read");
      const none = { state: EMPTY_STATE, lastLookAt: undefined };
      if (!file.isThere) return { ...none, condition: "absent" };
      const decoded = written ? { state: written, isLegacy: false } : decodeState(text ?? "");
      if (!decoded) return { ...none, condition: "damaged" };
      const isLookedAt = Object.values(decoded.state.families).some((family) => family?.recorded);
      const condition = decoded.isLegacy ? "legacy" : "sound";
      return { state: freeze(decoded.state), lastLookAt: isLookedAt ? mtime : undefined, condition };
    },

    quarantine(): string {
      guard("write");
      file.content = undefined;
      return "/state.json.unreadable";
    },

    save(state: State, lastLookAt: Date | undefined): void {
      guard("write");
      written = freeze(state);
      // Encoding and decoding each would take most of the time.
      if (saves++ % 20 === 0) {
        const decoded = decodeState(encodeState(state))?.state;
        if (!isState(decoded) || !isDeepStrictEqual(decoded, state))
          throw new Error("it cannot be read as it was written");
      }
      mtime = lastLookAt ?? new Date(0);
    },

    touch(lastLookAt: Date): void {
      guard("touch");
      mtime = lastLookAt;
    },

    remove(): void {
      file.content = undefined;
    },

    get isThere(): boolean {
      return written !== undefined || text !== undefined;
    },

    get content(): string | undefined {
      return written ? encodeState(written) : text;
    },

    set content(given: string | undefined) {
      text = given;
      written = undefined;
    },
  } satisfies StateFile & { content: string | undefined; isThere: boolean };
  return file;
}

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const item of Object.values(Object.freeze(value))) freeze(item);
  return value;
}
