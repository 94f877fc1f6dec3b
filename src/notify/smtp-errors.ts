// Translates a failed delivery into what happened and what to do (RFC 5321, 4.2; RFC 3463; RFC 4954, 6).

import { isTlsCode } from "../base/errors";
import type { Redact } from "../base/redaction";
import { quote } from "../base/text";
import { isLoopbackHost } from "../lookup/address";
import type { FailedOutcome } from "../state/outbox";
import { findRule } from "./providers";

export interface SmtpServer {
  host: string;
  port: number;
  security: "tls" | "starttls" | "none";
}

interface ExplainOptions {
  server: SmtpServer;
  redact: Redact;
  /** Of a test mail, which is no notice that stays owed. */
  isTest?: boolean;
}

/** What became of a delivery that failed with an error of nodemailer, the system or the session. */
export function explainSmtp(error: unknown, options: ExplainOptions): FailedOutcome {
  const failure = readError(error, options);
  const { code, reply, said, isPermanent } = failure;
  // Refused for now (RFC 3207, 4: 454), STARTTLS is offered all the same.
  const isReply = (reply >= 400 && !(code === "ETLS" && reply >= 500)) || /^E(NO)?AUTH$/.test(code);
  const [reason, hint, about] = isReply ? explainReply(failure) : explainConnection(failure);
  return {
    ok: false,
    isPermanent,
    ...(about && { about }),
    reason: `${reason}${said && `: ${quote(said)}`}`,
    hint,
  };
}

/** The outcome where the whole message was sent and no answer came: it may have arrived (RFC 1047). */
export function explainUnknown(error: unknown, options: ExplainOptions): FailedOutcome {
  const { code, said, where } = readError(error, options);
  const how = said ? `answered neither yes nor no (${quote(said, 120)})` : "broke off the connection";
  const what = code === "ETIMEDOUT" || code === "ESILENT" ? "did not answer in time" : how;
  return {
    ok: false,
    isPermanent: false,
    isUnknown: true,
    reason: `${where} was sent the whole message and ${what}, so it is not known whether it keeps it`,
    hint: options.isTest
      ? "look into the mailbox before you send it again"
      : "look into the mailbox; the same message is sent again, at growing intervals, until the server confirms it",
  };
}

/** What an error says in machine-readable form; its texts are quoted, and the server's words looked at last. */
type Failure = ReturnType<typeof readError>;

function readError(error: unknown, { server, redact, isTest }: ExplainOptions) {
  const fields = Object(error) as Record<string, unknown>;
  const text = (name: string) => (typeof fields[name] === "string" ? fields[name] : "");
  // A system or TLS code, nodemailer's own such as `EAUTH`, or one of the session's.
  const code = text("originalCode") || text("code");
  const reply = typeof fields["responseCode"] === "number" ? fields["responseCode"] : 0;
  const said = redact(text("response"));
  const [command = ""] = text("command").split(" ", 1);
  // Of the enhanced status code: subject and detail, such as `7.1`.
  const [, severity = "", status = ""] = /^\d{3}[ -]([245])\.(\d{1,3}\.\d{1,3})\b/m.exec(said) ?? [];
  const isHealedByTime = severity === "4" || /^(2\.2|3\.\d+|4\.\d+|5\.3)$/.test(status) || LIMIT.test(said);
  // How older servers say 'too many recipients' (RFC 5321, 4.5.3.1.10), or that the mailbox is full (4.2.2).
  const isOld552 = reply === 552 && (command === "RCPT" || status === "");
  const isPermanent = reply >= 500 && code !== "ETLS" && !isHealedByTime && !isOld552;
  return {
    ...server,
    where: `${server.host}:${server.port}`,
    code,
    message: redact(text("message")),
    reply,
    said,
    command,
    status,
    isPermanent,
    // The hint where only time helps.
    tryAgain: isTest ? "send the test again a little later" : "the next run tries again; nothing is lost",
  };
}

/** Words for a limit that passes with time: not every server has a status code for it. */
const LIMIT =
  /\b(quota|rate|daily|hourly|sending|messages?)\b.{0,60}\b(limit|exceed)|\b(limit|quota) exceeded|too many/i;

/** Words for a refusal of the asker, whose code (x.7.1) is that of a refused relay too. */
const BLOCKED =
  /client host|block ?list|blacklist|spamhaus|\b(dns|r)bl\b|blocked using|reverse (dns|hostname)|\bspf\b/i;

/** Postfix speaks of the sender when it answers RCPT, with a code for 'policy' or 'syntax' as often as not. */
const SENDER = /\bsender\b.*\b(reject|refuse|denied|not owned|not allowed|verif|invalid)|send as this sender/is;

/** Handshakes that failed because one side's TLS is from another time; OpenSSL's words, which differ by version. */
const OLD_TLS =
  /UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW|KEY_TOO_SMALL|MD_TOO_WEAK|HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY|NO_SHARED_CIPHER|UNSAFE_LEGACY/;

