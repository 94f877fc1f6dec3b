// What the mail server does to a delivery, step by step, in this process and against servers on loopback.

import { readFileSync } from "node:fs";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer } from "node:tls";
import { afterAll, describe, expect, test, vi } from "vitest";
import { type MailOptions, sendMail } from "../../src/notify/deliver";
import { probeMail } from "../../src/notify/test-mail";
import { at, type Misdeed, type Script, STAGES, type Stage, startScriptedSmtp } from "../faults/scripted-smtp";
import { authority, issue, startMail } from "../setup/workbench";
import { HAS_IPV6 } from "../support/ipv6";

vi.setConfig({ maxConcurrency: 12 });

const ME = "me@example.net";
const DAD = "dad@example.org";
const OK = { ok: true };
const MESSAGE = { subject: "moved", text: "203.0.113.8", html: "<p>203.0.113.8</p>" };
const certificate = issue();
const closers: (() => unknown)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

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

type Changes = Partial<MailOptions> & { ms?: number; host?: string; security?: MailOptions["server"]["security"] };
/** As a server that wants neither encryption nor a login is used. */
const IN_CLEAR: Changes = { host: "127.0.0.1", security: "none", login: undefined };

async function optionsFor(
  port: number,
  { ms = 6000, host = "localhost", security = "starttls", ...changes }: Changes = {},
): Promise<MailOptions> {
  const endsAt = performance.now() + ms;
  return {
    server: { host, port, security },
    login: { user: "pi@example.net", password: "corr3ct-h0rse" },
    extraCa: readFileSync((await authority).caFile, "utf8"),
    from: "pi@example.net",
    machineName: "attic",
    remainingMs: () => Math.max(0, endsAt - performance.now()),
    signal: new AbortController().signal,
    redact: (text) => text,
    ...changes,
  };
}

/** Sends one mail to a port; what became of each recipient, and how long it took. */
async function send(port: number, changes: Changes = {}, recipients = [ME]) {
  const options = await optionsFor(port, changes);
  const start = performance.now();
  const outcomes = await sendMail({ id: "notice", recipients, events: [] }, MESSAGE, options);
  expect([...outcomes.keys()].sort()).toEqual([...recipients].sort());
  return { outcomes: Object.fromEntries(outcomes), outcome: outcomes.get(ME), ms: performance.now() - start };
}

/** The same through a scripted server. */
async function sendThrough(script: Script | undefined, changes: Changes = {}, recipients = [ME]) {
  const server = await startScriptedSmtp(await certificate, script);
  closers.push(server.close);
  return { server, ...(await send(server.port, changes, recipients)) };
}

const because = (reason: string | RegExp) => ({ ok: false, reason: expect.stringMatching(reason) });
const isRcpt = (line: string, recipient: string) => line.startsWith("RCPT") && line.includes(recipient);
const knowsDad = (said: readonly string[]) => said.some((line) => isRcpt(line, DAD));

