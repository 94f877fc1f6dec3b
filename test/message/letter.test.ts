import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { composeMessage } from "../../src/notify/message/compose";
import { CATALOGS, type Catalog, fill, LANGUAGES, type Language } from "../../src/notify/message/languages";
import { EACH_LETTER, factsIn, KINDS, writeLetter } from "./examples";
import { hostileText } from "./hostile-text";
import { parseHtml, visibleText } from "./parse-html";

const wordsOf = (text: string) => text.split(/[\s:]+(?=\s|$)|\s+/).filter((word) => !/^(#+|--?|)$/.test(word));
const flat = (text: string) => text.replace(/\s+/g, " ");

// What every mail of the kind must tell, in the words of each language.
const PARIS = "9 September 2026 at 05:12 CEST";
const OPERATORS = "ipify, deSEC and nnev.de";
const SSH = "ssh -p 2222 pi@203.0.113";
const FACTS: Record<string, Record<Language, string[]>> = {
  first: {
    en: ["watched from now on", "203.0.113.7", OPERATORS, "9 September 2026 at 05:00 CEST", `${SSH}.7`],
    fr: ["désormais surveillée", "203.0.113.7", "ipify, deSEC et nnev.de", "9 septembre 2026 à 05:00", `${SSH}.7`],
  },
  change: {
    en: ["has changed", "203.0.113.99", "203.0.113.7 (held for 40 days 3 hours)", OPERATORS, PARIS, `${SSH}.99`],
    fr: ["a changé", "203.0.113.99", "203.0.113.7 (conservée 40 jours 3 heures)", "9 septembre 2026 à 05:12 UTC+2"],
  },
  several: {
    en: [
      "8 changes",
      "203.0.113.7 (held for 30 days 3 hours)",
      "30 August 2026 at 05:12 CEST: 203.0.113.7 → 203.0.113.99",
      "203.0.113.99 → 198.51.100.23 (4 changes in between)",
      "2001:db8::1 → 2001:db8:1234:5678:90ab:cdef:1234:5678",
      `${PARIS}: 198.51.100.23 → 203.0.113.99`,
      "ssh -p 2222 pi@2001:db8:1234:5678:90ab:cdef:1234:5678",
      "for 3 hours 12 minutes",
    ],
    fr: [
      "8 changements",
      "(conservée 30 jours 3 heures)",
      "(4 changements entre-temps)",
      "pendant 3 heures 12 minutes",
    ],
  },
  unconfirmed: {
    en: ["Nobody could confirm 203.0.113.99", "203.0.113.99", "203.0.113.7 (held for 40 days 3 hours)"],
    fr: [
      "Personne n’a pu confirmer 203.0.113.99",
      "pendant au moins deux heures",
      "203.0.113.99",
      "203.0.113.7 (conservée 40 jours 3 heures)",
    ],
  },
  back: {
    en: ["is back", "203.0.113.7", "Since", "31 July 2026 at 02:00 CEST", "for 1 day 3 hours", `${SSH}.7`],
    fr: ["est de retour", "203.0.113.7", "Depuis", "31 juillet 2026 à 02:00 UTC+2", "pendant 1 jour 3 heures"],
  },
  heartbeat: {
    en: ["is well", "203.0.113.7", "31 July 2026 at 02:00 CEST", `${SSH}.7`],
    fr: ["va bien", "203.0.113.7", "31 juillet 2026 à 02:00 UTC+2", `${SSH}.7`],
  },
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
    en: ["This is a test", "203.0.113.99", "203.0.113.7 (held for 40 days 3 hours)", `${SSH}.99`],
    fr: ["Ceci est un essai", "203.0.113.99", "203.0.113.7 (conservée 40 jours 3 heures)", `${SSH}.99`],
  },
};

describe.each(EACH_LETTER)("the mail $kind in $language", ({ kind, language }) => {
  const message = writeLetter(kind, language);

  test("begins its subject with the machine, and has the address where a phone shows it", () => {
    const addresses = (KINDS[kind] ?? []).map(({ address }) => address);
    expect(message.subject).toMatch(/^grange\u00a0?: /);
    const shown = addresses.find((address) => message.subject.includes(`${address}`)) ?? "none";
    if (!shown.includes(":")) expect(message.subject.slice(0, 40)).toContain(shown);
    expect(message.subject.length).toBeLessThan(110);
  });

  test("tells every fact in both parts", () => {
    const always = ["IPv4", "grange", "raspberrypi", "1.0.0", "IPCHECK_TO", "31 "];
    const keys = factsIn(language).hostKeys.map(({ fingerprint, type }) => `${fingerprint} (${type})`);
    const addresses = (KINDS[kind] ?? []).map(({ address }) => address);
    for (const fact of [...(FACTS[kind]?.[language] ?? []), ...addresses, ...always, ...keys]) {
      expect(flat(message.text)).toContain(fact);
      expect(flat(visibleText(message.html))).toContain(fact);
    }
  });

  test("says the same words in the same order in both parts", () => {
    expect(wordsOf(visibleText(message.html))).toEqual(wordsOf(message.text));
  });

  test("has a text part for 80 columns", () => {
    // An address or a command is never broken; it stands alone on its line.
    const long = message.text.split("\n").filter((line) => line.length > 80 && line.trim().includes(" "));
    expect(long).toEqual([]);
    expect(message.text).toMatch(/\n-- \n/);
    expect(message.text).not.toMatch(/\n{3}|\t|[^\S\u00a0\u202f\n] +\n(?!--)|undefined|null|NaN/);
  });

  test("has a small HTML part that fetches nothing", () => {
    const { elements } = parseHtml(message.html);
    expect(Buffer.byteLength(message.html)).toBeLessThan(20_000);
    expect(message.html).not.toMatch(
      /https?:|\/\/|url\(|@import|@font-face|\b(src|href|srcset|action|background)=|\bon\w+=/i,
    );
    const names = new Set(elements.map(({ element }) => element.name));
    for (const name of ["script", "link", "img", "iframe", "object", "form", "a"]) expect(names).not.toContain(name);
    expect(elements[0]?.element.attributes).toEqual({ lang: language });
    expect(message.html).not.toMatch(/undefined|null|NaN/);
  });

  test("keeps to its language", () => {
    const ownWords = vocabulary(CATALOGS[language]);
    const used = new Set(splitWords(`${message.subject} ${message.text} ${visibleText(message.html)}`));
    for (const other of LANGUAGES) {
      const foreign = vocabulary(CATALOGS[other]).filter((word) => used.has(word) && !ownWords.includes(word));
      expect(foreign, other).toEqual([]);
    }
  });
});

test.each(LANGUAGES)("%s: every sentence is its own", (language) => {
  const others = LANGUAGES.filter((other) => other !== language).flatMap((other) => sentences(CATALOGS[other]));
  const untranslated = sentences(CATALOGS[language]).filter(
    (text) => /\p{L} \p{L}/u.test(text) && others.includes(text),
  );
  expect(untranslated).toEqual([]);
});

test.each(EACH_LETTER.filter(({ language }) => language === "fr"))("French typography in $kind", ({ kind }) => {
  const { subject, text, html } = writeLetter(kind, "fr");
  for (const part of [subject, text, visibleText(html)]) {
    // Before a colon that ends a word, and inside guillemets: a space that does not break.
    expect(part).not.toMatch(/[^\u00a0][:;!?](\s|$)|«[^\u00a0]|[^\u00a0]»|'/m);
  }
  expect(text).toContain("\u00a0:");
});

// Every word of a table, with nothing filled in.
function vocabulary(words: Catalog): string[] {
  return splitWords(sentences(words).join(" "));
}

function sentences({ locale: _, ...texts }: Catalog): string[] {
  const say = (value: unknown): string[] => {
    return typeof value === "object" && value ? Object.values(value).flatMap(say) : [fill(String(value), {})];
  };
  return say(texts);
}

// Without names and fingerprints: nnev.de, SHA256:….
function splitWords(text: string): string[] {
  return (
    text
      .replace(/\S+[.:]\S+/g, "")
      .toLowerCase()
      .match(/\p{L}{2,}/gu) ?? []
  );
}

test.each<[Language, number, string]>([
  ["en", 1_000, "1 second"],
  ["en", 59_000, "59 seconds"],
  ["en", 60_000, "1 minute"],
  ["en", 3_660_000, "1 hour 1 minute"],
  ["en", 2 * 86_400_000, "2 days"],
  ["en", 1234 * 86_400_000, "1,234 days"],
  ["fr", 0, "0 seconde"],
  ["fr", 60_000, "1 minute"],
  ["fr", 90_000_000, "1 jour 1 heure"],
  ["fr", 2 * 86_400_000 + 7_200_000, "2 jours 2 heures"],
  ["fr", 1234 * 86_400_000, "1 234 jours"],
])("%s: an address that lasted %d ms lasted '%s'", (language, ms, expected) => {
  const [change] = KINDS["change"] ?? [];
  if (!change) throw new Error("no example");
  const oldSince = new Date(Date.parse(change.at) - ms).toISOString();
  const { text } = composeMessage([{ ...change, oldSince }], factsIn(language));
  expect(flat(text)).toContain(`203.0.113.7 (${language === "en" ? "held for" : "conservée"} ${expected})`);
});

test.each<[Language, number, string]>([
  ["en", 1, "(1 change in between)"],
  ["en", 1000, "(1,000 changes in between)"],
  ["fr", 1, "(1 changement entre-temps)"],
  ["fr", 1000, "(1 000 changements entre-temps)"],
  ["fr", 1_000_000, "(1 000 000 de changements entre-temps)"],
])("%s: %d folded changes are '%s'", (language, folded, expected) => {
  const changes = (KINDS["several"] ?? []).map((one) => (one.folded === undefined ? one : { ...one, folded }));
  expect(flat(composeMessage(changes, factsIn(language)).text)).toContain(expected);
});

test.each<[Language, string, RegExp]>([
  ["en", "Europe/Paris", /05:12 (CEST|GMT\+2)\n/],
  ["en", "UTC", /03:12 (UTC|GMT)\n/],
  ["en", "Asia/Kolkata", /08:42 (IST|GMT\+5:30)\n/],
  ["fr", "Europe/Paris", /05:12 (CEST|UTC\+2)\n/],
  ["fr", "America/Guadeloupe", /mardi 8 septembre 2026 à 23:12 (AST|UTC[-−]4)\n/],
])("%s: times in %s carry their zone", (language, timeZone, expected) => {
  expect(writeLetter("change", language, { timeZone }).text).toMatch(expected);
});

test.each(LANGUAGES)("%s: without host keys and history those parts are left out", (language) => {
  const { text, html } = writeLetter("change", language, { hostKeys: [], history: [] });
  for (const part of [text, html]) expect(part).not.toMatch(/SHA256|Lately|Dernièrement|empreinte|fingerprint/);
  expect(text).not.toContain("\n\n\n");
});

test.each(LANGUAGES)("%s: A → B → A is told with both steps", (language) => {
  const [there, back] = (KINDS["several"] ?? []).filter(({ family }) => family === 4).slice(-2);
  if (!there || !back) throw new Error("no example");
  const { subject, text, html } = composeMessage([there, back], factsIn(language));
  expect(subject).toMatch(/^grange.?: (back to|de nouveau) 203\.0\.113\.99 \(6 /);
  for (const part of [flat(text), flat(visibleText(html))]) {
    expect(part).toMatch(/203\.0\.113\.99 → 198\.51\.100\.23.*198\.51\.100\.23 → 203\.0\.113\.99/);
  }
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

test.each([
  ["en", "Confirmed by"],
  ["fr", "Confirmé par"],
] as const)("%s: an unconfirmed address is not called confirmed", (language, label) => {
  expect(writeLetter("unconfirmed", language).text).not.toContain(label);
});

// 60 characters of a name are kept; of a command every one counts.
test("a long ssh line is not cut off", () => {
  const sshLine = `ssh -o ProxyCommand='${"nc -x proxy.example.net:1080 ".repeat(8)}%h %p' pi@{ip}`;
  expect(writeLetter("change", "en", { sshLine }).text).toContain("pi@203.0.113.99");
});

test("whatever the names are: no tag, no control character, and the words arrive", () => {
  const [change] = KINDS["change"] ?? [];
  if (!change) throw new Error("no example");
  const tagsOf = (html: string) => parseHtml(html).elements.map(({ element }) => element.source);
  const plain = tagsOf(composeMessage([change], factsIn("en")).html);
  fc.assert(
    fc.property(hostileText, hostileText, hostileText, hostileText, (machineName, hostName, sshLine, operator) => {
      const facts = { ...factsIn("en"), machineName, hostName, sshLine };
      const { subject, text, html } = composeMessage([{ ...change, confirmedBy: [operator] }], facts);
      expect(tagsOf(html)).toEqual(plain);
      expect(subject + html.replaceAll("\n", "") + text.replaceAll("\n", "")).not.toMatch(
        /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u,
      );
      expect(wordsOf(visibleText(html)).join("")).toEqual(wordsOf(text).join(""));
    }),
    { numRuns: 300 },
  );
});
