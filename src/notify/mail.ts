import { createHash } from "node:crypto";
import MailComposer from "nodemailer/lib/mail-composer";
import type { Redact } from "../base/redaction";
import { isAscii, quote } from "../base/text";
import type { Outcome } from "../state/outbox";
import type { Notice } from "./dispatch";
import type { MailMessage } from "./message/compose";
import { explainSmtp, explainUnknown } from "./smtp-errors";
import { type SendReport, type SessionSettings, SmtpSession } from "./smtp-session";

export interface MailOptions extends Omit<SessionSettings, "timeoutMs"> {
  from: string;
  machineName: string;
  /** What is left of the run's deadline. */
  remainingMs(): number;
  redact: Redact;
  /** Of a test mail, which is not sent again. */
  isTest?: boolean;
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
    const outcomes = new Map(recipients.map((recipient) => [recipient, outcomeOf(recipient, report, options)]));
    // A recipient whom the server refuses must not cost the others their mail: each is tried alone, with the same Message-ID.
    const rest = recipients.length > 1 && mayConcernOne(report) ? recipients : [];
    const alone = rest.filter((recipient) => !report.refused.has(recipient));
    for (const [index, recipient] of alone.entries()) {
      const shareMs = options.remainingMs() / (alone.length - index);
      if (shareMs < LEAST_MS) break;
      const failed = (error: unknown): SendReport => ({ accepted: [], refused: new Map(), error });
      const own = await attempt([recipient], raw, shareMs, options).catch(failed);
      outcomes.set(recipient, outcomeOf(recipient, own, options));
    }
    return outcomes;
  } catch (error) {
    return new Map(recipients.map((recipient) => [recipient, explainSmtp(error, options)]));
  }
}

/** Whether the message failed for all because of something that may be true for one of them only. */
function mayConcernOne({ error, isUnknown }: SendReport): boolean {
  // After the final dot without an answer another try would make copies; what is said to MAIL is about the sender.
  return error !== undefined && !isUnknown && (error as { command?: unknown }).command !== "MAIL FROM";
}

/** Sends the message once; rejects where the server is not reached, or does not take the login. */
async function attempt(
  recipients: readonly string[],
  raw: Buffer,
  timeoutMs: number,
  options: MailOptions,
): Promise<SendReport> {
  if (timeoutMs < LEAST_MS) throw Object.assign(new Error("no time left"), { code: "EDEADLINE" });
  const session = new SmtpSession({ ...options, timeoutMs });
  try {
    await session.connect();
    await session.logIn();
    return await session.send(options.from, recipients, raw);
  } finally {
    session.close();
  }
}

/** Success only for a recipient whom the server accepted, together with the message; a reason for everybody else. */
function outcomeOf(recipient: string, report: SendReport, options: MailOptions): Outcome {
  const { accepted, refused, error, isUnknown } = report;
  if (accepted.includes(recipient)) return { ok: true };
  const explain = isUnknown && !refused.has(recipient) ? explainUnknown : explainSmtp;
  return explain(refused.get(recipient) ?? error, options);
}

function buildMessage({ id, recipients }: Notice, message: MailMessage, { from, machineName }: MailOptions) {
  const inAscii = recipients.filter(isAscii);
  const domain = from.slice(from.lastIndexOf("@") + 1);
  // The same for every mail of one machine, so that mail programs show them as one thread.
  const thread = `<ipcheck-${createHash("sha256").update(machineName).digest("hex").slice(0, 16)}@${domain}>`;
  const composer = new MailComposer({
    ...message,
    from: { name: quote(machineName, 60), address: from },
    // An address outside ASCII would make a header that few servers take, to the cost of everybody else in it.
    to: inAscii.length > 0 ? inAscii : [...recipients],
    messageId: `<${id}@${domain}>`,
    references: thread,
    inReplyTo: thread,
    headers: { "Auto-Submitted": "auto-generated" },
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}
