import { escapeXml, quote } from "../../base/text";
import { plausibleElapsedMs } from "../../base/time";
import type { Family } from "../../lookup/address";
import type { AddressEvent } from "../../state/state";
import { type Formatter, makeFormatter } from "./formatter";
import { CATALOGS, type Catalog, fill, type Language, type MessageKind, type Unwritable } from "./languages";
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

/** More bars than this cannot be taken in at a glance. */
const MAX_BARS = 6;

/**
 * Writes the mail that tells `events`, oldest first, whatever happens: plainly, in English, where it cannot be composed;
 * then `onBug` is told why.
 */
export function composeMessage(
  events: readonly AddressEvent[],
  facts: MessageFacts,
  onBug: (bug: unknown) => void,
): MailMessage {
  try {
    const content = describeMessage(events, facts);
    return { subject: content.subject, text: renderText(content), html: renderHtml(content) };
  } catch (bug) {
    onBug(bug);
    return composePlainly(events, facts);
  }
}

/** The facts, and the language they are told in. */
interface Context extends MessageFacts {
  words: Catalog;
  formatter: Formatter;
}

/** What the mail says of one family. */
interface FamilyNews {
  family: Family;
  latest: AddressEvent;
  changes: AddressEvent[];
  /** The address that was told last, where it is another one. */
  old: string | undefined;
}

