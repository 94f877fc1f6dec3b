import { createHash } from "node:crypto";
import { IpcheckError } from "../base/errors";
import { type Family, parseAddress } from "../lookup/address";
import type { Candidate } from "../lookup/quorum";

/** What is known of the home in one address family. */
const familyState = (address: Guard<string>) =>
  fields(
    {},
    {
      recorded: fields(
        { address, confirmedBy: listOf(isText) },
        {
          /** When it was first seen; unknown where it was taken over from another program. */
          since: isTime,
          /** Accepted although no second operator could be reached. */
          isUnconfirmed: isTrue,
        },
      ),
      candidate: fields({ address, runs: isCount }, { since: isTime }) satisfies Guard<Candidate>,
      /** The services contradicted each other: all are asked until a look is good again. */
      isContradicted: isTrue,
      /** Looks have failed since: cleared by the next good one. */
      outage: fields(
        { failedAt: isTime, runs: isCount, reason: isText },
        {
          /** The last good look before; absent when there never was one. */
          since: isTime,
        },
      ),
    },
  );

/** Something that happened, to be told to every channel. */
const event = (address: Guard<string>) =>
  fields(
    {
      id: isText,
      kind: oneOf("first", "change", "back", "heartbeat", "test"),
      family: oneOf<Family>(4, 6),
      at: isTime,
      address,
      confirmedBy: listOf(isText),
      /** Channels that have been told it, or are told the same in other events. */
      told: listOf(isText),
    },
    {
      /** The address before; absent for a first look. */
      old: address,
      oldSince: isTime,
      isUnconfirmed: isTrue,
      /** The home had not been seen since then. */
      outageSince: isTime,
      /** No run was made since then: the machine was off. */
      isUnwatched: isTrue,
      /** How many earlier ones of its kind were folded into this one to bound the outbox. */
      folded: isCount,
    },
  );

/** How telling went on one channel. */
const channelState = fields(
  {
    /** Failed attempts in a row; 0 after a success. */
    failures: isCount,
    /** How many of them were permanent refusals: the deferral grows with each. */
    refusals: isCount,
    triedAt: isTime,
  },
  {
    /** How many of them ended without the server's answer to the whole message (RFC 1047). */
    unknowns: isCount,
    /** When the last of those was tried: it may have been a mail about a change. */
    unknownAt: isTime,
    /** Why the last attempt failed, safe to print. */
    reason: isText,
    hint: isText,
    /** No attempt before then, unless the configuration or what is owed has changed. */
    deferredUntil: isTime,
    /** The configuration the refusal was about: another one is tried at once. */
    deferredFor: isText,
    /** The latest change in what was refused: a newer one is another message, and tried at once. */
    deferredChange: isText,
    servedAt: isTime,
    /** When the last mail about a change was served. */
    changeServedAt: isTime,
    /** When the last mail about an outage was served. */
    outageServedAt: isTime,
  },
);

const FAMILY_STATES = { 4: familyState(isAddressOf(4)), 6: familyState(isAddressOf(6)) };
const EVENTS = { 4: event(isAddressOf(4)), 6: event(isAddressOf(6)) };

function isFamilies(value: unknown): value is Partial<Record<Family, FamilyState>> {
  return fields({}, FAMILY_STATES)(value) && Object.keys(value).every((family) => Object.hasOwn(FAMILY_STATES, family));
}

function isEvent(value: unknown): value is AddressEvent {
  const family = isRecord(value) && value["family"];
  return (family === 4 || family === 6) && EVENTS[family](value);
}

/**
 * Whether a value has the shape of a state. The checksum shows that a file is whole, not that a program
 * with the same idea of a state wrote it: what passes here can be used without a further look.
 */
export const isState = fields(
  {
    families: isFamilies,
    /** What happened and has not been told to everybody yet, oldest first. */
    outbox: listOf(isEvent),
    /** How telling went, by channel: a recipient's address, or `HOOK`. */
    channels: mapOf(channelState),
    /** Services that asked to be left alone: host → until (ISO 8601 UTC). */
    coolDowns: mapOf(isTime),
  },
  {
    /** When one last did, or was asked in vain in spite of it. */
    backedOffAt: isTime,
    /** When stderr last spoke of a trouble that goes on, and what it was about: to say it once a day. */
    spoken: mapOf(fields({ at: isTime, about: isText }, {})),
    /**
     * The state file could not be written: when people were last told so, and what that file says (a
     * hash). Never in the state file itself.
     */
    unsaved: fields({ remindedAt: isText }, { basedOn: isText }),
  },
);

/** Everything ipcheck remembers from one run to the next: the content of `state.json`. */
export type State = Guarded<typeof isState>;
export type FamilyState = Guarded<ReturnType<typeof familyState>>;
export type Outage = NonNullable<FamilyState["outage"]>;
export type AddressEvent = Guarded<ReturnType<typeof event>>;
export type ChannelState = Guarded<typeof channelState>;

/** The state as it was found. */
export interface LoadedState {
  state: State;
  /** When the last good look was: the state file's mtime; undefined where there is no file. */
  lastLookAt: Date | undefined;
  /** `legacy`: one address in plain text was taken over. `damaged`: not readable as a state. */
  condition: "sound" | "absent" | "legacy" | "damaged" | "unreadable";
  /** Why the state file could not be read, where it is `unreadable`. */
  error?: IpcheckError;
  /** What the state file says, where `state` is a newer one that could not be written there. */
  stateOnDisk?: State;
}

/** Where a state was kept. */
export type SaveResult =
  | { place: "state file" }
  /** The state file cannot be written: the runtime folder holds until the machine restarts. */
  | { place: "runtime folder" | "nowhere"; error: IpcheckError };

