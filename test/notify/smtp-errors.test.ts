import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { explainSmtp, type SmtpError, type SmtpServer } from "../../src/notify/smtp-errors";

const SERVER: SmtpServer = { host: "smtp.example.net", port: 587, security: "starttls" };

function explain(error: Partial<SmtpError>, server: Partial<SmtpServer> = {}) {
  const whole = { code: "", responseCode: 0, command: "", response: "", message: "", causeCode: "", ...error };
  return explainSmtp(whole, { ...SERVER, ...server });
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
    ["EMESSAGE", "DATA", 552, true, /refused the message/, /full/],
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

describe("connections: never for good", () => {
  test.each([
    ["EDNS", "ENOTFOUND", {}, /no address in the DNS/, /IPCHECK_SMTP_HOST/],
    ["EDNS", "", {}, /no address in the DNS/, /network/],
    ["ESOCKET", "ECONNREFUSED", {}, /refused the connection/, /IPCHECK_SMTP_PORT/],
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
    ["EWHATEVER", "", {}, /EWHATEVER: something broke/, /next run/],
    ["", "", {}, /unknown error: something broke/, /next run/],
  ])("%s %s %j", (code, causeCode, server, reason, hint) => {
    const outcome = explain({ code, causeCode, message: "something broke" }, server);
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
  ["smtp.gmail.com", /https:\/\/myaccount\.google\.com\/apppasswords/],
  ["smtp.office365.com", /another provider/],
  ["smtp-mail.outlook.com", /another provider/],
  ["smtp.mail.yahoo.com", /app password/],
  ["smtp.fastmail.com", /app password/],
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
        const { reason } = explain({
          code: "EMESSAGE",
          command: "DATA",
          responseCode,
          response: words,
          message: words,
        });
        expect(reason).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(reason.length).toBeLessThan(4000);
      },
    ),
  );
});
