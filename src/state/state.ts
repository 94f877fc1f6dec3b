import { createHash } from "node:crypto";
import { IpcheckError } from "../base/errors";
import { type Family, parseAddress } from "../lookup/address";
import type { Candidate } from "../lookup/quorum";

/** Everything ipcheck remembers from one run to the next: the content of `state.json`. */
export interface State {
  families: Partial<Record<Family, FamilyState>>;
  /** What happened and has not been told to everybody yet, oldest first. */
  outbox: AddressEvent[];
  /** How telling went, by channel: a recipient's address, or `HOOK`. */
  channels: Record<string, Channel>;
  /** Services that asked to be left alone: host → until (ISO 8601 UTC). */
  coolDowns: Record<string, string>;
  /** When one last did, or was asked in vain in spite of it. */
  backedOffAt?: string;
  /** When stderr last spoke of a trouble that goes on, and what it was about: to say it once a day. */
  spoken?: Record<string, { at: string; about: string }>;
  /**
   * The state file could not be written: when people were last told so, and what that file says (a
   * hash). Never in the state file itself.
   */
  unsaved?: { remindedAt: string; basedOn?: string };
}

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
  stateFile?: State;
}

/** Where a state was kept. */
export type Keeping =
  | { place: "state file" }
  /** The state file cannot be written: the runtime folder holds until the machine restarts. */
  | { place: "runtime folder" | "nowhere"; error: IpcheckError };

/** What is known of the home in one address family. */
export interface FamilyState {
  recorded?: Recorded;
  candidate?: Candidate;
  /** The services contradicted each other: all are asked until a look is good again. */
  isContradicted?: true;
  outage?: Outage;
}

export interface Recorded {
  address: string;
  /** When it was first seen; unknown where it was taken over from another program. */
  since?: string;
  confirmedBy: string[];
  /** Accepted although no second operator could be reached. */
  isUnconfirmed?: true;
}

/** Looks have failed since: cleared by the next good one. */
export interface Outage {
  /** The last good look before; absent when there never was one. */
  since?: string;
  failedAt: string;
  runs: number;
  reason: string;
}

/** Something the owner is owed word of. */
export interface AddressEvent {
  id: string;
  kind: "first" | "change" | "back" | "heartbeat" | "test";
  family: Family;
  at: string;
  /** The address before; absent for a first look. */
  old?: string;
  oldSince?: string;
  address: string;
  confirmedBy: string[];
  isUnconfirmed?: true;
  /** The home had not been seen since then. */
  outageSince?: string;
  /** No run was made since then: the machine was off. */
  isUnwatched?: true;
  /** How many earlier ones of its kind were folded into this one to bound the outbox. */
  folded?: number;
  /** Channels that have acknowledged it. */
  told: string[];
}

export interface Channel {
  /** Failed attempts in a row; 0 after a success. */
  failures: number;
  /** How many of them were permanent refusals: the deferral grows with each. */
  refusals: number;
  /** How many of them ended without the server's answer to the whole message (RFC 1047). */
  unknowns?: number;
  /** When the last of those was tried: it may have been a mail about a change. */
  unknownAt?: string;
  triedAt: string;
  /** Why the last attempt failed, safe to print. */
  reason?: string;
  hint?: string;
  /** No attempt before then, unless the configuration or what is owed has changed. */
  deferredUntil?: string;
  /** The configuration the refusal was about: another one is tried at once. */
  deferredFor?: string;
  /** The latest change in what was refused: a newer one is another message, and tried at once. */
  deferredChange?: string;
  servedAt?: string;
  /** When the last mail about a change was served. */
  changeServedAt?: string;
  /** When the last mail about an outage was served. */
  outageServedAt?: string;
}

/** The channel of `IPCHECK_ON_CHANGE`; no mail address can be called so. */
export const HOOK = "(command)";

/** How a channel is called in output. */
export function channelName(channel: string): string {
  return channel.replace(/^\((.*)\)$/, "$1");
}
/** The channel of `history.jsonl`. */
export const HISTORY = "(history)";
/** The channel that takes the place of mail where no recipient is configured. */
export const STDOUT = "(stdout)";

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
    const familyState: FamilyState = { recorded: { address: legacy.address, confirmedBy: [] } };
    return {
      state: { ...structuredClone(EMPTY_STATE), families: { [legacy.family]: familyState } },
      isLegacy: true,
    };
  }
  const parsed = parseJson(text);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
  const { checksum, ...content } = parsed as Record<string, unknown>;
  const { version, ...state } = content;
  if (typeof version === "number" && version > VERSION) {
    throw new IpcheckError("state", `the state file was written by a newer ipcheck (format ${version})`, {
      hint: "update ipcheck, or move the state file away to begin anew; it was not touched",
    });
  }
  if (version !== VERSION || typeof checksum !== "string" || !isSealed(content, checksum)) return undefined;
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
  if (typeof value !== "object" || value === null) return value;
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

