/** What kind of mail it is, which decides its subject, its first sentence and its colour. */
export type MessageKind =
  | "first"
  | "change"
  /** Several changes. */
  | "changes"
  /** Several changes, after which the address is the one that was told last. */
  | "returned"
  | "back"
  /** Several outages without a change. */
  | "interrupted"
  | "heartbeat"
  | "test";

/** Why what is told could not be recorded. */
export type Unwritable = "full" | "read-only" | "unreadable" | "other";

/** Every text of the mails in one language. Values arrive ready to be shown; markup is added elsewhere. */
export interface Catalog {
  /** What the language calls itself. */
  name: string;
  /** BCP 47, for Intl. */
  locale: string;
  /** 'Home: [lead] 203.0.113.99 ([note])'. A phone shows 35 to 40 characters: `brief` stands in for a lead that is too long. */
  subject: Record<
    MessageKind,
    { lead: string; brief: string; note: (facts: { old: string; count: string }) => string }
  >;
  was: (old: string) => string;
  subjectUnconfirmed: string;
  /** `family` is empty or ' IPv6', with the space before it. */
  headline: Record<MessageKind, (facts: { machine: string; count: string; family: string }) => string>;
  /** Counts changes in words, by Intl's plural rules. */
  changes: Partial<Record<Intl.LDMLPluralRule, (count: string) => string>>;
  /** How often it was cut off: twice or more. */
  outages: (count: string) => string;
  newAddress: (family: string) => string;
  currentAddress: (family: string) => string;
  oldAddress: string;
  heldFor: (duration: string) => string;
  /** In place of a time that a wrong clock recorded. */
  unknownTime: string;
  seenAt: string;
  sinceWhen: string;
  confirmedBy: string;
  /** Instead, where one vote had to do. */
  saidBy: string;
  unwritable: Record<Unwritable, string>;
  /** Follows each of those. */
  repeated: string;
  unconfirmed: (address: string) => string;
  reachable: (facts: { address: string; port: string }) => string;
  unreachable: (facts: { address: string; port: string }) => string;
  restarted: (duration: string) => string;
  /** `range` is empty or its two ends in parentheses, with a space before them. */
  outage: (facts: { family: string; duration: string; range: string }) => string;
  unwatched: (facts: { duration: string; range: string }) => string;
  /** In place of a duration that cannot be known. */
  unknownDuration: string;
  severalOutages: (outages: string) => string;
  outagesExplained: string;
  late: (facts: { duration: string; reason: string }) => string;
  login: string;
  hostKeys: string;
  hostKeysAdvice: string;
  allChanges: string;
  foldedChanges: (count: string) => string;
  afterOutage: (duration: string) => string;
  afterPause: (duration: string) => string;
  afterOutages: (outages: string) => string;
  lately: string;
  /** The bar of the address in use. */
  untilNow: string;
  why: (facts: { host: string; version: string }) => string;
  stop: string;
  /** Between a label and its value: French puts a space before the colon. */
  colon: string;
}
