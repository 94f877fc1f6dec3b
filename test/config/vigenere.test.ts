import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countUnshiftable, decodeVigenere, encodeVigenere, isVigenereKey } from "../../src/config/vigenere";

const key = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 });
/** Any UTF-16 at all: accents, emoji, control characters, halves of surrogate pairs. */
const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "grapheme-ascii" }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);

/** The alphabet a character belongs to, which the cipher keeps. */
function classOf(character: string): string {
  if (/^[A-Z]$/.test(character)) return "upper";
  if (/^[a-z]$/.test(character)) return "lower";
  if (/^[0-9]$/.test(character)) return "digit";
  return /^[\x20-\x7e]$/.test(character) ? "symbol" : character;
}

test.each([
  ["LEMON", "ATTACKATDAWN", "LXFOPVEFRNHR"],
  ["lemon", "ATTACKATDAWN", "LXFOPVEFRNHR"],
  ["LEMON", "attackatdawn", "lxfopvefrnhr"],
  [
    "VIGENERECIPHER",
    "BEWARETHEJABBERWOCKMYSONTHEJAWSTHATBITETHECLAWSTHATCATCH",
    "WMCEEIKLGRPIFVMEUGXQPWQVIOIAVEYXUEKFKBTALVXTGAFXYEVKPAGY",
  ],
  // The letters of a Google app password.
  ["homeserver", "abcdefghijklmnop", "hpohwjxcmarzyrgt"],
  // A digit shifts by its value, a symbol by its place among the 33.
  ["1", "0189", "1290"],
  ["9", "az AZ", "ji)JI"],
  [" ", "Stays 0!", "Stays 0!"],
  ["!", " !/:@[`{~Zz9", '!":;[\\{| Aa0'],
  ["A", "unchanged", "unchanged"],
  ["b", "é b🏠b", "é!c🏠c"],
  ["BC", "éaéa", "ébéc"],
])("key %j: %j is written as %j", (withKey, plain, encoded) => {
  expect(encodeVigenere(plain, withKey)).toBe(encoded);
  expect(decodeVigenere(encoded, withKey)).toBe(plain);
});

describe("for any text and key", () => {
  test("decoding inverts encoding, and encoding decoding", () => {
    fc.assert(
      fc.property(text, key, (plain, withKey) => {
        expect(decodeVigenere(encodeVigenere(plain, withKey), withKey)).toBe(plain);
        expect(encodeVigenere(decodeVigenere(plain, withKey), withKey)).toBe(plain);
      }),
    );
  });

  test("every place keeps its kind of character, or its very character outside printable ASCII", () => {
    fc.assert(
      fc.property(text, key, (plain, withKey) => {
        const encoded = encodeVigenere(plain, withKey);
        expect([...encoded].map(classOf)).toEqual([...plain].map(classOf));
        expect(countUnshiftable(plain)).toBe([...plain].filter((character) => classOf(character) === character).length);
      }),
    );
  });

  test("what no key hides takes up none of the key", () => {
    fc.assert(
      fc.property(text, key, (plain, withKey) => {
        const isShifted = (character: string) => classOf(character) !== character;
        const [encoded, bare] = [encodeVigenere(plain, withKey), [...plain].filter(isShifted).join("")];
        expect([...encoded].filter(isShifted).join("")).toBe(encodeVigenere(bare, withKey));
      }),
    );
  });
});

test.each([
  ["LEMON", true],
  [" ", true],
  ["a key, with ~ everything 0-9!", true],
  ["", false],
  ["clé", false],
  ["a\tb", false],
  ["a\n", false],
  ["🔑", false],
  ["a\u007f", false],
])("key %j can be used: %s", (candidate, expected) => {
  expect(isVigenereKey(candidate)).toBe(expected);
  for (const shift of expected ? [] : [encodeVigenere, decodeVigenere]) {
    expect(() => shift("text", candidate)).toThrow(RangeError);
  }
});

test.each([
  ["", 0],
  ["plain ASCII ~", 0],
  ["é", 1],
  ["e\u0301", 1],
  ["🏠\n\t", 3],
  ["👩‍👩‍👧", 5],
])("%j has %d characters that no key hides", (plain, expected) => expect(countUnshiftable(plain)).toBe(expected));
