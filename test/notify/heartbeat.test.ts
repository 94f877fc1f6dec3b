import type { IncomingMessage } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ping, pingHeartbeat } from "../../src/notify/heartbeat";
import { type EchoServer, startEchoServer } from "../support/echo-server";

const OK: Ping = { isSuccess: true, userAgent: "ipcheck/test" };
const FAILED: Ping = { ...OK, isSuccess: false };

let monitor: EchoServer;
beforeAll(async () => {
  monitor = await startEchoServer("OK");
});
afterAll(() => monitor.close());

interface Heard {
  method: string;
  url: string;
  type: string | undefined;
  body: string;
}

/** Pings once; what the monitor got, and what became of it. */
async function ping(path: string, how: Ping, answer = "OK"): Promise<{ heard: Heard; why: string | undefined }> {
  let heard: Heard | undefined;
  monitor.answer = (request: IncomingMessage, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      heard = { method, url, type: headers["content-type"], body };
      response.end(answer);
    });
  };
  const why = await pingHeartbeat(new URL(path, monitor.url), how);
  if (!heard) throw new Error("nothing was heard");
  return { heard, why };
}

describe("where a ping goes", () => {
  const KUMA = '{"ok":true}';
  test.for([
    ["/token", OK, "OK", "GET /token"],
    ["/token", FAILED, "OK", "GET /token/fail"],
    ["/token/", FAILED, "OK", "GET /token/fail"],
    ["/token?rid=7", FAILED, "OK", "GET /token/fail?rid=7"],
    ["/token/?rid=7", FAILED, "OK", "GET /token/fail?rid=7"],
    ["/key/slug?create=1", OK, "OK", "GET /key/slug?create=1"],
    ["/token", { ...OK, body: "203.0.113.7\nsince é" }, "OK", "POST /token"],
    ["/token", { ...FAILED, body: "x" }, "OK", "POST /token/fail"],
    ["/api/push/a", OK, KUMA, "GET /api/push/a?status=up&msg=OK&ping="],
    ["/api/push/a", FAILED, KUMA, "GET /api/push/a?status=down&msg=the+run+failed&ping="],
    ["/api/push/a?status=up&msg=OK&ping=", FAILED, KUMA, "GET /api/push/a?status=down&msg=the+run+failed&ping="],
    ["/kuma/api/push/a/?x=1", OK, KUMA, "GET /kuma/api/push/a/?x=1&status=up&msg=OK&ping="],
    ["/api/push/a", { ...OK, body: "at home\nmore" }, KUMA, "GET /api/push/a?status=up&msg=at+home&ping="],
    ["/api/pushy/a", FAILED, "OK", "GET /api/pushy/a/fail"],
  ] as const)("%s, %j", async ([path, how, answer, expected]) => {
    const { heard, why } = await ping(path, how, answer);
    const body = expected.startsWith("POST") ? how.body : "";
    expect([`${heard.method} ${heard.url}`, heard.body, why]).toEqual([expected, body, undefined]);
    if (body) expect(heard.type).toBe("text/plain; charset=utf-8");
  });
});

describe("what is no hearing", () => {
  const PAGE = "<!DOCTYPE html><title>Uptime Kuma</title>";
  test.for([
    ["/t", 200, "text/plain", "OK", undefined],
    ["/t", 204, "", "", undefined],
    ["/t", 202, "application/json", "{}", undefined],
    ["/t", 200, "text/plain", "OK (not found)", "answered 'not found'"],
    ["/t", 200, "text/plain", "OK (rate limited)", "answered 'rate limited'"],
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
    const gone = await startEchoServer("OK");
    await gone.close();
    expect(await pingHeartbeat(new URL(gone.url), OK)).toBe("refused the connection (ECONNREFUSED)");
  });
});
