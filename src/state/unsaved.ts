// The state file is full, read-only or unreadable, and the home moves all the same. What is owed gets
// ids made of the change itself, so that the next run, which may not know of this one, repeats the
// Message-ID; and everybody who was told is told again once a day, until the disk is mended.

import { isDue } from "../base/time";
import { enqueue, eventId, isMove, owedTo } from "./outbox";
import { REPEAT_AFTER_MS } from "./spoken";
import { type AddressEvent, HISTORY, type SaveResult, type State } from "./state";

/** What was known before this run. */
export interface StateBefore {
  /** What was recorded and owed. */
  before: State;
  /** What the state file says, where `before` is a newer state that could not be written there. */
  stateOnDisk?: State | undefined;
}

/** What a run goes on with when the state file could not be written; `channels` are those that are told at all. */
export function prepareUnsaved(
  state: State,
  { before, stateOnDisk }: StateBefore,
  { place, channels, now }: { place: SaveResult["place"]; channels: readonly string[]; now: Date },
): State {
  const known = new Set(before.outbox.map(({ id }) => id));
  const isNew = ({ id }: AddressEvent) => !known.has(id);
  const outbox = state.outbox
    .filter((event) => !isNew(event) || isMove(event) || place !== "nowhere")
    .map((event) => (isNew(event) ? withStableId(event) : event));
  const remindedAt = now.toISOString();
  const hasNews = state.outbox.some((event) => isNew(event) && isMove(event));
  if (hasNews || !state.unsaved) return { ...state, outbox, unsaved: { remindedAt } };
  const last = state.unsaved.remindedAt;
  if (!isDue(last, REPEAT_AFTER_MS, now)) return { ...state, outbox, unsaved: { remindedAt: last } };
  return { ...enqueueReminders({ ...state, outbox }, { stateOnDisk, channels, now }), unsaved: { remindedAt } };
}

/** Owes once more how the addresses differ from what the state file says: to everybody who was told of it. */
function enqueueReminders(
  state: State,
  { stateOnDisk, channels, now }: { stateOnDisk: State | undefined; channels: readonly string[]; now: Date },
): State {
  let next = state;
  for (const family of [4, 6] as const) {
    const recorded = state.families[family]?.recorded;
    const written = stateOnDisk?.families[family]?.recorded;
    if (!recorded || recorded.address === written?.address) continue;
    const event = withStableId({
      id: "",
      kind: written ? "change" : "first",
      family,
      at: recorded.since ?? now.toISOString(),
      ...(written && { old: written.address }),
      ...(written?.since && { oldSince: written.since }),
      address: recorded.address,
      confirmedBy: recorded.confirmedBy,
      ...(recorded.isUnconfirmed && { isUnconfirmed: true as const }),
      told: [],
    });
    // Whoever is still owed the changes themselves is told them, and needs no summary beside them.
    const isOwed = (channel: string) => {
      const owed = owedTo(next, channel).filter((one) => one.family === family && isMove(one) && one.id !== event.id);
      return owed.at(-1)?.address === event.address;
    };
    // An earlier reminder that somebody, or the history, is still owed: they stay owed.
    const waiting = next.outbox.find(({ id }) => id === event.id);
    const told = (waiting?.told ?? channels).filter((channel) => channel === HISTORY || isOwed(channel));
    const reminder = { ...event, told };
    const outbox = next.outbox.map((one) => (one === waiting ? reminder : one));
    next = waiting ? { ...next, outbox } : enqueue(next, reminder);
  }
  return next;
}

function withStableId(event: AddressEvent): AddressEvent {
  return { ...event, id: eventId(event) };
}
