import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { composeMessage, type MessageFacts } from "../../src/notify/message/compose";
import { safeTimeZone } from "../../src/notify/message/formatter";
import { CATALOGS, type Catalog, fill, LANGUAGES, type Language } from "../../src/notify/message/languages";
import { type AddressEvent, EMPTY_STATE, isState } from "../../src/state/state";
import { compose, composeExample, EACH_MESSAGE, factsIn, KINDS } from "./examples";
import { hostileText } from "./hostile-text";
import { parseHtml, visibleText } from "./parse-html";

const [CHANGE] = KINDS["change"] as [AddressEvent];
const [BACK] = KINDS["back"] as [AddressEvent];
const [TEST] = KINDS["test"] as [AddressEvent];
const V6: AddressEvent = { ...CHANGE, id: "six", family: 6, address: "2001:db8:1::9", old: "2001:db8::7" };
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
      "grange: new address 203.0.113.99 (was 203.0.113.7, 8 changes)",
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
    en: [
      "grange: now 2001:db8:1234:5678:90ab:cdef:1234:5678 (was 2001:db8",
      "The public IPv6 address of grange has changed.",
      "The IPv4 address could not be seen for 1 day 3 hours (",
    ],
    fr: ["L’adresse publique IPv6 de grange a changé.", "L’adresse IPv4 n’a pas pu être vue pendant 1 jour 3 heures ("],
  },
  interrupted: {
    en: [
      "grange: still 203.0.113.7 (cut off 6 times)",
      "grange was cut off 6 times, and its",
      "(cut off before for 6 hours)",
      "(cut off 4 times, this was the last)",
      "for 2 hours)",
    ],
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
      expect(flat(`${subject} ${text}`)).toContain(fact);
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

const several = (folded: number) => (KINDS["several"] ?? []).map((one) => (one.folded ? { ...one, folded } : one));
const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000];
const heldFor = (ms: number) => [{ ...CHANGE, oldSince: new Date(Date.parse(CHANGE.at) - ms).toISOString() }];
const UNSEEN: AddressEvent[] = [{ ...TEST, confirmedBy: [] }];
const FOLDED_OUTAGES: AddressEvent[] = [{ ...BACK, outageSince: "2026-09-01T00:00:00.000Z", folded: 4 }];
const FOLDED_CHANGES: AddressEvent[] = [{ ...CHANGE, outageSince: "2026-09-01T00:00:00.000Z", folded: 3 }];
const BACK_IN_BOTH: AddressEvent[] = [BACK, { ...BACK, family: 6, address: "2001:db8::7", old: "2001:db8::7" }];
const IN_1970 = "1970-01-01T00:17:00.000Z";
const FRENCH = { language: "fr" } as const;
const OPEN = { port: 22, isReachable: true };
/** All that a caller may know besides the events. */
const TROUBLES = {
  unwritable: "full",
  lateReason: "mail.example.net refused the connection.",
  reach: { port: 2222, isReachable: false },
  restartedMinutesAgo: 12,
  now: new Date("2026-09-09T09:18:00Z"),
} as const;