describe.concurrent("one recipient never silences another", () => {
  // How the server shows that it does not like one of them.
  const MANNERS: Record<string, Script> = {
    "554 for the whole message": (stage, _, said) => (stage === "body" && knowsDad(said) ? "554 5.7.1 no" : undefined),
    "451 for the whole message": (stage, _, said) => (stage === "body" && knowsDad(said) ? "451 4.3.0 no" : undefined),
    "554 at DATA": (stage, _, said) => (stage === "DATA" && knowsDad(said) ? "554 5.5.1 none valid" : undefined),
    "a connection closed at the RCPT": (_, line) => (isRcpt(line, DAD) ? "drop" : undefined),
    "421 at the RCPT": (_, line) => (isRcpt(line, DAD) ? "421 4.7.0 go away" : undefined),
    "no answer at the RCPT": (_, line) => (isRcpt(line, DAD) ? "hang" : undefined),
    "550 at the RCPT": (_, line) => (isRcpt(line, DAD) ? "550 5.1.1 no such user" : undefined),
    "450 at the RCPT": (_, line) => (isRcpt(line, DAD) ? "450 4.2.0 greylisted" : undefined),
  };

  test.for(Object.keys(MANNERS).flatMap((name) => [[name, ME, DAD] as const, [name, DAD, ME] as const]))(
    "%s: %s, %s",
    async ([name, ...recipients]) => {
      const { server, outcomes } = await sendThrough(MANNERS[name], {}, [...recipients]);
      expect(outcomes).toMatchObject({ [ME]: OK, [DAD]: { ok: false, reason: expect.any(String) } });
      // The same message, once.
      expect(server.taken).toEqual(["<notice@example.net>"]);
      expect(outcomes[DAD]).not.toHaveProperty("isUnknown");
    },
  );

  test("who was told stays told when a later connection fails", async () => {
    let connections = 0;
    const script: Script = (stage, line) => {
      if (stage === "connect") connections++;
      return connections === 3 || isRcpt(line, DAD) ? "drop" : undefined;
    };
    const { outcomes } = await sendThrough(script, {}, [ME, DAD]);
    expect(outcomes).toMatchObject({ [ME]: OK, [DAD]: { ok: false } });
  });

  test("who was refused by name is not asked for again", async () => {
    const script: Script = (stage, line) => (isRcpt(line, DAD) || stage === "body" ? "550 5.1.1 no" : undefined);
    expect((await sendThrough(script, {}, [ME, DAD])).server.conversations).toHaveLength(2);
  });

  test("with PIPELINING too", async () => {
    const mail = await startMail();
    const refused = { ok: false, isPermanent: true };
    mail.refusals.set(DAD, [550, "5.1.1 no such user"]);
    expect((await send(mail.port, IN_CLEAR, [ME, DAD])).outcomes).toMatchObject({ [ME]: OK, [DAD]: refused });
    mail.refusals.set(ME, [450, "4.2.0 later"]);
    const { outcomes } = await send(mail.port, IN_CLEAR, [ME, DAD]);
    expect(outcomes).toMatchObject({ [ME]: { ok: false, isPermanent: false }, [DAD]: refused });
    expect(mail.arrived).toHaveLength(1);
  });

  test.for<[string, Stage, Misdeed]>([
    ["what is said of the sender", "MAIL", "550 5.1.8 who are you"],
    ["a login refused", "AUTH", "535 5.7.8 no"],
    ["a server that is closing", "connect", "421 4.3.2 closing"],
    ["an outcome that is unknown", "body", "drop"],
  ])("not tried one by one: %s", async ([, stage, act]) => {
    const { server, outcomes } = await sendThrough(at(stage, act), {}, [ME, DAD]);
    expect(outcomes).toMatchObject({ [ME]: { ok: false }, [DAD]: { ok: false } });
    expect(server.conversations).toHaveLength(1);
  });
});

describe.concurrent("the answer to the final dot", () => {
  const ROWS = STAGES.flatMap((stage) => [
    [stage, "drop", 6000] as const,
    // A busy machine needs a while to come as far as the final dot.
    [stage, "hang", stage === "body" ? 3000 : 1500] as const,
  ]);
  test.for(ROWS)("at %s: %s", async ([stage, act, timeoutMs]) => {
    const { outcome, ms } = await sendThrough(at(stage, act), { ms: timeoutMs });
    expect(outcome).toMatchObject({ ok: false, isPermanent: false });
    expect(outcome && "isUnknown" in outcome).toBe(stage === "body");
    // No provider blocks the port of a server that has greeted.
    const hint = stage === "connect" ? /block this port/ : /^the next run/;
    if (act === "hang" && stage !== "body") expect(outcome).toMatchObject({ hint: expect.stringMatching(hint) });
    if (stage === "body") expect(outcome).toMatchObject(because("not known"));
    expect(ms).toBeLessThan(stage === "body" ? 7500 : 3000);
    // After the dot the wait is as long again, and no longer.
    if (stage === "body" && act === "hang") expect(ms).toBeGreaterThan(5000);
  });

  test.for(["451 4.3.0 later", "554 5.7.1 never", "421 4.3.2 closing"])("a refusal is one: %s", async (reply) => {
    expect((await sendThrough(at("body", reply))).outcome).not.toHaveProperty("isUnknown");
  });

  // Two seconds are longer than the deadline for the dot, and within it for the greeting.
  test.for<[Stage, number]>([
    ["connect", 6000],
    ["body", 1800],
  ])("that comes late at %s is waited for", async ([stage, ms]) => {
    expect((await sendThrough(at(stage, "late"), { ms })).outcome).toEqual(OK);
  });

  test("comes after the run's signal too", async () => {
    const end = new AbortController();
    const script: Script = (stage) => {
      if (stage !== "body") return undefined;
      end.abort();
      return "late";
    };
    expect((await sendThrough(script, { signal: end.signal })).outcome).toEqual(OK);
  });
});

