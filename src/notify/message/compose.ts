import { quote } from "../../base/text";
import { plausibleElapsedMs } from "../../base/time";
import type { Family } from "../../lookup/address";
import type { AddressEvent } from "../../state/state";
import { Formatter } from "./formatter";
import { CATALOGS, type Catalog, type Language, type MessageKind, type Unwritable } from "./languages";
import { type Bar, type MessageContent, renderHtml, renderText, type Section } from "./render";

/** What a mail says besides the events themselves. */
export interface MessageFacts {
  language: Language;
  machineName: string;
  /** The line to paste, with `{ip}` in it. */
  sshLine: string;
  hostName: string;
  version: string;
  /** IANA name, such as `Europe/Paris`. @default the system's */
  timeZone?: string | undefined;
  now: Date;
  /** SHA256 fingerprints as ssh shows them; empty where none could be read. */
  hostKeys: readonly HostKey[];
  /** Earlier changes, oldest first: for the bars. */
  history: readonly { family: Family; at: string; address: string }[];
  /** Why what is told could not be recorded. */
  unwritable?: Unwritable | undefined;
  /** Why the mail comes long after what it tells. */
  lateReason?: string | undefined;
  /** Whether a port answers at the new address, asked from outside. */
  reach?: { port: number; isReachable: boolean } | undefined;
  /** Set where the machine started shortly before what is told. */
  restartedMinutesAgo?: number | undefined;
}

export interface HostKey {
  /** As ssh names it: `ED25519`. */
  type: string;
  fingerprint: string;
}

/** A mail, written. */
export interface MailMessage {
  subject: string;
  text: string;
  html: string;
}

/** A mail that comes later than this says why. */
const LATE_AFTER_MS = 3_600_000;

/** Phones show about 40 characters of a subject: the address has to lie within them. */
const SUBJECT_VISIBLE = 40;
/** A name is not cut shorter than this, not even for an IPv6 address of full length. */
const SHORTEST_NAME = 8;

/** Writes the mail that tells `events`, oldest first. */
export function composeMessage(events: readonly AddressEvent[], facts: MessageFacts): MailMessage {
  const content = describeMessage(events.map(readEvent), facts);
  return { subject: content.subject, text: renderText(content), html: renderHtml(content) };
}

/** What the mail says of one family. */
interface FamilyNews {
  family: Family;
  latest: AddressEvent;
  changes: AddressEvent[];
  /** The address that was told last, where it is another one. */
  old: string | undefined;
}

function describeMessage(events: readonly AddressEvent[], given: MessageFacts): MessageContent {
  // The host's and the user's names come from the system: nothing of ours has looked at them.
  const facts = {
    ...given,
    machineName: quote(given.machineName, 60),
    hostName: quote(given.hostName, 60),
    // Never cut: it is there to be pasted.
    sshLine: quote(given.sshLine, Number.POSITIVE_INFINITY),
  };
  const words = CATALOGS[facts.language] ?? CATALOGS.en;
  const formatter = new Formatter(words, facts.timeZone);
  const news = newsByFamily(events);
  const outages = countOutages(events);
  const { kind, main } = judge(news, outages);
  const count = kind === "interrupted" ? formatter.outages(outages) : formatter.changes(countChanges(events));
  const isOneOfTwo = news.length > 1 && news.filter(({ changes }) => changes.length > 0).length === 1;
  const lines = events.map((event) => describeEvent(event, words, formatter));
  return {
    language: facts.language,
    kind,
    colon: words.colon,
    subject: subjectOf(kind, main, count, facts.machineName, words),
    headline: words.headline[kind]({
      machine: facts.machineName,
      count,
      family: isOneOfTwo ? ` IPv${main.family}` : "",
    }),
    warning: facts.unwritable && `${words.unwritable[facts.unwritable] ?? words.unwritable.other} ${words.repeated}`,
    remarks: [
      ...news.filter(({ latest }) => latest.isUnconfirmed).map(({ latest }) => words.unconfirmed(latest.address)),
      ...describeReach(main, facts, words),
      ...describeRestart(facts, words, formatter),
      ...describeOutages(events, outages, kind, words, formatter),
      ...describeDelay(main, facts, words, formatter),
    ],
    sections: [main, ...news.filter((one) => one !== main)].map((one) => sectionOf(one, facts, words, formatter)),
    hostKeys:
      facts.hostKeys.length > 0
        ? {
            title: words.hostKeys,
            advice: words.hostKeysAdvice,
            lines: facts.hostKeys.map(({ type, fingerprint }) => `${quote(fingerprint)} (${quote(type, 20)})`),
          }
        : undefined,
    changes: lines.length > news.length ? { title: words.allChanges, lines } : undefined,
    bars: barsOf(main, facts, words, formatter),
    footer: [words.why({ host: facts.hostName, version: facts.version }), words.stop],
  };
}

