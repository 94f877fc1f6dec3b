import type { MessageKind } from "./catalog";
import type { Language } from "./languages";

/** Everything a mail shows, in words and in the order in which it is shown. */
export interface MessageContent {
  language: Language;
  kind: MessageKind;
  colon: string;
  subject: string;
  headline: string;
  /** Something to be mended, right below the headline. */
  warning: string | undefined;
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
  /** Shown before the address, with an arrow. */
  old: string | undefined;
  address: string;
  facts: { label: string; value: string }[];
  login: { label: string; command: string };
}

export interface Bar {
  label: string;
  duration: string;
  /** Of the longest, from 0 to 1; at 0 there is no bar. */
  share: number;
}

/** Two addresses that stand on one line, on a phone too: such as any two of IPv4. */
export const SHORT_MOVE = /(?<!\S)(\S{1,15}) → (\S{1,15})(?!\S)/g;
