import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { suggest } from "../../src/base/text";

const COMMANDS = ["check", "vigenere", "init", "doctor", "status", "history", "schedule"];
const VARIABLES = ["IPCHECK_TO", "IPCHECK_FROM", "IPCHECK_SMTP_HOST", "IPCHECK_SMTP_PORT", "IPCHECK_SMTP_PASSWORD"];

test.each([
  ["chek", COMMANDS, "check"],
  ["checkk", COMMANDS, "check"],
  ["doctr", COMMANDS, "doctor"],
  ["docotr", COMMANDS, "doctor"],
  ["statsu", COMMANDS, "status"],
  ["histroy", COMMANDS, "history"],
  ["vignere", COMMANDS, "vigenere"],
  ["inti", COMMANDS, "init"],
  ["chekc", COMMANDS, "check"],
  ["frobnicate", COMMANDS, undefined],
  ["x", COMMANDS, undefined],
  ["", COMMANDS, undefined],
  ["IPCHECK_SMTP_PASSWORT", VARIABLES, "IPCHECK_SMTP_PASSWORD"],
  ["IPCHECK_SMPT_HOST", VARIABLES, "IPCHECK_SMTP_HOST"],
  ["IPCHECK_SMTP_POST", VARIABLES, "IPCHECK_SMTP_HOST"],
  ["IPCHECK_TOO", VARIABLES, "IPCHECK_TO"],
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