const SENDER_HINT = "look at IPCHECK_FROM: it must usually be the mailbox of IPCHECK_SMTP_USER";
const USUAL_PORTS = "look at IPCHECK_SMTP_SECURITY and IPCHECK_SMTP_PORT: tls belongs to 465, starttls to 587";
const NO_UTF8 = [
  "takes no addresses outside ASCII",
  "use addresses without accents before the @ in IPCHECK_TO and IPCHECK_FROM",
] as const;

type Explanation = readonly [reason: string, hint: string, about?: FailedOutcome["about"]];

// What follows is read from top to bottom: the enhanced status code tells more than the command that was answered.

function explainReply(failure: Failure): Explanation {
  const [what, ...rest] =
    explainAccess(failure) ?? explainStatus(failure) ?? explainPolicy(failure) ?? explainCommand(failure);
  return [`${failure.where} ${what}`, ...rest];
}

/** Who may send mail here, and how. */
function explainAccess(failure: Failure): Explanation | undefined {
  const { code, reply, said, status, isPermanent, tryAgain } = failure;
  const note = findRule(failure.host)?.note;
  if (code === "ENOAUTH" && said) {
    const hint = note ?? "look at IPCHECK_SMTP_PORT (587 or 465), or use a mailbox of another provider";
    return ["offers no login with a password, so the mail was not sent", hint];
  }
  if (code === "ENOAUTH") {
    const hint = `for a server that wants none leave IPCHECK_SMTP_USER out; else look at ${portOf(failure)}`;
    return ["offers no login, so the mail was not sent", hint, "server"];
  }
  if (reply === 538 || /^7\.1[01]$/.test(status) || (reply === 530 && /TLS|encrypt/i.test(said))) {
    const hint = "set IPCHECK_SMTP_SECURITY=starttls, or tls with IPCHECK_SMTP_PORT=465";
    return ["wants an encrypted connection", hint, "server"];
  }
  if (/^1\.[78]$|^7\.60$/.test(status) || (code !== "EAUTH" && SENDER.test(said))) {
    return [isPermanent ? "refused the sender" : "does not take the sender's address for now", SENDER_HINT, "sender"];
  }
  if (code === "EAUTH" && reply >= 400 && reply < 500) return ["cannot check the login now", tryAgain];
  if (code === "EAUTH" && reply >= 500 && reply < 530) {
    const hint = note ?? `look at ${portOf(failure)}, or use a mailbox of another provider`;
    return ["takes no login with a password", hint, "login"];
  }
  if (code === "EAUTH" || status === "7.8") {
    const hint = note ?? "look at IPCHECK_SMTP_USER and the password; many providers want an app password";
    return ["refused the login", hint, "login"];
  }
  if (reply !== 530) return undefined;
  return ["wants a login", "set IPCHECK_SMTP_USER and a password; 'ipcheck init' asks for them", "login"];
}

function explainStatus({ reply, said, command, status, isPermanent, tryAgain }: Failure): Explanation | undefined {
  if (/^1\.([1236]|10)$/.test(status)) {
    const what = isPermanent ? "refused the recipient" : "cannot take mail for this recipient yet";
    return [what, "look for a typing error in IPCHECK_TO", "recipient"];
  }
  if (status === "2.2" || (reply === 552 && status === "" && command !== "RCPT")) {
    return ["says that the recipient's mailbox is full", `make room in it; ${tryAgain}`];
  }
  if (status === "4.5" || LIMIT.test(said)) return ["says that a limit is reached", `it passes with time; ${tryAgain}`];
  if (reply !== 421 && /^[34]\./.test(status)) return ["cannot take the mail now", tryAgain];
  return status === "6.7" ? NO_UTF8 : undefined;
}

function explainPolicy({ said, command, status, isPermanent }: Failure): Explanation | undefined {
  if (/gr[ae]y-?list/i.test(said)) return undefined;
  if (/^7\./.test(status) && BLOCKED.test(said)) {
    const hint = "many servers take none from home lines: send through the provider of your mailbox, with its login";
    return [`takes no mail from this machine${isPermanent ? "" : " for now"}`, hint];
  }
  if (command !== "RCPT" || (status !== "7.1" && !/\brelay/i.test(said))) return undefined;
  return [
    isPermanent ? "refused to pass mail on to this recipient" : "does not pass mail on to this recipient for now",
    "a server that relays only for its own users wants a login (IPCHECK_SMTP_USER) and its own sender (IPCHECK_FROM)",
    "login",
  ];
}

function explainCommand({ reply, command, tryAgain }: Failure): Explanation {
  const isRefused = reply >= 500;
  if (reply === 421) return ["is closing for now", tryAgain];
  if (command === "MAIL" && isRefused) return ["refused the sender", SENDER_HINT, "sender"];
  if (command === "MAIL") return ["cannot take mail from this sender now", tryAgain];
  if (command === "RCPT" && isRefused && reply !== 552) {
    const typo = "look for a typing error in IPCHECK_TO; a server that relays only for its own users wants a login";
    const hint = reply === 550 || reply === 553 ? typo : "look at the server's words, and at IPCHECK_TO";
    return ["refused the recipient", hint, "recipient"];
  }
  if (command === "RCPT") {
    return ["cannot take mail for this recipient yet", `${tryAgain} (greylisting does that)`];
  }
  const isGreeting = /^(CONN|EHLO|HELO)$/.test(command);
  if (isGreeting && isRefused) {
    const hint = "look at the server's words; it may block this network, or be no server for sending mail";
    return ["refused to talk to this machine", hint, "server"];
  }
  if (isGreeting) return ["cannot talk now", tryAgain];
  if (command === "STARTTLS") return ["cannot encrypt the connection now", tryAgain];
  if (!isRefused) return ["cannot take the message now", tryAgain];
  return ["refused the message", "look at the server's words; the mailbox may be full, blocked or rate-limited"];
}

