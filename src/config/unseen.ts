/**
 * What looks like a plain space, or like nothing, and is none: pasted from a web page or a word processor, it makes an
 * address, a name or a password another one.
 */
export function findUnseen(text: string): string | undefined {
  const character = /(?! )[\p{Z}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u.exec(text)?.[0];
  if (character === undefined) return undefined;
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `holds ${/\p{Z}/u.test(character) ? "a space that is no plain one" : "an invisible character"} (U+${code})`;
}