/** Answers to the two greetings of a client. */
const greets =
  (ehlo: Misdeed, helo: Misdeed): Script =>
  (stage, line) => {
    if (stage !== "EHLO") return undefined;
    return line.startsWith("HELO") ? helo : ehlo;
  };

test("a refused greeting is told in the server's words, though it hangs up behind them", async () => {
  const script = greets("550 5.7.1 not from here, bye", "hang");
  const { outcome } = await sendThrough(script, { security: "none" });
  expect(outcome).toMatchObject({ isPermanent: true, ...because(/refused to .*: 550 5\.7\.1 not/) });
});

describe.concurrent("a login that is configured", () => {
  const offers = (...lines: string[]) => at("EHLO", ["250-scripted.example", ...lines].join("\r\n"));
  const NO_PASSWORD = "^localhost:\\d+ offers no login with a password, so .*: ";

  test.for<[string, Script, string, Changes?]>([
    ["not offered", offers("250 STARTTLS"), "^localhost:\\d+ offers no login, so"],
    ["offered for a token alone", offers("250-STARTTLS", "250 AUTH XOAUTH2 X"), `${NO_PASSWORD}AUTH XOAUTH2 X$`],
    ["offered for what is unknown", offers("250-STARTTLS", "250 AUTH GSSAPI"), `${NO_PASSWORD}AUTH GSSAPI$`],
    ["offered for an empty list", offers("250-STARTTLS", "250 AUTH"), `${NO_PASSWORD}AUTH$`],
    ["not offered after HELO", greets("502 what?", "250 scripted.example"), "no login, so", { security: "none" }],
  ])("and %s: neither a mail nor the probe gives the password away", async ([, script, reason, changes]) => {
    const { server, outcome } = await sendThrough(script, changes);
    expect(outcome).toMatchObject(because(new RegExp(reason)));
    const probe = await probeMail({ ...(await optionsFor(server.port, changes)), timeoutMs: 5000 }, (text) => text);
    expect(probe).toMatchObject({ isConnected: true, isLoggedIn: false, failure: outcome });
    expect(server.conversations.flat().filter((line) => /^(AUTH|MAIL)/.test(line))).toEqual([]);
  });

  test.for([
    [true, {}],
    [false, { login: undefined }],
  ] as const)(
    "and taken: the probe logs in and sends nothing; without one it does not: %s",
    async ([isLoggedIn, changes]) => {
      const server = await startScriptedSmtp(await certificate);
      closers.push(server.close);
      const probe = await probeMail({ ...(await optionsFor(server.port, changes)), timeoutMs: 5000 }, (text) => text);
      expect(probe).toEqual({ isConnected: true, isLoggedIn, tls: expect.objectContaining({ version: "TLSv1.3" }) });
      expect(server.logins).toHaveLength(isLoggedIn ? 1 : 0);
    },
  );
});

describe.concurrent("encryption", () => {
  const OLD_TLS = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;

  test.for<[string, object, Changes?]>([
    ["", {}],
    ["whose certificate is not trusted", {}, { extraCa: undefined }],
    ["of another time", OLD_TLS],
    ["that wants a certificate of ours", { maxVersion: "TLSv1.2", requestCert: true, rejectUnauthorized: true }],
    ["that hangs up on whoever says nothing", { isImpatient: true }],
  ])("STARTTLS spoken to a TLS port %s names tls, long before the time is over", async ([, options, changes]) => {
    const tls = createServer({ ...(await certificate), ...options });
    let count = 0;
    // Only the first comer is hung up on.
    const impatient = (socket: Socket) => (count++ === 0 ? socket.destroy() : tls.emit("connection", socket));
    const port = await startTcp("isImpatient" in options ? createTcpServer(impatient) : tls);
    const { outcome, ms } = await send(port, { ms: 15_000, ...changes });
    const hint = expect.stringMatching(/IPCHECK_SMTP_SECURITY=tls.*465/);
    expect(outcome).toMatchObject({ ...because("speaks TLS from the first byte"), hint });
    expect(ms).toBeLessThan(8000);
  });

  test("of another time says so", async () => {
    const port = await startTcp(createServer({ ...(await certificate), ...OLD_TLS }));
    const { outcome } = await send(port, { host: "127.0.0.1", security: "tls" });
    expect(outcome).toMatchObject({ ...because("too old"), hint: expect.stringContaining("TLS 1.2") });
  });

  test.for(["localhost", "127.0.0.1", "LOCALHOST"])("by IPCHECK_CA_FILE alone: %s", async (host) => {
    const { server, outcome } = await sendThrough(undefined, { host });
    expect(outcome).toEqual(OK);
    // Without it the certificate is refused.
    const untrusted = await send(server.port, { host, extraCa: undefined });
    expect(untrusted.outcome).toMatchObject(because("is not trusted"));
    expect(server.logins).toHaveLength(1);
  });
});