/** The channel of `IPCHECK_ON_CHANGE`; no mail address can be called so. */
export const HOOK = "(command)";
/** The channel of `history.jsonl`. */
export const HISTORY = "(history)";
/** The channel that takes the place of mail where no recipient is configured. */
export const STDOUT = "(stdout)";

/** How a channel is called in output. */
export function channelName(channel: string): string {
  return channel.replace(/^\((.*)\)$/, "$1");
}

export const EMPTY_STATE: State = { families: {}, outbox: [], channels: {}, coolDowns: {} };

/** The state without what only concerns its being kept elsewhere. */
export function forStateFile({ unsaved, spoken: { state: _, ...spoken } = {}, ...rest }: State): State {
  return Object.keys(spoken).length > 0 ? { ...rest, spoken } : rest;
}

const VERSION = 1;

/** The text of `state.json`: readable, and sealed with a checksum against bit rot on worn-out cards. */
export function encodeState(state: State): string {
  const content = renameKeys({ version: VERSION, ...state }, NAMES_ON_DISK) as object;
  return `${JSON.stringify({ ...content, checksum: checksumOf(content) }, null, 2)}\n`;
}

/**
 * Reads the text of a state file. A text holding one address, as older scripts wrote it, is taken
 * over. Returns undefined for damage, which a checksum tells from anything this program wrote; whether
 * what is whole has the shape of a state, `isState` says.
 * @throws IpcheckError `state` when a newer version of ipcheck wrote it
 */
export function decodeState(text: string): { state: State; isLegacy: boolean } | undefined {
  const legacy = text.length < 100 ? parseAddress(text.trim()) : undefined;
  if (legacy) {
    const families = { [legacy.family]: { recorded: { address: legacy.address, confirmedBy: [] } } };
    return { state: { ...EMPTY_STATE, families }, isLegacy: true };
  }
  const parsed = parseJson(text);
  if (!isRecord(parsed)) return undefined;
  const { checksum, ...content } = parsed;
  const { version, ...state } = content;
  if (typeof version === "number" && version > VERSION) {
    throw new IpcheckError("state", `the state file was written by a newer ipcheck (format ${version})`, {
      hint: "update ipcheck, or move the state file away to begin anew; it was not touched",
    });
  }
  if (version !== VERSION || !isSealed(content, checksum)) return undefined;
  return { state: renameKeys(state, NAMES_IN_MEMORY) as State, isLegacy: false };
}

/** What version 1 of the file calls things; the names stay, so that an older ipcheck reads a newer one's state too. */
const NAMES_ON_DISK: Record<string, string> = {
  coolDowns: "rests",
  outage: "blind",
  outageSince: "blindSince",
  deferredUntil: "pausedUntil",
  deferredFor: "pausedFor",
};

const NAMES_IN_MEMORY = Object.fromEntries(Object.entries(NAMES_ON_DISK).map(([ours, theirs]) => [theirs, ours]));

function renameKeys(value: unknown, names: Record<string, string>): unknown {
  if (Array.isArray(value)) return value.map((item) => renameKeys(item, names));
  if (!isRecord(value)) return value;
  const rename = (key: string) => (Object.hasOwn(names, key) ? names[key] : key);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [rename(key), renameKeys(item, names)]));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Also a RangeError, for ten thousand opening brackets.
  }
}

function isSealed(content: object, checksum: unknown): boolean {
  try {
    return checksumOf(content) === checksum;
  } catch {
    return false; // A RangeError again: what can be parsed may be nested too deep to be written.
  }
}

function checksumOf(content: object): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
}

/** Whether a value has a shape; the type is read off it. */
type Guard<T> = (value: unknown) => value is T;
type Guarded<C> = C extends Guard<infer T> ? T : never;
type Guards = Record<string, Guard<unknown>>;
type Fields<Needed extends Guards, Optional extends Guards> = {
  [Name in keyof Needed]: Guarded<Needed[Name]>;
} & { [Name in keyof Optional]?: Guarded<Optional[Name]> };

/** The fields that must be there, and those that may; further ones are another version's, and stay. */
function fields<Needed extends Guards, Optional extends Guards>(needed: Needed, optional: Optional) {
  // Only an object's own count: JSON can name `__proto__`.
  return (value: unknown): value is { [Name in keyof Fields<Needed, Optional>]: Fields<Needed, Optional>[Name] } =>
    isRecord(value) &&
    Object.entries(needed).every(([name, guard]) => Object.hasOwn(value, name) && guard(value[name])) &&
    Object.entries(optional).every(([name, guard]) => !Object.hasOwn(value, name) || guard(value[name]));
}

// However many entries there are: the size of the whole file is bounded where it is read.
function listOf<T>(guard: Guard<T>): Guard<T[]> {
  return (value): value is T[] => Array.isArray(value) && value.every(guard);
}

function mapOf<T>(guard: Guard<T>): Guard<Record<string, T>> {
  return (value): value is Record<string, T> => isRecord(value) && Object.values(value).every(guard);
}

function oneOf<const T>(...values: T[]): Guard<T> {
  return (value): value is T => values.includes(value as T);
}

function isAddressOf(family: Family): Guard<string> {
  return (value): value is string => isText(value) && parseAddress(value)?.family === family;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTrue(value: unknown): value is true {
  return value === true;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** A time as we write it, ISO 8601 in UTC: none of the further spellings and comments that Date.parse takes. */
export function isTime(value: unknown): value is string {
  const isIso = typeof value === "string" && /^([+-]\d\d)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(value);
  return isIso && !Number.isNaN(Date.parse(value));
}
