// What an echo service, or somebody in its place, may send: none of it may become the home's address,
// and none of it may keep the honest services from being believed.

import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SILENCE, startEcho, startMail } from "../setup/workbench";
import type { EchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import { HAS_IPV6 } from "../support/ipv6";
import type { MailServer } from "../support/mail-server";
import { type Act, afterRequest, drip, endless, hang, http, reply, replyAndHold, startPanel } from "../support/panel";
import { runHere } from "../support/run-here";

vi.setConfig({ maxConcurrency: 4 });

/** One thing that is done to us, in each run another variant where there are several. */
type Row = [name: string, ...acts: Act[]];

/** One bad service may cost its time-out of 2 s; the rest is for a machine with twenty runs for each processor. */
const TIMEOUT = "2s";
const LIMIT_MS = 10_000;
const IPV4 = { family: "4", host: "127.0.0.1", wrong: "203.0.113.66", right: ["203.0.113.7", "203.0.113.8"] } as const;
const IPV6 = { family: "6", host: "::1", wrong: "2001:db8:66::1", right: ["2001:db8:7::1", "2001:db8:8::1"] } as const;

let mail: MailServer;
let trap: EchoServer;
beforeAll(async () => {
  mail = await startMail();
  // Where redirects lead: a service that would be believed if it were asked.
  trap = await startEcho(IPV4.wrong);
});
afterAll(() => expect(trap.requests).toEqual([]));

let rows = 0;

async function expectDistrust({ family, host, right }: typeof IPV4 | typeof IPV6, acts: Act[]): Promise<void> {
  const owner = `row-${rows++}@example.net`;
  const mails = () => mail.arrived.filter(({ recipients }) => recipients.includes(owner));
  const makeHome = () => {
    const home = new Home(runHere).useServices(...panel.services).useMail(mail, owner);
    Object.assign(home.env, { IPCHECK_FAMILY: family, IPCHECK_TIMEOUT: TIMEOUT });
    return home;
  };
  const act = (run: number): Act => acts[run % acts.length] ?? hang;
  const panel = await startPanel(4, () => act(0), host);
  try {
    // Alone: nothing is recorded, nothing is mailed, nothing hostile reaches the terminal.
    const lonely = makeHome().useServices(...panel.services.slice(0, 1));
    const run = await lonely.run();
    expect(run).toMatchObject({ exitCode: 3, stdout: "" });
    expect(run.stderr).toMatch(new RegExp(`^ipcheck: error: no trustworthy IPv${family} address: .+\n`));
    expect(run.stderr).toMatch(/^ipcheck: {3}\S+ .+\nipcheck: hint: .+\n$/m);
    expect(run.stderr.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\uFFFD]| {4}at /u);
    expect(run.ms).toBeLessThan(LIMIT_MS);
    const state = lonely.readState();
    expect([Object.keys(state.families[family]), state.outbox]).toEqual([["blind"], []]);
    expect(lonely.listStateFolder()).toEqual(["state.json"]);
    expect(mails()).toHaveLength(0);

    // Asked first at the first look, asked second when the address changes: the honest ones decide.
    const home = makeHome();
    for (const [hostile, address] of right.entries()) {
      panel.begin();
      panel.script = (position) => (position === hostile ? act(hostile + 1) : `${address}\n`);
      const beside = await home.run();
      expect(beside).toMatchObject(SILENCE);
      expect(beside.ms).toBeLessThan(LIMIT_MS);
      const { recorded } = home.readState().families[family];
      expect(recorded.address).toBe(address);
      expect(recorded.confirmedBy).toHaveLength(3);
      const suspect = panel.services[panel.asked[hostile] ?? -1]?.name;
      expect(recorded.confirmedBy.join()).not.toContain(suspect);
      expect(mails()).toHaveLength(hostile + 1);
      expect(mails().at(-1)?.mail.subject).toContain(address);
    }
  } finally {
    await panel.close();
  }
}

function table(title: string, where: typeof IPV4 | typeof IPV6, rows: Row[]): void {
  describe.skipIf(where === IPV6 && !HAS_IPV6)(title, { concurrent: true }, () => {
    test.for(rows)("%s", ([, ...acts]) => expectDistrust(where, acts));
  });
}

