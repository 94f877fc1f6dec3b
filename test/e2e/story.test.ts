import { statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { startEchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import { startMailServer } from "../support/mail-server";

const LIST_MODULES = join(__dirname, "..", "support", "list-modules.cjs");

const closers: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

test("hour by hour: first look, quiet, changed, mail server down, mail server back, quiet", async () => {
  const echoes = await Promise.all([1, 2, 3].map(() => startEchoServer("203.0.113.7\n")));
  let mail = await startMailServer();
  closers.push(...echoes.map((echo) => echo.close), () => mail.close());
  const home = new Home().useServices(...echoes).useMail(mail);
  const requests = () => echoes.reduce((sum, echo) => sum + echo.requests.length, 0);
  const moveTo = (address: string) => {
    for (const echo of echoes) echo.answer = `${address}\n`;
  };
  let hour = 0;
  const nextHour = (env: Record<string, string> = {}) =>
    home.run(["check"], { now: new Date(Date.UTC(2026, 5, 1, hour++)), env });
  const silence = { exitCode: 0, stdout: "", stderr: "" };

  // First look: it proves the mail path.
  expect(await nextHour()).toMatchObject(silence);
  expect(mail.arrived).toHaveLength(1);
  expect(mail.arrived[0]?.mail.subject).toContain("203.0.113.7");
  expect(home.readState()).toMatchObject({
    families: { 4: { recorded: { address: "203.0.113.7" } } },
    outbox: [],
  });
  expect(statSync(home.stateFile).mode & 0o777).toBe(0o600);
  expect(statSync(join(home.stateFile, "..")).mode & 0o777).toBe(0o700);

  // Three quiet hours: one request each, nothing written, nothing said, no mail library.
  const before = home.fingerprint();
  for (let i = 0; i < 3; i++) {
    const asked = requests();
    const modulesFile = join(home.path, `modules-${i}`);
    const run = await home.run(["check"], {
      now: new Date(Date.UTC(2026, 5, 1, hour++)),
      env: { LIST_MODULES_TO: modulesFile },
      preload: [LIST_MODULES],
    });
    expect(run).toMatchObject(silence);
    expect(requests() - asked).toBe(1);
    expect(home.fingerprint()).toBe(before);
    expect(statSync(home.stateFile).mtime).toEqual(expect.any(Date));
    const { readFileSync } = await import("node:fs");
    expect(readFileSync(modulesFile, "utf8")).not.toMatch(/nodemailer|undici|prompts|message/);
  }
  expect(statSync(home.stateFile).mtime.getUTCHours()).toBe(hour - 1);

  // The address changes: one mail that says all.
  moveTo("203.0.113.8");
  expect(await nextHour()).toMatchObject(silence);
  expect(mail.arrived).toHaveLength(2);
  const text = mail.arrived[1]?.mail.text ?? "";
  for (const fact of ["203.0.113.8", "203.0.113.7", "4 hours", "ssh "]) expect(text).toContain(fact);
  expect(await nextHour()).toMatchObject(silence);

  // The mail server is down when it changes twice more: recorded, owed, and said once.
  const { port } = mail;
  await mail.close();
  moveTo("198.51.100.9");
  const down = await nextHour();
  expect(down).toMatchObject({ exitCode: 5, stdout: "" });
  expect(down.stderr).toMatch(/^ipcheck: error: .*refused the connection.*\nipcheck: hint: .*\n$/);
  expect(home.readState()).toMatchObject({
    families: { 4: { recorded: { address: "198.51.100.9" } } },
    outbox: [{ old: "203.0.113.8", address: "198.51.100.9" }],
  });
  moveTo("203.0.113.8");
  expect(await nextHour()).toMatchObject({ exitCode: 5 });

  // It is back: one mail with both changes, then peace.
  mail = await startMailServer({ port });
  expect(await nextHour()).toMatchObject(silence);
  expect(mail.arrived).toHaveLength(1);
  const late = mail.arrived[0]?.mail.text ?? "";
  expect(late).toMatch(/198\.51\.100\.9[\s\S]*203\.0\.113\.8/);
  expect(home.readState().outbox).toEqual([]);
  expect(await nextHour()).toMatchObject(silence);
  expect(mail.arrived).toHaveLength(1);
});
