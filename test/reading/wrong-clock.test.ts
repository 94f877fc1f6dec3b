import { beforeAll, expect, test } from "vitest";
import { startEcho, startMail } from "../setup/workbench";
import type { EchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import type { MailServer } from "../support/mail-server";

let server: MailServer;
let echo: EchoServer;
beforeAll(async () => {
  server = await startMail();
  echo = await startEcho("203.0.113.7\n");
});

// A board without a battery: its clock begins in 1970, and the first look comes before NTP.
test("what a clock of 1970 recorded has lasted for an unknown time, wherever it is told", async () => {
  const home = new Home().useServices(echo).useMail(server);
  const now = "2026-06-01T12:00:00Z";
  const said: string[] = [];
  const run = async (args: string[], at = now) => {
    const { stdout, stderr, exitCode } = await home.run(args, { now: at });
    said.push(stdout, stderr);
    return { stdout, exitCode };
  };
  await run(["check"], "1970-01-01T00:17:00Z");
  expect((await run(["status"])).stdout).toMatch(
    /^IPv4: 203\.0\.113\.7, confirmed by .*\nlast good look: an unknown time ago/,
  );
  expect(JSON.parse((await run(["status", "--json"])).stdout)).toMatchObject({ lastLookAgeSeconds: null });
  expect((await run(["doctor"])).stdout).toMatch(/skipped {2}last good look: it needs a clock that is right/);
  expect((await run(["check", "-v"])).stdout).toBe("203.0.113.7 is unchanged\n");
  echo.answer = "203.0.113.8\n";
  expect(await run(["check"])).toMatchObject({ exitCode: 0 });
  expect((await run(["history"], "2026-06-03T12:00:00Z")).stdout).toMatch(
    /203\.0\.113\.7 +unknown[\s\S]*203\.0\.113\.8 +2 days/,
  );
  const { text = "", subject } = server.arrived.at(-1)?.mail ?? {};
  expect(subject).toContain("(was 203.0.113.7)");
  expect(text).toContain("Old address: 203.0.113.7\n");
  // 20,604 days, or none at all.
  for (const words of [...said, text]) expect(words).not.toMatch(/\d{5} days|\d,\d{3} days|\b0 seconds/);
});
