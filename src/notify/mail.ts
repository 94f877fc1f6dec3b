import { createHash } from "node:crypto";
import { createTransport, type SMTPTransportOptions } from "nodemailer";
import { quote } from "../base/quote";
import type { Outcome } from "../state/outbox";
import type { MailMessage } from "./message/compose";
import type { Notice } from "./ports";
import { explainSmtp, type SmtpError, type SmtpServer } from "./smtp-errors";

export interface ConnectionSettings {
  server: SmtpServer;
  login: { user: string; password: string } | undefined;
  /** The whole delivery, from the name look-up to the server's 250. */
  timeoutMs: number;
}

export interface MailOptions extends ConnectionSettings {
  from: string;
  machineName: string;
  signal: AbortSignal;
  /** Takes secrets out of what the server said: some repeat what they were sent. */
  redact: (text: string) => string;
}

/** How the server is connected to; nodemailer's own defaults wait for up to ten minutes. */
export function connectionOptions({ server, login, timeoutMs }: ConnectionSettings): SMTPTransportOptions {
  return {
    host: server.host,
    port: server.port,
    secure: server.security === "tls",
    requireTLS: server.security === "starttls",
    ignoreTLS: server.security === "none",
    ...(login && { auth: { user: login.user, pass: login.password } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    // After a time-out it would wait five seconds more for the server to close.
    socketCloseTimeout: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** Hands one mail to the server; every recipient gets an outcome. Never rejects. */
export async function sendMail(
  notice: Notice,
  message: MailMessage,
  options: MailOptions,
): Promise<Map<string, Outcome>> {
  const { from, machineName } = options;
  const transport = createTransport(connectionOptions(options));
  const domain = from.slice(from.lastIndexOf("@") + 1);
  try {
    const info = await transport.sendMail({
      from: { name: quote(machineName, 60), address: from },
      to: [...notice.recipients],
      subject: message.subject,
      text: message.text,
      html: message.html,
      messageId: `<${notice.id}@${domain}>`,
      // The same for every mail of one machine, so that mail programs show them as one thread.
      references: `<${threadId(machineName)}@${domain}>`,
      inReplyTo: `<${threadId(machineName)}@${domain}>`,
      headers: { "Auto-Submitted": "auto-generated" },
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]),
    });
    const refused = new Map((info.rejectedErrors ?? []).map((error) => [recipientOf(error), error]));
    return outcomesFor(notice, (recipient) => refused.get(recipient), options);
  } catch (error) {
    // When all are refused it throws, with each one's own reason beside the last.
    const refused = new Map(rejectionsOf(error).map((rejection) => [recipientOf(rejection), rejection]));
    return outcomesFor(notice, (recipient) => refused.get(recipient) ?? error, options);
  } finally {
    transport.close();
  }
}

function outcomesFor(
  notice: Notice,
  errorOf: (recipient: string) => unknown,
  { server, redact }: MailOptions,
): Map<string, Outcome> {
  return new Map(
    notice.recipients.map((recipient) => {
      const error = errorOf(recipient);
      return [recipient, error === undefined ? { ok: true } : explainSmtp(readError(error, redact), server)];
    }),
  );
}

/** What nodemailer's error says in machine-readable form, secrets taken out. */
export function readError(error: unknown, redact: (text: string) => string): SmtpError {
  const fields = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return {
    code: text(fields["code"]),
    responseCode: typeof fields["responseCode"] === "number" ? fields["responseCode"] : 0,
    command: text(fields["command"]),
    response: redact(text(fields["response"])),
    message: redact(text(fields["message"])),
    causeCode: text(fields["originalCode"]),
  };
}

function rejectionsOf(error: unknown): unknown[] {
  const rejections = (error as { rejectedErrors?: unknown }).rejectedErrors;
  return Array.isArray(rejections) ? rejections : [];
}

function recipientOf(error: unknown): unknown {
  return (error as { recipient?: unknown }).recipient;
}

function threadId(machineName: string): string {
  return `ipcheck-${createHash("sha256").update(machineName).digest("hex").slice(0, 16)}`;
}
