// What the mail server does to a delivery, step by step, in this process and against servers on loopback.

import { readFileSync } from "node:fs";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer } from "node:tls";
import { afterAll, describe, expect, test, vi } from "vitest";
import type { Redactor } from "../../src/base/redaction";
import { fetchLogin } from "../../src/notify/deliver";
import { type MailOptions, sendMail } from "../../src/notify/mail";
import { probeMail } from "../../src/notify/test-mail";
import { type Misdeed, type Stage, startScriptedSmtp } from "../faults/scripted-smtp";
import { makeAuthority } from "../support/certificates";
import { HAS_IPV6 } from "../support/ipv6";
import { startMailServer } from "../support/mail-server";
import { makeScratch } from "../support/scratch";

vi.setConfig({ maxConcurrency: 12 });

const ME = "me@example.net";
const DAD = "dad@example.org";
const LOGIN = { user: "pi@example.net", password: "corr3ct-h0rse" };
const MESSAGE = { subject: "moved", text: "203.0.113.8", html: "<p>203.0.113.8</p>" };
const authority = makeAuthority(makeScratch());
const closers: (() => unknown)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

async function startScripted(script?: (stage: Stage, line: string, said: readonly string[]) => Misdeed | undefined) {
  const server = await startScriptedSmtp(await (await authority).issue());
  closers.push(server.close);
  server.script = script;
  return server;
}

async function startTcp(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => undefined)));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}

async function optionsFor(port: number, changes: Partial<MailOptions> & { ms?: number } = {}): Promise<MailOptions> {
  const endsAt = performance.now() + (changes.ms ?? 6000);
  return {
    server: { host: "localhost", port, security: "starttls" },
    login: LOGIN,
    extraCa: readFileSync((await authority).caFile, "utf8"),
    from: "pi@example.net",
    machineName: "attic",
    remainingMs: () => Math.max(0, endsAt - performance.now()),
    signal: new AbortController().signal,
    redact: (text) => text,
    ...changes,
  };
}

const plain = (port: number, host = "127.0.0.1") => ({ host, port, security: "none" as const });

async function send(recipients: string[], options: MailOptions) {
  const outcomes = await sendMail({ id: "notice", recipients, events: [] }, MESSAGE, options);
  expect([...outcomes.keys()].sort()).toEqual([...recipients].sort());
  return Object.fromEntries(outcomes);
}

const isRcpt = (line: string, recipient: string) => line.startsWith("RCPT") && line.includes(recipient);

describe.concurrent("one recipient never silences another", () => {
  // How the server shows that it does not like one of them.
  const MANNERS: Record<string, (stage: Stage, line: string, said: readonly string[]) => Misdeed | undefined> = {
    "554 for the whole message": (stage, _, said) =>
      stage === "body" && said.some((line) => isRcpt(line, DAD)) ? "554 5.7.1 not verified" : undefined,
    "451 for the whole message": (stage, _, said) =>
      stage === "body" && said.some((line) => isRcpt(line, DAD)) ? "451 4.3.0 later" : undefined,
    "554 at DATA": (stage, _, said) =>
      stage === "DATA" && said.some((line) => isRcpt(line, DAD)) ? "554 5.5.1 no valid recipients" : undefined,
    "a connection closed at the RCPT": (_, line) => (isRcpt(line, DAD) ? "drop" : undefined),
    "421 at the RCPT": (_, line) => (isRcpt(line, DAD) ? "421 4.7.0 go away" : undefined),
    "no answer at the RCPT": (_, line) => (isRcpt(line, DAD) ? "hang" : undefined),
    "550 at the RCPT": (_, line) => (isRcpt(line, DAD) ? "550 5.1.1 no such user" : undefined),
    "450 at the RCPT": (_, line) => (isRcpt(line, DAD) ? "450 4.2.0 greylisted" : undefined),
  };

  test.for(
    Object.entries(MANNERS).flatMap(([name, script]) => [
      [name, [ME, DAD], script] as const,
      [`${name}, in the other order`, [DAD, ME], script] as const,
    ]),
  )("%s: %j", async ([, recipients, script]) => {
    const server = await startScripted(script);
    const outcomes = await send([...recipients], await optionsFor(server.port));
    expect(outcomes).toMatchObject({ [ME]: { ok: true }, [DAD]: { ok: false, reason: expect.any(String) } });
    // The same message, once.
    expect(server.taken).toEqual(["<notice@example.net>"]);
    expect(outcomes[DAD]).not.toHaveProperty("isUnknown");
  });

  test("with PIPELINING too", async () => {
    const mail = await startMailServer();
    closers.push(mail.close);
    mail.refusals.set(DAD, [550, "5.1.1 no such user"]);
    const options = await optionsFor(mail.port, { server: plain(mail.port), login: undefined });
    expect(await send([ME, DAD], options)).toMatchObject({
      [ME]: { ok: true },
      [DAD]: { ok: false, isPermanent: true },
    });
    mail.refusals.set(ME, [450, "4.2.0 later"]);
    expect(await send([ME, DAD], options)).toMatchObject({
      [ME]: { ok: false, isPermanent: false },
      [DAD]: { ok: false, isPermanent: true },
    });
    expect(mail.arrived).toHaveLength(1);
  });

  test.for<[string, Stage, Misdeed, number]>([
    ["what is said of the sender", "MAIL", "550 5.1.8 who are you", 1],
    ["a login refused", "AUTH", "535 5.7.8 no", 1],
    ["a server that is closing", "connect", "421 4.3.2 closing", 1],
    ["an outcome that is unknown", "body", "drop", 1],
  ])("not tried one by one: %s", async ([, stage, act, count]) => {
    const server = await startScripted((at) => (at === stage ? act : undefined));
    const outcomes = await send([ME, DAD], await optionsFor(server.port));
    expect(outcomes).toMatchObject({ [ME]: { ok: false }, [DAD]: { ok: false } });
    expect(server.conversations).toHaveLength(count);
  });
});

