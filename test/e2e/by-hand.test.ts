// What `check` says to a person: what it did, each thing once, in local time.
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { startProgress } from "../../src/base/output";
import { makeHome, startEcho, startMail, whyNoTerminal } from "../setup/workbench";
import { Home } from "../support/home";
import { typing } from "../support/run-ipcheck";

const OWNER = "owner@example.net";

test("whom it mailed, and since when that was owed", async () => {
  const mail = await startMail();
  const echo = await startEcho();
  const home = new Home().useServices(echo).useMail(mail, `${OWNER},dad@example.net`);
  Object.assign(home.env, { TZ: "Europe/Paris", IPCHECK_ON_CHANGE: "true" });
  const run = (now: string) => home.run(["-v"], { now });
  expect((await run("2026-06-02T10:00:00Z")).stdout).toBe(
    `203.0.113.7 is recorded (first look)\nmailed to ${OWNER}, dad@example.net\nran the command in IPCHECK_ON_CHANGE\n`,
  );
  echo.answer = "203.0.113.8";
  mail.refusals.set("dad@example.net", [550, "5.1.1 no such user"]);
  // A Tuesday.
  const refused = await run("2026-06-02T12:03:00Z");
  expect(refused).toMatchObject({
    exitCode: 5,
    stdout: `203.0.113.8 is new, it was 203.0.113.7\nmailed to ${OWNER}\nran the command in IPCHECK_ON_CHANGE\n`,
  });
  // Under cron he is left alone for a while: until when is said in local time.
  const cron = await home.run(["-q"], { now: "2026-06-02T12:05:00Z" });
  expect(cron.exitCode).toBe(5);
  mail.refusals.clear();
  expect(await run("2026-06-04T08:00:00Z")).toMatchObject({
    exitCode: 0,
    stdout:
      "203.0.113.8 is unchanged, for 1 day 20 hours\ndelivered the notice owed since Tuesday 14:03 to dad@example.net\n",
  });
});

test("a pause is told in local time", async () => {
  const mail = await startMail();
  mail.refusals.set(OWNER, [550, "5.1.1 no such user"]);
  const home = new Home().useServices(await startEcho()).useMail(mail);
  home.env["TZ"] = "Asia/Tokyo";
  await home.run([], { now: "2026-06-02T12:00:00Z" });
  // The second run a day later speaks again, while he is still left alone.
  for (const hour of [13, 14, 16]) await home.run([], { now: `2026-06-02T${hour}:30:00Z` });
  const state = home.readState();
  const until = new Date(state.channels[OWNER].pausedUntil);
  const json = await home.run(["--json"], { now: "2026-06-02T16:31:00Z" });
  const tokyo = new Date(until.getTime() + 9 * 3_600_000).toISOString().slice(0, 16).replace("T", " ");
  expect(JSON.parse(json.stdout).errors[0].message).toContain(`(next try after ${tokyo})`);
});

test("a notice that waits for more says until when, in text and in JSON", async () => {
  const echo = await startEcho();
  const home = new Home().useServices(echo).useMail(await startMail());
  await home.run([], { now: "2026-06-02T10:00:00Z" });
  echo.answer = "203.0.113.8";
  await home.run([], { now: "2026-06-02T11:00:00Z" });
  echo.answer = "203.0.113.9";
  const options = { now: "2026-06-02T11:05:00Z" };
  const { exitCode, stdout } = await home.run(["-v"], options);
  expect({ exitCode, stdout }).toEqual({
    exitCode: 0,
    stdout: `203.0.113.9 is new, it was 203.0.113.8\nthe notice to ${OWNER} waits for the first run after 11:15: what changes by then goes into the same mail\n`,
  });
  const json = JSON.parse((await home.run(["--json"], options)).stdout);
  const until = expect.stringMatching(/^2026-06-02T11:15:0/);
  expect(json.delivery).toMatchObject([{ recipient: OWNER, groupedUntil: until }]);
  const status = await home.run(["status", "--json"], options);
  expect(JSON.parse(status.stdout).pending).toMatchObject([{ channel: OWNER, groupedUntil: until, nextTry: until }]);
  expect((await home.run(["status"], options)).stdout).toContain(
    `pending: 1 notice to ${OWNER}, gathering what changes by 2026-06-02 11:15\n`,
  );
  expect((await home.run(["doctor"], options)).stdout).toMatch(
    /ok {7}outbox: 1 notice to owner@example\.net, gathering what changes by 2026-06-02 11:15\n/,
  );
});

test("nothing is said twice", async () => {
  const home = new Home().useServices(await startEcho());
  const first = await home.run(["-v"]);
  expect(first.stdout).toBe("203.0.113.7 is the public IPv4 address (first look)\n");
  const failing = new Home().useServices(await startEcho("<html>"));
  const { stderr } = await failing.run(["-v"]);
  expect(stderr.match(/127\.0\.0\.1:\d+ /g)).toHaveLength(1);
});

test("on a terminal the fact comes before the error", async ({ skip }) => {
  const mail = await startMail();
  mail.refusals.set(OWNER, [550, "5.1.1 no such user"]);
  const home = (await makeHome(await startEcho())).useMail(mail);
  const why = await whyNoTerminal();
  if (why) return skip(why);
  const shown = await home.run(["check"], { through: typing([]) });
  expect(shown.stdout).toMatch(
    /^203\.0\.113\.7 is recorded \(first look\)\nipcheck: error: the address is recorded, but/,
  );
  expect(shown.stdout).toContain("[exit code 5]");
});

test("not configured at all: what to do is said to a person, and not to cron", async () => {
  const home = new Home();
  const env = { IPCHECK_ACCEPT_RANGES: "" };
  const preload = [join(__dirname, "..", "support", "failing-connect.cjs")];
  const run = await home.run(["-v"], { env, preload });
  expect(run.stderr).toMatch(/ipcheck: nothing is configured, so nobody is mailed: 'ipcheck init' [^\n]+\n$/);
  expect((await home.run([], { env, preload })).stderr).not.toMatch(/ipcheck init/);
  expect((await home.run(["doctor"], { env, preload })).stdout).toMatch(
    /warning {2}configuration: nothing is configured[^\n]*\n +hint: [^\n]*'ipcheck init'/,
  );
});

test("a long look shows what it waits for, and erases it", ({ onTestFinished }) => {
  const written: string[] = [];
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const progress = startProgress({ write: (text) => written.push(text) > 0, columns: 20 });
  progress.show("asking api.ipify.org …");
  expect(written).toEqual([]);
  vi.runAllTimers();
  progress.show("asking \u001b[31m");
  progress.end();
  progress.end();
  expect(written).toEqual(["\r\u001b[Kasking api.ipify.o…", "\r\u001b[Kasking \\u{1b}[31m", "\r\u001b[K"]);
});
