import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { SILENCE, startEcho, startMail } from "../setup/workbench";
import type { EchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import type { MailServer } from "../support/mail-server";

const BROKEN_INTL = join(__dirname, "broken-intl.cjs");
const BROKEN_SYSTEM = join(__dirname, "broken-system.cjs");
const BROKEN_COMPOSER = join(__dirname, "broken-composer.cjs");

let server: MailServer;
let echo: EchoServer;
beforeAll(async () => {
  server = await startMail();
  echo = await startEcho("203.0.113.7\n");
});

const makeHome = (env: Record<string, string> = {}) => {
  const home = new Home().useServices(echo).useMail(server);
  Object.assign(home.env, env);
  return home;
};

async function mailOf(run: () => Promise<unknown>) {
  const before = server.arrived.length;
  const result = await run();
  const [first, ...more] = server.arrived.slice(before);
  expect(more).toEqual([]);
  return { result, mail: first?.mail, text: first?.mail.text ?? "" };
}

/** The mail of a check that finds the home at another address. */
async function mailOfChange(home: Home, options: Parameters<Home["run"]>[1]) {
  echo.answer = "203.0.113.8\n";
  try {
    return await mailOf(() => home.run(["check"], options));
  } finally {
    echo.answer = "203.0.113.7\n";
  }
}

// Further ones are in test/e2e/surroundings.test.ts, and the locales.
test.each([":", "GMT+1", "/nowhere", "CET-1CEST,M3.5.0,M10.5.0/3", "<+03>-3", "x".repeat(999)])(
  "TZ=%j costs no mail",
  async (TZ) => {
    const home = makeHome({ TZ });
    const { result, text } = await mailOf(() => home.run(["check"], { now: "2026-06-01T10:00:00Z" }));
    expect(result).toMatchObject(SILENCE);
    // Whatever the zone, the time names it.
    expect(text).toMatch(/Seen: \w+, 1 June 2026 at \d\d:\d\d (UTC|[A-Z]{3,4}|GMT[+-]\d+)\n/);
    expect(home.readState()).toMatchObject({ outbox: [] });
  },
);

test.each(["en", "fr"])("a Node.js without Intl mails in %s all the same", async (IPCHECK_LANG) => {
  const home = makeHome({ IPCHECK_LANG });
  await home.run(["check"], { now: "2026-05-01T10:00:00Z" });
  const options = { now: "2026-06-01T10:00:00Z", preload: [BROKEN_INTL] };
  const { result, text, mail } = await mailOfChange(home, options);
  expect(result).toMatchObject(SILENCE);
  expect(text).toContain("2026-06-01 10:00 UTC");
  expect(text).toContain(`203.0.113.7 (${IPCHECK_LANG === "en" ? "held for" : "conservée"} 31 days)`);
  expect(mail?.html).toContain("203.0.113.7 →");
});

test.each(["os.uptime", "os.hostname", "os.networkInterfaces", "dns.getServers", "fs/promises.stat"])(
  "a system that refuses %s costs no mail",
  async (BROKEN_CALL) => {
    const home = makeHome();
    await home.run(["check"]);
    const options = { preload: [BROKEN_SYSTEM], env: { BROKEN_CALL } };
    const { result, text } = await mailOfChange(home, options);
    expect(result).toMatchObject(SILENCE);
    expect(text).toContain("203.0.113.8");
  },
);

test("when composing fails all the same a plain mail goes out, and then the bug is reported", async () => {
  const home = makeHome({ IPCHECK_SSH: "ssh pi@{ip}" });
  await home.run(["check"], { now: "2026-05-01T10:00:00Z" });
  const options = { now: "2026-06-01T10:00:00Z", preload: [BROKEN_COMPOSER] };
  const { result, text, mail } = await mailOfChange(home, options);
  expect(result).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Error: composing is broken\n    at ") });
  expect(mail?.subject).toMatch(/: new address 203\.0\.113\.8$/);
  expect(text).toMatch(
    /2026-06-01T10:00.*\n.*old address: 203\.0\.113\.7\n.*new address: 203\.0\.113\.8\nssh pi@203\.0\.113\.8/,
  );
  expect(home.readState()).toMatchObject({ outbox: [] });
  // Told once: the bug is no reason to mail again.
  const next = await mailOfChange(home, { ...options, now: "2026-06-01T11:00:00Z" });
  expect(next).toMatchObject({ result: SILENCE, mail: undefined });

  const doctor = await mailOf(() => home.run(["doctor", "--send"], { preload: [BROKEN_COMPOSER] }));
  expect(doctor.result).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("composing is broken") });
  expect(doctor.text).toContain("203.0.113.");
});

test("a history that is a folder, a pipe's place or garbage costs no mail", async () => {
  const line = '{"id":1}\nnull\n[]\n{"id":"x","at":"1970-01-01","address":"203.0.113.7","family":4}\n';
  for (const spoil of [
    (path: string) => mkdirSync(path),
    (path: string) => writeFileSync(path, line.repeat(500)),
    (path: string) => writeFileSync(path, Buffer.alloc(40_000, 0xff)),
  ]) {
    const home = makeHome();
    mkdirSync(join(home.stateFile, ".."), { recursive: true, mode: 0o700 });
    spoil(home.historyFile);
    const { text } = await mailOf(() => home.run(["check"]));
    expect(text).toContain("203.0.113.7");
    expect(text).not.toContain("Lately");
  }
});
