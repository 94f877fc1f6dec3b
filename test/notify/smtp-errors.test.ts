import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quote } from "../../src/base/text";
import { explainSmtp, explainUnknown, type SmtpServer } from "../../src/notify/smtp-errors";

const SERVER: SmtpServer = { host: "smtp.example.net", port: 587, security: "starttls" };

interface SmtpError {
  code?: string;
  responseCode?: number;
  command?: string;
  response?: string;
  /** Beneath nodemailer's own code. */
  originalCode?: string;
}

function explain(fields: SmtpError, server: Partial<SmtpServer> = {}) {
  const error = Object.assign(new Error("something broke"), fields);
  return explainSmtp(error, { server: { ...SERVER, ...server }, redact: (text) => text });
}

/** One line, lower case unless a name stands first, no full stop. */
const MESSAGE = /^(?=[a-z]|IPCHECK|Gmail|Microsoft).*[^.]$/;

describe("replies", () => {
  // Command, the server's words, for good?, reason | hint, what it is about.
  test.each<[string, string, boolean, RegExp, string?]>([
    ["AUTH", "535 in its own words", true, /refused the login\|.*IPCHECK_SMTP_USER and the password/, "login"],
    ["AUTH", "535 5.7.8 bad password", true, /refused the login\|.*app password/, "login"],
    ["AUTH", "454 in its own words", false, /cannot check the login now\|.*next run/],
    ["AUTH", "504 5.5.4 unrecognized type", true, /takes no login with a password\|.*IPCHECK_SMTP_PORT/, "login"],
    ["AUTH", "530 5.7.0 Must issue STARTTLS first", true, /encrypted.*\|.*IPCHECK_SMTP_SECURITY/, "server"],
    ["AUTH", "538 5.7.11 Encryption required", true, /encrypted.*\|.*IPCHECK_SMTP_SECURITY/, "server"],
    ["MAIL", "530 5.7.0 Must issue a STARTTLS command first", true, /encrypted.*\|.*SECURITY=starttls/, "server"],
    ["MAIL", "530 in its own words", true, /wants a login\|.*IPCHECK_SMTP_USER/, "login"],
    ["RCPT", "530 5.7.1 Authentication required", true, /wants a login\|.*IPCHECK_SMTP_USER/, "login"],

    ["MAIL", "550 in its own words", true, /refused the sender\|.*IPCHECK_FROM/, "sender"],
    ["MAIL", "451 in its own words", false, /cannot take mail from this sender now\|.*next run/],
    ["DATA", "550 5.7.60 SMTP; not allowed to send as this sender", true, /the sender\|.*IPCHECK_FROM/, "sender"],
    ["RCPT", "450 4.1.8 <pi@home>: Sender address rejected: no domain", false, /sender.*\|.*IPCHECK_FROM/, "sender"],
    ["RCPT", "553 5.1.8 Domain of sender address does not exist", true, /the sender\|.*IPCHECK_FROM/, "sender"],
    ["RCPT", "550 5.1.7 <pi@home>: invalid", true, /refused the sender\|.*IPCHECK_FROM/, "sender"],
    ["RCPT", "504 5.5.2 <pi>: Sender address rejected: not qualified", true, /sender\|.*IPCHECK_FROM/, "sender"],
    ["RCPT", "553 5.7.1 <a@b.example>: Sender address rejected: not owned", true, /\|.*IPCHECK_FROM/, "sender"],

    ["RCPT", "550 in its own words", true, /refused the recipient\|.*IPCHECK_TO/, "recipient"],
    ["RCPT", "553 in its own words", true, /refused the recipient\|.*typing error/, "recipient"],
    ["RCPT", "554 in its own words", true, /refused the recipient\|.*IPCHECK_TO/, "recipient"],
    ["RCPT", "550 5.2.1 disabled", true, /refused the recipient\|.*IPCHECK_TO/, "recipient"],
    ["DATA", "550 5.1.1 no such user", true, /refused the recipient\|.*IPCHECK_TO/, "recipient"],
    ["RCPT", "450 4.1.1 unverified", false, /for this recipient yet\|.*IPCHECK_TO/, "recipient"],
    ["RCPT", "450 in its own words", false, /for this recipient yet\|.*greylisting/],
    ["RCPT", "552 in its own words", false, /for this recipient yet\|.*next run/],
    ["RCPT", "451 4.7.1 Greylisting in action", false, /for this recipient yet\|.*greylisting/],
    ["RCPT", "450 4.2.0 Greylisted", false, /for this recipient yet\|.*greylisting/],
    ["RCPT", "450 4.7.1 Client host rejected: Greylisted", false, /for this recipient yet\|.*greylisting/],
    ["RCPT", "454 4.7.1 <x@example.net>: Relay access denied", false, /pass mail on.*\|.*IPCHECK_SMTP_USER/, "login"],
    ["RCPT", "550 5.7.1 Relaying denied", true, /refused to pass mail on.*\|.*IPCHECK_SMTP_USER/, "login"],
    ["RCPT", "554 5.7.1 <x@example.net>: Relay access denied", true, /refused to pass.*\|.*IPCHECK_FROM/, "login"],
    ["RCPT", "550 relay not permitted", true, /refused to pass mail on.*\|.*IPCHECK_SMTP_USER/, "login"],
    ["RCPT", "554 5.7.1 Client host [192.0.2.1] blocked using a list", true, /from this machine\|.*home/],
    ["RCPT", "450 4.7.1 Client host rejected: cannot find it", false, /from this machine for now\|.*login/],

    ["DATA", "552 in its own words", false, /mailbox is full\|.*make room/],
    ["RCPT", "552 5.2.2 over quota", false, /mailbox is full.*\|.*make room/],
    ["DATA", "554 5.2.2 mailbox full", false, /mailbox is full.*\|.*next run/],
    ["DATA", "550-5.4.5 Daily user sending limit\n550 5.4.5 exceeded", false, /limit.*\|.*passes with time/],
    ["MAIL", "554 5.7.0 Your message quota is exceeded", false, /limit.*\|.*passes with time/],
    ["RCPT", "550 5.4.4 no route to the domain", false, /cannot take the mail now.*\|.*next run/],
    ["MAIL", "554 5.3.0 disk trouble", false, /cannot take the mail now.*\|.*next run/],
    ["DATA", "554 5.3.4 message too big for system", false, /cannot take the mail now.*\|.*next run/],
    ["DATA", "554 in its own words", true, /refused the message\|.*server's words/],
    ["DATA", "451 in its own words", false, /cannot take the message now\|.*next run/],
    ["DATA", "554 4.7.1 try later", false, /message/],
    ["CONN", "554 in its own words", true, /refused to talk.*\|.*block/, "server"],
    ["EHLO", "450 in its own words", false, /cannot talk now\|.*next run/],
    ["STARTTLS", "454 4.7.0 TLS not available", false, /cannot encrypt the connection now\|.*next run/],
    ["STARTTLS", "502 what?", false, /offers no STARTTLS.*\|.*IPCHECK_SMTP_SECURITY=tls/, "server"],
    ["STARTTLS", "421 4.3.2 shutting down", false, /closing for now\|.*next run/],
    ["CONN", "421 in its own words", false, /closing for now\|.*next run/],
    ["DATA", "421 4.3.2 shutting down", false, /closing for now.*\|.*next run/],
  ])("%s: %s", (command, response, isPermanent, expected, about) => {
    const code = { AUTH: "EAUTH", STARTTLS: "ETLS" }[command] ?? "EENVELOPE";
    const outcome = explain({ code, command: `${command} X`, responseCode: Number(response.slice(0, 3)), response });
    // The server's own text comes after ours.
    const [ours, ...more] = outcome.reason.split(`: ${quote(response)}`);
    expect(more).toEqual([""]);
    expect(`${ours}|${outcome.hint}`).toMatch(expected);
    expect(ours).toMatch(/^smtp\.example\.net:587 [a-z]/);
    expect([outcome.isPermanent, outcome.about]).toEqual([isPermanent, about]);
    expect(outcome.hint).toMatch(MESSAGE);
    if (/relay|sender/i.test(response)) expect(outcome.hint).not.toContain("greylisting");
  });
});

test.each<[string, string, Partial<SmtpServer>, RegExp]>([
  ["ENOTFOUND", "", {}, /no address in the DNS.*\|.*IPCHECK_SMTP_HOST/],
  ["EAI_AGAIN", "", {}, /no address in the DNS.*\|.*network/],
  ["ESOCKET", "ECONNREFUSED", {}, /refused the connection\|look at IPCHECK_SMTP_HOST/],
  ["ESOCKET", "ECONNREFUSED", { port: 2525 }, /IPCHECK_SMTP_HOST and IPCHECK_SMTP_PORT \(587 or 465\)/],
  ["ESOCKET", "ECONNREFUSED", { host: "localhost", port: 25 }, /refused.*\|.*start the mail server of this machine/],
  ["ETIMEDOUT", "", { port: 25 }, /did not answer in time\|.*block port 25 of homes: use 587 or 465/],
  ["ETIMEDOUT", "", {}, /did not answer in time\|.*block this port/],
  ["ESOCKET", "ENETUNREACH", {}, /no route.*\|.*network/],
  ["ECONNECTION", "ECONNRESET", {}, /broke off.*\|.*next run/],
  ["ETLS", "", {}, /offers no STARTTLS, so the password was not sent\|.*IPCHECK_SMTP_SECURITY=tls/],
  ["ETLS", "", { security: "tls", port: 465 }, /no encrypted connection.*\|.*tls belongs to 465/],
  ["ESOCKET", "ERR_SSL_WRONG_VERSION_NUMBER", {}, /no encrypted connection.*\|.*starttls to 587/],
  ["ESOCKET", "EPROTO", {}, /no encrypted connection.*\|.*tls belongs to 465/],
  ["ESOCKET", "CERT_NOT_YET_VALID", {}, /not valid yet.*\|.*clock/],
  ["ESOCKET", "CERT_HAS_EXPIRED", {}, /has expired\|.*clock/],
  ["ESOCKET", "ERR_TLS_CERT_ALTNAME_INVALID", {}, /another name\|.*IPCHECK_SMTP_HOST/],
  ["ESOCKET", "DEPTH_ZERO_SELF_SIGNED_CERT", {}, /not trusted.*\|.*IPCHECK_CA_FILE/],
  ["ESOCKET", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", {}, /not trusted.*\|.*IPCHECK_CA_FILE/],
  ["ENOAUTH", "", {}, /offers no login.*\|.*IPCHECK_SMTP_USER/],
  ["ETLSFIRST", "", {}, /speaks TLS from the first byte.*\|.*IPCHECK_SMTP_SECURITY=tls.*465/],
  ["ENOTLOCAL", "", {}, /not this machine, so nothing was sent\|.*\/etc\/hosts/],
  ["EPROTOCOL", "", {}, /does not speak as a mail server.*\|.*IPCHECK_SMTP_PORT/],
  ["ESOCKET", "ERR_SSL_UNSUPPORTED_PROTOCOL", {}, /too old.*\|.*TLS 1\.2/],
  ["ESOCKET", "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", {}, /too old.*\|.*TLS 1\.2/],
  ["ESOCKET", "ERR_SSL_DH_KEY_TOO_SMALL", {}, /too old or too weak.*\|.*TLS 1\.2/],
  ["ESOCKET", "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", {}, /too old.*\|.*TLS 1\.2/],
  ["EWHATEVER", "", {}, /EWHATEVER: something broke.*\|.*next run/],
  ["", "", {}, /unknown error: something broke.*\|.*next run/],
])("connections never fail for good: %s %s %j", (code, originalCode, server, expected) => {
  const { reason, hint, ...rest } = explain({ code, originalCode }, server);
  expect(rest).toEqual({ ok: false, isPermanent: false, about: "server" });
  expect(`${reason}|${hint}`).toMatch(expected);
  for (const words of [reason, hint]) expect(words).toMatch(MESSAGE);
});

test.each([
  [{ port: 587 }, true],
  [{ port: 25 }, false],
  [{ port: 2525, security: "none" as const }, false],
])("the usual ports are named to a client of a provider, not of a relay: %j", (server, isNamed) => {
  for (const code of ["ECONNREFUSED", "EPROTOCOL", "ENOAUTH"])
    expect(explain({ code }, server).hint?.includes("587 or 465")).toBe(isNamed);
});

test.each([
  ["smtp.gmail.com", /https:\/\/myaccount\.google\.com\/apppasswords/],
  ["smtp.gmail.com", /two-step.*security keys.*Advanced Protection.*administrator/],
  ["smtp.office365.com", /administrator allows.*another provider/],
  ["smtp-mail.outlook.com", /takes no passwords.*another provider/],
  ["smtp.mail.yahoo.com", /app password/],
  ["smtp.fastmail.com", /app password/],
  ["SMTP.gmail.com.", /app password/],
  ["127.0.0.1", /IPCHECK_SMTP_USER/],
  ["smtp.notgmail.com", /IPCHECK_SMTP_USER/],
])("a login refused by %s", (host, hint) => {
  for (const responseCode of [535, 0]) expect(explain({ code: "EAUTH", responseCode }, { host }).hint).toMatch(hint);
});

// A test mail is in no outbox.
test.each([explainSmtp, explainUnknown])("no second try of a test mail is promised: %o", (explainError) => {
  const error = Object.assign(new Error("time-out"), { code: "ESILENT" });
  const hintOf = (isTest: boolean) => explainError(error, { server: SERVER, redact: (text) => text, isTest }).hint;
  expect(hintOf(false)).toMatch(/next run tries again|is sent again/);
  expect(hintOf(true)).toMatch(/^(send the test again a little later|look into the mailbox before you send it again)$/);
});

test("whatever the server says, it fits on one harmless line", () => {
  const words = fc.string({ unit: "binary", maxLength: 500 });
  fc.assert(
    fc.property(words, fc.integer({ min: 0, max: 599 }), (response, responseCode) => {
      const { reason } = explain({ code: "EMESSAGE", command: "DATA", responseCode, response });
      expect(reason).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      expect(reason.length).toBeLessThan(4000);
    }),
  );
});
