import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { quote } from "../../src/base/text";
import { sendMail } from "../../src/notify/mail";
import { composeMessage } from "../../src/notify/message/compose";
import { startEcho, startMail } from "../setup/workbench";
import type { EchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import type { Arrived, MailServer } from "../support/mail-server";
import { runHere } from "../support/run-here";
import { factsIn, KINDS } from "./examples";
import { hostileText } from "./hostile-text";

const HEADERS = [
  "auto-submitted",
  "content-type",
  "date",
  "from",
  "in-reply-to",
  "message-id",
  "mime-version",
  "references",
  "subject",
  "to",
];

let server: MailServer;
let echo: EchoServer;
beforeAll(async () => {
  server = await startMail();
  echo = await startEcho("203.0.113.7\n");
});

function headersOf({ raw }: Pick<Arrived, "raw">): string[][] {
  const [head = ""] = raw.split("\r\n\r\n", 1);
  const unfolded = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  return unfolded.map((line) => {
    const [, name = `not a header: ${line}`, value = ""] = /^([!-9;-~]+): ?(.*)$/.exec(line) ?? [];
    return [name.toLowerCase(), value];
  });
}

function header(mail: Arrived | undefined, name: string): string | undefined {
  return mail && headersOf(mail).find(([key]) => key === name)?.[1];
}

test("whatever the names are: no header is injected, and what was written arrives", async () => {
  const [change] = KINDS["change"] ?? [];
  if (!change) throw new Error("no example");
  await fc.assert(
    fc.asyncProperty(hostileText, hostileText, hostileText, hostileText, async (machineName, host, ssh, operator) => {
      const facts = { ...factsIn("fr"), machineName, hostName: host, sshLine: ssh };
      const message = composeMessage([{ ...change, confirmedBy: [operator] }], facts);
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
      const arrived = server.arrived.slice(before);
      expect(arrived).toHaveLength(1);
      const [mail] = arrived as [Arrived];
      const headers = headersOf(mail);
      expect(headers.map(([name]) => name).sort()).toEqual(HEADERS);
      expect(header(mail, "to")).toBe("owner@example.net, other@example.net");
      expect(header(mail, "from")).toMatch(/<pi@example\.net>$|^pi@example\.net$/);
      expect(header(mail, "message-id")).toBe("<notice@example.net>");
      expect(mail.raw.split("\r\n\r\n", 1)[0]).toMatch(/^[\x20-\x7e\r\n\t]*$/);
      expect(Math.max(...mail.raw.split("\r\n").map((line) => line.length))).toBeLessThanOrEqual(998);
      expect(mail.recipients).toEqual(["owner@example.net", "other@example.net"]);
      const squeeze = (text = "") => text.replace(/\s+/g, " ").trim();
      expect(squeeze(mail.mail.text)).toBe(squeeze(message.text));
      expect(squeeze(String(mail.mail.html))).toBe(squeeze(message.html));
    }),
    { numRuns: 30 },
  );
});

test.each(["Grünwald ☕ 家", 'O\'Brien "the" home', "a, b; c <d@e>", "x".repeat(200), "naïve\u202eeman"])(
  "a machine called %j is called so in the mail",
  async (name) => {
    const home = new Home(runHere).useServices(echo).useMail(server);
    const before = server.arrived.length;
    // A direction mark is shown as its code.
    const shown = quote(name, 60);
    expect(await home.run(["check"], { env: { IPCHECK_NAME: name } })).toMatchObject({ exitCode: 0, stderr: "" });
    const [arrived] = server.arrived.slice(before);
    const { subject = "" } = arrived?.mail ?? {};
    expect(subject).toMatch(/: (address )?203\.0\.113\.7 \(watched from now on\)$/);
    expect(shown.startsWith(subject.split(/…?: /)[0] ?? "none")).toBe(true);
    expect(subject.slice(0, 40)).toContain("203.0.113.7");
    expect(arrived?.mail.from?.value).toEqual([{ name: shown, address: "pi@example.net" }]);
    expect(arrived?.mail.text).toContain(shown.split(" ")[0]);
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
    expect(
      headersOf(mail)
        .map(([name]) => name)
        .sort(),
    ).toEqual(HEADERS);
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

test.each<[string, Record<string, string>]>([
  ["fr", { IPCHECK_LANG: "fr" }],
  ["fr", { LANG: "fr_FR.UTF-8" }],
  ["fr", { LANG: "en_GB.UTF-8", LC_ALL: "fr_CA" }],
  ["fr", { LANG: "C", LC_MESSAGES: "fr_FR@euro" }],
  ["en", { LANG: "fr_FR.UTF-8", LC_ALL: "C" }],
  ["en", { LANG: "fr_FR.UTF-8", IPCHECK_LANG: "en" }],
  ["en", { LANG: "xx_XX.UTF-8" }],
  ["en", {}],
])("a mail in %s for %j", async (language, env) => {
  const home = new Home(runHere).useServices(echo).useMail(server);
  const before = server.arrived.length;
  await home.run(["check"], { env });
  const { text, html, subject } = server.arrived[before]?.mail ?? {};
  const [expected, own] =
    language === "fr" ? ["désormais surveillée", "Constaté\u00a0: "] : ["watched from now on", "Seen: "];
  expect(subject).toContain(expected);
  expect(text).toContain(own);
  expect(html).toContain(`<html lang="${language}">`);
});
