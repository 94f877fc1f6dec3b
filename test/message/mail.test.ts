import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { quote } from "../../src/base/text";
import { sendMail } from "../../src/notify/deliver";
import { startEcho, startMail } from "../setup/workbench";
import type { EchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import type { Arrived, MailServer } from "../support/mail-server";
import { runHere } from "../support/run-here";
import { compose, factsIn, KINDS } from "./examples";
import { hostileText } from "./hostile-text";

const HEADERS = "auto-submitted content-type date from in-reply-to message-id mime-version references subject to";

let server: MailServer;
let echo: EchoServer;
beforeAll(async () => {
  server = await startMail();
  echo = await startEcho("203.0.113.7\n");
});

function headersOf({ raw }: Arrived): [name: string, value: string][] {
  const [head = ""] = raw.split("\r\n\r\n", 1);
  const unfolded = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  return unfolded.map((line) => {
    const [, name = `not a header: ${line}`, value = ""] = /^([!-9;-~]+): ?(.*)$/.exec(line) ?? [];
    return [name.toLowerCase(), value];
  });
}

const namesOfHeaders = (mail: Arrived) =>
  headersOf(mail)
    .map(([name]) => name)
    .sort()
    .join(" ");
const header = (mail: Arrived | undefined, name: string) => mail && new Map(headersOf(mail)).get(name);

/** Mails about a change to two recipients; what was written, and what arrived. */
async function mailNamed(machineName: string, host = "pi", ssh = "ssh pi@{ip}", operator = "ipify") {
  const [change] = KINDS.change;
  const facts = { ...factsIn("fr"), machineName, hostName: host, sshLine: ssh };
  const message = compose([{ ...change, confirmedBy: [operator] }], facts);
  const before = server.arrived.length;
  const notice = { id: "notice", recipients: ["owner@example.net", "other@example.net"], events: [change] };
  const outcomes = await sendMail(notice, message, {
    server: { host: "127.0.0.1", port: server.port, security: "none" },
    login: undefined,
    from: "pi@example.net",
    machineName,
    extraCa: undefined,
    remainingMs: () => 10_000,
    signal: new AbortController().signal,
    redact: (text) => text,
  });
  expect([...outcomes.values()]).toEqual([{ ok: true }, { ok: true }]);
  const [arrived, ...more] = server.arrived.slice(before);
  expect(more).toEqual([]);
  return { message, arrived: arrived as Arrived };
}

test("whatever the names are: no header is injected, and what was written arrives", async () => {
  await fc.assert(
    fc.asyncProperty(hostileText, hostileText, hostileText, hostileText, async (...names) => {
      const { message, arrived } = await mailNamed(...names);
      const { raw, mail, recipients } = arrived;
      expect(namesOfHeaders(arrived)).toBe(HEADERS);
      expect(header(arrived, "to")).toBe("owner@example.net, other@example.net");
      expect(header(arrived, "from")).toMatch(/<pi@example\.net>$|^pi@example\.net$/);
      expect(header(arrived, "message-id")).toBe("<notice@example.net>");
      expect(raw.split("\r\n\r\n", 1)[0]).toMatch(/^[\x20-\x7e\r\n\t]*$/);
      expect(Math.max(...raw.split("\r\n").map((line) => line.length))).toBeLessThanOrEqual(998);
      expect(recipients).toEqual(["owner@example.net", "other@example.net"]);
      const squeeze = (text = "") => text.replace(/\s+/g, " ").trim();
      expect(squeeze(mail.text)).toBe(squeeze(message.text));
      expect(squeeze(String(mail.html))).toBe(squeeze(message.html));
    }),
    { numRuns: 30 },
  );
});

// A direction mark is shown as its code.
test.each(["Grünwald ☕ 家", 'O\'Brien "the" home', "a, b; c <d@e>", "x".repeat(200), "naïve\u202eeman"])(
  "a machine called %j is called so in the mail",
  async (machineName) => {
    const { mail } = (await mailNamed(machineName)).arrived;
    const name = quote(machineName, 60);
    expect(mail.from?.value).toEqual([{ name, address: "pi@example.net" }]);
    expect(name.startsWith(mail.subject?.split(/…?\u00a0: /)[0] ?? "none")).toBe(true);
  },
);

test("mails of one machine thread together; a notice told twice keeps its Message-ID", async () => {
  const home = new Home(runHere).useServices(echo).useMail(server, "first@example.net,second@example.net");
  const before = server.arrived.length;
  server.refusals.set("second@example.net", [450, "4.2.0 greylisted, come back later"]);
  expect((await home.run(["check"], { now: "2026-06-01T00:00:00Z" })).exitCode).toBe(5);
  server.refusals.clear();
  expect((await home.run(["check"], { now: "2026-06-01T01:00:00Z" })).exitCode).toBe(0);
  echo.answer = "203.0.113.8\n";
  expect((await home.run(["check"], { now: "2026-06-01T02:00:00Z" })).exitCode).toBe(0);
  echo.answer = "203.0.113.7\n";

  const mails = server.arrived.slice(before);
  expect(mails.map(({ recipients }) => recipients)).toEqual([
    ["first@example.net"],
    ["second@example.net"],
    ["first@example.net", "second@example.net"],
  ]);
  const ids = mails.map((mail) => header(mail, "message-id"));
  expect(ids[0]).toMatch(/^<[0-9a-f]{32}@example\.net>$/);
  expect(ids[1]).toBe(ids[0]);
  expect(ids[2]).not.toBe(ids[0]);
  expect(header(mails[0], "references")).toMatch(/^<[\w-]+@example\.net>$/);
  for (const mail of mails) {
    expect(namesOfHeaders(mail)).toBe(HEADERS);
    expect(header(mail, "auto-submitted")).toBe("auto-generated");
    expect(header(mail, "references")).toBe(header(mails[0], "references"));
    expect(header(mail, "in-reply-to")).toBe(header(mails[0], "references"));
    expect(header(mail, "date")).toMatch(/^\w{3}, 0?1 Jun 2026 0\d:\d\d:\d\d \+0000$/);
    expect(mail.mail.html).toContain("<!DOCTYPE html>");
  }
  // Another machine of the same owner is another thread.
  const other = new Home(runHere).useServices(echo).useMail(server);
  await other.run(["check"], { env: { IPCHECK_NAME: "other machine" } });
  expect(header(server.arrived.at(-1), "references")).not.toBe(header(mails[0], "references"));
});

test.each<[string, Record<string, string>, string, string]>([
  ["fr", { LANG: "en_GB.UTF-8", LC_ALL: "fr_CA" }, "désormais surveillée", "Constaté\u00a0: "],
  ["en", { LANG: "fr_FR.UTF-8", IPCHECK_LANG: "en" }, "watched from now on", "Seen: "],
])("a mail in %s for %j", async (language, env, subjectWords, textWords) => {
  const home = new Home(runHere).useServices(echo).useMail(server);
  const before = server.arrived.length;
  await home.run(["check"], { env });
  const { text, html, subject } = server.arrived[before]?.mail ?? {};
  expect(subject).toContain(subjectWords);
  expect(text).toContain(textWords);
  expect(html).toContain(`<html lang="${language}">`);
});