describe.concurrent("the answer to the final dot", () => {
  const STAGES: Stage[] = ["connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "body"];
  test.for(STAGES.flatMap((stage) => [[stage, "drop"] as const, [stage, "hang"] as const]))(
    "at %s: %s",
    async ([stage, act]) => {
      const server = await startScripted((at) => (at === stage ? act : undefined));
      const start = performance.now();
      const outcome = (await send([ME], await optionsFor(server.port, { ms: 1500 })))[ME];
      expect(outcome).toMatchObject({ ok: false, isPermanent: false });
      expect(outcome && "isUnknown" in outcome).toBe(stage === "body");
      if (stage === "body") expect(outcome).toMatchObject({ reason: expect.stringContaining("not known") });
      const elapsed = performance.now() - start;
      expect(elapsed).toBeLessThan(stage === "body" ? 4500 : 3000);
      // After the dot the wait is as long again, and no longer.
      if (stage === "body" && act === "hang") expect(elapsed).toBeGreaterThan(2500);
    },
  );

  test("a refusal is an answer", async () => {
    for (const reply of ["451 4.3.0 later", "554 5.7.1 never", "421 4.3.2 closing"]) {
      const server = await startScripted((stage) => (stage === "body" ? reply : undefined));
      expect((await send([ME], await optionsFor(server.port)))[ME]).not.toHaveProperty("isUnknown");
    }
  });

  test.for<[Stage]>([["connect"], ["body"]])("that comes late at %s is waited for", async ([stage]) => {
    const server = await startScripted((at) => (at === stage ? "late" : undefined));
    // Two seconds are longer than the deadline for the dot, and within it for the greeting.
    const options = await optionsFor(server.port, { ms: stage === "body" ? 1800 : 6000 });
    expect(await send([ME], options)).toEqual({ [ME]: { ok: true } });
  });

  test("comes after the run's signal too", async () => {
    const end = new AbortController();
    const server = await startScripted((stage) => {
      if (stage !== "body") return undefined;
      end.abort();
      return "late";
    });
    expect(await send([ME], await optionsFor(server.port, { signal: end.signal }))).toEqual({ [ME]: { ok: true } });
  });
});

describe.concurrent("a login that is configured", () => {
  test("and not offered is a failure, for a mail and for the probe alike", async () => {
    const noAuth = (stage: Stage) => (stage === "EHLO" ? "250-scripted.example\r\n250 STARTTLS" : undefined);
    const server = await startScripted(noAuth);
    const options = await optionsFor(server.port);
    const failure = {
      ok: false,
      isPermanent: false,
      about: "server",
      reason: expect.stringMatching(/^localhost:\d+ offers no login/),
    };
    expect(await send([ME], options)).toEqual({
      [ME]: { ...failure, hint: expect.stringContaining("IPCHECK_SMTP_USER") },
    });
    const probe = await probeMail({ ...options, timeoutMs: 5000 }, (text) => text);
    expect(probe).toMatchObject({ isConnected: true, isLoggedIn: false, failure });
    expect(server.conversations.flat().filter((line) => /^(AUTH|MAIL)/.test(line))).toEqual([]);
  });

  test.each([
    ["a token alone", "250 AUTH XOAUTH2 OAUTHBEARER", /no login with a password, so .*: AUTH XOAUTH2 OAUTHBEARER$/],
    ["what is unknown", "250 AUTH GSSAPI", /no login with a password, so .*: AUTH GSSAPI$/],
    ["an empty list", "250 AUTH", /no login with a password, so .*: AUTH$/],
    ["HELO alone", "502 5.5.1 what?", /offers no login, so/],
  ])("and offered for %s: the password stays here", async (_, answer, reason) => {
    const ehlo = `250-scripted.example\r\n250-STARTTLS\r\n${answer}`;
    const script = (stage: Stage, line: string) =>
      stage !== "EHLO"
        ? undefined
        : /^HELO/.test(line)
          ? "250 scripted.example"
          : answer.startsWith("5")
            ? answer
            : ehlo;
    const server = await startScripted(script);
    const security = answer.startsWith("5") ? ("none" as const) : ("starttls" as const);
    const options = await optionsFor(server.port, { server: { host: "localhost", port: server.port, security } });
    expect(await send([ME], options)).toMatchObject({ [ME]: { ok: false, reason: expect.stringMatching(reason) } });
    expect(server.conversations.flat().filter((line) => /^(AUTH|MAIL)/.test(line))).toEqual([]);
  });

  test("and taken: the probe logs in and sends nothing", async () => {
    const server = await startScripted();
    const probe = await probeMail({ ...(await optionsFor(server.port)), timeoutMs: 5000 }, (text) => text);
    expect(probe).toMatchObject({ isConnected: true, isLoggedIn: true, tls: { version: "TLSv1.3" } });
    expect(probe.failure).toBeUndefined();
  });
});

describe.concurrent("encryption", () => {
  test("STARTTLS spoken to a TLS port names tls, long before the time is over", async () => {
    const certificate = await (await authority).issue();
    const port = await startTcp(createServer(certificate));
    for (const extraCa of [undefined, (await optionsFor(0)).extraCa]) {
      const start = performance.now();
      const outcomes = await send([ME], await optionsFor(port, { ms: 15_000, extraCa }));
      expect(outcomes[ME]).toMatchObject({
        reason: expect.stringContaining("speaks TLS from the first byte"),
        hint: expect.stringMatching(/IPCHECK_SMTP_SECURITY=tls.*465/),
      });
      expect(performance.now() - start).toBeLessThan(8000);
    }
  });

  test("a TLS port that hangs up without a word is known too", async () => {
    const tls = createServer(await (await authority).issue());
    let count = 0;
    const port = await startTcp(
      createTcpServer((socket) => {
        // Whoever says nothing at first is not waited for.
        if (count++ === 0) socket.destroy();
        else tls.emit("connection", socket);
      }),
    );
    const outcomes = await send([ME], await optionsFor(port, { ms: 15_000 }));
    expect(outcomes[ME]).toMatchObject({ reason: expect.stringContaining("speaks TLS from the first byte") });
  });

  test("of another time says so", async () => {
    const certificate = await (await authority).issue();
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    const port = await startTcp(createServer({ ...certificate, ...old }));
    const server = { host: "127.0.0.1", port, security: "tls" as const };
    const outcomes = await send([ME], await optionsFor(port, { server }));
    expect(outcomes[ME]).toMatchObject({
      reason: expect.stringMatching(/too old/),
      hint: expect.stringContaining("TLS 1.2"),
    });
  });

  test.for(["localhost", "127.0.0.1", "LOCALHOST"])("by IPCHECK_CA_FILE alone: %s", async (host) => {
    const server = await startScripted();
    const options = await optionsFor(server.port, { server: { host, port: server.port, security: "starttls" } });
    expect(await send([ME], options)).toEqual({ [ME]: { ok: true } });
    // Without it the certificate is refused.
    const outcome = (await send([ME], { ...options, extraCa: undefined }))[ME];
    expect(outcome).toMatchObject({ ok: false, reason: expect.stringContaining("is not trusted") });
    expect(server.logins).toHaveLength(1);
  });

  test.runIf(HAS_IPV6)("to an IPv6 address", async () => {
    const server = await startScriptedSmtp(await (await authority).issue(), "::1");
    closers.push(server.close);
    const options = await optionsFor(server.port, { server: { host: "::1", port: server.port, security: "starttls" } });
    expect(await send([ME], options)).toEqual({ [ME]: { ok: true } });
    expect(server.conversations[0]?.[0]).toBe("EHLO [IPv6:::1]");
  });
});

test("without time left nobody is asked, and nobody is blamed", async () => {
  const server = await startScripted();
  const outcomes = await send([ME, DAD], await optionsFor(server.port, { remainingMs: () => 0 }));
  const failure = { ok: false, isPermanent: false, reason: expect.stringMatching(/^the time of this run was over/) };
  expect(outcomes).toMatchObject({ [ME]: failure, [DAD]: failure });
  expect(server.conversations).toEqual([]);
});

test("the client names itself by its address", async () => {
  const server = await startScripted();
  await send(
    [ME],
    await optionsFor(server.port, { server: { host: "127.0.0.1", port: server.port, security: "starttls" } }),
  );
  expect(server.conversations[0]?.[0]).toBe("EHLO [127.0.0.1]");
});

describe("a server that floods", () => {
  test.for<[string, Stage, Partial<MailOptions>]>([
    ["before the greeting", "connect", {}],
    ["after the greeting", "EHLO", {}],
    ["inside TLS", "AUTH", {}],
    ["after the final dot", "body", {}],
  ])("%s is left at once", async ([, stage]) => {
    const server = await startScripted((at) => (at === stage ? "flood" : undefined));
    const start = performance.now();
    const outcome = (await send([ME], await optionsFor(server.port)))[ME];
    expect(outcome).toMatchObject({ ok: false, isPermanent: false });
    expect(performance.now() - start).toBeLessThan(3000);
  });

  test("without end, and without a line break, too", async () => {
    const port = await startTcp(
      createTcpServer((socket) => {
        const write = () => {
          while (!socket.destroyed && socket.write("x".repeat(65_536)));
        };
        socket.on("drain", write);
        write();
      }),
    );
    const start = performance.now();
    const outcome = (await send([ME], await optionsFor(port)))[ME];
    expect(outcome).toMatchObject({ ok: false, reason: expect.stringContaining("does not speak as a mail server") });
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

test.each([
  ["d..ad@example.org", '"d..ad"@example.org'],
  [".dad@example.org", '".dad"@example.org'],
  ["dad.@example.org", '"dad."@example.org'],
  ["o'dad+{x}@example.org", "o'dad+{x}@example.org"],
])("%s stands in the envelope as %s, and is told or refused by its own name", async (address, path) => {
  const server = await startScripted();
  const options = await optionsFor(server.port);
  expect(await send([ME, address], options)).toEqual({ [ME]: { ok: true }, [address]: { ok: true } });
  expect(server.conversations.flat()).toContain(`RCPT TO:<${path}>`);
  server.script = (_, line) => (isRcpt(line, path) ? "550 5.1.1 no such user" : undefined);
  expect(await send([ME, address], options)).toMatchObject({ [ME]: { ok: true }, [address]: { isPermanent: true } });
});

describe("addresses outside ASCII", () => {
  const ROSE = "rosé@example.net";

  test("are refused alone where the server does not take them", async () => {
    const server = await startScripted();
    const outcomes = await send([ME, ROSE], await optionsFor(server.port));
    expect(outcomes).toMatchObject({
      [ME]: { ok: true },
      [ROSE]: { ok: false, reason: expect.stringContaining("takes no addresses outside ASCII") },
    });
    expect(server.conversations.flat().some((line) => line.includes("ros"))).toBe(false);
  });

  test("make no header that would cost the others their mail", async () => {
    const mail = await startMailServer();
    closers.push(mail.close);
    const options = await optionsFor(mail.port, { server: plain(mail.port), login: undefined });
    expect(await send([ROSE, ME], options)).toMatchObject({ [ME]: { ok: true } });
    expect(mail.arrived[0]?.raw.split("\r\n\r\n")[0]).toMatch(/^[\x20-\x7e\r\n]*\r\nTo: me@example.net\r\n/);
  });

  test("are used where it does", async () => {
    const ehlo = "250-scripted.example\r\n250-STARTTLS\r\n250-SMTPUTF8\r\n250 AUTH PLAIN";
    const server = await startScripted((stage) => (stage === "EHLO" ? ehlo : undefined));
    expect(await send([ME, ROSE], await optionsFor(server.port))).toEqual({ [ME]: { ok: true }, [ROSE]: { ok: true } });
    expect(server.conversations.flat()).toContain("MAIL FROM:<pi@example.net> SMTPUTF8");
  });
});

test("a password command that the system does not start is a failure with a reason", async () => {
  const password = {
    kind: "command" as const,
    origin: "IPCHECK_SMTP_PASSWORD_COMMAND" as const,
    command: "x".repeat(3e6),
  };
  const redactor = { secrets: [], redact: (text: string) => text } as unknown as Redactor;
  const context = { env: {}, signal: new AbortController().signal, redactor };
  expect(await fetchLogin({ user: "pi", password }, context)).toMatchObject({
    ok: false,
    reason: expect.stringMatching(/^the password command could not be started: .*\(E2BIG\)/),
  });
});
