import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { localTime } from "../../src/base/time";
import { describeRun, type Ping, pingHeartbeat } from "../../src/notify/heartbeat";
import { type AddressEvent, EMPTY_STATE, type State } from "../../src/state/state";
import { startEcho } from "../setup/workbench";
import type { EchoServer } from "../support/echo-server";
import { Home } from "../support/home";

const redact = (text: string) => text.replaceAll("t0ken", "[redacted]");
const OK: Ping = { isSuccess: true, body: "a\né", userAgent: "ipcheck/test", redact };
const FAILED: Ping = { ...OK, isSuccess: false };

let monitor: EchoServer;
beforeAll(async () => {
  monitor = await startEcho("OK");
});

/** Lets the monitor answer so from now on; what it hears is added to the list that is returned. */
function listen(answer: string) {
  const heard: { request: string; type: string | undefined; body: string }[] = [];
  monitor.answer = async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    heard.push({ request: `${request.method} ${request.url}`, type: request.headers["content-type"], body });
    response.end(answer);
  };
  return heard;
}

describe("where a ping goes", () => {
  const KUMA = '{"ok":true}';
  test.for([
    ["/token", OK, "OK", "POST /token"],
    ["/token", FAILED, "OK", "POST /token/fail"],
    ["/token/", FAILED, "OK", "POST /token/fail"],
    ["/token?rid=7", FAILED, "OK", "POST /token/fail?rid=7"],
    ["/token/?rid=7", FAILED, "OK", "POST /token/fail?rid=7"],
    ["/key/slug?create=1", OK, "OK", "POST /key/slug?create=1"],
    ["/api/push/a", OK, KUMA, "GET /api/push/a?status=up&msg=a%3B+%C3%A9&ping="],
    ["/api/push/a", FAILED, KUMA, "GET /api/push/a?status=down&msg=a%3B+%C3%A9&ping="],
    ["/api/push/a?status=up&msg=OK&ping=", FAILED, KUMA, "GET /api/push/a?status=down&msg=a%3B+%C3%A9&ping="],
    ["/kuma/api/push/a/?x=1", OK, KUMA, "GET /kuma/api/push/a/?x=1&status=up&msg=a%3B+%C3%A9&ping="],
    ["/api/pushy/a", FAILED, "OK", "POST /api/pushy/a/fail"],
  ] as const)("%s, %j", async ([path, how, answer, expected]) => {
    const heard = listen(answer);
    const why = await pingHeartbeat(new URL(path, monitor.url), how);
    const [body, type] = expected.startsWith("POST") ? [how.body, "text/plain; charset=utf-8"] : [""];
    expect([heard, why]).toEqual([[{ request: expected, type, body }], undefined]);
  });
});

describe("what a monitor is told", () => {
  const settings = { machineName: "home", recipients: ["me@example.net", "dad@example.net"] };
  const recorded = { address: "203.0.113.7", since: "2026-06-01T10:00:00.000Z", confirmedBy: [] };
  const event: AddressEvent = { ...recorded, id: "a", kind: "change", family: 4, at: "", told: [] };
  const since = localTime(recorded.since);
  test.for<[number, Partial<State> | undefined, string]>([
    [4, undefined, "address: none yet|since: never|owed: nothing|run: the state could not be read or written"],
    [
      0,
      { families: { 4: { recorded } } },
      `address: 203.0.113.7|since: ${since} (IPv4)|owed: nothing|run: done: unchanged, or changed, recorded and mailed`,
    ],
    [
      5,
      {
        families: {
          4: { recorded },
          6: { recorded: { address: "2001:db8::1", confirmedBy: [], isUnconfirmed: true } },
        },
        outbox: [{ ...event, told: ["me@example.net"] }],
      },
      `address: 203.0.113.7, 2001:db8::1 (unconfirmed)|since: ${since} (IPv4), unknown (IPv6)|` +
        "owed: 1 recipient has not been told yet|run: a change is recorded, but not everybody has been told yet",
    ],
  ])("exit %i, %j", ([exitCode, state, expected]) => {
    const body = describeRun(exitCode, settings, state && { ...EMPTY_STATE, ...state });
    expect(body).toBe(`name: home\n${expected.replaceAll("|", "\n")}`);
  });

  test("by a run that went well, one that did not, and one that could not begin", async () => {
    const echo = await startEcho("203.0.113.7");
    const home = new Home().useServices(echo);
    home.env["IPCHECK_HEARTBEAT_URL"] = `${monitor.url}token`;
    home.env["IPCHECK_NAME"] = "Maison";
    const heard = listen("OK");
    await home.run();
    await echo.close();
    await home.run();
    await home.run([], { env: { IPCHECK_STATE_FILE: `${home.stateFile}/nope/state.json` } });
    // A configuration that cannot be used asks nobody, the monitor included: it notices that pings stay away.
    const refused = join(home.path, "refused.env");
    writeFileSync(refused, "IPCHECK_LANG=fr\n");
    chmodSync(refused, 0o666);
    expect(await home.run(["--config", refused])).toMatchObject({ exitCode: 2 });
    const told = heard.map(({ request, body }) => `${request}|${body.replaceAll("\n", "|")}`);
    expect(told.map((line) => line.replace(/since: [^|]*\|owed: nothing\|/, ""))).toEqual([
      expect.stringMatching(/^POST \/token\|name: Maison\|address: 203\.0\.113\.7\|run: done/),
      expect.stringMatching(/^POST \/token\/fail\|name: Maison\|address: .*7\|run: no trustworthy address/),
      expect.stringMatching(/^POST \/token\/fail\|name: Maison\|address: none yet\|run: the state could not be/),
    ]);
  });
});

