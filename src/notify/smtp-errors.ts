import { isTlsCode } from "../base/errors";
import { quote } from "../base/text";
import { isLoopbackHost } from "../lookup/address";
import type { FailedOutcome } from "../state/outbox";
import { loginRule } from "./providers";

/** What nodemailer's error says in machine-readable form; its message is quoted, never interpreted. */
export interface SmtpError {
  /** nodemailer's own code, such as `EAUTH`, a system or TLS code, or one of the session's own. */
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

/** Translates a failed delivery into what happened and what to do (RFC 5321, 4.2; RFC 3463; RFC 4954, 6). */
export function explainSmtp(error: SmtpError, server: SmtpServer): FailedOutcome {
  const where = `${server.host}:${server.port}`;
  const said = error.response ? `: ${quote(error.response)}` : "";
  const isPermanent = isForGood(error);
  const fail: Fail = (reason, hint, about) => ({
    ok: false,
    isPermanent,
    ...(about && { about }),
    reason: `${reason}${said}`,
    hint,
  });
  if (error.code === "ENOAUTH" && error.response) {
    return fail(
      `${where} offers no login with a password, so the mail was not sent`,
      loginRule(server.host)?.note ?? "look at IPCHECK_SMTP_PORT (587 or 465), or use a mailbox of another provider",
    );
  }
  if (error.code === "ENOAUTH") {
    return fail(
      `${where} offers no login, so the mail was not sent`,
      `for a server that wants none leave IPCHECK_SMTP_USER out; else look at ${portOf(server)}`,
      "server",
    );
  }
  if (error.responseCode >= 400 && error.code !== "ETLS") {
    return explainStatus(error, server, where, fail) ?? explainReply(error, server, where, fail);
  }
  if (error.code === "EAUTH") return fail(`${where} refused the login`, loginHint(server.host), "login");
  return explainConnection(error, server, where, (reason, hint) => fail(reason, hint, "server"));
}

/** The outcome where the whole message was sent and no answer came: it may have arrived (RFC 1047). */
export function explainUnknown(error: SmtpError, server: SmtpServer): FailedOutcome {
  const how =
    error.code === "ETIMEDOUT"
      ? "did not answer in time"
      : error.response
        ? `answered neither yes nor no (${quote(error.response, 120)})`
        : "broke off the connection";
  return {
    ok: false,
    isPermanent: false,
    isUnknown: true,
    reason: `${server.host}:${server.port} was sent the whole message and ${how}, so it is not known whether it keeps it`,
    hint: "look into the mailbox; the same message is sent again, at growing intervals, until the server confirms it",
  };
}

type Fail = (reason: string, hint: string, about?: FailedOutcome["about"]) => FailedOutcome;

const TRY_AGAIN = "the next run tries again; nothing is lost";
const SENDER_HINT = "look at IPCHECK_FROM: it must usually be the mailbox of IPCHECK_SMTP_USER";
const LOGIN_WANTED = "set IPCHECK_SMTP_USER and a password; 'ipcheck init' asks for them";

/** Words for a limit that passes with time: not every server has a status code for it. */
const LIMIT =
  /\b(quota|rate|daily|hourly|sending|messages?)\b.{0,60}\b(limit|exceed)|\b(limit|quota) exceeded|too many/i;

/** Words for a refusal of the asker, whose code (x.7.1) is that of a refused relay too. */
const BLOCKED =
  /client host|block ?list|blacklist|spamhaus|\b(dns|r)bl\b|blocked using|reverse (dns|hostname)|\bspf\b/i;

/** Only a refusal that time does not heal: 5xx that no enhanced status code calls a matter of time. */
function isForGood(error: SmtpError): boolean {
  const { responseCode, response, command, code } = error;
  if (responseCode < 500 || code === "ETLS") return false;
  // How older servers say 'too many recipients' (RFC 5321, 4.5.3.1.10).
  if (responseCode === 552 && command.startsWith("RCPT")) return false;
  const { severity, detail } = readStatus(response);
  // Without an enhanced code it is a full mailbox (RFC 5321, 4.2.2).
  if (responseCode === 552 && detail === "") return false;
  return severity !== "4" && !/^(2\.2|3\.\d+|4\.\d+|5\.3)$/.test(detail) && !LIMIT.test(response);
}

/** The enhanced status code: class, and subject with detail; empty where there is none. */
function readStatus(response: string): { severity: string; detail: string } {
  const [, severity = "", detail = ""] = /^\d{3}[ -]([245])\.(\d{1,3}\.\d{1,3})\b/m.exec(response) ?? [];
  return { severity, detail };
}

/** What the enhanced status code tells, whichever command was answered; undefined where it tells too little. */
function explainStatus(error: SmtpError, server: SmtpServer, where: string, fail: Fail): FailedOutcome | undefined {
  const { responseCode, response, command, code } = error;
  const { detail } = readStatus(response);
  const isNow = !isForGood(error);
  if (responseCode === 538 || /^7\.1[01]$/.test(detail) || (responseCode === 530 && /TLS|encrypt/i.test(response))) {
    return fail(
      `${where} wants an encrypted connection`,
      "set IPCHECK_SMTP_SECURITY=starttls, or tls with IPCHECK_SMTP_PORT=465",
      "server",
    );
  }
  // Postfix speaks of the sender when it answers RCPT, with a code for 'policy' or 'syntax' as often as not.
  const isSender = /\bsender\b.*\b(reject|refuse|denied|not owned|not allowed|verif|invalid)|send as this sender/is;
  if (/^1\.[78]$|^7\.60$/.test(detail) || (code !== "EAUTH" && isSender.test(response))) {
    return fail(
      `${where} ${isNow ? "does not take the sender's address for now" : "refused the sender"}`,
      SENDER_HINT,
      "sender",
    );
  }
  if (code === "EAUTH") return undefined;
  if (detail === "7.8") return fail(`${where} refused the login`, loginHint(server.host), "login");
  if (responseCode === 530) return fail(`${where} wants a login`, LOGIN_WANTED, "login");
  if (/^1\.([1236]|10)$/.test(detail)) {
    return fail(
      `${where} ${isNow ? "cannot take mail for this recipient yet" : "refused the recipient"}`,
      "look for a typing error in IPCHECK_TO",
      "recipient",
    );
  }
  if (detail === "2.2" || (responseCode === 552 && detail === "" && !command.startsWith("RCPT")))
    return fail(`${where} says that the recipient's mailbox is full`, `make room in it; ${TRY_AGAIN}`);
  if (detail === "4.5" || LIMIT.test(response)) {
    return fail(`${where} says that a limit is reached`, `it passes with time; ${TRY_AGAIN}`);
  }
  if (responseCode !== 421 && /^[34]\./.test(detail)) return fail(`${where} cannot take the mail now`, TRY_AGAIN);
  if (detail === "6.7") return fail(`${where} takes no addresses outside ASCII`, PLAIN_ADDRESS_HINT);
  const isGreylisting = /gr[ae]y-?list/i.test(response);
  if (/^7\./.test(detail) && !isGreylisting && BLOCKED.test(response)) {
    return fail(
      `${where} takes no mail from this machine${isNow ? " for now" : ""}`,
      "many servers take none from home lines: send through the provider of your mailbox, with its login",
    );
  }
  if (command.startsWith("RCPT") && !isGreylisting && (detail === "7.1" || /\brelay/i.test(response))) {
    return fail(
      `${where} ${isNow ? "does not pass mail on to this recipient for now" : "refused to pass mail on to this recipient"}`,
      "a server that relays only for its own users wants a login (IPCHECK_SMTP_USER) and its own sender (IPCHECK_FROM)",
      "login",
    );
  }
  return undefined;
}

const PLAIN_ADDRESS_HINT = "use addresses without accents before the @ in IPCHECK_TO and IPCHECK_FROM";

function explainReply({ responseCode, command, code }: SmtpError, server: SmtpServer, where: string, fail: Fail) {
  if (code === "EAUTH") {
    if (responseCode < 500) return fail(`${where} cannot check the login now`, TRY_AGAIN);
    if (responseCode < 530) {
      return fail(
        `${where} takes no login with a password`,
        loginRule(server.host)?.note ?? `look at ${portOf(server)}, or use a mailbox of another provider`,
        "login",
      );
    }
    return fail(`${where} refused the login`, loginHint(server.host), "login");
  }
  if (responseCode === 421) return fail(`${where} is closing for now`, TRY_AGAIN);
  if (command.startsWith("MAIL")) {
    return responseCode >= 500
      ? fail(`${where} refused the sender`, SENDER_HINT, "sender")
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
    return fail(`${where} refused the recipient`, hint, "recipient");
  }
  if (/^(CONN|EHLO|HELO|LHLO)/.test(command)) {
    return responseCode >= 500
      ? fail(
          `${where} refused to talk to this machine`,
          "look at the server's words; it may block this network, or be no server for sending mail",
          "server",
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

/** Handshakes that failed because one side's TLS is from another time; OpenSSL's words, which differ by version. */
const OLD_TLS =
  /UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW|KEY_TOO_SMALL|MD_TOO_WEAK|HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY|NO_SHARED_CIPHER|UNSAFE_LEGACY/;

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
    case "ENOTLOCAL":
      return fail(
        `${server.host} leads to ${quote(error.message)}, which is not this machine, so nothing was sent`,
        "look at /etc/hosts and the DNS; IPCHECK_SMTP_SECURITY=none with a password is for this very machine only",
      );
    case "ENOUTF8":
      return fail(`${where} takes no addresses outside ASCII`, PLAIN_ADDRESS_HINT);
    case "ECONNREFUSED":
      return fail(`${where} refused the connection`, refusedHint(server));
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return fail(`there is no route to ${where}`, `look at the network; ${TRY_AGAIN}`);
    case "EDEADLINE":
      return fail(
        `the time of this run was over before ${where} could be asked`,
        `IPCHECK_DEADLINE is the whole run's time; ${TRY_AGAIN}`,
      );
    case "ETIMEDOUT":
    case "EABORT":
      return fail(
        `${where} did not answer in time`,
        server.port === 25
          ? `most providers block port 25 of homes: use 587 or 465; ${TRY_AGAIN}`
          : `some providers block this port; ${TRY_AGAIN}`,
      );
    case "ETLSFIRST":
      return fail(
        `${where} speaks TLS from the first byte and never greets in clear`,
        "set IPCHECK_SMTP_SECURITY=tls, which belongs to port 465",
      );
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
    case "ECONNECTION":
    case "EPIPE":
      return fail(`${where} broke off the connection`, TRY_AGAIN);
    case "EPROTOCOL":
      return fail(
        `${where} does not speak as a mail server does`,
        `look at IPCHECK_SMTP_HOST and ${portOf(server)}; ${TRY_AGAIN}`,
      );
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
  if (OLD_TLS.test(code)) {
    return fail(
      `the encryption that ${where} offers is too old or too weak (${code})`,
      "the mail server's administrator must update it (TLS 1.2 or newer); until then use another mail server",
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
          "for a certificate of your own, name a file with its issuer in IPCHECK_CA_FILE",
        );
  }
  return fail(`${where} could not be used (${code || "unknown error"}: ${quote(error.message, 120)})`, TRY_AGAIN);
}

function refusedHint(server: SmtpServer): string {
  return isLoopbackHost(server.host)
    ? "nothing listens there: start the mail server of this machine ('ss -ltn' shows its port), or look at IPCHECK_SMTP_PORT"
    : `look at IPCHECK_SMTP_HOST and ${portOf(server)}, and whether the mail server runs`;
}

// A relay listens elsewhere than a provider's server does.
function portOf({ port, security }: SmtpServer): string {
  return `IPCHECK_SMTP_PORT${port === 25 || security === "none" ? "" : " (587 or 465)"}`;
}

function loginHint(host: string): string {
  return loginRule(host)?.note ?? "look at IPCHECK_SMTP_USER and the password; many providers want an app password";
}
