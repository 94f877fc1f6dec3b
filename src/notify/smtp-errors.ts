import { isTlsCode } from "../base/errors";
import { quote } from "../base/quote";
import type { FailedOutcome } from "../state/outbox";

/** What nodemailer's error says in machine-readable form; its message is quoted, never interpreted. */
export interface SmtpError {
  /** nodemailer's own code, such as `EAUTH`, or a system or TLS code. */
  code: string;
  /** The server's reply code, 0 where there was none. */
  responseCode: number;
  /** The SMTP command that was answered, such as `RCPT TO`. */
  command: string;
  /** The server's words. */
  response: string;
  /** The text of the error, for causes that have no code of their own. */
  message: string;
  /** The system or TLS code beneath nodemailer's own. */
  causeCode: string;
}

export interface SmtpServer {
  host: string;
  port: number;
  security: "tls" | "starttls" | "none";
}

/** Translates a failed delivery into what happened and what to do (reply codes: RFC 5321, 4.2). */
export function explainSmtp(error: SmtpError, server: SmtpServer): FailedOutcome {
  const where = `${server.host}:${server.port}`;
  const said = error.response ? `: ${quote(error.response)}` : "";
  // 552 to RCPT is how older servers say 'too many recipients' (RFC 5321, 4.5.3.1.10).
  const isTransient = error.responseCode < 500 || (error.responseCode === 552 && error.command.startsWith("RCPT"));
  const isPermanent = !isTransient && error.code !== "ETLS";
  const fail = (reason: string, hint: string): FailedOutcome => ({
    ok: false,
    isPermanent,
    reason: `${reason}${said}`,
    hint,
  });

  if (error.code === "EAUTH" || error.code === "ENOAUTH") {
    if (error.responseCode >= 500 || error.responseCode === 0) {
      return fail(`${where} refused the login`, loginHint(server.host));
    }
    return fail(`${where} cannot check the login now`, TRY_AGAIN);
  }
  if (error.responseCode >= 400 && error.code !== "ETLS") return explainReply(error, where, fail);
  return explainConnection(error, server, where, fail);
}

type Fail = (reason: string, hint: string) => FailedOutcome;

const TRY_AGAIN = "the next run tries again; nothing is lost";

function explainReply({ responseCode, command }: SmtpError, where: string, fail: Fail): FailedOutcome {
  if (responseCode === 421) return fail(`${where} is closing for now`, TRY_AGAIN);
  if (responseCode === 530 && /^(AUTH|MAIL)/.test(command)) {
    return fail(`${where} wants a login`, "set IPCHECK_SMTP_USER and a password; 'ipcheck init' asks for them");
  }
  if (command.startsWith("MAIL")) {
    return responseCode >= 500
      ? fail(`${where} refused the sender`, "IPCHECK_FROM must usually be the mailbox of IPCHECK_SMTP_USER")
      : fail(`${where} cannot take mail from this sender now`, TRY_AGAIN);
  }
  if (command.startsWith("RCPT")) {
    if (responseCode < 500 || responseCode === 552) {
      return fail(`${where} cannot take mail for this recipient yet`, `${TRY_AGAIN} (greylisting does that)`);
    }
    const hint =
      responseCode === 550 || responseCode === 553
        ? "look for a typing error in IPCHECK_TO; a server that relays only for its own users wants a login"
        : "look at the server's words, and at IPCHECK_TO";
    return fail(`${where} refused the recipient`, hint);
  }
  if (/^(CONN|EHLO|HELO|LHLO)/.test(command)) {
    return responseCode >= 500
      ? fail(
          `${where} refused to talk to this machine`,
          "look at the server's words; it may block this network, or be no server for sending mail",
        )
      : fail(`${where} cannot talk now`, TRY_AGAIN);
  }
  return responseCode >= 500
    ? fail(
        `${where} refused the message`,
        "look at the server's words; the mailbox may be full, blocked or rate-limited",
      )
    : fail(`${where} cannot take the message now`, TRY_AGAIN);
}

function explainConnection(error: SmtpError, server: SmtpServer, where: string, fail: Fail): FailedOutcome {
  const code = error.causeCode || error.code;
  switch (code) {
    case "EDNS":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return fail(
        `the mail server ${server.host} has no address in the DNS, or no DNS answers`,
        "look for a typing error in IPCHECK_SMTP_HOST, and at the network",
      );
    case "ECONNREFUSED":
      return fail(
        `${where} refused the connection`,
        "look at IPCHECK_SMTP_PORT (587 or 465), and whether the mail server runs",
      );
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return fail(`there is no route to ${where}`, `look at the network; ${TRY_AGAIN}`);
    case "ETIMEDOUT":
    case "EABORT":
      return fail(`${where} did not answer in time`, `some providers block this port; ${TRY_AGAIN}`);
    case "ETLS":
      return server.security === "starttls"
        ? fail(
            `${where} offers no STARTTLS, so the password was not sent`,
            "port 465 with IPCHECK_SMTP_SECURITY=tls is what most servers have beside it",
          )
        : fail(
            `no encrypted connection to ${where}`,
            "look at IPCHECK_SMTP_SECURITY and IPCHECK_SMTP_PORT: tls belongs to 465, starttls to 587",
          );
    case "ECONNRESET":
    case "EPIPE":
      return fail(`${where} broke off the connection`, TRY_AGAIN);
    case "CERT_NOT_YET_VALID":
      return fail(
        `the certificate of ${server.host} is not valid yet by this clock`,
        "the clock is probably wrong: wait for NTP, or set it",
      );
    case "CERT_HAS_EXPIRED":
      return fail(
        `the certificate of ${server.host} has expired`,
        "look at this machine's clock; if it is right, the mail server's administrator must renew it",
      );
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return fail(
        `the certificate of ${server.host} is made out to another name`,
        "set IPCHECK_SMTP_HOST to the name in the certificate",
      );
  }
  if (isTlsCode(code)) {
    return /SSL|EPROTO/.test(code)
      ? fail(
          `no encrypted connection to ${where} (${code})`,
          "look at IPCHECK_SMTP_SECURITY and IPCHECK_SMTP_PORT: tls belongs to 465, starttls to 587",
        )
      : fail(
          `the certificate of ${server.host} is not trusted (${code})`,
          "for a certificate of your own, name its issuer in NODE_EXTRA_CA_CERTS",
        );
  }
  return fail(`${where} could not be used (${code || "unknown error"}: ${quote(error.message, 120)})`, TRY_AGAIN);
}

function loginHint(host: string): string {
  if (/(^|\.)(gmail|googlemail)\.com$/i.test(host)) {
    return "Gmail wants an app password, not the account's own: make one at https://myaccount.google.com/apppasswords";
  }
  if (/(^|\.)(office365|outlook|hotmail|live)\.com$/i.test(host)) {
    return "Microsoft takes no passwords for SMTP any more: use a mailbox of another provider";
  }
  if (/(^|\.)(yahoo|icloud|me|fastmail|aol)\.com$/i.test(host)) {
    return "this provider wants an app password, not the account's own: make one in the account's security settings";
  }
  return "look at IPCHECK_SMTP_USER and the password; many providers want an app password";
}