function describeMessage(events: readonly AddressEvent[], facts: MessageFacts): MessageContent {
  const words = CATALOGS[facts.language];
  const formatter = makeFormatter(words, facts.timeZone);
  const context: Context = {
    ...facts,
    words,
    formatter,
    // The host's and the user's names come from the system: nothing of ours has looked at them.
    machineName: quote(facts.machineName, 60),
    hostName: quote(facts.hostName, 60),
    // Never cut: it is there to be pasted.
    sshLine: quote(facts.sshLine, Number.POSITIVE_INFINITY),
  };
  const { language, machineName: machine, hostName: host, hostKeys, version, unwritable } = context;
  const news = newsByFamily(events);
  const outages = countOutages(events);
  const { kind, main } = classify(news, outages);
  const count = kind === "interrupted" ? formatter.outages(outages) : formatter.changes(countChanges(events));
  const isOneOfTwo = news.length > 1 && news.filter(({ changes }) => changes.length > 0).length === 1;
  return {
    language,
    kind,
    words,
    subject: subjectOf(kind, main, count, context),
    headline: fill(words.headline[kind], { machine, count, family: isOneOfTwo ? ` IPv${main.family}` : "" }),
    warning: unwritable && `${words.unwritable[unwritable]} ${words.repeated}`,
    remarks: remarksOf(events, news, { kind, main, outages }, context),
    sections: [main, ...news.filter((one) => one !== main)].map((one) => sectionOf(one, context)),
    hostKeys: hostKeys.map(({ type, fingerprint }) => `${fingerprint} (${type})`),
    changes: events.length > news.length ? events.map((event) => describeEvent(event, context)) : [],
    bars: barsOf(main, context),
    footer: [fill(words.why, { host, version }), words.stop],
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

/** Where nothing changed, the first of these decides what kind of mail it is. */
const RANKS: readonly AddressEvent["kind"][] = ["first", "change", "back", "heartbeat", "test"];

/** What kind of mail it is, and the family that its subject, headline and old address speak of. */
function classify(news: readonly FamilyNews[], outages: number): { kind: MessageKind; main: FamilyNews } {
  const moved = news.filter(({ changes }) => changes.length > 0);
  const [main] = moved;
  if (main) {
    // Both families changing at once is one move of the home.
    const isOne = moved.every(({ changes }) => countChanges(changes) === 1);
    const isReturned = main.changes[0]?.old === main.latest.address;
    return { kind: isOne ? "change" : isReturned ? "returned" : "changes", main };
  }
  const rank = ({ latest }: FamilyNews) => RANKS.indexOf(latest.kind);
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
  const outages = new Map(events.filter(hasOutage).map((event) => [`${event.outageSince} ${event.at}`, event]));
  return [...outages.values()].reduce((sum, { kind, folded = 0 }) => sum + 1 + (kind === "back" ? folded : 0), 0);
}

function hasOutage(event: AddressEvent): event is AddressEvent & { outageSince: string } {
  return event.outageSince !== undefined;
}

function subjectOf(kind: MessageKind, main: FamilyNews, count: string, context: Context): string {
  const { words, machineName } = context;
  const { lead, brief, notes = [] }: { lead: string; brief: string; notes?: string[] } = words.subject[kind];
  const { address, isUnconfirmed } = main.latest;
  const before = (name: string, text: string) => `${name}${words.colon}${text}${text && " "}`;
  const room = SUBJECT_VISIBLE - address.length;
  const excess = Math.max(0, before(machineName, brief).length - room);
  const start =
    before(machineName, lead).length <= room
      ? before(machineName, lead)
      : before(shorten(machineName, machineName.length - excess), brief);
  const old = main.old === undefined ? "" : fill(words.was, { old: main.old });
  const filled = notes.map((note) => fill(note, { old, count }));
  const shown = [...filled, isUnconfirmed ? words.subjectUnconfirmed : ""].filter(Boolean).join(", ");
  return `${start}${address}${shown && ` (${shown})`}`;
}

function shorten(name: string, length: number): string {
  const kept = Math.max(SHORTEST_NAME, length);
  // Do not leave half of a surrogate pair.
  return name.length > kept ? `${name.slice(0, kept - 1).replace(/[\uD800-\uDBFF]$/, "")}…` : name;
}

/** What needs a sentence of its own, below the headline. */
function remarksOf(
  events: readonly AddressEvent[],
  news: readonly FamilyNews[],
  { kind, main, outages }: { kind: MessageKind; main: FamilyNews; outages: number },
  context: Context,
): string[] {
  const { words, formatter, reach, restartedMinutesAgo } = context;
  const { address, kind: latestKind, confirmedBy } = main.latest;
  const unconfirmed = news.filter(({ latest }) => latest.isUnconfirmed);
  const minutes = restartedMinutesAgo === undefined ? undefined : Math.max(1, Math.round(restartedMinutesAgo));
  const remarks = [
    ...unconfirmed.map(({ latest }) => fill(words.unconfirmed, { address: latest.address })),
    latestKind === "test" && confirmedBy.length === 0 && fill(words.standIn, { address }),
    reach && fill(reach.isReachable ? words.reachable : words.unreachable, { address, port: String(reach.port) }),
    minutes && fill(words.restarted, { duration: formatter.duration(minutes * 60_000) }),
    describeOutages(events, outages, kind, context),
    describeDelay(main, context),
  ];
  return remarks.filter((remark) => typeof remark === "string");
}

/** One outage with its length and its time; several with their number, for the list has each. */
function describeOutages(
  events: readonly AddressEvent[],
  count: number,
  kind: MessageKind,
  { words, formatter }: Context,
): string | undefined {
  if (count > 1) {
    const number =
      kind === "interrupted" ? "" : `${fill(words.severalOutages, { outages: formatter.outages(count) })} `;
    return `${number}${words.outagesExplained}`;
  }
  const outages = events.filter(hasOutage);
  const [event] = outages;
  if (!event) return undefined;
  const { outageSince, at, isUnwatched } = event;
  // Folded changes: whether the outage was before the first or the last of them cannot be told.
  const isKnown = event.folded === undefined && plausibleElapsedMs(outageSince, at) !== undefined;
  return fill(isUnwatched ? words.unwatched : words.outage, {
    family: formatter.list(outages.map(({ family }) => `IPv${family}`)),
    duration: isKnown ? formatter.between(outageSince, at) : words.unknownDuration,
    range: isKnown ? ` (${formatter.range(outageSince, at)})` : "",
  });
}

function describeDelay({ latest }: FamilyNews, { lateReason, now, words, formatter }: Context): string | undefined {
  const ms = plausibleElapsedMs(latest.at, now);
  if (lateReason === undefined || ms === undefined || ms < LATE_AFTER_MS) return undefined;
  const reason = quote(lateReason).replace(/[.\s]+$/, "");
  return fill(words.late, { duration: formatter.duration(ms), reason });
}

function describeEvent(event: AddressEvent, { words, formatter }: Context): string {
  const { at, old, address, kind, folded, outageSince, isUnwatched } = event;
  const move = old !== undefined && old !== address ? `${old} → ${address}` : address;
  let note = "";
  if (folded === undefined && outageSince) {
    const duration = formatter.between(outageSince, at);
    note = fill(isUnwatched ? words.afterPause : words.afterOutage, { duration });
  } else if (folded !== undefined && kind === "change") {
    note = fill(words.foldedChanges, { count: formatter.changes(folded) });
  } else if (folded !== undefined && kind === "back") {
    note = fill(words.afterOutages, { outages: formatter.outages(folded + 1) });
  }
  return `${formatter.time(at)}${words.colon}${move}${note && ` (${note})`}`;
}

function sectionOf({ family, latest, changes, old }: FamilyNews, { words, formatter, sshLine }: Context): Section {
  const { address, oldSince, at, isUnconfirmed } = latest;
  const confirmedBy = latest.confirmedBy.map((operator) => quote(operator, 80));
  const from = changes[0] ?? latest;
  const heldMs = plausibleElapsedMs(from.oldSince ?? "", from.at);
  const held = heldMs === undefined ? "" : ` (${fill(words.heldFor, { duration: formatter.duration(heldMs) })})`;
  const isStill = changes.length === 0 && old === undefined && oldSince !== undefined;
  const facts: [label: string, value: string | undefined][] = [
    [words.oldAddress, old && `${old}${held}`],
    [words.sinceWhen, isStill ? formatter.time(oldSince) : undefined],
    [words.seenAt, formatter.time(at)],
    [
      isUnconfirmed ? words.saidBy : words.confirmedBy,
      confirmedBy.length > 0 ? formatter.list(confirmedBy) : undefined,
    ],
  ];
  return {
    title: fill(old === undefined ? words.currentAddress : words.newAddress, { family: `IPv${family}` }),
    old,
    address,
    facts: facts.filter((fact) => fact[1] !== undefined) as [string, string][],
    login: sshLine.replaceAll("{ip}", address),
  };
}

function barsOf(main: FamilyNews, { history, now, words, formatter }: Context): Bar[] {
  const moves = history.filter(({ family }) => family === main.family);
  const spans = moves.flatMap(({ at, address }, index) => {
    const next = moves[index + 1];
    const elapsedMs = plausibleElapsedMs(at, next?.at ?? now);
    // A mail about a change leaves within the second: no time at all, and no bar.
    const ms = elapsedMs !== undefined && elapsedMs < 1000 ? 0 : elapsedMs;
    // What a wrong clock wrote has no length, and would make the others look like nothing.
    return ms === undefined ? [] : [{ address, isLast: !next, ms }];
  });
  const shown = spans.slice(-MAX_BARS);
  if (shown.filter(({ ms }) => ms > 0).length < 2) return [];
  const longest = Math.max(...shown.map(({ ms }) => ms));
  return shown.map(({ address, isLast, ms }) => {
    const duration = formatter.duration(ms);
    return {
      label: address,
      duration: !isLast ? duration : ms === 0 ? words.untilNow : `${duration} (${words.untilNow})`,
      // The cube root: an hour beside a year can be told from a day.
      share: Math.cbrt(ms / longest),
    };
  });
}

// With as little code as possible, because some of it has just failed.
function composePlainly(events: readonly AddressEvent[], { machineName, sshLine }: MessageFacts): MailMessage {
  const lines = events.map(({ kind, at, old, address }) => {
    const before = old === undefined ? "" : `old address: ${old}\n`;
    return `${kind} (${at})\n${before}new address: ${address}\n${sshLine.split("{ip}").join(address)}\n`;
  });
  const name = quote(machineName, 20);
  const text = `The public address of ${name}:\n\n${lines.join("\n")}\nThis mail could not be written in full; please report what 'ipcheck check' printed.\n`;
  const subject = quote(`${name}: new address ${events.at(-1)?.address ?? "unknown"}`);
  return { subject, text, html: `<pre>${escapeXml(text)}</pre>` };
}
