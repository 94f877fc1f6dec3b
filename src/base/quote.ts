/**
 * Makes text from outside safe for a terminal, a log line and a mail header: control, format and
 * line-separating characters become `\u{…}`, and what is longer than `maxLength` characters is cut.
 */
export function quote(text: string, maxLength = 200): string {
  // Cc: control; Cf: bidirectional overrides, zero-width; Zl/Zp: line separators; Cs: lone surrogates.
  const safe = text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  const characters = [...safe];
  return characters.length > maxLength ? `${characters.slice(0, maxLength).join("")}…` : safe;
}
