import { parseAddress } from "../lookup/address";
import type { Candidate } from "../lookup/quorum";
import type { AddressEvent, Channel, FamilyState, Outage, Recorded, State } from "./state";

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
