import fc from "fast-check";
import { expect, test } from "vitest";
import { Redactor } from "../../src/base/redaction";
import { quote } from "../../src/base/text";

function redact(text: string, ...secrets: string[]): string {
  const redactor = new Redactor();
  redactor.secrets.push(...secrets);
  return redactor.redact(text);
}

/** The forms in which servers, URLs and libraries repeat a secret. */
const FORMS: Record<string, (secret: string) => string> = {
  "in clear": (secret) => secret,
  base64: (secret) => Buffer.from(secret).toString("base64"),
  "base64 without padding": (secret) => Buffer.from(secret).toString("base64").replace(/=+$/, ""),
  base64url: (secret) => Buffer.from(secret).toString("base64url"),
  hexadecimal: (secret) => Buffer.from(secret).toString("hex"),
  "hexadecimal in capitals": (secret) => Buffer.from(secret).toString("hex").toUpperCase(),
  "the body of an answer": (secret) => Buffer.from(secret).toString("latin1"),
  quoted: (secret) => quote(secret),
  "a form's field": (secret) => encodeURIComponent(secret).replaceAll("%20", "+"),
  "percent-encoded": (secret) => encodeURIComponent(secret),
  JSON: (secret) => JSON.stringify(secret).slice(1, -1),
};

test.each(Object.entries(FORMS))("%s", (_, form) => {
  const secret = 'pä?ss"w>o~rd';
  expect(redact(`before ${form(secret)} after`, secret)).toMatch(/^before \[redacted\](=*) after$/);
});

test.each([
  ["nothing to hide", ["hunter22"], "nothing to hide"],
  ["hunter22 and hunter22", ["hunter22"], "[redacted] and [redacted]"],
  ["hunter2222", ["hunter22", "hunter2222"], "[redacted]"],
  ["$& and $1", ["$& and"], "[redacted] $1"],
  ["a.c abc", ["a.c "], "[redacted]abc"],
  // A short one is a word of its own, or every word would have it.
  ["535 no login pi abc, abcd", ["abc"], "535 no login pi [redacted], abcd"],
  ["(a) and 'a=b'", ["a"], "([redacted]) and '[redacted]=b'"],
  ["é, éa", ["é"], "[redacted], éa"],
  ["YWJj", ["abc"], "[redacted]"],
  // Cut by quote.
  ["no hunter22hunt…", ["hunter22hunter22"], "no [redacted]…"],
  ["no hun…", ["hunter22"], "no hun…"],
  ["a.b", ["a.b"], "[redacted]"],
  // An escape is longer than the character.
  ["no \\u{2028}\\u{7}xyz", ["\u2028\u0007xyz"], "no [redacted]"],
  ["[x] (y) {z}|^", ["[x] (y) {z}|^"], "[redacted]"],
  ["", ["hunter22", ""], ""],
])("%j without %j: %j", (text, secrets, expected) => expect(redact(text, ...secrets)).toBe(expected));

test("a secret that becomes known later is taken out from then on", () => {
  const redactor = new Redactor();
  expect(redactor.redact("hunter22")).toBe("hunter22");
  redactor.secrets.push("hunter22");
  expect(redactor.redact("hunter22")).toBe("[redacted]");
});

test("no secret of four characters or more survives in any form", () => {
  // Not the word that stands in for a secret, nor a part of it.
  const secret = fc
    .string({ unit: "grapheme", minLength: 4, maxLength: 30 })
    .filter((text) => text.length >= 4 && !/[[\]]/.test(text) && !"redacted".includes(text));
  const form = fc.constantFrom(...Object.values(FORMS));
  fc.assert(
    fc.property(
      fc.array(secret, { minLength: 1, maxLength: 4 }),
      form,
      fc.string(),
      fc.string(),
      (secrets, write, a, b) => {
        const redacted = redact(secrets.map((one) => a + write(one) + b).join(""), ...secrets);
        for (const one of secrets) expect(redacted).not.toContain(write(one));
      },
    ),
    { numRuns: 500 },
  );
});