describe("what does not count as heard", () => {
  const PAGE = "<!DOCTYPE html><title>Uptime Kuma</title>";
  test.for([
    ["/t", 200, "text/plain", "OK", undefined],
    ["/t", 204, "", "", undefined],
    ["/t", 202, "application/json", "{}", undefined],
    ["/t", 200, "text/plain", "OK (not found)", "answered 'not found'"],
    ["/t", 200, "text/plain", "OK (rate limited)", "answered 'rate limited'"],
    ["/t", 200, "application/json", '{"ok":false,"msg":"no t0ken"}', `answered '{"ok":false,"msg":"no [redacted]"}'`],
    ["/t", 201, "application/json", ' {"ok": false}\n', `answered '{"ok": false}'`],
    ["/t", 200, "application/json", '{"ok":true,"msg":"false"}', undefined],
    ["/t", 200, "application/json", '{"ok":"false"}', undefined],
    ["/t", 200, "text/plain", "OK (t0ken?)", "answered '[redacted]?'"],
    ["/t", 404, "text/plain", "not found", "does not know this URL (404)"],
    ["/t", 301, "", "", "redirects elsewhere (301)"],
    ["/t", 429, "", "", "answered with status 429"],
    ["/t", 500, "", "", "answered with status 500"],
    ["/t", 200, "text/html; charset=utf-8", "hello", /web page/],
    ["/t", 200, "", PAGE, /web page/],
    ["/t", 200, "text/plain", "x".repeat(5000), /web page/],
    ["/api/push/a", 200, "application/json", '{"ok":true}', undefined],
    ["/api/push/a", 200, "application/json", '{"ok":false,"msg":"no"}', "did not answer as Uptime Kuma does"],
    ["/api/push/a", 200, "application/json", "null", "did not answer as Uptime Kuma does"],
    ["/api/push/a", 200, "text/html", PAGE, "did not answer as Uptime Kuma does"],
    ["/api/push/a", 200, "text/plain", "OK", "did not answer as Uptime Kuma does"],
    ["/api/push/a", 404, "application/json", '{"ok":false}', "does not know this URL (404)"],
  ] as const)("%s answered %i %s %j", async ([path, status, type, body, expected]) => {
    monitor.answer = (_request, response) => {
      response.writeHead(status, { ...(type && { "Content-Type": type }), Location: "/elsewhere" }).end(body);
    };
    const why = await pingHeartbeat(new URL(path, monitor.url), OK);
    if (expected instanceof RegExp) expect(why).toMatch(expected);
    else expect(why).toBe(expected);
  });

  test("nobody there", async () => {
    const gone = await startEcho("OK");
    await gone.close();
    expect(await pingHeartbeat(new URL(gone.url), OK)).toBe("refused the connection (ECONNREFUSED)");
  });
});
