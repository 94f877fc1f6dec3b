import fc from "fast-check";
import { expect, test } from "vitest";
import { Redactor } from "../../src/base/redaction";

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
  ["too short: abc", ["abc"], "too short: abc"],
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