const { wrong } = IPV4;
const BOM = utf8("\uFEFF");

// What else is no address: answer.test.ts.
table("bodies that are not one address", IPV4, [
  ["a login page", `<html><body>Log in from ${wrong}</body></html>`, `<!DOCTYPE html>\n<title>${wrong}</title>`],
  ["a page called text/html", reply(http(200, `Your IP: ${wrong}`, { "Content-Type": "text/html" }))],
  ["nothing, in three ways", "", "\r\n \t\r\n", reply(http(200, "", { "Content-Type": "text/html" }))],
  ["a list from a proxy's header", `${wrong}, 10.0.0.1`, `10.0.0.1,${wrong}`, `unknown, ${wrong}`],
  ["two addresses", `${wrong} ${wrong}`, `${wrong}\n203.0.113.67`, `${wrong};${wrong}`],
  ["other digits and dots", utf8("２０３.0.113.66"), utf8("203。0。113。66"), utf8("٢٠٣.0.113.66")],
  ["IPv4-mapped", `::ffff:${wrong}`, "::ffff:cb00:7142", `[::ffff:${wrong}]`],
  ["IPv6", "2001:db8::66", "2001:db8::66%eth0", `64:ff9b::${wrong}`],
  ["no public address", "192.168.1.1", "100.64.0.9", "127.0.0.1"],
  ["control characters", `\x1B[31m${wrong}\x1B[0m`, `${wrong}\x07`, `\x9B2J${wrong}\x7F`],
  ["NUL", `${wrong}\0`, `\0${wrong}`, `203.0.113\0.66`],
  ["a byte order mark", `${BOM}${wrong}`, `${wrong}${BOM}`, `\xFE\xFF${wrong}`],
  ["invisible white space", `\xA0${wrong}`, `${wrong}\v`, utf8(`${wrong}\u200B`)],
  ["bidirectional overrides", ...["\u202E", "\u2066", "\u200F"].map((mark) => utf8(mark + wrong))],
  ["line breaks that forge a log line", `${wrong}\nipcheck: 203.0.113.7 is unchanged`, `${wrong}\r\nSubject: x`],
  ["a header in the body", `HTTP/1.1 200 OK\r\n\r\n${wrong}`, `${wrong}\r\n\r\n${wrong}`],
  ["a compressed body", reply(http(200, "\x1F\x8B\x08\0\0\0\0\0", { "Content-Encoding": "gzip" }))],
]);

/** The trap's port is known when the row runs. */
const redirect = (status: number, location: () => string) => (socket: Socket) =>
  reply(http(status, wrong, { Location: location() }))(socket);

// 429 and 503 also ask to be left alone: quorum.test.ts. What each other one means: answer.test.ts.
table("every status but 200", IPV4, [
  ["201, 206, 304", ...[201, 206, 304].map((status) => reply(http(status, wrong)))],
  ["404, 502, 999", ...[404, 502, 999].map((status) => reply(http(status, wrong)))],
  ["redirects", redirect(301, () => trap.url), redirect(307, () => `//127.0.0.1:${trap.port}/`)],
  ["a redirect with control characters", redirect(302, () => "\x08/\x9B")],
  ["100 and no more", reply("HTTP/1.1 100 Continue\r\n\r\n"), replyAndHold("HTTP/1.1 100 Continue\r\n\r\n")],
  ["101, protocols switched", reply(`HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n${wrong}`)],
  ["103, then 404", reply(`HTTP/1.1 103 Early Hints\r\n\r\n${http(404, wrong)}`)],
  ["000", reply(http(0, wrong).replace(" 0 ", " 000 "))],
]);

const head = (length: number | string) => http(200, "", { "Content-Length": String(length) });
const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

