import fc from "fast-check";
import { expect, test } from "vitest";
import { composeMessage, composeMessageSafely, type MessageFacts } from "../../src/notify/message/compose";
import { safeTimeZone } from "../../src/notify/message/formatter";
import { LANGUAGES } from "../../src/notify/message/languages";
import { type AddressEvent, EMPTY_STATE, isState } from "../../src/state/state";
import { factsIn, KINDS } from "./examples";
import { visibleText } from "./parse-html";

const [CHANGE] = KINDS["change"] as [AddressEvent];
const [BACK] = KINDS["back"] as [AddressEvent];
const V6: AddressEvent = { ...CHANGE, id: "six", family: 6, address: "2001:db8:1::9", old: "2001:db8::7" };

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
      const { message, bug } = composeMessageSafely(events, factsIn(language));
      expect(bug).toBeUndefined();
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
  const { message, bug } = composeMessageSafely([CHANGE, V6], facts);
  expect(bug).toBeInstanceOf(TypeError);
  for (const part of [message.text, visibleText(`<body>${message.html}</body>`)]) {
    for (const fact of ["203.0.113.7", "ssh pi@203.0.113.99", "2001:db8::7", "ssh pi@2001:db8:1::9", CHANGE.at]) {
      expect(part).toContain(fact);
    }
  }
  expect(composeMessageSafely([], facts).message.subject).toContain("grange");
});

const odd = (fields: Partial<AddressEvent>, event = CHANGE): AddressEvent => ({ ...event, ...fields });

const both = (events: AddressEvent[], facts: Partial<MessageFacts> = {}) => {
  const message = composeMessage(events, { ...factsIn("en"), history: [], ...facts });
  return { ...message, all: message.text.replace(/\s+/g, " ") };
};

test("subject, headline and old address belong to the family that changed", () => {
  const { subject, all } = both([BACK, V6]);
  expect(subject).toBe("grange: new address 2001:db8:1::9 (was 2001:db8::7)");
  expect(all).toContain("The public IPv6 address of grange has changed.");
  expect(all).toContain("The IPv4 address could not be seen for 1 day 3 hours");
  // Both at once is one move of the home, and IPv4 is what people type.
  expect(both([CHANGE, V6]).subject).toBe("grange: new address 203.0.113.99 (was 203.0.113.7)");
  expect(both([V6, CHANGE]).all).toContain("The public address of grange has changed.");
});

test("the old address is the one that was mailed last, held as long as it was", () => {
  const later = odd({ id: "later", old: CHANGE.address, oldSince: CHANGE.at, address: "198.51.100.1" });
  const { subject, text } = both([CHANGE, { ...later, at: "2026-09-09T05:12:00.000Z" }]);
  expect(subject).toBe("grange: new address 198.51.100.1 (was 203.0.113.7, 2 changes)");
  expect(text).toContain("203.0.113.7 → 198.51.100.1\n");
  expect(text).toContain("Old address: 203.0.113.7 (held for 40 days 3 hours)\n");
});

const outage = (from: string, to: string, more: object = {}) =>
  odd({ id: to, outageSince: `2026-09-${from}:00.000Z`, at: `2026-09-${to}:00.000Z`, ...more }, BACK);

test("several outages are counted, and each is told with its own length", () => {
  const { subject, all } = both([outage("01T00:00", "01T06:00"), outage("08T00:00", "08T02:00")]);
  expect(subject).toBe("grange: still 203.0.113.7 (cut off 2 times)");
  expect(all).toContain("grange was cut off 2 times, and its public address is still the same.");
  expect(all).toMatch(/1 September 2026 at 08:00 CEST: 203\.0\.113\.7 \(cut off before for 6 hours\)/);
  expect(all).toMatch(/8 September 2026 at 04:00 CEST: 203\.0\.113\.7 \(cut off before for 2 hours\)/);
  expect(all).not.toMatch(/\d+ days? \d/);
});

test("folded outages give a number, and no length from the first to the last", () => {
  const { subject, all } = both([outage("01T00:00", "09T02:00", { folded: 4 })]);
  expect(subject).toContain("(cut off 5 times)");
  expect(all).not.toMatch(/8 days|2 hours/);
});

test("of folded changes nobody knows when the outage was", () => {
  const { all } = both([odd({ folded: 3, outageSince: "2026-09-01T00:00:00.000Z" })]);
  expect(all).toContain("The IPv4 address could not be seen for an unknown time.");
  expect(all).not.toMatch(/8 days|cut off before/);
});

