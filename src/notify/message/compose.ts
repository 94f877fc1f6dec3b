import { type DurationPart, elapsedMs, splitDuration } from "../../base/duration";
import { quote } from "../../base/quote";
import type { Family } from "../../lookup/address";
import type { Occurrence } from "../../state/state";
import type { LetterKind, Words } from "./catalog";
import type { LetterContent, Place } from "./content";
import { renderHtml } from "./html";
import { type Language, WORDS } from "./languages";
import { renderText } from "./text";

/** What a mail says besides the occurrences themselves. */
export interface LetterFacts {
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
export interface Letter {
  subject: string;
  text: string;
  html: string;
}

/** Writes the mail that tells `occurrences`, oldest first. */
export function composeLetter(occurrences: readonly Occurrence[], facts: LetterFacts): Letter {
  const content = describeLetter(occurrences, facts);
  return { subject: content.subject, text: renderText(content), html: renderHtml(content) };
}

function describeLetter(occurrences: readonly Occurrence[], given: LetterFacts): LetterContent {
  // The host's and the user's names come from the system: nothing of ours has looked at them.
  const facts = {
    ...given,
    machineName: quote(given.machineName, 60),
    hostName: quote(given.hostName, 60),
    // Never cut: it is there to be pasted.
    sshLine: quote(given.sshLine, Number.POSITIVE_INFINITY),
  };
  const words = WORDS[facts.language];
  const speech = new Speech(words, facts.timeZone);
  const latest = latestByFamily(occurrences);
  const count = speech.count(countChanges(occurrences));
  const kind = kindOf(occurrences);
  const [main] = latest;
  if (!main) throw new RangeError("a letter tells at least one occurrence");
  const firstOld = occurrences.find(({ family, old }) => family === main.family && old !== undefined)?.old ?? "";
  const outcome = words.subject[kind]({ old: firstOld, count });
  const doubt = latest.some(({ isUnconfirmed }) => isUnconfirmed) ? ` (${words.subjectUnconfirmed})` : "";
  const blind = occurrences.find(({ blindSince }) => blindSince !== undefined);
  const lines = occurrences.map((occurrence) => speech.line(occurrence));
  return {
    language: facts.language,
    colon: words.colon,
    subject: `${facts.machineName} ${main.address} ${outcome}${doubt}`,
    headline: words.headline[kind]({ machine: facts.machineName, count }),
    remarks: [
      ...(doubt ? [words.unconfirmed] : []),
      ...(blind ? [words.blindFor(speech.duration(elapsedMs(blind.blindSince ?? "", blind.at)))] : []),
    ],
    places: latest.map((occurrence) => placeOf(occurrence, facts, words, speech)),
    hostKeys:
      facts.hostKeys.length > 0
        ? {
            title: words.hostKeys,
            advice: words.hostKeysAdvice,
            lines: facts.hostKeys.map(({ type, fingerprint }) => `${fingerprint} (${type})`),
          }
        : undefined,
    changes: lines.length > latest.length ? { title: words.allChanges, lines } : undefined,
    bars: barsOf(main, facts, words, speech),
    footer: [words.why({ host: facts.hostName, version: facts.version }), words.stop],
  };
}

function kindOf(occurrences: readonly Occurrence[]): LetterKind {
  // Both families changing at once is one move of the home.
  const steps = latestByFamily(occurrences).map(({ family }) =>
    countChanges(occurrences.filter((one) => one.family === family)),
  );
  if (steps.some((count) => count > 1)) return "changes";
  if (steps.includes(1)) return "change";
  return occurrences.some(({ kind }) => kind === "first") ? "first" : (occurrences.at(-1)?.kind ?? "change");
}

function countChanges(occurrences: readonly Occurrence[]): number {
  const changes = occurrences.filter(({ kind }) => kind === "change");
  return changes.reduce((sum, { folded = 0 }) => sum + 1 + folded, 0);
}

// IPv4 first: that is what most people type.
function latestByFamily(occurrences: readonly Occurrence[]): Occurrence[] {
  const families: Family[] = [4, 6];
  return families.flatMap((family) => occurrences.filter((one) => one.family === family).slice(-1));
}

function placeOf(occurrence: Occurrence, facts: LetterFacts, words: Words, speech: Speech): Place {
  const { kind, family, address, old, oldSince, at, confirmedBy, isUnconfirmed } = occurrence;
  const isMove = kind === "change" || kind === "test";
  const title = isMove ? words.newAddress(`IPv${family}`) : words.currentAddress(`IPv${family}`);
  const held = oldSince === undefined ? "" : ` (${words.heldFor(speech.duration(elapsedMs(oldSince, at)))})`;
  const rows: (Place["facts"][number] | undefined)[] = [
    isMove && old !== undefined ? { label: words.oldAddress, value: `${old}${held}` } : undefined,
    !isMove && oldSince !== undefined ? { label: words.sinceWhen, value: speech.time(oldSince) } : undefined,
    { label: words.seenAt, value: speech.time(at) },
    confirmedBy.length > 0
      ? {
          label: isUnconfirmed ? words.saidBy : words.confirmedBy,
          value: speech.list(confirmedBy.map((operator) => quote(operator, 80))),
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

function barsOf(main: Occurrence, facts: LetterFacts, words: Words, speech: Speech): LetterContent["bars"] {
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
    duration: isLast ? `${speech.duration(ms)} (${words.untilNow})` : speech.duration(ms),
    share: ms / longest,
  }));
  return { title: words.lately, rows };
}

/** Times, durations, counts and lists as a language writes them. */
class Speech {
  private readonly clock: Intl.DateTimeFormat;
  private readonly conjunction: Intl.ListFormat;
  private readonly plural: Intl.PluralRules;

  constructor(
    private readonly words: Words,
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

  line({ at, old, address, folded }: Occurrence): string {
    const move = old !== undefined && old !== address ? `${old} → ${address}` : address;
    const steps = folded === undefined ? "" : ` (${this.words.foldedChanges(this.count(folded))})`;
    return `${this.time(at)}${this.words.colon}${move}${steps}`;
  }
}
