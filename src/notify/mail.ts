import { createHash } from "node:crypto";
import MailComposer from "nodemailer/lib/mail-composer";
import { quote } from "../base/text";
import type { Outcome } from "../state/outbox";
import type { Notice } from "./dispatch";
import type { MailMessage } from "./message/compose";
import { explainSmtp, explainUnknown, readError } from "./smtp-errors";
import { type SendReport, type SessionSettings, SmtpSession } from "./smtp-session";

export interface MailOptions extends Omit<SessionSettings, "timeoutMs"> {
  from: string;
  machineName: string;
  /** What is left of the run's deadline. */
  remainingMs(): number;
  /** Takes secrets out of what the server said: some repeat what they were sent. */
  redact: (text: string) => string;
}

/** With less than this there is no use in beginning another conversation. */
const LEAST_MS = 500;

/** Hands one mail to the server; every recipient gets an outcome. Never rejects. */
export async function sendMail(
  notice: Notice,
  message: MailMessage,
  options: MailOptions,
): Promise<Map<string, Outcome>> {
  const { recipients } = notice;
  try {
    const raw = await buildMessage(notice, message, options);
    const report = await attempt(recipients, raw, options.remainingMs(), options);
    const outcomes = outcomesFor(recipients, report, options);
    const rest = recipients.filter(
      (recipient) => !report.accepted.includes(recipient) && !report.refused.has(recipient),
    );
    // Whom the server would not have must not cost the others their mail: each alone, with the same Message-ID.
    if (recipients.length > 1 && isForAll(report)) {
      for (const [index, recipient] of rest.entries()) {
        const shareMs = options.remainingMs() / (rest.length - index);
        if (shareMs < LEAST_MS) break;
        const alone = await attempt([recipient], raw, shareMs, options);
        for (const [key, outcome] of outcomesFor([recipient], alone, options)) outcomes.set(key, outcome);
      }
    }
    return outcomes;
  } catch (error) {
    return outcomesFor(recipients, { accepted: [], refused: new Map(), error, isUnknown: false }, options);
  }
}

/** Whether the message failed for all because of something that may be true for one of them only. */
function isForAll({ error, isUnknown, hasBegun }: Attempt): boolean {
  // After the final dot without an answer another try would make copies; what is said to MAIL is about the sender.
  return error !== undefined && hasBegun && !isUnknown && (error as { command?: unknown }).command !== "MAIL FROM";
}

interface Attempt extends SendReport {
  /** The server was reached, the login taken, and the envelope begun. */
  hasBegun: boolean;
}

async function attempt(
  recipients: readonly string[],
  raw: Buffer,
  timeoutMs: number,
  options: MailOptions,
): Promise<Attempt> {
  if (timeoutMs < LEAST_MS) {
    const error = Object.assign(new Error("no time left"), { code: "EDEADLINE" });
    return { accepted: [], refused: new Map(), error, isUnknown: false, hasBegun: false };
  }
  const session = new SmtpSession({ ...options, timeoutMs });
  try {
    await session.connect();
    await session.logIn();
    return { ...(await session.send(options.from, recipients, raw)), hasBegun: true };
  } catch (error) {
    return { accepted: [], refused: new Map(), error, isUnknown: false, hasBegun: false };
  } finally {
    session.close();
  }
}

/** Told is whom the server accepted by name and with the message; everybody else has a reason. */
function outcomesFor(
  recipients: readonly string[],
  { accepted, refused, error, isUnknown }: SendReport,
  { server, redact }: MailOptions,
): Map<string, Outcome> {
  return new Map(
    recipients.map((recipient): [string, Outcome] => {
      if (accepted.includes(recipient)) return [recipient, { ok: true }];
      const reason = refused.get(recipient);
      if (reason === undefined && isUnknown) return [recipient, explainUnknown(readError(error, redact), server)];
      return [recipient, explainSmtp(readError(reason ?? error, redact), server)];
    }),
  );
}

function buildMessage({ id, recipients }: Notice, message: MailMessage, { from, machineName }: MailOptions) {
  const inAscii = recipients.filter((recipient) => /^\p{ASCII}*$/u.test(recipient));
  const domain = from.slice(from.lastIndexOf("@") + 1);
  // The same for every mail of one machine, so that mail programs show them as one thread.
  const thread = `<ipcheck-${createHash("sha256").update(machineName).digest("hex").slice(0, 16)}@${domain}>`;
  const composer = new MailComposer({
    from: { name: quote(machineName, 60), address: from },
    // An address outside ASCII would make a header that few servers take, to the cost of everybody else in it.
    to: inAscii.length > 0 ? inAscii : [...recipients],
    subject: message.subject,
    text: message.text,
    html: message.html,
    messageId: `<${id}@${domain}>`,
    references: thread,
    inReplyTo: thread,
    headers: { "Auto-Submitted": "auto-generated" },
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}
