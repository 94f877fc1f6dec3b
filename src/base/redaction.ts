// Where secrets are taken out, and where not. What others say (a mail server's reply, the body of an echo
// service, the last words of a command) may repeat what they were sent: it is redacted where it enters a
// sentence of ours, and so is the stack of a bug. What was measured, stored or made by ourselves (an
// address, a time, an id, a field's name) is never redacted: it is no secret because a key looks like
// it. Values of the configuration are shown as config/variables.ts says, which leaves no secret in them.

import { quote } from "./text";

/** Shorter secrets are in every word: they are taken out where they stand as a word of their own. */
const SHORTEST_PART = 4;

/** Takes secrets out of a text. */
export type Redact = (text: string) => string;

/** Takes secrets out of what others said, also in the forms in which servers and libraries repeat them. */
export class Redactor {
  /** May be added to at any time; what was added is taken out from then on. */
  readonly secrets: string[] = [];

  readonly redact: Redact = (text) => {
    // Longest first: a secret that contains another must not leave its rest standing.
    const forms = [...new Set(this.secrets.flatMap(formsOf))].sort((a, b) => b.length - a.length);
    if (forms.length === 0) return text;
    const redacted = text.replace(new RegExp(forms.map(patternOf).join("|"), "gu"), "[redacted]");
    return redacted.includes("…") ? forms.reduce(withoutCutForm, redacted) : redacted;
  };
}

function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const base64 = bytes.toString("base64");
  const percent = encodeURIComponent(bytes.toString());
  const forms = [
    secret,
    base64,
    base64.replace(/=+$/, ""),
    bytes.toString("base64url"),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    // As the body of an answer is read, so that no byte of it is lost.
    bytes.toString("latin1"),
    percent,
    percent.replaceAll("%20", "+"),
    JSON.stringify(secret).slice(1, -1),
    // Whole: an escape is longer than the character it stands for.
    quote(secret, Number.POSITIVE_INFINITY),
  ];
  return forms.filter((form) => form !== "");
}

function patternOf(form: string): string {
  const literal = form.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return form.length < SHORTEST_PART ? `(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])` : literal;
}

// `quote` cuts what is long, and so it may have cut a secret.
function withoutCutForm(text: string, form: string): string {
  for (let length = form.length - 1; length >= SHORTEST_PART; length--) {
    text = text.replaceAll(`${form.slice(0, length)}…`, "[redacted]…");
  }
  return text;
}
