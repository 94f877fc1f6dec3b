import type { Language } from "../language";
import { ENGLISH } from "./english";
import { FRENCH } from "./french";
import type { Words } from "./words";

/** The table of each language; a language that is missing here does not compile. */
export const WORDS: Record<Language, Words> = { en: ENGLISH, fr: FRENCH };
