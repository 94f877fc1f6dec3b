// Vigenère over four alphabets, so that digits, symbols and spaces of a password are shifted too.
// For letters alone it is the textbook cipher: any Vigenère tool decodes a Google app password.
// It is obfuscation against a glance over the shoulder, and nothing more.

const SYMBOLS = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index))
  .filter((character) => !/[A-Za-z0-9]/.test(character))
  .join("");

const ALPHABETS = ["ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789", SYMBOLS] as const;

/** The alphabet that a character of printable ASCII belongs to. */
const alphabetOf = (character: string) => ALPHABETS.find((alphabet) => alphabet.includes(character));

/** Encodes `text`; the result has the same length and the same kind of character at every place. */
export function encodeVigenere(text: string, key: string): string {
  return shiftText(text, key, 1);
}

/** Undoes `encodeVigenere` for every text and key. */
export function decodeVigenere(text: string, key: string): string {
  return shiftText(text, key, -1);
}

/** True when `key` can be used: not empty, printable ASCII throughout. */
export function isVigenereKey(key: string): boolean {
  return /^[\x20-\x7e]+$/.test(key);
}

/** How many characters (code points) of `text` no key can hide, because they are not printable ASCII. */
export function countUnshiftable(text: string): number {
  return [...text].filter((character) => !alphabetOf(character)).length;
}

function shiftText(text: string, key: string, direction: 1 | -1): string {
  if (!isVigenereKey(key)) throw new RangeError("a Vigenère key is one or more printable ASCII characters");
  const shifts = [...key].map((character) => alphabetOf(character)?.indexOf(character) ?? 0);
  let consumed = 0;
  const shifted = [...text].map((character) => {
    const alphabet = alphabetOf(character);
    if (!alphabet) return character;
    const shift = direction * (shifts[consumed++ % shifts.length] ?? 0);
    return alphabet.at((alphabet.indexOf(character) + shift) % alphabet.length);
  });
  return shifted.join("");
}