// Subject and text in one line.
test.each<[string, AddressEvent[], (string | RegExp)[], Partial<MessageFacts>?]>([
  ["a second", heldFor(1000), ["(held for 1 second)"]],
  ["an hour and a minute", heldFor(HOUR_MS + 60_000), ["(held for 1 hour 1 minute)"]],
  ["over a thousand days", heldFor(1234 * DAY_MS), ["(held for 1,234 days)"]],
  ["no time, in French", heldFor(0), ["(conservée 0 seconde)"], FRENCH],
  ["days and hours, in French", heldFor(50 * HOUR_MS), ["(conservée 2 jours 2 heures)"], FRENCH],
  ["over a thousand days, in French", heldFor(1234 * DAY_MS), ["(conservée 1 234 jours)"], FRENCH],
  ["one change", several(1), ["(1 change in between)"]],
  ["a thousand changes", several(1000), ["(1,000 changes in between)"]],
  ["one change, in French", several(1), ["(1 changement entre-temps)"], FRENCH],
  ["a million changes, in French", several(1_000_000), ["(1 000 000 de changements entre-temps)"], FRENCH],

  ["Paris in summer", [CHANGE], [/05:12 (CEST|GMT\+2) /]],
  ["UTC", [CHANGE], [/03:12 (UTC|GMT) /], { timeZone: "UTC" }],
  ["India", [CHANGE], [/08:42 (IST|GMT\+5:30) /], { timeZone: "Asia/Kolkata" }],
  ["Paris in French", [CHANGE], [/05:12 (CEST|UTC\+2) /], FRENCH],
  ["Guadeloupe", [CHANGE], [/mardi 8 .* à 23:12 (AST|UTC[-−]4) /], { ...FRENCH, timeZone: "America/Guadeloupe" }],

  ["a test of an address that nobody saw", UNSEEN, ["No address could be seen just now: 203.0.113.99 stands in"]],
  ["the same in French", UNSEEN, ["Aucune adresse n’a pu être vue à l’instant : 203.0.113.99 en tient lieu"], FRENCH],
  ["a test that was confirmed", [TEST], [/^(?!.*stands in)/]],
  // Once in the subject, once in the section, and in the ssh line.
  ["a test of what is recorded", [{ ...TEST, old: TEST.address }], [/^(?!(.*203\.0\.113\.99){4})/]],
  [
    "a long ssh line, uncut",
    [CHANGE],
    ["pi@203.0.113.99"],
    { sshLine: `ssh ${"-J jump.example.net ".repeat(12)}pi@{ip}` },
  ],
  ["no host keys and no history", [CHANGE], [/^(?!.*(SHA256|fingerprint|Lately))/], { hostKeys: [] }],

  // Both at once is one move of the home, and IPv4 is what people type.
  ["both addresses", [V6, CHANGE], ["grange: new address 203.0.113.99 (was 203.0.113.7) ", "The public address of "]],
  ["several outages: their number, and no length", FOLDED_OUTAGES, ["(cut off 5 times) ", /^(?!.*(8 days|3 hours))/]],
  ["several changes, of which one followed an outage", FOLDED_CHANGES, ["for an unknown time.", /^(?!.*8 days)/]],
  [
    "an outage of both families, which is one",
    BACK_IN_BOTH,
    ["The IPv4 and IPv6 address could not be seen", "is back"],
  ],
  ["a change, where the clock began in 1970", [{ ...CHANGE, oldSince: IN_1970 }], ["Old address: 203.0.113.7 Seen"]],
  ["an outage that began in 1970", [{ ...CHANGE, outageSince: IN_1970 }], ["could not be seen for an unknown time."]],
  ["no change since 1970", [{ ...BACK, oldSince: IN_1970 }], ["Since: at an unknown time (the clock was wrong)"]],

  [
    "a full disk",
    [CHANGE],
    [/has changed\. The disk is full, .* repeated once a day until that is mended\./],
    TROUBLES,
  ],
  ["a closed port", [CHANGE], ["From outside, port 2222 does not answer at 203.0.113.99"], TROUBLES],
  ["a power cut", [CHANGE], ["This machine started 12 minutes ago: probably a power cut."], TROUBLES],
  ["a delay", [CHANGE], ["comes 6 hours 6 minutes late: mail.example.net refused the connection. "], TROUBLES],
  ["no delay", [CHANGE], [/^(?!.*late)/], { lateReason: "x" }],
  ["a card, in French", [CHANGE], ["en lecture seule"], { ...FRENCH, unwritable: "read-only" }],
  ["an open port, in French", [CHANGE], ["le port 22 répond à l’adresse 203.0.113.99."], { ...FRENCH, reach: OPEN }],
])("what is said of %s", (_, events, expected, facts = {}) => {
  const { subject, text, html } = compose(events, { ...factsIn(facts.language ?? "en"), history: [], ...facts });
  for (const words of expected) expect(flat(`${subject} ${text}`)).toMatch(words);
  expect(text).not.toContain("\n\n\n");
  expect(wordsOf(visibleText(html))).toEqual(wordsOf(text));
});

