import { createHash } from "node:crypto";
import MailComposer from "nodemailer/lib/mail-composer";
import { runCommand } from "../base/command";
import { codedError } from "../base/errors";
import type { Redact, Redactor } from "../base/redaction";
import { isAscii, quote } from "../base/text";
import type { FailedOutcome, Outcome } from "../state/outbox";
import type { Notice } from "./dispatch";
import { composeMessage, type MailMessage } from "./message/compose";
import { type FactContext, type FactSettings, gatherFacts } from "./message-facts";
import { explainSmtp, explainUnknown, type SmtpServer } from "./smtp-errors";
import { type SendReport, type SessionSettings, SmtpSession } from "./smtp-session";

/** Where the SMTP password comes from; a command is run only when a mail is owed. */
export type PasswordSource =
  | { kind: "value"; origin: string; value: string }
  | { kind: "command"; origin: string; command: string };

/** The part of the configuration that mail needs. */
export interface DeliverySettings extends FactSettings {
  smtp: SmtpServer & { user: string | undefined; password: PasswordSource | undefined };
  from: string;
}

export interface DeliveryContext extends FactContext {
  env: NodeJS.ProcessEnv;
  /** The end of the run. */
  signal: AbortSignal;
  redactor: Redactor;
  /** Told why a mail had to be written plainly; to be reported after it was sent. */
  onBug: (bug: unknown) => void;
}

/** Fetches the password, writes the message and hands it over. Rejects only when the message cannot be written. */
export async function deliver(
  notice: Notice,
  settings: DeliverySettings,
  context: DeliveryContext,
): Promise<Map<string, Outcome>> {
  const { smtp: server, from, machineName, extraCa } = settings;
  const { redactor, signal } = context;
  const endsAt = performance.now() + context.remainingMs() * (notice.share ?? 1);
  const remainingMs = () => Math.max(0, endsAt - performance.now());
  const login = await fetchLogin(server, context);
  if ("ok" in login) return new Map(notice.recipients.map((recipient) => [recipient, login]));
  const facts = await gatherFacts(notice, settings, { ...context, remainingMs });
  const message = composeMessage(notice.events, facts, context.onBug);
  const { redact } = redactor;
  const isTest = notice.events.some(({ kind }) => kind === "test");
  const options = { server, login: login.value, from, machineName, extraCa, signal, remainingMs, redact, isTest };
  return sendMail(notice, message, options);
}

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
  if (timeoutMs < LEAST_MS) throw codedError("EDEADLINE", "no time left");
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

/** Such as unlocking a password store over the network. */
const PASSWORD_COMMAND_TIMEOUT_MS = 15_000;

/** The limit of a password file, too. */
const MAX_PASSWORD_LENGTH = 4096;

/** The login to use, or why there is none; secrets become known to the redactor before anybody sees them. */
export async function fetchLogin(
  { user, password }: Pick<DeliverySettings["smtp"], "user" | "password">,
  { env, signal, redactor }: Pick<DeliveryContext, "env" | "signal" | "redactor">,
): Promise<{ value: { user: string; password: string } | undefined } | FailedOutcome> {
  if (user === undefined || password === undefined) return { value: undefined };
  const keepSecret = (secret: string) => redactor.secrets.push(secret, `\0${user}\0${secret}`);
  if (password.kind === "value") {
    keepSecret(password.value);
    return { value: { user, password: password.value } };
  }
  const timeoutMs = PASSWORD_COMMAND_TIMEOUT_MS;
  const { stdout, failure } = await runCommand(password.command, { env, signal, timeoutMs });
  const [secret = ""] = stdout.split(/\r?\n/, 1);
  // Far more is no password, and no pattern for the redactor could be made of it.
  const isPlausible = secret.length <= MAX_PASSWORD_LENGTH;
  if (isPlausible) keepSecret(secret);
  if (failure === undefined && secret !== "" && isPlausible) return { value: { user, password: secret } };
  const problem = isPlausible
    ? (failure ?? "printed no password on its first line")
    : "printed far more than a password on its first line";
  return {
    ok: false,
    isPermanent: false,
    about: "login",
    reason: `the password command ${redactor.redact(problem)}`,
    hint: `run it by hand, as the user that runs ipcheck: see ${password.origin}`,
  };
}
