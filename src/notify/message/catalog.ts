/** What kind of mail it is, which decides its subject and its first sentence. */
export type MessageKind = "first" | "change" | "changes" | "back" | "heartbeat" | "test";

/** Every text of the mails in one language. Values arrive ready to be shown; markup is added elsewhere. */
export interface Catalog {
  /** What the language calls itself. */
  name: string;
  /** BCP 47, for Intl. */
  locale: string;
  /** What follows 'name address' in the subject; short, for a phone shows 35 to 40 characters. */
  subject: Record<MessageKind, (facts: { old: string; count: string }) => string>;
  subjectUnconfirmed: string;
  headline: Record<MessageKind, (facts: { machine: string; count: string }) => string>;
  /** Counts changes in words, by Intl's plural rules. */
  changes: Partial<Record<Intl.LDMLPluralRule, (count: string) => string>>;
  newAddress: (family: string) => string;
  currentAddress: (family: string) => string;
  oldAddress: string;
  heldFor: (duration: string) => string;
  seenAt: string;
  sinceWhen: string;
  confirmedBy: string;
  /** Instead, where one vote had to do. */
  saidBy: string;
  unconfirmed: string;
  outageFor: (duration: string) => string;
  login: string;
  hostKeys: string;
  hostKeysAdvice: string;
  allChanges: string;
  foldedChanges: (count: string) => string;
  lately: string;
  /** The bar of the address in use. */
  untilNow: string;
  why: (facts: { host: string; version: string }) => string;
  stop: string;
  /** Between a label and its value: French puts a space before the colon. */
  colon: string;
}
