import { type DurationPart, elapsedMs, splitDuration } from "../../base/duration";
import { quote } from "../../base/quote";
import type { Family } from "../../lookup/address";
import type { AddressEvent } from "../../state/state";
import type { Catalog, MessageKind } from "./catalog";
import type { MessageContent, Section } from "./content";
import { renderHtml } from "./html";
import { CATALOGS, type Language } from "./languages";
import { renderText } from "./text";

/** What a mail says besides the events themselves. */
export interface MessageFacts {
  language: Language;
  machineName: string;
  /** The line to paste, with `{ip}` in it. */
  sshLine: string;
  hostName: string;
  version: string;
  /** IANA name, such as `Europe/Paris`. */
  timeZone: string;
  now: Date;
  /** SHA256 fingerprints as ssh shows them; empty where none could be read. */
  hostKeys: readonly HostKey[];
  /** Earlier changes, oldest first: for the bars. */
  history: readonly { family: Family; at: string; address: string }[];
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

/** Writes the mail that tells `events`, oldest first. */
export function composeMessage(events: readonly AddressEvent[], facts: MessageFacts): MailMessage {
  const content = describeLetter(events, facts);
  return { subject: content.subject, text: renderText(content), html: renderHtml(content) };
}

function describeLetter(events: readonly AddressEvent[], given: MessageFacts): MessageContent {
  // The host's and the user's names come from the system: nothing of ours has looked at them.
  const facts = {
    ...given,
    machineName: quote(given.machineName, 60),
    hostName: quote(given.hostName, 60),
    // Never cut: it is there to be pasted.
    sshLine: quote(given.sshLine, Number.POSITIVE_INFINITY),
  };
  const words = CATALOGS[facts.language];
  const formatter = new Formatter(words, facts.timeZone);
  const latest = latestByFamily(events);
  const count = formatter.count(countChanges(events));
  const kind = kindOf(events);
  const [main] = latest;
  if (!main) throw new RangeError("a message tells at least one event");
  const firstOld = events.find(({ family, old }) => family === main.family && old !== undefined)?.old ?? "";
  const outcome = words.subject[kind]({ old: firstOld, count });
  const doubt = latest.some(({ isUnconfirmed }) => isUnconfirmed) ? ` (${words.subjectUnconfirmed})` : "";
  const outage = events.find(({ outageSince }) => outageSince !== undefined);
  const lines = events.map((event) => formatter.line(event));
  return {
    language: facts.language,
    colon: words.colon,
    subject: `${facts.machineName} ${main.address} ${outcome}${doubt}`,
    headline: words.headline[kind]({ machine: facts.machineName, count }),
    remarks: [
      ...(doubt ? [words.unconfirmed] : []),
      ...(outage ? [words.outageFor(formatter.duration(elapsedMs(outage.outageSince ?? "", outage.at)))] : []),
    ],
    sections: latest.map((event) => sectionOf(event, facts, words, formatter)),
    hostKeys:
      facts.hostKeys.length > 0
        ? {
            title: words.hostKeys,
            advice: words.hostKeysAdvice,
            lines: facts.hostKeys.map(({ type, fingerprint }) => `${fingerprint} (${type})`),
          }
        : undefined,
    changes: lines.length > latest.length ? { title: words.allChanges, lines } : undefined,
    bars: barsOf(main, facts, words, formatter),
    footer: [words.why({ host: facts.hostName, version: facts.version }), words.stop],
  };
}

function kindOf(events: readonly AddressEvent[]): MessageKind {
  // Both families changing at once is one move of the home.
  const steps = latestByFamily(events).map(({ family }) => countChanges(events.filter((one) => one.family === family)));
  if (steps.some((count) => count > 1)) return "changes";
  if (steps.includes(1)) return "change";
  return events.some(({ kind }) => kind === "first") ? "first" : (events.at(-1)?.kind ?? "change");
}

function countChanges(events: readonly AddressEvent[]): number {
  const changes = events.filter(({ kind }) => kind === "change");
  return changes.reduce((sum, { folded = 0 }) => sum + 1 + folded, 0);
}

// IPv4 first: that is what most people type.
function latestByFamily(events: readonly AddressEvent[]): AddressEvent[] {
  const families: Family[] = [4, 6];
  return families.flatMap((family) => events.filter((one) => one.family === family).slice(-1));
}

function sectionOf(event: AddressEvent, facts: MessageFacts, words: Catalog, formatter: Formatter): Section {
  const { kind, family, address, old, oldSince, at, confirmedBy, isUnconfirmed } = event;
  const isMove = kind === "change" || kind === "test";
  const title = isMove ? words.newAddress(`IPv${family}`) : words.currentAddress(`IPv${family}`);
  const held = oldSince === undefined ? "" : ` (${words.heldFor(formatter.duration(elapsedMs(oldSince, at)))})`;
  const rows: (Section["facts"][number] | undefined)[] = [
    isMove && old !== undefined ? { label: words.oldAddress, value: `${old}${held}` } : undefined,
    !isMove && oldSince !== undefined ? { label: words.sinceWhen, value: formatter.time(oldSince) } : undefined,
    { label: words.seenAt, value: formatter.time(at) },
    confirmedBy.length > 0
      ? {
          label: isUnconfirmed ? words.saidBy : words.confirmedBy,
          value: formatter.list(confirmedBy.map((operator) => quote(operator, 80))),
        }
      : undefined,
  ];
  return {
    title,
    address,
    facts: rows.filter((row) => row !== undefined),
    login: { label: words.login, command: facts.sshLine.replaceAll("{ip}", address) },
  };
}

/** More bars than this are no picture any more. */
const MAX_BARS = 6;

function barsOf(main: AddressEvent, facts: MessageFacts, words: Catalog, formatter: Formatter): MessageContent["bars"] {
  const moves = facts.history.filter(({ family }) => family === main.family);
  if (moves.length < 2) return undefined;
  const spans = moves.map(({ at, address }, index) => {
    const next = moves[index + 1];
    return { address, isLast: !next, ms: elapsedMs(at, next?.at ?? facts.now) };
  });
  const shown = spans.slice(-MAX_BARS);
  const longest = Math.max(1, ...shown.map(({ ms }) => ms));
  const rows = shown.map(({ address, isLast, ms }) => ({
    label: address,
    duration: isLast ? `${formatter.duration(ms)} (${words.untilNow})` : formatter.duration(ms),
    share: ms / longest,
  }));
  return { title: words.lately, rows };
}

/** Times, durations, counts and lists as a language writes them. */
class Formatter {
  private readonly clock: Intl.DateTimeFormat;
  private readonly conjunction: Intl.ListFormat;
  private readonly plural: Intl.PluralRules;