function isSealed(content: object, checksum: string): boolean {
  try {
    return checksumOf(content) === checksum;
  } catch {
    return false; // A RangeError again: what can be parsed may be nested too deep to be written.
  }
}

function checksumOf(content: object): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
}

/**
 * Whether a value has the shape of a state. The checksum shows that a file is whole, not that a program
 * with the same idea of a state wrote it: what passes here can be used without a further look.
 */
export function isState(value: unknown): value is State {
  return hasFields<State>(
    {
      families: isMapOf(
        (familyState, family) => ["4", "6"].includes(family) && isFamilyState(familyState, Number(family)),
      ),
      outbox: isListOf(isEvent),
      channels: isMapOf(isChannel),
      coolDowns: isMapOf(isTime),
    },
    {
      backedOffAt: isTime,
      spoken: isMapOf(hasFields<NonNullable<State["spoken"]>[string]>({ at: isTime, about: isText }, {})),
      unsaved: hasFields<NonNullable<State["unsaved"]>>({ remindedAt: isText }, { basedOn: isText }),
    },
  )(value);
}

/** A time as we write it, ISO 8601 in UTC: none of the further spellings and comments that Date.parse takes. */
export function isTime(value: unknown): value is string {
  const isIso = typeof value === "string" && /^([+-]\d\d)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(value);
  return isIso && !Number.isNaN(Date.parse(value));
}

function isFamilyState(value: unknown, family: number): boolean {
  const address = isAddressOf(family);
  return hasFields<FamilyState>(
    {},
    {
      recorded: hasFields<Recorded>(
        { address, confirmedBy: isListOf(isText) },
        { since: isTime, isUnconfirmed: isTrue },
      ),
      candidate: hasFields<Candidate>({ address, runs: isCount }, { since: isTime }),
      isContradicted: isTrue,
      outage: hasFields<Outage>({ failedAt: isTime, runs: isCount, reason: isText }, { since: isTime }),
    },
  )(value);
}

function isEvent(value: unknown): boolean {
  const address = isAddressOf(isRecord(value) ? value["family"] : undefined);
  return hasFields<AddressEvent>(
    {
      id: isText,
      kind: isOneOf<AddressEvent["kind"]>("first", "change", "back", "heartbeat", "test"),
      family: isOneOf(4, 6),
      at: isTime,
      address,
      confirmedBy: isListOf(isText),
      told: isListOf(isText),
    },
    {
      old: address,
      oldSince: isTime,
      isUnconfirmed: isTrue,
      outageSince: isTime,
      isUnwatched: isTrue,
      folded: isCount,
    },
  )(value);
}

function isChannel(value: unknown): boolean {
  return hasFields<Channel>(
    { failures: isCount, refusals: isCount, triedAt: isTime },
    {
      unknowns: isCount,
      unknownAt: isTime,
      reason: isText,
      hint: isText,
      deferredUntil: isTime,
      deferredFor: isText,
      deferredChange: isText,
      servedAt: isTime,
      changeServedAt: isTime,
      outageServedAt: isTime,
    },
  )(value);
}

type Check = (value: unknown) => boolean;

/** One check for each field that must be there, and for each that may: a field without one is a compiler's error. */
type Needed<T> = { [Name in keyof T as T extends Record<Name, T[Name]> ? Name : never]: Check };
type Optional<T> = { [Name in keyof T as T extends Record<Name, T[Name]> ? never : Name]-?: Check };

// Further fields are another version's, and stay. Only an object's own count: JSON can name `__proto__`.
function hasFields<T>(needed: Needed<T>, optional: Optional<T>): Check {
  return (value) => {
    if (!isRecord(value)) return false;
    const isSound = ([name, check]: [string, Check]) => check(value[name]);
    const isThere = ([name]: [string, Check]) => Object.hasOwn(value, name);
    const checks = Object.entries<Check>(needed);
    return checks.every(isThere) && [...checks, ...Object.entries<Check>(optional).filter(isThere)].every(isSound);
  };
}

// However many entries there are: the size of the whole file is bounded where it is read.
function isListOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

function isMapOf(check: (value: unknown, key: string) => boolean): Check {
  return (value) => isRecord(value) && Object.entries(value).every(([key, item]) => check(item, key));
}

function isOneOf<T>(...values: T[]): Check {
  return (value) => values.includes(value as T);
}

function isAddressOf(family: unknown): Check {
  return (value) => typeof value === "string" && parseAddress(value)?.family === family;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isTrue(value: unknown): boolean {
  return value === true;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
