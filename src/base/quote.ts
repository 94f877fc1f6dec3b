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

/** JSON in which no character can act on a terminal: those that `JSON.stringify` leaves as they are become `\uXXXX`. */
export function toJson(value: unknown, indent?: number): string {
  const json = JSON.stringify(value, null, indent);
  return json.replace(/[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    // Beyond U+FFFF they are two code units, escaped apart.
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
