// What becomes of a notice over days: a recipient who is refused, a mail server that is down, an address
// that flaps, a command that fails or hangs. Nobody is left out, nobody is told twice, nobody waits for another.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { startMailServer } from "../support/mail-server";
import { IS_LONG } from "../support/sample";
import { ERROR_AND_HINT, messageIds, NEW, OLD, OWNER, openSuite, owedId, SILENCE } from "./survival";

vi.setConfig({ maxConcurrency: 3, testTimeout: 90_000 });

const { closing, makeNew, survived } = openSuite("delivery");
const at = (hour: number) => new Date(Date.UTC(2026, 5, 1, hour));

describe.concurrent("over days", () => {
  test.runIf(IS_LONG)("a recipient refused for a week, another one not", async () => {
    const LAME = "lame@example.net";
    const { home, mail } = await makeNew();
    home.env["IPCHECK_TO"] = `${OWNER},${LAME}`;
    let hour = 0;
    const attempts: number[] = [];
    mail.refusals = new (class extends Map<string, [number, string]> {
      override get(address: string) {
        if (this.has(address)) attempts.push(hour);
        return super.get(address);
      }
    })([[LAME, [550, "5.1.1 no such user"]]]);
    const spoken: string[] = [];
    // Hourly for two days, then as often as a pause of a day can be told from a shorter one.
    for (; hour < 24 * 7; hour += hour < 48 ? 1 : 4) {
      const { exitCode, stderr } = await home.run([], { now: at(hour) });
      expect(exitCode).toBe(5);
      if (stderr) spoken.push(stderr);
    }
    // At the first failure and then once a day: another pause is no news.
    expect(spoken.length).toBeOneOf([7, 8]);
    for (const words of spoken) expect(words).toMatch(ERROR_AND_HINT);
    expect(mail.arrived.map(({ recipients }) => recipients)).toEqual([[OWNER]]);
    const channels = { [LAME]: { reason: expect.stringContaining("no such user") } };
    expect(home.readState()).toMatchObject({ outbox: [{ address: NEW, told: ["(history)", OWNER] }], channels });
    // After an hour, then at gaps that grow to a day.
    const gaps = attempts.slice(1).map((next, index) => next - (attempts[index] ?? 0));
    expect(gaps.length).toBeGreaterThanOrEqual(8);
    for (const [index, gap] of gaps.entries()) {
      const pause = Math.min(24, 2 ** index);
      const step = (attempts[index] ?? 0) + gap > 48 ? 4 : 1;
      expect(gap).toBeGreaterThanOrEqual(0.9 * pause);
      expect(gap).toBeLessThan(pause + step);
    }
    // When the server relents it gets its mail, and nobody else another.
    const id = owedId(home);
    mail.refusals.clear();
    for (const later of [0, 1]) expect(await home.run([], { now: at(24 * 8 + later) })).toMatchObject(SILENCE);
    expect(mail.arrived.map(({ recipients }) => recipients)).toEqual([[OWNER], [LAME]]);
    expect(messageIds(mail)).toEqual([id, id]);
    await survived();
  });

  test("a mail server down for three days, four changes: one mail, in order, with their durations", async () => {
    const { home, mail, moveTo } = await makeNew(OLD);
    expect(await home.run([], { now: at(0) })).toMatchObject(SILENCE);
    mail.arrived.length = 0;
    // Nothing listens there, for as long as the test goes on.
    home.env["IPCHECK_SMTP_PORT"] = "1";
    const hours = [5, 18, 41, 63];
    const steps = [OLD, "203.0.113.11", "198.51.100.12", "203.0.113.13", "203.0.113.14"];
    const spoken = [];
    for (let hour = 1; hour < 72; hour += hours.includes(hour + 1) || hours.includes(hour) ? 1 : 2) {
      moveTo(steps.at(hours.filter((change) => change <= hour).length) ?? OLD);
      const run = await home.run([], { now: at(hour) });
      expect(run.exitCode).toBe(hour < 5 ? 0 : 5);
      if (run.stderr) spoken.push(run.stderr);
    }
    // At the first failure, then once a day.
    expect(spoken).toEqual(Array(3).fill(expect.stringContaining("refused the connection")));
    home.env["IPCHECK_SMTP_PORT"] = String(mail.port);
    expect(await home.run([], { now: at(72) })).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(1);
    const { text = "", subject } = mail.arrived[0]?.mail ?? {};
    expect(subject).toMatch(/203\.0\.113\.14 .*4 changes/);
    const moves = steps.slice(1).map((next, index) => `${steps[index]} → ${next}`);
    expect(text.replace(/\s+/g, " ")).toMatch(new RegExp(moves.join(".*")));
    // The old address is the one that was mailed last, held to hour 5; the bars have them all.
    expect(text).toMatch(/Old address: 203\.0\.113\.7 \(held for 5 hours\)/);
    const bars = steps.map((address) => new RegExp(`^ +${address} +#+ +(\\d.*)$`, "m").exec(text)?.[1]);
    expect(bars).toEqual(["5 hours", "13 hours", "23 hours", "22 hours", "9 hours (now)"]);
    expect(await home.run([], { now: at(73) })).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(1);
    await survived();
  });

  test("IPCHECK_MAIL_INTERVAL gathers a flapping address into one mail, and waiting is no failure", async () => {
    const { home, mail, moveTo } = await makeNew(OLD);
    home.env["IPCHECK_MAIL_INTERVAL"] = "330m";
    const flaps = ["203.0.113.20", "203.0.113.20", OLD, NEW, OLD, NEW, NEW];
    for (const [hour, address] of [OLD, ...flaps].entries()) {
      moveTo(address);
      expect(await home.run([], { now: at(hour) })).toMatchObject(SILENCE);
      // The first look and the first change at once; then nothing until the interval is over.
      expect(mail.arrived).toHaveLength(hour === 0 ? 1 : hour < 7 ? 2 : 3);
      if (hour === 6) expect(home.readState().outbox).toHaveLength(4);
    }
    const text = mail.arrived[2]?.mail.text?.replace(/\s+/g, " ");
    const [A, B] = [OLD, NEW].map((address) => address.replaceAll(".", "\\."));
    expect(text).toMatch(new RegExp(`${A}.*${A} → ${B}.*${B} → ${A}.*${A} → ${B}`));
    expect(await home.run([], { now: at(20) })).toMatchObject(SILENCE);
    await survived();
  });
});