  constructor(
    private readonly words: Catalog,
    timeZone: string,
  ) {
    this.clock = new Intl.DateTimeFormat(words.locale, { dateStyle: "full", timeStyle: "long", timeZone });
    this.conjunction = new Intl.ListFormat(words.locale);
    this.plural = new Intl.PluralRules(words.locale);
  }

  time(at: string): string {
    return this.clock.format(new Date(at));
  }

  duration(ms: number): string {
    return splitDuration(ms)
      .map(({ value, unit }: DurationPart) =>
        new Intl.NumberFormat(this.words.locale, { style: "unit", unit, unitDisplay: "long" }).format(value),
      )
      .join(" ");
  }

  count(changes: number): string {
    const { locale, changes: forms } = this.words;
    const form = forms[this.plural.select(changes)] ?? forms.other;
    const number = new Intl.NumberFormat(locale).format(changes);
    return form ? form(number) : number;
  }

  list(items: readonly string[]): string {
    return this.conjunction.format(items);
  }

  line({ at, old, address, folded }: AddressEvent): string {
    const move = old !== undefined && old !== address ? `${old} → ${address}` : address;
    const steps = folded === undefined ? "" : ` (${this.words.foldedChanges(this.count(folded))})`;
    return `${this.time(at)}${this.words.colon}${move}${steps}`;
  }
}
