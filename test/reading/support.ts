import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { HistoryEntry } from "../../src/state/history";
import { EMPTY_STATE, encodeState, type State } from "../../src/state/state";
import { Home } from "../support/home";

/** When the runs of these tests take place. */
export const NOW = new Date("2026-06-10T12:00:00Z");

/** A home in which no time passes while a command runs. */
function makeStill(): Home {
  const home = new Home();
  home.env["FAKE_CLOCK_STANDS"] = "1";
  return home;
}

/** A home with this state file, last looked at then. */
export function homeWith(state: Partial<State> | string, lastLook = "2026-06-10T11:00:00Z"): Home {
  const home = makeStill();
  mkdirSync(dirname(home.stateFile), { recursive: true, mode: 0o700 });
  writeFileSync(home.stateFile, typeof state === "string" ? state : encodeState({ ...EMPTY_STATE, ...state }));
  utimesSync(home.stateFile, new Date(lastLook), new Date(lastLook));
  return home;
}

/** A home with this history file. */
export function homeWithHistory(text: string): Home {
  const home = makeStill();
  mkdirSync(dirname(home.historyFile), { recursive: true, mode: 0o700 });
  writeFileSync(home.historyFile, text);
  return home;
}

/** The lines of a history file. */
export function historyText(entries: readonly HistoryEntry[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}
