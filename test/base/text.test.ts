import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quote, suggest } from "../../src/base/text";

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

test.each([
  ["plain text, ünïcödé, 家, 🏠", "plain text, ünïcödé, 家, 🏠"],
  ["\u001b[31mred", "\\u{1b}[31mred"],
  ["a\r\nBcc: b@example.net", "a\\u{d}\\u{a}Bcc: b@example.net"],
  ["\0\t\u007f\u0085\u009b", "\\u{0}\\u{9}\\u{7f}\\u{85}\\u{9b}"],
  ["user\u202egnp.exe", "user\\u{202e}gnp.exe"],
  ["zero\u200bwidth\ufeff\u00ad", "zero\\u{200b}width\\u{feff}\\u{ad}"],
  ["line\u2028paragraph\u2029", "line\\u{2028}paragraph\\u{2029}"],
  ["lone \ud800", "lone \\u{d800}"],
  ["tag \u{e0041}", "tag \\u{e0041}"],
])("%j is written as %j", (text, expected) => expect(quote(text)).toBe(expected));

test("what is too long is cut between characters", () => {
  expect(quote("🏠🏠🏠", 2)).toBe("🏠🏠…");
  expect(quote("🏠🏠", 2)).toBe("🏠🏠");
  expect(quote("x".repeat(201))).toBe(`${"x".repeat(200)}…`);
});

test("no control, format or separating character survives, and the length is bounded", () => {
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0x2fff }),
    fc.integer({ min: 0xd7f0, max: 0xffff }),
    fc.integer({ min: 0x10000, max: 0x10ffff }),
  );
  const text = fc.array(unit, { maxLength: 60 }).map((units) => String.fromCodePoint(...units));
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 80 }), (given, maxLength) => {
      const safe = quote(given, maxLength);
      expect(safe).not.toMatch(UNSAFE);
      expect([...safe].length).toBeLessThanOrEqual(maxLength + 1);
      if (!UNSAFE.test(given) && [...given].length <= maxLength) expect(safe).toBe(given);
    }),
    { numRuns: 500 },
  );
});

const COMMANDS = ["check", "vigenere", "init", "doctor", "status", "history", "schedule"];
const VARIABLES = ["IPCHECK_TO", "IPCHECK_FROM", "IPCHECK_SMTP_HOST", "IPCHECK_SMTP_PORT", "IPCHECK_SMTP_PASSWORD"];

test.each([
  ["docotr", COMMANDS, "doctor"],
  ["statsu", COMMANDS, "status"],
  ["histroy", COMMANDS, "history"],
  ["inti", COMMANDS, "init"],
  ["frobnicate", COMMANDS, undefined],
  ["x", COMMANDS, undefined],
  ["", COMMANDS, undefined],
  ["IPCHECK_SMTP_PASSWORT", VARIABLES, "IPCHECK_SMTP_PASSWORD"],
  ["IPCHECK_SMPT_HOST", VARIABLES, "IPCHECK_SMTP_HOST"],
  ["IPCHECK_SMTP_POST", VARIABLES, "IPCHECK_SMTP_HOST"],
  ["IPCHECK_TOO", VARIABLES, "IPCHECK_TO"],
  ["IPCHECK_PASSWORD", VARIABLES, undefined],
  ["HOME", VARIABLES, undefined],
  ["check", [], undefined],
])("%s: %s", (word, candidates, expected) => expect(suggest(word, candidates)).toBe(expected));

describe("for any word", () => {
  test("what is right already is suggested itself", () => {
    fc.assert(
      fc.property(fc.constantFrom(...COMMANDS, ...VARIABLES), (word) => {
        expect(suggest(word, [...COMMANDS, ...VARIABLES])).toBe(word);
      }),
    );
  });

  test("one wrong, missing, added or swapped letter is forgiven", () => {
    const slip = fc.record({ index: fc.nat(), removed: fc.nat(1), added: fc.constantFrom("", "q", "_") });
    fc.assert(
      fc.property(fc.constantFrom(...COMMANDS), slip, (word, { index, removed, added }) => {
        const at = index % word.length;
        expect(suggest(word.slice(0, at) + added + word.slice(at + removed), COMMANDS)).toBe(word);
      }),
    );
  });
});