describe.concurrent("IPCHECK_ON_CHANGE", () => {
  const PASSWORD = "corr3ct-h0rse-b4ttery";
  const TOKEN = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

  async function makeHooked(script: (folder: string) => string) {
    const made = await makeNew(OLD);
    const mail = closing(await startMailServer({ login: { user: OWNER, password: PASSWORD } }));
    const home = made.home.useMail(mail);
    Object.assign(home.env, { IPCHECK_SMTP_USER: OWNER, IPCHECK_SMTP_PASSWORD: PASSWORD });
    expect(await home.run()).toMatchObject(SILENCE);
    made.moveTo(NEW);
    home.env["IPCHECK_ON_CHANGE"] = script(home.path);
    return { home, mail };
  }

  test("is called after recording, told what happened, and nothing secret", async () => {
    const { home, mail } = await makeHooked((folder) => `env > '${folder}/env'; cp "$STATE" '${folder}/seen'`);
    const env = { STATE: home.stateFile, IPCHECK_HEARTBEAT_URL: `http://127.0.0.1:9/${TOKEN}` };
    const run = await home.run([], { env: { ...env, CREDENTIALS_DIRECTORY: home.path } });
    const unheard =
      "ipcheck: warning: the heartbeat was not heard: 127.0.0.1:9 refused the connection (ECONNREFUSED)\n";
    expect(run).toMatchObject({ exitCode: 0, stdout: "", stderr: unheard });
    const dump = readFileSync(join(home.path, "env"), "utf8");
    const ours = dump.match(/^(IPCHECK_(?!SUBJECT|TEXT)|CREDENTIALS).*$/gm) ?? [];
    const told = `IPCHECK_COUNT=1 IPCHECK_EVENT=change IPCHECK_FAMILY=4 IPCHECK_NEW=${NEW} IPCHECK_OLD=${OLD}`;
    expect(ours.sort().join(" ")).toBe(told);
    expect(dump).not.toMatch(new RegExp(`${PASSWORD}|${TOKEN}`));
    expect(readFileSync(join(home.path, "seen"), "utf8")).toContain(`"address": "${NEW}"`);
    expect(mail.arrived).toHaveLength(2);
    await survived();
  });

  test("is tried again when it fails, its last words told, and the mail is not", async () => {
    const words = "echo first >&2; printf 'no \\033[31mnsupdate\\n' >&2";
    const { home, mail } = await makeHooked((folder) => `echo "$IPCHECK_NEW" >> '${folder}/calls'; ${words}; exit 3`);
    for (let hour = 1; hour < 4; hour++) {
      const run = await home.run([], { now: at(24 * 400 + hour) });
      expect(run).toMatchObject({ exitCode: 5, stdout: "" });
      expect(run.stderr).toMatch(hour === 1 ? ERROR_AND_HINT : /^$/);
      expect(run.stderr).toMatch(hour === 1 ? /IPCHECK_ON_CHANGE .*exit code 3; its last words: .*nsupdate/ : "");
      expect(run.stderr).not.toMatch(/first|\p{Cc}(?!ipcheck|$)/u);
    }
    expect(mail.arrived).toHaveLength(2);
    home.env["IPCHECK_ON_CHANGE"] = `echo done >> '${home.path}/calls'`;
    for (let hour = 4; hour < 6; hour++) {
      expect(await home.run([], { now: at(24 * 400 + hour) })).toMatchObject(SILENCE);
    }
    expect(readFileSync(join(home.path, "calls"), "utf8")).toBe(`${`${NEW}\n`.repeat(3)}done\n`);
    await survived();
  });

  test.runIf(IS_LONG)(
    "that hangs is ended with all it started after 30 s of its own; the mail is out by then",
    async () => {
      const { home, mail } = await makeHooked((folder) => `echo $$ > '${folder}/pid'; sleep 1000 | cat; exit 0`);
      const env = { IPCHECK_DEADLINE: "3s", IPCHECK_TIMEOUT: "1s" };
      const run = await home.run([], { env, killAfterMs: 60_000 });
      expect(run).toMatchObject({ exitCode: 5, stdout: "", stderr: expect.stringMatching(ERROR_AND_HINT) });
      expect(run.stderr).toMatch(/did not end within 30 s/);
      expect(run.ms).toBeGreaterThan(30_000);
      expect(mail.arrived).toHaveLength(2);
      const group = Number(readFileSync(join(home.path, "pid"), "utf8"));
      await vi.waitFor(() => expect(() => process.kill(-group, 0)).toThrow("ESRCH"), 5000);
      await survived();
    },
  );
});
