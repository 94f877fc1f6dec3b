// The state file is full, read-only or unreadable, and the home moves all the same. What is owed gets
// names that follow from the change itself, so that the next run, which may not know of this one,
// repeats the Message-ID; and whoever was told is told again once a day, until somebody mends it.

import { isDue } from "../base/time";
import { enqueue, eventId, isMove } from "../state/outbox";
import { REPEAT_AFTER_MS } from "../state/recording";
import { type AddressEvent, HISTORY, type Keeping, type State } from "../state/state";

/** What was known before this run. */
export interface Before {
  /** What was recorded and owed. */
  before: State;
  /** What the state file says, where `before` is a newer state that could not be written there. */
  stateFile?: State | undefined;
}

/** What a run goes on with when the state file could not be written. */
export function prepareUnsaved(state: State, { before, stateFile }: Before, place: Keeping["place"], now: Date): State {
  const { unsaved } = state;
  const known = new Set(before.outbox.map(({ id }) => id));
  const isNew = ({ id }: AddressEvent) => !known.has(id);
  const hasNews = state.outbox.some((event) => isNew(event) && isMove(event));
  const outbox = state.outbox
    .filter((event) => !isNew(event) || isMove(event) || place !== "nowhere")
    .map((event) => (isNew(event) ? renamed(event) : event));
  const isReminderDue = !hasNews && unsaved !== undefined && isDue(unsaved.remindedAt, REPEAT_AFTER_MS, now);
  const next = isReminderDue ? oweReminders({ ...state, outbox }, stateFile, now) : { ...state, outbox };
  const remindedAt = unsaved && !hasNews && !isReminderDue ? unsaved.remindedAt : now.toISOString();
  return { ...next, unsaved: { remindedAt } };
}

/** Owes everybody once more how the addresses differ from what the state file says. */
function oweReminders(state: State, stateFile: State | undefined, now: Date): State {
  let next = state;
  for (const family of [4, 6] as const) {
    const recorded = state.families[family]?.recorded;
    const written = stateFile?.families[family]?.recorded;
    if (!recorded || recorded.address === written?.address) continue;
    const event = renamed({
      id: "",
      kind: written ? "change" : "first",
      family,
      at: recorded.since ?? now.toISOString(),
      ...(written && { old: written.address }),
      ...(written?.since && { oldSince: written.since }),
      address: recorded.address,
      confirmedBy: recorded.confirmedBy,
      ...(recorded.isUnconfirmed && { isUnconfirmed: true as const }),
      told: [HISTORY],
    });
    // Still there where the history could not be written: its line stays owed, and in its place.
    const untold = (one: AddressEvent) => ({ ...one, told: one.told.filter((channel) => channel === HISTORY) });
    const isWaiting = next.outbox.some(({ id }) => id === event.id);
    const outbox = next.outbox.map((one) => (one.id === event.id ? untold(one) : one));
    next = isWaiting ? { ...next, outbox } : enqueue(next, event);
  }
  return next;
}

function renamed(event: AddressEvent): AddressEvent {
  return { ...event, id: eventId(event) };
}
