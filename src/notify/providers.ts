import wellKnown from "nodemailer/lib/well-known";

/** How a mail provider takes mail from its customers. */
export interface MailProvider {
  name: string;
  host: string;
  port: number;
  security: "tls" | "starttls";
  /** What a newcomer must know, in one sentence. */
  note?: string;
  /** It takes no passwords (any more): another mailbox is the way. */
  isUnusable?: boolean;
}

/** Providers that nodemailer's table lacks, by domain. */
export const MORE_PROVIDERS: Record<string, MailProvider> = {
  "orange.fr": { name: "Orange", host: "smtp.orange.fr", port: 465, security: "tls" },
  "wanadoo.fr": { name: "Orange", host: "smtp.orange.fr", port: 465, security: "tls" },
  "free.fr": { name: "Free", host: "smtp.free.fr", port: 465, security: "tls" },
  "sfr.fr": { name: "SFR", host: "smtp.sfr.fr", port: 465, security: "tls" },
  "neuf.fr": { name: "SFR", host: "smtp.sfr.fr", port: 465, security: "tls" },
  "laposte.net": { name: "La Poste", host: "smtp.laposte.net", port: 465, security: "tls" },
  "ovh.net": { name: "OVH", host: "ssl0.ovh.net", port: 465, security: "tls" },
};

interface ProviderRule {
  /** Of the mail server. */
  host: RegExp;
  /** Said to a newcomer, and as the hint when the login is refused. */
  note: string;
  isUnusable: boolean;
}

/** Providers with a rule of their own about logging in. */
const RULES: readonly ProviderRule[] = [
  {
    host: /(^|\.)(gmail|googlemail)\.com\.?$/i,
    note: "Gmail wants an app password, not the account's own: make one at https://myaccount.google.com/apppasswords; where that page offers none, two-step verification is off or uses security keys only, Advanced Protection is on, or an administrator forbids it, and another mailbox is the way",
    isUnusable: false,
  },
  {
    host: /(^|\.)office365\.com\.?$/i,
    note: "Microsoft 365 takes a password only where an administrator allows authenticated SMTP for the mailbox (off by default from the end of 2026): ask for that, or use a mailbox of another provider",
    isUnusable: false,
  },
  {
    host: /(^|\.)(outlook|hotmail|live)\.com\.?$/i,
    note: "Microsoft takes no passwords from programs at Outlook.com, Hotmail and Live any more: use a mailbox of another provider",
    isUnusable: true,
  },
  {
    host: /(^|\.)(yahoo|aol|me|icloud|fastmail)\.com\.?$/i,
    note: "it wants an app password, not the account's own: make one in the account's security settings",
    isUnusable: false,
  },
  {
    host: /(^|\.)(protonmail\.ch|proton\.me)\.?$/i,
    note: "Proton wants its Bridge, or an SMTP token of a paid plan",
    isUnusable: false,
  },
];

/** What must be known of logging in at this mail server, where there is something. */
export function loginRule(host: string): Omit<ProviderRule, "host"> | undefined {
  const rule = RULES.find((one) => one.host.test(host));
  return rule && { note: rule.note, isUnusable: rule.isUnusable };
}

/** Domains of Microsoft's private mailboxes that no table lists one by one. */
const MICROSOFT_DOMAIN = /^(outlook|hotmail|live|msn)\.[a-z.]+$/;

/** Adds what a newcomer must know of this provider. */
export function withNote(provider: MailProvider): MailProvider {
  return { ...provider, ...loginRule(provider.host) };
}

/** The provider of a mail address by its domain, as far as our own table knows. */
export function findOwnProvider(address: string): MailProvider | undefined {
  const domain = address.slice(address.lastIndexOf("@") + 1).toLowerCase();
  if (MICROSOFT_DOMAIN.test(domain)) {
    return withNote({ name: "Outlook.com", host: "smtp-mail.outlook.com", port: 587, security: "starttls" });
  }
  return Object.hasOwn(MORE_PROVIDERS, domain) ? MORE_PROVIDERS[domain] : undefined;
}

/** The provider of a mail address, by its domain; undefined where no table knows it. */
export function findProvider(address: string): MailProvider | undefined {
  const own = findOwnProvider(address);
  if (own) return own;
  const known = wellKnown(address);
  if (!known || known.host === undefined) return undefined;
  const isGmail = known.host === "smtp.gmail.com";
  const port = isGmail ? 587 : Number(known.port ?? 587);
  return withNote({
    name: known.description ?? known.host,
    host: known.host,
    port,
    security: known.secure && !isGmail ? "tls" : "starttls",
  });
}
