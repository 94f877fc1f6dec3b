/** Shorter strings are in every sentence; a secret of that length protects nothing anyway. */
const SHORTEST_SECRET = 4;

/** Takes secrets out of text, also in the forms in which servers and libraries repeat them. */
export class Redactor {
  /** May be filled at any time; what was added is taken out from then on. */
  readonly secrets: string[] = [];

  redact(text: string): string {
    let redacted = text;
    // Longest first: a secret that contains another must not leave its rest standing.
    const forms = this.secrets.flatMap(formsOf).sort((a, b) => b.length - a.length);
    for (const form of new Set(forms)) redacted = redacted.replaceAll(form, "[redacted]");
    return redacted;
  }
}

function formsOf(secret: string): string[] {
  if (secret.length < SHORTEST_SECRET) return [];
  const base64 = Buffer.from(secret).toString("base64");
  const forms = [
    secret,
    base64,
    base64.replace(/=+$/, ""),
    Buffer.from(secret).toString("base64url"),
    Buffer.from(secret).toString("hex"),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ];
  return forms.filter((form) => form.length >= SHORTEST_SECRET);
}
