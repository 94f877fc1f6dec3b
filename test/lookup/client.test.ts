import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type AskOptions, ask } from "../../src/lookup/client";
import { type Authority, makeAuthority } from "../support/certificates";
import { type EchoServer, startEchoServer } from "../support/echo-server";
import { makeScratch } from "../support/scratch";

const OPTIONS: AskOptions = {
  family: 4,
  timeoutMs: 5000,
  userAgent: "ipcheck/test",
  signal: new AbortController().signal,
};

let authority: Authority;
let echo: EchoServer;
beforeAll(async () => {
  authority = await makeAuthority(makeScratch());
  echo = await startEchoServer("203.0.113.7", { tls: await authority.issue() });
});
afterAll(() => echo.close());

const url = (name: string) => new URL(`https://${name}:${echo.port}/`);

test("authorities that are handed over are trusted, for the name that was asked", async () => {
  const tls = { ca: readFileSync(authority.caFile) };
  for (const name of ["localhost", "127.0.0.1"]) {
    expect(await ask(url(name), { ...OPTIONS, tls })).toMatchObject({ status: 200, body: "203.0.113.7" });
  }
  const elsewhere = await startEchoServer("x", { tls: await authority.issue({ names: ["other.example.net"] }) });
  await expect(ask(new URL(elsewhere.url), { ...OPTIONS, tls })).rejects.toMatchObject({
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  });
  await elsewhere.close();
});

test("certificates are checked, whatever the environment and the options say", async () => {
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  const tls = { rejectUnauthorized: false };
  await expect(ask(url("localhost"), OPTIONS)).rejects.toMatchObject({
    code: expect.stringMatching(/SIGNATURE|SIGNED/),
  });
  await expect(ask(url("localhost"), { ...OPTIONS, tls })).rejects.toThrow();
  vi.unstubAllEnvs();
});

test("it is asked from the address that is meant", async () => {
  const seen: (string | undefined)[] = [];
  const plain = await startEchoServer((request, response) => {
    seen.push(request.socket.remoteAddress);
    response.end("x");
  });
  await ask(new URL(plain.url), { ...OPTIONS, localAddress: "127.0.0.5" });
  await ask(new URL(plain.url), OPTIONS);
  expect(seen).toEqual(["127.0.0.5", "127.0.0.1"]);
  await plain.close();
});

test("a request ends in time although garbage is collected meanwhile", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc");
  const silent = await startEchoServer(() => undefined);
  const timer = setInterval(collectGarbage, 100);
  const start = performance.now();
  const { signal } = new AbortController();
  await expect(ask(new URL(silent.url), { ...OPTIONS, signal, timeoutMs: 1000 })).rejects.toThrow("ETIMEDOUT");
  clearInterval(timer);
  expect(performance.now() - start).toBeLessThan(4000);
  await silent.close();
});
