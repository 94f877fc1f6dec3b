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
