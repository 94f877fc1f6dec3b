import wellKnown from "nodemailer/lib/well-known";

/** How a mail provider takes mail from its customers. */
interface MailProvider {
  host: string;
  port: number;
  /** What a newcomer must know of logging in, in one sentence. */
  note?: string | undefined;
  /** It takes no passwords (any more): another mailbox is the way. */
  isUnusable?: boolean | undefined;
}

/** Mail servers that nodemailer's table lacks, by domain; each takes mail on port 465. */
const MORE_PROVIDERS: Record<string, string> = {
  "orange.fr": "smtp.orange.fr",
  "wanadoo.fr": "smtp.orange.fr",
  "free.fr": "smtp.free.fr",
  "sfr.fr": "smtp.sfr.fr",
  "neuf.fr": "smtp.sfr.fr",
  "laposte.net": "smtp.laposte.net",
  "yahoo.fr": "smtp.mail.yahoo.com",
  "ovh.net": "ssl0.ovh.net",
};

/** Domains of Microsoft's private mailboxes that no table lists one by one. */
const MICROSOFT_DOMAIN = /^(outlook|hotmail|live|msn)\.[a-z.]+$/;

/** What must be known of logging in, by the mail server's name. */
const RULES: readonly { host: RegExp; note: string; isUnusable?: boolean }[] = [
  {
    host: /(^|\.)(gmail|googlemail)\.com\.?$/i,
    note: "Gmail wants an app password, not the account's own: make one at https://myaccount.google.com/apppasswords; where that page offers none, two-step verification is off or uses security keys only, Advanced Protection is on, or an administrator forbids it, and another mailbox is the way",
  },
  {
    host: /(^|\.)office365\.com\.?$/i,
    note: "Microsoft 365 takes a password only where an administrator allows authenticated SMTP for the mailbox (off by default from the end of 2026): ask for that, or use a mailbox of another provider",
  },
  {
    host: /(^|\.)(outlook|hotmail|live)\.com\.?$/i,
    note: "Microsoft takes no passwords from programs at Outlook.com, Hotmail and Live any more: use a mailbox of another provider",
    isUnusable: true,
  },
  {
    host: /(^|\.)(yahoo|aol|me|icloud|fastmail)\.com\.?$/i,
    note: "this mailbox wants an app password, not the account's own: make one in the account's security settings",
  },
  {
    host: /(^|\.)(protonmail\.ch|proton\.me)\.?$/i,
    note: "Proton wants its Bridge, or an SMTP token of a paid plan",
  },
];

/** What must be known of logging in at a mail server; undefined where it has no rule of its own. */
export function findRule(host: string) {
  return RULES.find((rule) => rule.host.test(host));
}

/** The provider of a mail address, by its domain; undefined where no table knows it. */
export function findProvider(address: string): MailProvider | undefined {
  const provider = lookUp(address);
  const rule = provider && findRule(provider.host);
  return provider && { ...provider, note: rule?.note, isUnusable: rule?.isUnusable };
}

function lookUp(address: string): MailProvider | undefined {
  const domain = address.slice(address.lastIndexOf("@") + 1).toLowerCase();
  if (MICROSOFT_DOMAIN.test(domain)) return { host: "smtp-mail.outlook.com", port: 587 };
  const own = Object.hasOwn(MORE_PROVIDERS, domain) ? MORE_PROVIDERS[domain] : undefined;
  if (own !== undefined) return { host: own, port: 465 };
  const { host, port = 587 } = wellKnown(address) || {};
  if (host === undefined) return undefined;
  // The default of IPCHECK_SMTP_PORT.
  return { host, port: host === "smtp.gmail.com" ? 587 : Number(port) };
}