const KINDS: readonly string[] = ["first", "change", "back", "heartbeat", "test"] satisfies AddressEvent["kind"][];

/** An event as it was stored, perhaps by another version: a field that is missing must not cost the mail. */
function readEvent(stored: AddressEvent): AddressEvent {
  const { kind, family, address, old, confirmedBy, folded, ...rest } = stored;
  const shown = quote(String(address ?? "?"), 64);
  const isMove = old !== undefined && old !== address;
  return {
    ...rest,
    kind: KINDS.includes(kind) ? kind : isMove ? "change" : "heartbeat",
    family: family === 4 || family === 6 ? family : shown.includes(":") ? 6 : 4,
    address: shown,
    ...(typeof old === "string" && { old: quote(old, 64) }),
    confirmedBy: (Array.isArray(confirmedBy) ? confirmedBy : [])
      .filter((operator) => typeof operator === "string")
      .map((operator) => quote(operator, 80)),
    ...(Number.isInteger(folded) && Number(folded) > 0 && { folded: Number(folded) }),
  };
}

// IPv4 first: that is what most people type.
function newsByFamily(events: readonly AddressEvent[]): FamilyNews[] {
  return ([4, 6] as const).flatMap((family) => {
    const own = events.filter((event) => event.family === family);
    const latest = own.at(-1);
    if (!latest) return [];
    const changes = own.filter(({ kind }) => kind === "change");
    const old = (changes.length > 0 ? changes : own).find((event) => event.old !== undefined)?.old;
    return [{ family, latest, changes, old: old === latest.address ? undefined : old }];
  });
}

/** What kind of mail it is, and the family that its subject, headline and old address speak of. */
function judge(news: readonly FamilyNews[], outages: number): { kind: MessageKind; main: FamilyNews } {
  const moved = news.filter(({ changes }) => changes.length > 0);
  const [main] = moved;
  if (main) {
    // Both families changing at once is one move of the home.
    const isOne = moved.every(({ changes }) => countChanges(changes) === 1);
    const isReturned = main.changes[0]?.old === main.latest.address;
    return { kind: isOne ? "change" : isReturned ? "returned" : "changes", main };
  }
  const rank = ({ latest }: FamilyNews) => KINDS.indexOf(latest.kind);
  const [first] = news.toSorted((a, b) => rank(a) - rank(b));
  if (!first) throw new RangeError("a message tells at least one event");
  const { kind } = first.latest;
  return { kind: kind === "back" && outages > 1 ? "interrupted" : kind, main: first };
}

function countChanges(events: readonly AddressEvent[]): number {
  const changes = events.filter(({ kind }) => kind === "change");
  return changes.reduce((sum, { folded = 0 }) => sum + 1 + folded, 0);
}

/** How often the home was cut off; an outage of both families is one. */
function countOutages(events: readonly AddressEvent[]): number {
  const outages = new Map(events.filter(hasOutage).map((event) => [outageKey(event), event]));
  return [...outages.values()].reduce((sum, { kind, folded = 0 }) => sum + 1 + (kind === "back" ? folded : 0), 0);
}

function hasOutage(event: AddressEvent): event is AddressEvent & { outageSince: string } {
  return event.outageSince !== undefined;
}

