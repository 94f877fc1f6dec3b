import { readFileSync } from "node:fs";
import { join } from "node:path";
import { composeMessage, type MailMessage, type MessageFacts } from "../../src/notify/message/compose";
import { LANGUAGES, type Language } from "../../src/notify/message/languages";
import type { AddressEvent } from "../../src/state/state";

// As JSON, so that the picture script, which is plain JavaScript, shows the same mails.
const EXAMPLES = JSON.parse(readFileSync(join(__dirname, "examples.json"), "utf8"));

/** One mail of every kind: the events that it tells. */
export const KINDS: Readonly<Record<string, AddressEvent[]>> = EXAMPLES.kinds;

/** Every kind in every language, for `test.each`. */
export const EACH_LETTER = Object.keys(KINDS).flatMap((kind) => LANGUAGES.map((language) => ({ kind, language })));

export function factsIn(language: Language): MessageFacts {
  return { ...EXAMPLES.facts, now: new Date(EXAMPLES.facts.now), language };
}

export function writeLetter(kind: string, language: Language, facts: Partial<MessageFacts> = {}): MailMessage {
  return composeMessage(KINDS[kind] ?? [], { ...factsIn(language), ...facts });
}
