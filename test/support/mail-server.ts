import type { AddressInfo } from "node:net";
import { type ParsedMail, simpleParser } from "mailparser";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import type { ServerCertificate } from "./certificates";
import { witnessMail } from "./evidence";

/** A message as it arrived. */
export interface Arrived {
  raw: string;
  mail: ParsedMail;
  /** The envelope's recipients that were accepted. */
  recipients: string[];
  user: string | undefined;
  isEncrypted: boolean;
}

/** A real SMTP server on loopback. */
export interface MailServer {
  port: number;
  arrived: Arrived[];
  /** Log-ins tried, right or wrong. */
  logins: { user: string; password: string }[];
  /** Replies to RCPT TO by address from now on: `[550, "no such user"]`. */
  refusals: Map<string, [number, string]>;
  close(): Promise<void>;
}

export interface MailServerOptions {
  port?: number;
  /** Wants this login. Without it anybody may send. */
  login?: { user: string; password: string };
  /** `starttls` and `tls` need a certificate. @default "none" */
  security?: "none" | "starttls" | "tls";
  certificate?: ServerCertificate;
  /** Said after a wrong password. */
  loginRefusal?: (password: string) => string;
}

export async function startMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const { login, security = "none", certificate } = options;
  /** Every recipient answered with 250, by session; the library's own list leaves out other spellings of one mailbox. */
  const envelopes = new Map<string, string[]>();
  const settings: SMTPServerOptions = {
    ...certificate,
    secure: security === "tls",
    disabledCommands: security === "starttls" ? [] : ["STARTTLS", ...(login ? [] : ["AUTH"])],
    authOptional: login === undefined,
    allowInsecureAuth: true,
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 100,
    onAuth(auth, _session, done) {
      const [user, password] = [auth.username ?? "", auth.password ?? ""];
      server.logins.push({ user, password });
      if (user === login?.user && password === login.password) return done(null, { user });
      return done(reply(535, options.loginRefusal?.(password) ?? "5.7.8 Username and Password not accepted"));
    },
    onMailFrom(_address, { id }, done) {
      envelopes.set(id, []);
      done();
    },
    onRcptTo({ address }, { id }, done) {
      const refusal = server.refusals.get(address);
      if (!refusal) envelopes.get(id)?.push(address);
      done(refusal && reply(...refusal));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const raw = Buffer.concat(chunks).toString("utf8");
        simpleParser(raw).then((mail) => {
          accept(envelopes.get(session.id) ?? [], `${mail.subject}\n${mail.text}`);
          server.arrived.push({
            raw,
            mail,
            recipients: session.envelope.rcptTo.map(({ address }) => address),
            user: session.user,
            isEncrypted: session.secure,
          });
          done();
        }, done);
      });
    },
  };
  const smtp = new SMTPServer(settings);
  smtp.on("error", () => undefined);
  await new Promise<void>((resolve) => smtp.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = smtp.server.address() as AddressInfo;
  const accept = witnessMail(port);
  const server: MailServer = {
    port,
    arrived: [],
    logins: [],
    refusals: new Map(),
    close: () => new Promise((resolve) => smtp.close(() => resolve())),
  };
  return server;
}

function reply(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