test("the bars leave out what a wrong clock wrote, draw none for no time, and show the short beside the long", () => {
  const at = (time: string, address: string) => ({ family: 4 as const, at: `${time}Z`, address });
  const history = [
    at("1970-01-01T00:00", "192.0.2.1"),
    at("2025-06-01T00:00", "192.0.2.2"),
    at("2026-09-08T00:00", "192.0.2.3"),
    at("2026-09-08T01:00", "192.0.2.4"),
    at("2026-09-09T01:00", "192.0.2.5"),
    // Told within the second: no time at all.
    at("2026-09-09T03:17:59.600", "192.0.2.6"),
  ];
  const { text } = composeExample("change", "en", { history });
  const bars = [...text.matchAll(/^ {4}(192\.0\.2\.\d) +(#*) +(\S.*)$/gm)].map(([, address, bar, held]) => [
    address?.slice(-1),
    bar?.length,
    held,
  ]);
  expect(bars).toEqual([
    ["2", 20, "464 days"],
    ["3", 1, "1 hour"],
    ["4", 3, "1 day"],
    ["5", 1, "2 hours 18 minutes"],
    ["6", 0, "now"],
  ]);
  expect(composeExample("change", "en", { history: history.slice(0, 2) }).text).not.toContain("Lately");
});

// The bars are padded to an IPv6 address of full length, a bar and a duration: 88 columns.
test("the bars of IPv6 addresses fit into 80 columns", () => {
  const history = [0, 31, 60, 100].map((day) => ({
    family: 6 as const,
    at: new Date(Date.UTC(2026, 5, 1 + day, day % 24)).toISOString(),
    address: `2001:db8:1234:5678:90ab:cdef:1234:${(0x5000 + day).toString(16)}`,
  }));
  const six = (KINDS["several"] ?? []).filter(({ family }) => family === 6);
  const { text } = compose(six, { ...factsIn("en"), history });
  expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
});

test("whatever the names are: no tag, no control character, and the words arrive", () => {
  const tagsOf = (html: string) => parseHtml(html).elements.map(({ element }) => element.source);
  const plain = tagsOf(compose([CHANGE], factsIn("en")).html);
  fc.assert(
    fc.property(hostileText, hostileText, hostileText, hostileText, (machineName, hostName, sshLine, operator) => {
      const facts = { ...factsIn("en"), machineName, hostName, sshLine };
      const { subject, text, html } = compose([{ ...CHANGE, confirmedBy: [operator] }], facts);
      expect(tagsOf(html)).toEqual(plain);
      expect(subject + html.replaceAll("\n", "") + text.replaceAll("\n", "")).not.toMatch(
        /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u,
      );
      expect(wordsOf(visibleText(html)).join("")).toEqual(wordsOf(text).join(""));
    }),
    { numRuns: 300 },
  );
});

test.each(LANGUAGES)("%s: however long the name, a phone shows the address in the subject", (language) => {
  const longest = { address: "198.151.100.123", old: "203.100.113.107" };
  for (const machineName of ["pi", "raspberrypi", "raspberrypi-in-the-attic", "☕".repeat(60), "\u0007".repeat(30)]) {
    for (const kind of Object.keys(KINDS).filter((name) => name !== "mixed")) {
      const events = (KINDS[kind] ?? []).map((event) => (event.family === 4 ? { ...event, ...longest } : event));
      const { subject } = compose(events, { ...factsIn(language), machineName });
      expect(subject.slice(0, 40)).toContain(longest.address);
      expect(subject.slice(0, 2)).toBe(machineName === "\u0007".repeat(30) ? "\\u" : machineName.slice(0, 2));
    }
  }
});

const time = fc
  .date({ min: new Date("1970-01-01T00:00:00Z"), max: new Date("2040-01-01T00:00:00Z"), noInvalidDate: true })
  .map((date) => date.toISOString());
const kind = fc.constantFrom<AddressEvent["kind"][]>("first", "change", "back", "heartbeat", "test");
const confirmedBy = fc.array(fc.string({ unit: "binary" }), { maxLength: 3 });
const yes = fc.constant(true as const);
const eventOf = (address: fc.Arbitrary<string>, family: 4 | 6) => {
  const rest = {
    old: address,
    oldSince: time,
    isUnconfirmed: yes,
    outageSince: time,
    isUnwatched: yes,
    folded: fc.nat(),
  };
  const facts = fc.record(
    { kind, at: time, address, confirmedBy, ...rest },
    { requiredKeys: ["kind", "at", "address", "confirmedBy"] },
  );
  return facts.map((fields): AddressEvent => ({ id: "id", family, told: [], ...fields }));
};

test("whatever the state's schema lets through can be told", () => {
  const event = fc.oneof(eventOf(fc.ipV4(), 4), eventOf(fc.ipV6(), 6));
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 60 }), fc.constantFrom(...LANGUAGES), (events, language) => {
      expect(isState({ ...EMPTY_STATE, outbox: events })).toBe(true);
      const message = compose(events, factsIn(language));
      const shown = visibleText(message.html).replace(/(Confirm|Said|Annonc)[\s\S]*?(To log in|Pour se con)/g, "");
      expect(message.subject + shown).not.toMatch(/undefined|null|NaN|Invalid|\[object|\{\w+\}|\b1970\b/);
    }),
  );
});

test.each([
  ["Europe/Paris", "Europe/Paris"],
  ["", "UTC"],
  ["Etc/Unknown", "UTC"],
  ["Foo/Bar", "UTC"],
  [":", "UTC"],
])("the time zone %j is %s", (candidate, expected) => expect(safeTimeZone(candidate)).toBe(expected));

test("what cannot be composed is told plainly, with the bug beside it", () => {
  const facts = { ...factsIn("en"), sshLine: "ssh pi@{ip}", history: undefined } as unknown as MessageFacts;
  const bugs: unknown[] = [];
  const message = composeMessage([CHANGE, V6], facts, (bug) => bugs.push(bug));
  expect(bugs).toEqual([expect.any(TypeError)]);
  for (const part of [message.text, visibleText(`<body>${message.html}</body>`)]) {
    for (const fact of ["203.0.113.7", "ssh pi@203.0.113.99", "2001:db8::7", "ssh pi@2001:db8:1::9", CHANGE.at]) {
      expect(part).toContain(fact);
    }
  }
  expect(composeMessage([], facts, () => undefined).subject).toContain("grange");
});
