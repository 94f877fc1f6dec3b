import { isDue } from "../base/time";
import type { State } from "./state";

/** How long stderr keeps quiet about a trouble that goes on: cron mails whatever is printed. */
export const REPEAT_AFTER_MS = 24 * 3_600_000;

/**
 * Whether stderr speaks of `topic` now, and the state that remembers it: at first, when what it is
 * `about` changes, then once a day, and always to a person. Give an undefined `about` when the
 * trouble is over.
 */
export function speakOnceADay(
  state: State,
  topic: string,
  about: string | undefined,
  { now, isInteractive }: { now: Date; isInteractive: boolean },
): { speaks: boolean; state: State } {
  const { [topic]: last, ...others } = state.spoken ?? {};
  if (about === undefined) {
    if (last === undefined) return { speaks: false, state };
    const { spoken: _, ...rest } = state;
    return { speaks: false, state: Object.keys(others).length > 0 ? { ...rest, spoken: others } : rest };
  }
  // What a run by hand printed has not been in one of cron's mails.
  if (isInteractive) return { speaks: true, state };
  const isNews = last === undefined || last.about !== about || isDue(last.at, REPEAT_AFTER_MS, now);
  if (!isNews) return { speaks: false, state };
  return { speaks: true, state: { ...state, spoken: { ...others, [topic]: { at: now.toISOString(), about } } } };
}
