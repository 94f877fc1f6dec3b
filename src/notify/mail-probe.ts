import type { FailedOutcome } from "../state/outbox";
import { explainSmtp, readError } from "./smtp-errors";
import { type SessionSettings, SmtpSession } from "./smtp-session";

/** How far a conversation with the mail server went; nothing is sent. */
export interface MailProbe {
  isConnected: boolean;
  /** Absent on a connection in clear. */
  tls?: { version: string; issuer: string; expiresAt: Date };
  isLoggedIn: boolean;
  failure?: FailedOutcome;
}

/** Connects, encrypts and logs in as for a mail, then hangs up. Never rejects. */
export async function probeMail(settings: SessionSettings, redact: (text: string) => string): Promise<MailProbe> {
  const probe: MailProbe = { isConnected: false, isLoggedIn: false };
  const session = new SmtpSession(settings);
  try {
    await session.connect();
    probe.isConnected = true;
    const tls = readTls(session);
    if (tls) probe.tls = tls;
    await session.logIn();
    probe.isLoggedIn = settings.login !== undefined;
  } catch (error) {
    probe.failure = explainSmtp(readError(error, redact), settings.server);
  } finally {
    session.close();
  }
  return probe;
}

function readTls({ tlsSocket }: SmtpSession): MailProbe["tls"] {
  if (!tlsSocket) return undefined;
  const { issuer, valid_to } = tlsSocket.getPeerCertificate();
  const name = issuer?.O ?? issuer?.CN ?? "unknown";
  return {
    version: tlsSocket.getProtocol() ?? "TLS",
    issuer: Array.isArray(name) ? name.join(", ") : name,
    expiresAt: new Date(valid_to),
  };
}