function explainConnection(failure: Failure): Explanation {
  const { code, message, where, tryAgain } = failure;
  const [reason, hint] = connectionFailures(failure)[code] ??
    explainTls(failure) ?? [
      `${where} could not be used (${code || "unknown error"}: ${quote(message, 120)})`,
      tryAgain,
    ];
  return [reason, hint, "server"];
}

function connectionFailures(failure: Failure): Record<string, Explanation> {
  const { host, port, security, where, message, tryAgain } = failure;
  const noName: Explanation = [
    `the mail server ${host} has no address in the DNS, or no DNS answers`,
    "look for a typing error in IPCHECK_SMTP_HOST, and at the network",
  ];
  const noRoute: Explanation = [`there is no route to ${where}`, `look at the network; ${tryAgain}`];
  const blockers =
    port === 25 ? "most providers block port 25 of homes: use 587 or 465" : "some providers block this port";
  const brokenOff: Explanation = [`${where} broke off the connection`, tryAgain];
  return {
    ENOTFOUND: noName,
    EAI_AGAIN: noName,
    ENOTLOCAL: [
      `${host} leads to ${quote(message)}, which is not this machine, so nothing was sent`,
      "look at /etc/hosts and the DNS; IPCHECK_SMTP_SECURITY=none with a password is for this very machine only",
    ],
    ENOUTF8: [`${where} ${NO_UTF8[0]}`, NO_UTF8[1]],
    ECONNREFUSED: [
      `${where} refused the connection`,
      isLoopbackHost(host)
        ? "nothing listens there: start the mail server of this machine ('ss -ltn' shows its port), or look at IPCHECK_SMTP_PORT"
        : `look at IPCHECK_SMTP_HOST and ${portOf(failure)}, and whether the mail server runs`,
    ],
    ENETUNREACH: noRoute,
    EHOSTUNREACH: noRoute,
    EDEADLINE: [
      `the time of this run was over before ${where} could be asked`,
      `IPCHECK_DEADLINE is the whole run's time; ${tryAgain}`,
    ],
    ETIMEDOUT: [`${where} did not answer in time`, `${blockers}; ${tryAgain}`],
    ESILENT: [`${where} did not answer in time`, tryAgain],
    ECONNRESET: brokenOff,
    ECONNECTION: brokenOff,
    EPIPE: brokenOff,
    EPROTOCOL: [
      `${where} does not speak as a mail server does`,
      `look at IPCHECK_SMTP_HOST and ${portOf(failure)}; ${tryAgain}`,
    ],
    ETLSFIRST: [
      `${where} speaks TLS from the first byte and never greets in clear`,
      "set IPCHECK_SMTP_SECURITY=tls, which belongs to port 465",
    ],
    ETLS:
      security === "starttls"
        ? [
            `${where} offers no STARTTLS, so the password was not sent`,
            "port 465 with IPCHECK_SMTP_SECURITY=tls is what most servers have beside it",
          ]
        : [`no encrypted connection to ${where}`, USUAL_PORTS],
    CERT_NOT_YET_VALID: [
      `the certificate of ${host} is not valid yet by this clock`,
      "the clock is probably wrong: wait for NTP, or set it",
    ],
    CERT_HAS_EXPIRED: [
      `the certificate of ${host} has expired`,
      "look at this machine's clock; if it is right, the mail server's administrator must renew it",
    ],
    ERR_TLS_CERT_ALTNAME_INVALID: [
      `the certificate of ${host} is made out to another name`,
      "set IPCHECK_SMTP_HOST to the name in the certificate",
    ],
  };
}

/** Explains the TLS codes that have no row in `connectionFailures`. */
function explainTls({ code, host, where }: Failure): Explanation | undefined {
  if (OLD_TLS.test(code)) {
    const hint =
      "the mail server's administrator must update it (TLS 1.2 or newer); until then use another mail server";
    return [`the encryption that ${where} offers is too old or too weak (${code})`, hint];
  }
  if (!isTlsCode(code)) return undefined;
  if (/SSL|EPROTO/.test(code)) return [`no encrypted connection to ${where} (${code})`, USUAL_PORTS];
  const hint = "for a certificate of your own, name a file with its issuer in IPCHECK_CA_FILE";
  return [`the certificate of ${host} is not trusted (${code})`, hint];
}

// A relay listens elsewhere than a provider's server does.
function portOf({ port, security }: SmtpServer): string {
  return `IPCHECK_SMTP_PORT${port === 25 || security === "none" ? "" : " (587 or 465)"}`;
}
