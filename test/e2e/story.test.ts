import { statSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { SILENCE, startEcho, startMail } from "../setup/workbench";
import { Home } from "../support/home";

test("hour by hour: first look, quiet, changed, mail server down, mail server back, quiet", async () => {
  const echoes = await Promise.all([1, 2, 3].map(() => startEcho()));
  let mail = await startMail();
  const home = new Home().useServices(...echoes).useMail(mail);
  const requests = () => echoes.reduce((sum, echo) => sum + echo.requests.length, 0);
  const moveTo = (address: string) => {
    for (const echo of echoes) echo.answer = `${address}\n`;
  };
  let hour = 0;
  const nextHour = () => home.run(["check"], { now: new Date(Date.UTC(2026, 5, 1, hour++)) });

  // First look: it proves the mail path.
  expect(await nextHour()).toMatchObject(SILENCE);
  expect(mail.arrived).toHaveLength(1);
  expect(mail.arrived[0]?.mail.subject).toContain("203.0.113.7");
  expect(home.readState()).toMatchObject({
    families: { 4: { recorded: { address: "203.0.113.7" } } },
    outbox: [],
  });
  expect(statSync(home.stateFile).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(home.stateFile)).mode & 0o777).toBe(0o700);

  // Three quiet hours: one request each, nothing written, nothing said.
  const before = home.fingerprint();
  for (let i = 0; i < 3; i++) {
    const asked = requests();
    expect(await nextHour()).toMatchObject(SILENCE);
    expect(requests() - asked).toBe(1);
    expect(home.fingerprint()).toBe(before);
  }
  expect(statSync(home.stateFile).mtime.getUTCHours()).toBe(hour - 1);

  // The address changes: one mail that says all.
  moveTo("203.0.113.8");
  expect(await nextHour()).toMatchObject(SILENCE);
  expect(mail.arrived).toHaveLength(2);
  const text = mail.arrived[1]?.mail.text ?? "";
  for (const fact of ["203.0.113.8", "203.0.113.7", "4 hours", "ssh "]) expect(text).toContain(fact);
  expect(await nextHour()).toMatchObject(SILENCE);

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
  mail = await startMail({ port });
  expect(await nextHour()).toMatchObject(SILENCE);
  expect(mail.arrived).toHaveLength(1);
  const late = mail.arrived[0]?.mail.text ?? "";
  expect(late).toMatch(/198\.51\.100\.9[\s\S]*203\.0\.113\.8/);
  expect(home.readState().outbox).toEqual([]);
  expect(await nextHour()).toMatchObject(SILENCE);
  expect(mail.arrived).toHaveLength(1);
});