function outageKey({ outageSince, at }: AddressEvent): string {
  return `${outageSince} ${at}`;
}

function subjectOf(kind: MessageKind, main: FamilyNews, count: string, machine: string, words: Catalog): string {
  const { lead, brief, note } = words.subject[kind];
  const { address, isUnconfirmed } = main.latest;
  const before = (name: string, text: string) => `${name}${words.colon}${text}${text && " "}`;
  const room = SUBJECT_VISIBLE - address.length;
  const excess = before(machine, brief).length - room;
  const start =
    before(machine, lead).length <= room
      ? before(machine, lead)
      : before(excess > 0 ? shorten(machine, machine.length - excess) : machine, brief);
  const notes = [
    note({ old: main.old === undefined ? "" : words.was(main.old), count }),
    isUnconfirmed ? words.subjectUnconfirmed : "",
  ].filter(Boolean);
  return `${start}${address}${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`;
}

function shorten(name: string, length: number): string {
  const kept = Math.max(SHORTEST_NAME, length);
  // Half of a character beyond the BMP is none.
  return name.length > kept ? `${name.slice(0, kept - 1).replace(/[\uD800-\uDBFF]$/, "")}…` : name;
}

function describeReach({ latest }: FamilyNews, { reach }: MessageFacts, words: Catalog): string[] {
  if (!reach) return [];
  const facts = { address: latest.address, port: String(reach.port) };
  return [reach.isReachable ? words.reachable(facts) : words.unreachable(facts)];
}

function describeRestart({ restartedMinutesAgo }: MessageFacts, words: Catalog, formatter: Formatter): string[] {
  if (restartedMinutesAgo === undefined || !(restartedMinutesAgo >= 0)) return [];
  return [words.restarted(formatter.duration(Math.max(1, Math.round(restartedMinutesAgo)) * 60_000))];
}

/** One outage with its length and its time; several with their number, for the list has each. */
function describeOutages(
  events: readonly AddressEvent[],
  count: number,
  kind: MessageKind,
  words: Catalog,
  formatter: Formatter,
): string[] {
  if (count > 1) {
    const number = kind === "interrupted" ? "" : `${words.severalOutages(formatter.outages(count))} `;
    return [`${number}${words.outagesExplained}`];
  }
  const [event, twin] = events.filter(hasOutage);
  if (!event) return [];
  const { outageSince, at, isUnwatched } = event;
  // Folded changes: whether the outage was before the first or the last of them cannot be told.
  const isKnown = event.folded === undefined && plausibleElapsedMs(outageSince, at) !== undefined;
  const facts = {
    family: formatter.list([event, ...(twin ? [twin] : [])].map(({ family }) => `IPv${family}`)),
    duration: isKnown ? formatter.between(outageSince, at) : words.unknownDuration,
    range: isKnown ? ` (${formatter.range(outageSince, at)})` : "",
  };
  return [isUnwatched ? words.unwatched(facts) : words.outage(facts)];
}

function describeDelay({ latest }: FamilyNews, facts: MessageFacts, words: Catalog, formatter: Formatter): string[] {
  const ms = plausibleElapsedMs(latest.at, facts.now);
  if (facts.lateReason === undefined || ms === undefined || ms < LATE_AFTER_MS) return [];
  const reason = quote(facts.lateReason).replace(/[.\s]+$/, "");
  return [words.late({ duration: formatter.duration(ms), reason })];
}

function describeEvent(event: AddressEvent, words: Catalog, formatter: Formatter): string {
  const { at, old, address, kind, folded, outageSince, isUnwatched } = event;
  const move = old !== undefined && old !== address ? `${old} → ${address}` : address;
  const notes = [
    ...(folded !== undefined && kind === "change" ? [words.foldedChanges(formatter.changes(folded))] : []),
    ...(folded !== undefined && kind === "back" ? [words.afterOutages(formatter.outages(folded + 1))] : []),
    ...(folded === undefined && outageSince
      ? [(isUnwatched ? words.afterPause : words.afterOutage)(formatter.between(outageSince, at))]
      : []),
  ];
  return `${formatter.time(at)}${words.colon}${move}${notes.map((note) => ` (${note})`).join("")}`;
}

