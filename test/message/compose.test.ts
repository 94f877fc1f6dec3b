import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { composeMessage } from "../../src/notify/message/compose";
import { CATALOGS, type Catalog, fill, LANGUAGES, type Language } from "../../src/notify/message/languages";
import type { AddressEvent } from "../../src/state/state";
import { composeExample, EACH_MESSAGE, factsIn, KINDS } from "./examples";
import { hostileText } from "./hostile-text";
import { parseHtml, visibleText } from "./parse-html";

const [CHANGE] = KINDS["change"] as [AddressEvent];
const wordsOf = (text: string) => text.split(/[\s:]+(?=\s|$)|\s+/).filter((word) => !/^(#+|--?|)$/.test(word));
const flat = (text: string) => text.replace(/\s+/g, " ");

// What every mail of the kind must tell besides its addresses, in the words of each language.
const FACTS: Record<string, Record<Language, string[]>> = {
  first: {
    en: ["watched from now on", "ipify, deSEC and nnev.de", "9 September 2026 at 05:00 CEST"],
    fr: ["désormais surveillée", "ipify, deSEC et nnev.de", "9 septembre 2026 à 05:00"],
  },
  change: {
    en: ["has changed", "203.0.113.7 (held for 40 days 3 hours)", "9 September 2026 at 05:12 CEST"],
    fr: ["a changé", "203.0.113.7 (conservée 40 jours 3 heures)", "9 septembre 2026 à 05:12 UTC+2"],
  },
  several: {
    en: [
      "8 changes",
      "203.0.113.7 (held for 30 days 3 hours)",
      "30 August 2026 at 05:12 CEST: 203.0.113.7 → 203.0.113.99",
      "203.0.113.99 → 198.51.100.23 (4 changes in between)",
      "2001:db8::1 → 2001:db8:1234:5678:90ab:cdef:1234:5678",
      "9 September 2026 at 05:12 CEST: 198.51.100.23 → 203.0.113.99",
      "ssh -p 2222 pi@2001:db8:1234:5678:90ab:cdef:1234:5678",
      "for 3 hours 12 minutes",
    ],
    fr: ["8 changements", "(conservée 30 jours 3 heures)", "(4 changements entre-temps)", "3 heures 12 minutes"],
  },
  unconfirmed: {
    en: ["Nobody could confirm 203.0.113.99", "at least two hours", "Said only by"],
    fr: ["Personne n’a pu confirmer 203.0.113.99", "au moins deux heures", "Annoncé seulement par"],
  },
  back: {
    en: ["is back", "Since", "31 July 2026 at 02:00 CEST", "for 1 day 3 hours"],
    fr: ["est de retour", "Depuis", "31 juillet 2026 à 02:00 UTC+2", "pendant 1 jour 3 heures"],
  },
  heartbeat: { en: ["is well", "31 July 2026 at 02:00 CEST"], fr: ["va bien", "31 juillet 2026 à 02:00 UTC+2"] },
  returned: {
    en: ["changed and is the same again: 2 changes", "203.0.113.99 → 198.51.100.23", "198.51.100.23 → 203.0.113.99"],
    fr: ["redevenue la même : 2 changements", "203.0.113.99 → 198.51.100.23", "198.51.100.23 → 203.0.113.99"],
  },
  mixed: {
    en: ["The public IPv6 address of grange has changed.", "The IPv4 address could not be seen for 1 day 3 hours ("],
    fr: ["L’adresse publique IPv6 de grange a changé.", "L’adresse IPv4 n’a pas pu être vue pendant 1 jour 3 heures ("],
  },
  interrupted: {
    en: ["was cut off 6 times", "(cut off before for 6 hours)", "(cut off 4 times, this was the last)", "for 2 hours)"],
    fr: ["a subi 6 coupures", "(après une coupure de 6 heures)", "(4 coupures, celle-ci", "de 2 heures)"],
  },
  unwatched: {
    en: ["No check was made for 7 days (Wednesday, 2 September 2026 at 05:12 CEST – ", "203.0.113.7 → 203.0.113.99"],
    fr: ["Aucun contrôle n’a eu lieu pendant 7 jours (mercredi 2 septembre 2026 à 05:12 UTC+2 – "],
  },
  test: {
    en: ["This is a test", "203.0.113.7 (held for 40 days 3 hours)"],
    fr: ["Ceci est un essai", "203.0.113.7 (conservée 40 jours 3 heures)"],
  },
};

describe.each(EACH_MESSAGE)("the mail $kind in $language", ({ kind, language }) => {
  const { subject, text, html } = composeExample(kind, language);
  const addresses = (KINDS[kind] ?? []).map(({ address }) => address);

  test("begins its subject with the machine, and has the address where a phone shows it", () => {
    expect(subject).toMatch(/^grange\u00a0?: /);
    const shown = addresses.find((address) => subject.includes(address)) ?? "none";
    expect(subject.slice(0, shown.includes(":") ? undefined : 40)).toContain(shown);
    expect(subject.length).toBeLessThan(110);
  });

  test("tells every fact, in the same words and order, in both parts", () => {
    const always = ["IPv4", "grange", "raspberrypi", "1.0.0", "IPCHECK_TO", "31 "];
    const keys = factsIn(language).hostKeys.map(({ fingerprint, type }) => `${fingerprint} (${type})`);
    const logins = addresses.slice(-1).map((address) => `ssh -p 2222 pi@${address}`);
    for (const fact of [...(FACTS[kind]?.[language] ?? ["none"]), ...addresses, ...logins, ...always, ...keys]) {
      expect(flat(text)).toContain(fact);
    }
    expect(wordsOf(visibleText(html))).toEqual(wordsOf(text));
  });

  test("has a text part for 80 columns", () => {
    // An address or a command is never broken; it stands alone on its line.
    const long = text.split("\n").filter((line) => line.length > 80 && line.trim().includes(" "));
    expect(long).toEqual([]);
    expect(text).toMatch(/\n-- \n/);
    expect(text).not.toMatch(/\n{3}|\t|[^\S\u00a0\u202f\n] +\n(?!--)/);
  });

  test("has a small HTML part that fetches nothing", () => {
    const { elements } = parseHtml(html);
    expect(Buffer.byteLength(html)).toBeLessThan(20_000);
    expect(html).not.toMatch(/https?:|\/\/|url\(|@import|@font-face|\b(src|href|srcset|action|background)=|\bon\w+=/i);
    expect(html).not.toMatch(/<(script|link|img|iframe|object|form|a)\b/);
    expect(elements[0]?.element.attributes).toEqual({ lang: language });
  });

  test("keeps to its language, with every value in its place", () => {
    const ownWords = vocabulary(CATALOGS[language]);
    const all = `${subject} ${text} ${visibleText(html)}`;
    const used = new Set(splitWords(all));
    for (const other of LANGUAGES) {
      const foreign = vocabulary(CATALOGS[other]).filter((word) => used.has(word) && !ownWords.includes(word));
      expect(foreign, other).toEqual([]);
    }
    expect(all).not.toMatch(/\{\w+\}|undefined|null|NaN/);
    // French typography: before a colon that ends a word, and inside guillemets, a space that does not break.
    if (language === "fr") expect(all).not.toMatch(/[^\u00a0][:;!?](\s|$)|«[^\u00a0]|[^\u00a0]»|'/m);
  });
});

test.each(LANGUAGES)("%s: every sentence is its own, and knows no value that English does not", (language) => {
  const others = LANGUAGES.filter((other) => other !== language).flatMap((other) => sentences(CATALOGS[other]));
  const untranslated = sentences(CATALOGS[language]).filter(
    (text) => /\p{L} \p{L}/u.test(text) && others.includes(text),
  );
  expect(untranslated).toEqual([]);
  const valuesOf = (catalog: Catalog) => JSON.stringify(catalog).match(/\{\w+\}/g) ?? [];
  expect(valuesOf(CATALOGS.en)).toEqual(expect.arrayContaining(valuesOf(CATALOGS[language])));
});

// Every word of a table, with nothing filled in.
function vocabulary(words: Catalog): string[] {
  return splitWords(sentences(words).join(" "));
}

function sentences({ locale: _, ...texts }: Catalog): string[] {
  const say = (value: unknown): string[] =>
    typeof value === "object" && value ? Object.values(value).flatMap(say) : [fill(String(value), {})];
  return say(texts);
}

// Without names and fingerprints: nnev.de, SHA256:….
function splitWords(text: string): string[] {
  const words = text.replace(/\S+[.:]\S+/g, "").toLowerCase();
  return words.match(/\p{L}{2,}/gu) ?? [];
}

const DAY_MS = 86_400_000;
const several = (folded: number) => (KINDS["several"] ?? []).map((one) => (one.folded ? { ...one, folded } : one));
const heldFor = (ms: number) => [{ ...CHANGE, oldSince: new Date(Date.parse(CHANGE.at) - ms).toISOString() }];

test.each<[Language, AddressEvent[], string]>([
  ["en", heldFor(1_000), "(held for 1 second)"],
  ["en", heldFor(3_660_000), "(held for 1 hour 1 minute)"],
  ["en", heldFor(1234 * DAY_MS), "(held for 1,234 days)"],
  ["fr", heldFor(0), "(conservée 0 seconde)"],
  ["fr", heldFor(2 * DAY_MS + 7_200_000), "(conservée 2 jours 2 heures)"],
  ["fr", heldFor(1234 * DAY_MS), "(conservée 1 234 jours)"],
  ["en", several(1), "(1 change in between)"],
  ["en", several(1000), "(1,000 changes in between)"],
  ["fr", several(1), "(1 changement entre-temps)"],
  ["fr", several(1000), "(1 000 changements entre-temps)"],
  ["fr", several(1_000_000), "(1 000 000 de changements entre-temps)"],
])("%s: durations and numbers are written as people do: %#", (language, events, expected) => {
  expect(flat(composeMessage(events, factsIn(language)).text)).toContain(expected);
});

test.each<[Language, string, RegExp]>([
  ["en", "Europe/Paris", /05:12 (CEST|GMT\+2)\n/],
  ["en", "UTC", /03:12 (UTC|GMT)\n/],
  ["en", "Asia/Kolkata", /08:42 (IST|GMT\+5:30)\n/],
  ["fr", "Europe/Paris", /05:12 (CEST|UTC\+2)\n/],
  ["fr", "America/Guadeloupe", /mardi 8 septembre 2026 à 23:12 (AST|UTC[-−]4)\n/],
])("%s: times in %s carry their zone", (language, timeZone, expected) => {
  expect(composeExample("change", language, { timeZone }).text).toMatch(expected);
});

test.each([
  ["en", /No address could be seen just now: 203\.0\.113\.99 stands in for it\./],
  ["fr", /Aucune adresse n’a pu être vue à l’instant : 203\.0\.113\.99 en tient lieu\./],
] as const)("%s: a test that nobody could confirm says so", (language, sentence) => {
  const [seen] = KINDS["test"] ?? [];
  const events = seen ? [{ ...seen, confirmedBy: [] }] : [];
  expect(flat(composeMessage(events, factsIn(language)).text)).toMatch(sentence);
  expect(flat(composeExample("test", language).text)).not.toMatch(sentence);
});

test.each(LANGUAGES)("%s: without host keys and history those parts are left out", (language) => {
  const { text, html } = composeExample("change", language, { hostKeys: [], history: [] });
  for (const part of [text, html]) expect(part).not.toMatch(/SHA256|Lately|Dernièrement|empreinte|fingerprint/);
  expect(text).not.toContain("\n\n\n");
});

// The bars are padded to an IPv6 address of full length, a bar and a duration: 88 columns.
test("the bars of IPv6 addresses fit into 80 columns", () => {
  const history = [0, 31, 60, 100].map((day) => ({
    family: 6 as const,
    at: new Date(Date.UTC(2026, 5, 1 + day, day % 24)).toISOString(),
    address: `2001:db8:1234:5678:90ab:cdef:1234:${(0x5000 + day).toString(16)}`,
  }));
  const six = (KINDS["several"] ?? []).filter(({ family }) => family === 6);
  const { text } = composeMessage(six, { ...factsIn("en"), history });
  expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
});

test("an address that is told within the second has no bar, and no duration", () => {
  const now = "2026-09-08T03:12:00.000Z";
  const past = ["2026-09-01", "2026-09-05"].map((day) => ({
    family: 4 as const,
    at: `${day}T00:00:00Z`,
    address: day,
  }));
  const history = [...past, { family: 4 as const, at: now, address: "203.0.113.99" }];
  const { text } = composeExample("change", "en", { history, now: new Date(Date.parse(now) + 400) });
  expect(text).toMatch(/^ {4}203\.0\.113\.99 {2,}now$/m);
});

// 60 characters of a name are kept; of a command every one counts.
test("a long ssh line is not cut off", () => {
  const sshLine = `ssh -o ProxyCommand='${"nc -x proxy.example.net:1080 ".repeat(8)}%h %p' pi@{ip}`;
  expect(composeExample("change", "en", { sshLine }).text).toContain("pi@203.0.113.99");
});

test("whatever the names are: no tag, no control character, and the words arrive", () => {
  const tagsOf = (html: string) => parseHtml(html).elements.map(({ element }) => element.source);
  const plain = tagsOf(composeMessage([CHANGE], factsIn("en")).html);
  fc.assert(
    fc.property(hostileText, hostileText, hostileText, hostileText, (machineName, hostName, sshLine, operator) => {
      const facts = { ...factsIn("en"), machineName, hostName, sshLine };
      const { subject, text, html } = composeMessage([{ ...CHANGE, confirmedBy: [operator] }], facts);
      expect(tagsOf(html)).toEqual(plain);
      expect(subject + html.replaceAll("\n", "") + text.replaceAll("\n", "")).not.toMatch(
        /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u,
      );
      expect(wordsOf(visibleText(html)).join("")).toEqual(wordsOf(text).join(""));
    }),
    { numRuns: 300 },
  );
});