table("servers that misbehave", IPV4, [
  ["100 KB", " ".repeat(100_000) + wrong, wrong + "\n".repeat(100_000), "1".repeat(100_000)],
  ["an endless body", endless(head(1e9), "203.0.113.66\n"), endless(chunked, "4\r\n    \r\n")],
  ["endless header fields", endless("HTTP/1.1 200 OK\r\n", "X-More: of it\r\n")],
  ["one byte a second", drip(head(12), wrong), drip(chunked, "4\r\n    \r\n"), drip("", "HTTP/1.1 200 OK\r\n")],
  ["silence after accepting", hang],
  ["silence after the header", replyAndHold(head(12)), replyAndHold("HTTP/1.1 200 OK\r\n")],
  ["a reset, early and late", ...resets()],
  ["a farewell without a word", (socket) => socket.resume().end(), reply(""), reply("HTTP/1.1 200 OK\r\n")],
  ["content-length too long", reply(head(13) + wrong), replyAndHold(head(13) + wrong), reply(head(1e18) + wrong)],
  ["content-length too short", reply(`${head(12)}${wrong}6`), reply(`${head(11)}${wrong}`), reply(head(0) + wrong)],
  ["content-length too short, in two packets", inTwo(head(12), `${wrong}6`)],
  ["content-length twice", reply(`HTTP/1.1 200 OK\r\nContent-Length: 12\r\n${head(11).slice(17)}${wrong}`)],
  [
    "content-length that is no length",
    reply(head(-12) + wrong),
    reply(head("0xC") + wrong),
    reply(head("1 2") + wrong),
  ],
  ["content-length with chunks", reply(`${head(12).replace("\r\n", "\r\nTransfer-Encoding: chunked\r\n")}${wrong}`)],
  ["broken chunks", reply(`${chunked}C\r\n${wrong}`), reply(`${chunked}Z\r\n${wrong}\r\n0\r\n\r\n`)],
  ["garbage instead of HTTP", reply(`${wrong}\n`), reply("\0\xFF\x1B[2J\n\n"), reply("SSH-2.0-OpenSSH_9.9\r\n")],
  ["other protocols", reply("220 mx ESMTP\r\n"), reply("\x15\x03\x01\0\x02\x02\x46"), reply("ICY 200 OK\r\n\r\n")],
  [
    "a status line that is none",
    reply("HTTP/1.1 2OO OK\r\n\r\n"),
    reply("HTTP/9.9.9 200\r\n\r\n"),
    reply("HTTP/1.1\r\n"),
  ],
  ["huge header fields", reply(http(200, wrong, { "X-Huge": "x".repeat(100_000) })), reply(manyFields())],
  ["control characters in a header field", reply(http(200, wrong, { "X-Evil": "a\0b" }))],
]);

const { wrong: wrong6 } = IPV6;
table("over IPv6", IPV6, [
  ["IPv4", "203.0.113.7"],
  ["IPv4-mapped", "::ffff:203.0.113.7", "::FFFF:cb00:7107", "0:0:0:0:0:ffff:203.0.113.7"],
  ["a zone id", `${wrong6}%eth0`, `${wrong6}%1`, "fe80::1%lo"],
  ["brackets, mask, a list", `[${wrong6}]`, `${wrong6}/64`, `${wrong6}, ${wrong6}`],
  ["no public address", "fe80::1", "fd00::1", "::1"],
  ["control characters", `\x1B[31m${wrong6}`, `${wrong6}\0`, `${BOM}${wrong6}`],
  ["a page, 404, 302", `<html>${wrong6}</html>`, reply(http(404, wrong6)), reply(http(302, wrong6))],
  ["silence, a reset, garbage", hang, (socket) => socket.resetAndDestroy(), reply("\x1B[2J\n")],
]);

/** The bytes of a text in UTF-8, in the latin-1 that the panel sends. */
function utf8(text: string): string {
  return Buffer.from(text).toString("latin1");
}

function inTwo(first: string, second: string): Act {
  return afterRequest((socket) => socket.write(first, "latin1", () => socket.end(second, "latin1")));
}

function resets(): Act[] {
  return [
    (socket) => socket.resetAndDestroy(),
    afterRequest((socket) => socket.resetAndDestroy()),
    afterRequest((socket) => socket.write(head(12) + wrong.slice(0, 5), () => socket.resetAndDestroy())),
  ];
}

function manyFields(): string {
  const fields = Array.from({ length: 5000 }, (_, index) => [`X-${index}`, "x".repeat(20)]);
  return http(200, wrong, Object.fromEntries(fields));
}