test.for([["127.0.0.1", "[127.0.0.1]"], ...(HAS_IPV6 ? [["::1", "[IPv6:::1]"]] : [])])(
  "the client names itself by its address: %s",
  async ([host = "", name]) => {
    const server = await startScriptedSmtp(await certificate, undefined, host);
    closers.push(server.close);
    expect((await send(server.port, { host })).outcome).toEqual(OK);
    expect(server.conversations[0]?.[0]).toBe(`EHLO ${name}`);
  },
);

test("without time left nobody is asked, and nobody is blamed", async () => {
  const { server, outcomes } = await sendThrough(undefined, { remainingMs: () => 0 }, [ME, DAD]);
  const failure = { isPermanent: false, ...because(/^the time of this run was over/) };
  expect(outcomes).toMatchObject({ [ME]: failure, [DAD]: failure });
  expect(server.conversations).toEqual([]);
});

// Before the greeting, after it, inside TLS, and after the final dot; not side by side, for each keeps a processor busy.
test.for<Stage>(["connect", "EHLO", "AUTH", "body"])("a server that floods at %s is left at once", async (stage) => {
  const { outcome, ms } = await sendThrough(at(stage, "flood"));
  expect(outcome).toMatchObject({ ok: false, isPermanent: false });
  expect(ms).toBeLessThan(3000);
});

test("a server that floods without end, and without a line break, is left at once", async () => {
  const flood = createTcpServer((socket) => {
    const write = () => {
      while (!socket.destroyed && socket.write("x".repeat(65_536)));
    };
    socket.on("drain", write);
    write();
  });
  const { outcome, ms } = await send(await startTcp(flood));
  expect(outcome).toMatchObject(because("does not speak as a mail server"));
  expect(ms).toBeLessThan(3000);
});

test.each([
  ["d..ad@example.org", '"d..ad"@example.org'],
  [".dad@example.org", '".dad"@example.org'],
  ["dad.@example.org", '"dad."@example.org'],
  ["o'dad+{x}@example.org", "o'dad+{x}@example.org"],
])("%s stands in the envelope as %s, and is told or refused by its own name", async (address, path) => {
  const { server, outcomes } = await sendThrough(undefined, {}, [ME, address]);
  expect(outcomes).toEqual({ [ME]: OK, [address]: OK });
  expect(server.conversations.flat()).toContain(`RCPT TO:<${path}>`);
  server.script = (_, line) => (isRcpt(line, path) ? "550 5.1.1 no such user" : undefined);
  const refused = await send(server.port, {}, [ME, address]);
  expect(refused.outcomes).toMatchObject({ [ME]: OK, [address]: { isPermanent: true } });
});

describe("addresses outside ASCII", () => {
  const ROSE = "rosé@example.net";

  test("are refused alone where the server does not take them", async () => {
    const { server, outcomes } = await sendThrough(undefined, {}, [ME, ROSE]);
    expect(outcomes).toMatchObject({ [ME]: OK, [ROSE]: because("takes no addresses outside ASCII") });
    expect(server.conversations.flat().some((line) => line.includes("ros"))).toBe(false);
  });

  test("make no header that would cost the others their mail", async () => {
    const mail = await startMail();
    expect((await send(mail.port, IN_CLEAR, [ROSE, ME])).outcome).toEqual(OK);
    expect(mail.arrived[0]?.raw.split("\r\n\r\n")[0]).toMatch(/^[\x20-\x7e\r\n]*\r\nTo: me@example.net\r\n/);
  });

  test("are used where it does", async () => {
    const ehlo = "250-scripted.example\r\n250-STARTTLS\r\n250-SMTPUTF8\r\n250 AUTH PLAIN";
    const { server, outcomes } = await sendThrough(at("EHLO", ehlo), {}, [ME, ROSE]);
    expect(outcomes).toEqual({ [ME]: OK, [ROSE]: OK });
    expect(server.conversations.flat()).toContain("MAIL FROM:<pi@example.net> SMTPUTF8");
  });
});
