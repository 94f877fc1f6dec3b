// First look, change and quiet wherever the program may be run: every two surroundings meet at least once, and the
// oracle watches every run.
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { SILENCE, startEcho, startMail } from "../setup/workbench";
import { normalise } from "../support/evidence";
import { Home } from "../support/home";
import { sample } from "../support/sample";

vi.setConfig({ maxConcurrency: 4 });

const PRELOAD = [join(__dirname, "..", "support", "fake-names.cjs")];
const [FIRST, CHANGED] = ["203.0.113.7", "203.0.113.8"] as const;
const MAIL_HOST = "mail.example.net";
const ECHO_HOST = "echo.example.net";

const SURROUNDINGS = {
  zone: ["", "UTC", "Europe/Paris", "GMT+1", ":/etc/localtime", "Nonsense/Zone"],
  to: [
    "owner@Example.NET",
    "me@Bücher.example,dad@xn--bcher-kva.example",
    "me+home@example.net",
    "f.i.r.s.t@sub.example.net,it's@example.net",
    "me@example.net, me@EXAMPLE.net,me@example.net,Me@example.net",
  ],
  locale: ["C", "fr_FR.UTF-8", "tr_TR.UTF-8", "\u00e9/../x"],
  machine: ["", "raspberrypi", "x".repeat(255), "Dachboden-Ähre 🏠", "evil\r\nBcc: a@example.net\u001b[2J\u202e"],
  stdout: ["", ">&-", "> /dev/null", '> "$HOME/out"'],
  names: ["at once", "slow", "wrong first", "silent"],
  from: ["pi@example.net", "pi@Haus.Bücher.example", "Pi@EXAMPLE.net"],
  umask: ["077", "002", "000"],
} as const;

type Name = keyof typeof SURROUNDINGS;
type Row = { [N in Name]: (typeof SURROUNDINGS)[N][number] };

/** Rows in which every two values of different columns meet. */
function pairwise(): Row[] {
  const columns = Object.entries(SURROUNDINGS);
  const pairs = columns.flatMap((one, index) => columns.slice(index + 1).map((other) => [one, other] as const));
  const meetingsIn = (row: Record<string, string>) =>
    pairs.flatMap(([[a], [b]]) => (a in row && b in row ? [[a, row[a], b, row[b]].join("\0")] : []));
  const met = new Set<string>();
  const rows: Row[] = [];
  for (const seed of pairs.flatMap(([[a, xs], [b, ys]]) => xs.flatMap((x) => ys.map((y) => ({ [a]: x, [b]: y }))))) {
    if (meetingsIn(seed).every((meeting) => met.has(meeting))) continue;
    const row: Record<string, string> = { ...seed };
    const newWith = (name: string, value: string) =>
      meetingsIn({ ...row, [name]: value }).filter((meeting) => !met.has(meeting)).length;
    for (const [name, values] of columns) {
      row[name] ??= [...values].sort((v, w) => newWith(name, w) - newWith(name, v))[0] ?? "";
    }
    for (const meeting of meetingsIn(row)) met.add(meeting);
    rows.push(row as Row);
  }
  return rows;
}

async function makeHome({ zone, to, locale, machine, stdout, names, from, umask }: Row) {
  const echoes = await Promise.all([1, 2, 3, 4].map(() => startEcho(FIRST)));
  const mail = await startMail();
  const byName = { url: `http://${ECHO_HOST}:${echoes[0]?.port}/` };
  const home = new Home().useServices(byName, ...echoes.slice(1)).useMail(mail, to);
  // Nobody listens on the first one.
  const found = names === "wrong first" ? ["127.0.0.9", "127.0.0.1"] : ["127.0.0.1"];
  Object.assign(home.env, {
    TZ: zone,
    LANG: locale,
    LC_ALL: locale,
    FAKE_HOSTNAME: machine,
    IPCHECK_FROM: from,
    IPCHECK_SMTP_HOST: MAIL_HOST,
    IPCHECK_MAIL_INTERVAL: "0s",
    FAKE_NAMES: JSON.stringify({ [MAIL_HOST]: found, [ECHO_HOST]: names === "silent" ? [] : found }),
    FAKE_NAMES_MS: names === "slow" ? "300" : "0",
    SILENCE_MS: "1500",
  });
  const script = `umask ${umask}; "$@" ${stdout}`;
  const through = (command: readonly string[]) => ["sh", "-c", script, "sh", ...command];
  const run = () => home.run(["check"], { preload: PRELOAD, through });
  const requests = () => echoes.reduce((sum, echo) => sum + echo.requests.length, 0);
  return { home, mail, echoes, run, requests };
}

describe.concurrent("first look, quiet and change", () => {
  test.for(sample(pairwise(), 12))("%j", async (row) => {
    const { home, mail, echoes, run, requests } = await makeHome(row);
    // Some servers, this one too, tell the spellings of one mailbox apart no more.
    const namesOf = (addresses: readonly string[]) =>
      [...new Set(addresses.map((one) => normalise(one.trim()).toLowerCase()))].sort();
    const expectMail = (address: string) => {
      const { mail: message, raw, recipients } = mail.arrived.at(-1) ?? expect.fail("no mail");
      expect(namesOf(recipients)).toEqual(namesOf(row.to.split(",")));
      expect(message.subject).toContain(address);
      expect(message.headers.has("bcc")).toBe(false);
      expect(raw.split("\r\n\r\n")[0]).toMatch(/^[\x20-\x7e\r\n\t]*$/);
      expect(home.readState()).toMatchObject({ outbox: [], families: { 4: { recorded: { address } } } });
      expect(statSync(home.stateFile).mode & 0o777).toBe(0o600);
      expect(statSync(dirname(home.stateFile)).mode & 0o777).toBe(0o700);
    };

    expect(await run()).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(1);
    expectMail(FIRST);

    const before = { state: home.fingerprint(), requests: requests() };
    expect(await run()).toMatchObject(SILENCE);
    expect({ state: home.fingerprint(), requests: requests() }).toEqual({ ...before, requests: before.requests + 1 });

    for (const echo of echoes) echo.answer = `${CHANGED}\n`;
    expect(await run()).toMatchObject(SILENCE);
    expect(mail.arrived).toHaveLength(2);
    expectMail(CHANGED);
  });
});
