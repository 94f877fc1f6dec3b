import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { explainSmtp, type SmtpServer } from "../../src/notify/smtp-errors";

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
  return explainSmtp(error, { ...SERVER, ...server }, (text) => text);
}

/** One line, lower case unless a name stands first, no full stop. */
const MESSAGE = /^(?=[a-z]|IPCHECK|Gmail|Microsoft).*[^.]$/;

describe("replies", () => {
  test.each([
    // nodemailer's code, command, reply, for good?, reason, hint
    ["EAUTH", "AUTH PLAIN", 535, true, /refused the login/, /IPCHECK_SMTP_USER and the password/],
    ["EAUTH", "AUTH PLAIN", 534, true, /refused the login/, /app password/],
    ["EAUTH", "AUTH LOGIN", 454, false, /cannot check the login now/, /next run/],
    ["EAUTH", "API", 0, false, /refused the login/, /password/],
    ["EENVELOPE", "MAIL FROM", 530, true, /wants a login/, /IPCHECK_SMTP_USER/],
    ["EENVELOPE", "MAIL FROM", 550, true, /refused the sender/, /IPCHECK_FROM/],
    ["EENVELOPE", "MAIL FROM", 451, false, /cannot take mail from this sender now/, /next run/],
    ["EENVELOPE", "RCPT TO", 550, true, /refused the recipient/, /IPCHECK_TO/],
    ["EENVELOPE", "RCPT TO", 553, true, /refused the recipient/, /typing error/],
    ["EENVELOPE", "RCPT TO", 554, true, /refused the recipient/, /IPCHECK_TO/],
    ["EENVELOPE", "RCPT TO", 450, false, /for this recipient yet/, /greylisting/],
    ["EENVELOPE", "RCPT TO", 552, false, /for this recipient yet/, /next run/],
    ["EMESSAGE", "DATA", 552, false, /mailbox is full/, /make room/],
    ["EMESSAGE", "DATA", 554, true, /refused the message/, /server's words/],
    ["EMESSAGE", "DATA", 451, false, /cannot take the message now/, /next run/],
    ["EPROTOCOL", "CONN", 554, true, /refused to talk/, /block/],
    ["EPROTOCOL", "EHLO", 450, false, /cannot talk now/, /next run/],
    ["EPROTOCOL", "CONN", 421, false, /closing for now/, /next run/],
    ["EMESSAGE", "DATA", 421, false, /closing for now/, /next run/],
  ])("%s after %s with %d, for good %s", (code, command, responseCode, isPermanent, reason, hint) => {
    const outcome = explain({ code, command, responseCode, response: `${responseCode} 5.x.y in its own words` });
    expect(outcome).toMatchObject({ ok: false, isPermanent });
    expect(outcome.reason).toMatch(reason);
    expect(outcome.reason).toContain("smtp.example.net:587");
    // The server's own text comes after ours.
    expect(outcome.reason).toMatch(/: \d+ 5\.x\.y in its own words$/);
    expect(outcome.hint).toMatch(hint);
    expect(outcome.hint).toMatch(MESSAGE);
  });
});

describe("the enhanced status code comes first", () => {
  test.each([
    // command, the server's words, for good?, reason, hint
    ["RCPT TO", "454 4.7.1 <x@example.net>: Relay access denied", false, /pass mail on/, /IPCHECK_SMTP_USER/],
    ["RCPT TO", "550 5.7.1 Relaying denied", true, /refused to pass mail on/, /IPCHECK_SMTP_USER/],
    ["RCPT TO", "554 5.7.1 <x@example.net>: Relay access denied", true, /refused to pass mail on/, /IPCHECK_FROM/],
    ["RCPT TO", "550 relay not permitted", true, /refused to pass mail on/, /IPCHECK_SMTP_USER/],
    [
      "RCPT TO",
      "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using a list",
      true,
      /from this machine/,
      /home/,
    ],
    [
      "RCPT TO",
      "450 4.7.1 Client host rejected: cannot find your hostname",
      false,
      /from this machine for now/,
      /login/,
    ],
    [
      "RCPT TO",
      "450 4.7.1 <x@example.net>: Client host rejected: Greylisted",
      false,
      /for this recipient yet/,
      /greylisting/,
    ],
    ["RCPT TO", "451 4.7.1 Greylisting in action", false, /for this recipient yet/, /greylisting/],
    ["RCPT TO", "450 4.2.0 Greylisted", false, /for this recipient yet/, /greylisting/],
    ["RCPT TO", "450 4.1.8 <pi@home>: Sender address rejected: Domain not found", false, /sender/, /IPCHECK_FROM/],
    ["RCPT TO", "553 5.1.8 Domain of sender address does not exist", true, /refused the sender/, /IPCHECK_FROM/],
    ["RCPT TO", "550 5.1.7 <pi@home>: invalid", true, /refused the sender/, /IPCHECK_FROM/],
    ["MAIL FROM", "553 5.1.8 no such domain", true, /refused the sender/, /IPCHECK_FROM/],
    ["DATA", "550 5.1.7 bad sender", true, /refused the sender/, /IPCHECK_FROM/],
    [
      "RCPT TO",
      "504 5.5.2 <pi>: Sender address rejected: need fully-qualified address",
      true,
      /sender/,
      /IPCHECK_FROM/,
    ],
    ["RCPT TO", "553 5.7.1 <a@b.example>: Sender address rejected: not owned by user", true, /sender/, /IPCHECK_FROM/],
    [
      "DATA",
      "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
      true,
      /sender/,
      /IPCHECK_FROM/,
    ],
    ["MAIL FROM", "530 5.7.0 Must issue a STARTTLS command first", true, /encrypted/, /IPCHECK_SMTP_SECURITY=starttls/],
    ["AUTH PLAIN", "538 5.7.11 Encryption required", true, /encrypted/, /IPCHECK_SMTP_SECURITY/],
    ["RCPT TO", "530 5.7.1 Authentication required", true, /wants a login/, /IPCHECK_SMTP_USER/],
    ["DATA", "550 5.1.1 no such user", true, /refused the recipient/, /IPCHECK_TO/],
    ["RCPT TO", "450 4.1.1 unverified", false, /for this recipient yet/, /IPCHECK_TO/],
    ["RCPT TO", "552 5.2.2 over quota", false, /mailbox is full/, /make room/],
    ["DATA", "554 5.2.2 mailbox full", false, /mailbox is full/, /next run/],
    ["DATA", "550 5.4.5 Daily user sending limit exceeded", false, /limit/, /passes with time/],
    ["DATA", "550-5.4.5 Daily user sending limit\n550 5.4.5 exceeded", false, /limit/, /passes with time/],
    ["MAIL FROM", "554 5.7.0 Your message quota is exceeded", false, /limit/, /passes with time/],
    ["RCPT TO", "550 5.4.4 no route to the domain", false, /cannot take the mail now/, /next run/],
    ["MAIL FROM", "554 5.3.0 disk trouble", false, /cannot take the mail now/, /next run/],
    ["DATA", "554 5.3.4 message too big for system", false, /cannot take the mail now/, /next run/],
    ["DATA", "554 4.7.1 try later", false, /message/, /./],
    ["RCPT TO", "550 5.2.1 disabled", true, /refused the recipient/, /IPCHECK_TO/],
    ["DATA", "421 4.3.2 shutting down", false, /closing for now/, /next run/],
  ])("%s: %s", (command, response, isPermanent, reason, hint) => {
    const responseCode = Number(response.slice(0, 3));
    const code = command.startsWith("AUTH") ? "EAUTH" : "EENVELOPE";
    const outcome = explain({ code, command, responseCode, response });
    expect(outcome.reason).toMatch(reason);
    expect(outcome.hint).toMatch(hint);
    expect(outcome.hint).toMatch(MESSAGE);
    expect(outcome.isPermanent).toBe(isPermanent);
    if (/relay|sender/i.test(response)) expect(outcome.hint).not.toContain("greylisting");
  });

  test.each([
    ["535 5.7.8 bad password", true, /refused the login/, /app password/],
    ["454 4.7.0 temporary failure", false, /cannot check the login now/, /next run/],
    ["504 5.5.4 unrecognized authentication type", true, /takes no login with a password/, /IPCHECK_SMTP_PORT/],
    ["530 5.7.0 Must issue STARTTLS first", true, /encrypted/, /IPCHECK_SMTP_SECURITY/],
  ])("AUTH: %s", (response, isPermanent, reason, hint) => {
    const responseCode = Number(response.slice(0, 3));
    const outcome = explain({ code: "EAUTH", command: "AUTH PLAIN", responseCode, response });
    expect(outcome).toMatchObject({
      isPermanent,
      reason: expect.stringMatching(reason),
      hint: expect.stringMatching(hint),
    });
  });
});

describe("connections: never for good", () => {
  test.each([
    ["EDNS", "ENOTFOUND", {}, /no address in the DNS/, /IPCHECK_SMTP_HOST/],
    ["EDNS", "", {}, /no address in the DNS/, /network/],
    ["ESOCKET", "ECONNREFUSED", {}, /refused the connection/, /^look at IPCHECK_SMTP_HOST/],
    [
      "ESOCKET",
      "ECONNREFUSED",
      { port: 2525 },
      /refused the connection/,
      /IPCHECK_SMTP_HOST and IPCHECK_SMTP_PORT \(587 or 465\)/,
    ],
    ["ESOCKET", "ECONNREFUSED", { host: "localhost", port: 25 }, /refused/, /start the mail server of this machine/],
    ["ETIMEDOUT", "", { port: 25 }, /did not answer in time/, /block port 25 of homes: use 587 or 465/],
    ["ESOCKET", "ENETUNREACH", {}, /no route/, /network/],
    ["ETIMEDOUT", "", {}, /did not answer in time/, /block this port/],
    ["ECONNECTION", "EABORT", {}, /did not answer in time/, /next run/],
    ["ECONNECTION", "ECONNRESET", {}, /broke off/, /next run/],
    ["ETLS", "", {}, /offers no STARTTLS, so the password was not sent/, /IPCHECK_SMTP_SECURITY=tls/],
    ["ETLS", "", { security: "tls" as const, port: 465 }, /no encrypted connection/, /tls belongs to 465/],
    ["ESOCKET", "ERR_SSL_WRONG_VERSION_NUMBER", {}, /no encrypted connection/, /starttls to 587/],
    ["ESOCKET", "EPROTO", {}, /no encrypted connection/, /tls belongs to 465/],
    ["ESOCKET", "CERT_NOT_YET_VALID", {}, /not valid yet/, /clock/],
    ["ESOCKET", "CERT_HAS_EXPIRED", {}, /has expired/, /clock/],
    ["ESOCKET", "ERR_TLS_CERT_ALTNAME_INVALID", {}, /another name/, /IPCHECK_SMTP_HOST/],
    ["ESOCKET", "DEPTH_ZERO_SELF_SIGNED_CERT", {}, /not trusted/, /IPCHECK_CA_FILE/],
    ["ESOCKET", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", {}, /not trusted/, /IPCHECK_CA_FILE/],
    ["ENOAUTH", "", {}, /offers no login/, /IPCHECK_SMTP_USER/],
    ["ETLSFIRST", "", {}, /speaks TLS from the first byte/, /IPCHECK_SMTP_SECURITY=tls.*465/],
    ["ENOTLOCAL", "", {}, /not this machine, so nothing was sent/, /\/etc\/hosts/],
    ["EPROTOCOL", "", {}, /does not speak as a mail server/, /IPCHECK_SMTP_PORT/],
    ["ESOCKET", "ERR_SSL_UNSUPPORTED_PROTOCOL", {}, /too old/, /TLS 1\.2/],
    ["ESOCKET", "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", {}, /too old/, /TLS 1\.2/],
    ["ESOCKET", "ERR_SSL_DH_KEY_TOO_SMALL", {}, /too old or too weak/, /TLS 1\.2/],
    ["ESOCKET", "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", {}, /too old/, /TLS 1\.2/],
    ["EWHATEVER", "", {}, /EWHATEVER: something broke/, /next run/],
    ["", "", {}, /unknown error: something broke/, /next run/],
  ])("%s %s %j", (code, originalCode, server, reason, hint) => {
    const outcome = explain({ code, originalCode }, server);
    expect(outcome).toMatchObject({ ok: false, isPermanent: false });
    expect(outcome.reason).toMatch(reason);
    expect(outcome.reason).toMatch(MESSAGE);
    expect(outcome.hint).toMatch(hint);
    expect(outcome.hint).toMatch(MESSAGE);
  });

  test("a server that offers no STARTTLS with a reply is tried again too", () => {
    expect(explain({ code: "ETLS", responseCode: 502, command: "STARTTLS" }).isPermanent).toBe(false);
  });
});

test.each([
  ["login", { code: "EAUTH", responseCode: 535 }],
  ["login", { command: "MAIL FROM", responseCode: 530, response: "530 5.7.0 Authentication required" }],
  ["login", { command: "RCPT TO", responseCode: 554, response: "554 5.7.1 Relay access denied" }],
  ["server", { command: "MAIL FROM", responseCode: 530, response: "530 5.7.0 Must issue a STARTTLS command first" }],
  ["server", { code: "ECONNREFUSED" }],
  ["server", { code: "ETIMEDOUT" }],
  ["server", { code: "ENOTFOUND" }],
  ["server", { code: "ETLS" }],
  ["server", { code: "ERR_TLS_CERT_ALTNAME_INVALID" }],
  ["server", { code: "ENOAUTH" }],
  ["server", { code: "EPROTOCOL", command: "CONN", responseCode: 554 }],
  ["sender", { command: "MAIL FROM", responseCode: 550 }],
  ["sender", { command: "RCPT TO", responseCode: 553, response: "553 5.1.8 Domain of sender address does not exist" }],
  ["recipient", { command: "RCPT TO", responseCode: 550 }],
  ["recipient", { command: "RCPT TO", responseCode: 550, response: "550 5.1.1 no such user" }],
  [undefined, { command: "DATA", responseCode: 451 }],
  [undefined, { command: "RCPT TO", responseCode: 450, response: "450 4.2.0 Greylisted" }],
])("it is about the %s: %j", (about, error) => expect(explain(error).about).toBe(about));

test.each([
  [{ port: 587 }, true],
  [{ port: 25 }, false],
  [{ port: 2525, security: "none" as const }, false],
])("the usual ports are named to a client of a provider, not of a relay: %j", (server, isNamed) => {
  for (const error of [{ code: "ECONNREFUSED" }, { code: "EPROTOCOL" }, { code: "ENOAUTH" }])
    expect(explain(error, server).hint?.includes("587 or 465")).toBe(isNamed);
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
  expect(explain({ code: "EAUTH", responseCode: 535 }, { host }).hint).toMatch(hint);
});

test("whatever the server says, it fits on one harmless line", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 500 }),
      fc.integer({ min: 0, max: 599 }),
      (words, responseCode) => {
        const { reason } = explain({ code: "EMESSAGE", command: "DATA", responseCode, response: words });
        expect(reason).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(reason.length).toBeLessThan(4000);
      },
    ),
  );
});
