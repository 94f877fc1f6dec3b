/** The languages of the mails; each has a table in `core/letter/`. */
export const LANGUAGES = ["en", "fr"] as const;

export type Language = (typeof LANGUAGES)[number];