function sectionOf(news: FamilyNews, facts: MessageFacts, words: Catalog, formatter: Formatter): Section {
  const { family, latest, changes, old } = news;
  const { address, oldSince, at, confirmedBy, isUnconfirmed } = latest;
  const from = changes[0] ?? latest;
  const held = plausibleElapsedMs(from.oldSince ?? "", from.at);
  const rows: (Section["facts"][number] | undefined)[] = [
    old !== undefined
      ? {
          label: words.oldAddress,
          value: `${old}${held === undefined ? "" : ` (${words.heldFor(formatter.duration(held))})`}`,
        }
      : undefined,
    changes.length === 0 && old === undefined && oldSince !== undefined
      ? { label: words.sinceWhen, value: formatter.time(oldSince) }
      : undefined,
    { label: words.seenAt, value: formatter.time(at) },
    confirmedBy.length > 0
      ? { label: isUnconfirmed ? words.saidBy : words.confirmedBy, value: formatter.list(confirmedBy) }
      : undefined,
  ];
  return {
    title: old === undefined ? words.currentAddress(`IPv${family}`) : words.newAddress(`IPv${family}`),
    old,
    address,
    facts: rows.filter((row) => row !== undefined),
    login: { label: words.login, command: facts.sshLine.replaceAll("{ip}", address) },
  };
}

/** More bars than this are no picture any more. */
const MAX_BARS = 6;

function barsOf(main: FamilyNews, facts: MessageFacts, words: Catalog, formatter: Formatter): MessageContent["bars"] {
  const moves = facts.history.filter(({ family }) => family === main.family);
  const spans = moves.flatMap(({ at, address }, index) => {
    const next = moves[index + 1];
    const ms = plausibleElapsedMs(at, next?.at ?? facts.now);
    // What a wrong clock wrote has no length, and would make the others look like nothing.
    return ms === undefined ? [] : [{ address: quote(String(address), 64), isLast: !next, ms }];
  });
  const shown = spans.slice(-MAX_BARS);
  if (shown.filter(({ ms }) => ms > 0).length < 2) return undefined;
  const longest = Math.max(...shown.map(({ ms }) => ms));
  const rows = shown.map(({ address, isLast, ms }): Bar => {
    const duration = formatter.duration(ms);
    return {
      label: address,
      duration: !isLast ? duration : ms === 0 ? words.untilNow : `${duration} (${words.untilNow})`,
      // The cube root: an hour beside a year can be told from a day.
      share: Math.cbrt(ms / longest),
    };
  });
  return { title: words.lately, rows };
}

/**
 * Writes the mail whatever happens: plainly, in English, where it cannot be composed; then `bug` is why, to be
 * reported after the mail was sent.
 */
export function composeMessageSafely(
  events: readonly AddressEvent[],
  facts: MessageFacts,
): { message: MailMessage; bug?: unknown } {
  try {
    return { message: composeMessage(events, facts) };
  } catch (bug) {
    return { message: composePlainly(events, facts), bug };
  }
}

// As few means as possible: one of them has just failed.
function composePlainly(events: readonly AddressEvent[], { machineName, sshLine }: MessageFacts): MailMessage {
  const { address = "unknown" } = events[events.length - 1] ?? {};
  const lines = events.map((event) => {
    const old = event.old === undefined ? "" : `old address: ${event.old}\n`;
    return `${event.kind} (${event.at})\n${old}new address: ${event.address}\n${sshLine.split("{ip}").join(event.address)}\n`;
  });
  const name = quote(machineName, 20);
  const text = `The public address of ${name}:\n\n${lines.join("\n")}\nThis mail could not be written in full; please report what 'ipcheck check' printed.\n`;
  const body = text.split("&").join("&amp;").split("<").join("&lt;");
  return { subject: quote(`${name}: new address ${address}`), text, html: `<pre>${body}</pre>` };
}
