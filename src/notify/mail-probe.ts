import { TLSSocket } from "node:tls";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import type { FailedOutcome } from "../state/outbox";
import { type ConnectionSettings, connectionOptions, readError } from "./mail";
import { explainSmtp } from "./smtp-errors";

/** How far a conversation with the mail server went; nothing is sent. */
export interface MailProbe {
  isConnected: boolean;
  /** Absent on a connection in clear. */
  tls?: { version: string; issuer: string; expiresAt: Date };
  isLoggedIn: boolean;
  failure?: FailedOutcome;
}

/** Connects, encrypts and logs in as for a mail, then says goodbye. Never rejects. */
export function probeMail(settings: ConnectionSettings, redact: (text: string) => string): Promise<MailProbe> {
  const connection = new SMTPConnection({ ...connectionOptions(settings), allowInternalNetworkInterfaces: true });
  const probe: MailProbe = { isConnected: false, isLoggedIn: false };
  return new Promise((resolve) => {
    const end = (error?: unknown) => {
      clearTimeout(timer);
      if (error) probe.failure = explainSmtp(readError(error, redact), settings.server);
      connection.close();
      resolve(probe);
    };
    const timer = setTimeout(
      () => end(Object.assign(new Error("time-out"), { code: "ETIMEDOUT" })),
      settings.timeoutMs,
    );
    connection.once("error", end);
    connection.connect((error?: Error | null) => {
      if (error) return end(error);
      probe.isConnected = true;
      const tls = readTls(connection._socket);
      if (tls) probe.tls = tls;
      if (!settings.login) return end();
      connection.login({ user: settings.login.user, pass: settings.login.password }, (loginError) => {
        probe.isLoggedIn = !loginError;
        end(loginError ?? undefined);
      });
    });
  });
}

function readTls(socket: unknown): MailProbe["tls"] {
  if (!(socket instanceof TLSSocket)) return undefined;
  const { issuer, valid_to } = socket.getPeerCertificate();
  const name = issuer?.O ?? issuer?.CN ?? "unknown";
  return {
    version: socket.getProtocol() ?? "TLS",
    issuer: Array.isArray(name) ? name.join(", ") : name,
    expiresAt: new Date(valid_to),
  };
}
