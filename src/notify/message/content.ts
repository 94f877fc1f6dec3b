import type { Language } from "./languages";

/** Everything a mail shows, in words and in the order in which it is shown. */
export interface MessageContent {
  language: Language;
  colon: string;
  subject: string;
  headline: string;
  remarks: string[];
  sections: Section[];
  hostKeys: { title: string; advice: string; lines: string[] } | undefined;
  changes: { title: string; lines: string[] } | undefined;
  bars: { title: string; rows: Bar[] } | undefined;
  footer: string[];
}

/** One family's address with its facts. */
export interface Section {
  title: string;
  address: string;
  facts: { label: string; value: string }[];
  login: { label: string; command: string };
}

export interface Bar {
  label: string;
  duration: string;
  /** Of the longest, from 0 to 1. */
  share: number;
}