test("an outage of both families is one", () => {
  const six = outage("08T00:00", "08T02:00", { family: 6, address: "2001:db8::7", old: "2001:db8::7" });
  const { all } = both([outage("08T00:00", "08T02:00"), six]);
  expect(all).toContain("The IPv4 and IPv6 address could not be seen for 2 hours");
  expect(all).toContain("is back");
});

test("a clock that began in 1970 leaves durations out", () => {
  const { all } = both([odd({ oldSince: "1970-01-01T00:17:00.000Z", outageSince: "1970-01-01T00:17:00.000Z" })]);
  expect(all).toContain("could not be seen for an unknown time.");
  expect(all).toContain("Old address: 203.0.113.7 Seen");
  const back = both([odd({ oldSince: "1970-01-01T00:17:00.000Z" }, BACK)]).all;
  expect(back).toContain("Since: at an unknown time (the clock was wrong)");
});

test("the bars leave out what a wrong clock wrote, draw none for no time, and show the short beside the long", () => {
  const at = (day: string, address: string) => ({ family: 4 as const, at: `${day}:00.000Z`, address });
  const history = [
    at("1970-01-01T00:00", "192.0.2.1"),
    at("2025-06-01T00:00", "192.0.2.2"),
    at("2026-09-08T00:00", "192.0.2.3"),
    at("2026-09-08T01:00", "192.0.2.4"),
    at("2026-09-09T01:00", "192.0.2.5"),
    at("2026-09-09T03:18", "192.0.2.6"),
  ];
  const { text } = both([CHANGE], { history });
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
  expect(both([CHANGE], { history: history.slice(0, 2) }).text).not.toContain("Lately");
});

test("what the caller knows is told in a sentence each", () => {
  const { text, all, html } = both([CHANGE], {
    unwritable: "full",
    lateReason: "mail.example.net refused the connection.",
    reach: { port: 2222, isReachable: false },
    restartedMinutesAgo: 12,
    now: new Date("2026-09-09T09:18:00Z"),
  });
  // Right below the headline.
  expect(text).toMatch(/^The public address of grange has changed\.\n\nThe disk is full, .*/);
  expect(all).toContain("This mail will be repeated once a day until that is mended.");
  expect(all).toContain("From outside, port 2222 does not answer at 203.0.113.99");
  expect(all).toContain("This machine started 12 minutes ago: probably a power cut.");
  expect(all).toContain("This mail comes 6 hours 6 minutes late: mail.example.net refused the connection.");
  expect(visibleText(html)).toContain("The disk is full");
  const french = both([CHANGE], {
    language: "fr",
    unwritable: "read-only",
    reach: { port: 22, isReachable: true },
  }).all;
  expect(french).toContain("en lecture seule");
  expect(french).toContain("le port 22 répond à l’adresse 203.0.113.99.");
  expect(both([CHANGE], { machineName: "Maison", language: "fr" }).subject).toBe(
    "Maison\u00a0: nouvelle adresse 203.0.113.99 (avant 203.0.113.7)",
  );
  // In time: nothing to explain.
  expect(both([CHANGE], { lateReason: "x" }).all).not.toContain("late");
});

test.each(LANGUAGES)("%s: however long the name, a phone shows the address in the subject", (language) => {
  const longest = { address: "198.151.100.123", old: "203.100.113.107" };
  for (const machineName of ["pi", "raspberrypi", "raspberrypi-in-the-attic", "☕".repeat(60), "\u0007".repeat(30)]) {
    for (const kind of Object.keys(KINDS).filter((name) => name !== "mixed")) {
      const events = (KINDS[kind] ?? []).map((event) => (event.family === 4 ? { ...event, ...longest } : event));
      const { subject } = composeMessage(events, { ...factsIn(language), machineName });
      expect(subject.slice(0, 40)).toContain(longest.address);
      expect(subject.slice(0, 2)).toBe(machineName === "\u0007".repeat(30) ? "\\u" : machineName.slice(0, 2));
    }
  }
});

test("a test does not show the same address as old and new", () => {
  const { text } = both([odd({ kind: "test", old: CHANGE.address })]);
  expect(text.match(/203\.0\.113\.99/g)).toHaveLength(2); // The address and the ssh line.
});
