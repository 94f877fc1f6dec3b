import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { quote } from "../../src/base/text";
import { formatPrometheus, printStatus, readStatus, type Status, type StatusOptions } from "../../src/commands/status";
import { systemdUnits } from "../../src/schedule/systemd";
import { EMPTY_STATE, encodeState, type State } from "../../src/state/state";
import { captureOutput } from "../support/capture";
import { startEchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import { makeScratch } from "../support/scratch";
import { parseExposition } from "./exposition";
import { homeWith, NOW } from "./support";

const OWNER = "owner@example.net";
const MAIL = { IPCHECK_TO: OWNER, IPCHECK_FROM: "pi@example.net" };

const RULES = { recipients: [OWNER], hasHook: true, mailIntervalMs: 900_000, configHash: () => "now" };

const recorded = { address: "203.0.113.7", since: "2026-06-01T10:00:00.000Z", confirmedBy: ["ipify", "deSEC"] };
const outage = { failedAt: "2026-06-10T11:30:00.000Z", runs: 5, reason: "no IPv6 here" };

const WELL: Partial<State> = { families: { 4: { recorded } } };
const FAILING: Partial<State> = {
  families: { 4: { recorded }, 6: { outage } },
  coolDowns: { "api.ipify.org": "2026-06-10T15:00:00.000Z", "v4.ident.me": "2026-06-10T11:59:00.000Z" },
};
const UNCONFIRMED: Partial<State> = {
  families: {
    4: {
      recorded: { ...recorded, confirmedBy: ["ipify"], isUnconfirmed: true },
      outage: { ...outage, since: "2026-06-10T11:00:00.000Z", runs: 1, reason: "the network is down" },
    },
  },
};

const owed = (id: string) => ({
  id,
  kind: "change" as const,
  family: 4 as const,
  at: "2026-06-10T09:00:00.000Z",
  old: "203.0.113.6",
  address: "203.0.113.7",
  confirmedBy: ["ipify"],
  told: [],
});

const PENDING: Partial<State> = {
  ...WELL,
  outbox: [owed("a"), { ...owed("b"), kind: "back" }],
  channels: {
    [OWNER]: {
      failures: 3,
      refusals: 2,
      triedAt: "2026-06-10T11:00:00.000Z",
      reason: "the server refused the recipient (550 5.1.1 no such user)",
      deferredUntil: "2026-06-10T13:00:00.000Z",
      deferredFor: "other",
    },
  },
};

const HELD = "IPv4: 203.0.113.7, for 9 days 2 hours (since 2026-06-01 10:00), confirmed by ipify, deSEC";
const LOOK = "last good look: 1 hour ago (2026-06-10 11:00)";

const PERSON: [string, Partial<State>, Record<string, string>, string[]][] = [
  ["all well", WELL, {}, [HELD, LOOK, "pending: nothing"]],
  [
    "one family failing, one service at rest",
    FAILING,
    {},
    [
      HELD,
      "IPv6: no address yet",
      "IPv6 last failure: 2026-06-10 11:30, the last 5 looks failed: no IPv6 here",
      LOOK,
      "pending: nothing",
      "left alone: api.ipify.org, until 2026-06-10 15:00",
    ],
  ],
  [
    "unconfirmed, and an outage since",
    UNCONFIRMED,
    {},
    [
      "IPv4: 203.0.113.7, for 9 days 2 hours (since 2026-06-01 10:00), confirmed by nobody",
      "IPv4 last failure: 2026-06-10 11:30, the last look failed, outage since 2026-06-10 11:00: the network is down",
      LOOK,
      "pending: nothing",
    ],
  ],
  [
    "a refused recipient, one not tried yet, and the command",
    PENDING,
    { ...MAIL, IPCHECK_TO: `${OWNER},new@example.net`, IPCHECK_ON_CHANGE: "true" },
    [
      HELD,
      LOOK,
      `pending: 2 notices to ${OWNER}, 3 failed tries: the server refused the recipient (550 5.1.1 no such user); next try with the next run`,
      "pending: 2 notices to new@example.net, not tried yet; next try with the next run",
      "pending: 1 notice to the command in IPCHECK_ON_CHANGE, not tried yet; next try with the next run",
    ],
  ],
];

test.each(PERSON)("for a person: %s", async (_, state, env, lines) => {
  const run = await homeWith(state).run(["status"], { now: NOW, env });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(run.stdout.trimEnd().split("\n")).toEqual(lines);
});

test("--json: the same as plain data, null where nothing is known", async () => {
  const run = await homeWith(PENDING).run(["status", "--json"], { now: NOW, env: MAIL });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  // The mail settings are others now than when it was refused: the pause is over.
  const { reason, triedAt: lastTry } = PENDING.channels?.[OWNER] ?? {};
  expect(JSON.parse(run.stdout)).toEqual({
    lastLook: "2026-06-10T11:00:00.000Z",
    lastLookAgeSeconds: 3600,
    families: [{ family: "ipv4", ...recorded, unconfirmed: false, failing: null }],
    pending: [{ channel: OWNER, owed: 2, failures: 3, reason, lastTry, groupedUntil: null, nextTry: null }],
    unsaved: false,
    rests: [],
  });
});

const SAMPLES = [
  "ipcheck_last_success_timestamp_seconds {} 1781089200",
  'ipcheck_address_info {"family":"ipv4","address":"203.0.113.7"} 1',
  'ipcheck_address_since_timestamp_seconds {"family":"ipv4"} 1780308000',
  'ipcheck_address_unconfirmed {"family":"ipv4"} 0',
  'ipcheck_failed_runs {"family":"ipv4"} 0',
];

test.each<[string, Partial<State> | undefined, string[]]>([
  ["nothing recorded", undefined, ["ipcheck_pending_notices {} 0"]],
  [
    "one family failing",
    FAILING,
    [...SAMPLES, 'ipcheck_failed_runs {"family":"ipv6"} 5', "ipcheck_pending_notices {} 0"],
  ],
  [
    "pending",
    PENDING,
    [
      ...SAMPLES,
      'ipcheck_pending_notices {"channel":"mail"} 4',
      'ipcheck_pending_notices {"channel":"command"} 1',
      'ipcheck_delivery_failures {"channel":"mail"} 3',
      'ipcheck_delivery_failures {"channel":"command"} 0',
    ],
  ],
])("--prometheus: %s", async (_, state, expected) => {
  const home = state ? homeWith(state) : new Home();
  const env = { ...MAIL, IPCHECK_TO: `${OWNER},new@example.net`, IPCHECK_ON_CHANGE: "true" };
  const run = await home.run(["status", "--prometheus"], { now: NOW, env });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const metrics = parseExposition(run.stdout);
  expect(run.stdout).not.toContain("@");
  const samples = [...metrics].flatMap(([name, metric]) =>
    metric.samples.map(({ labels, value }) => `${name} ${JSON.stringify(labels)} ${value}`),
  );
  expect(samples).toEqual(expected);
  for (const { type, help } of metrics.values()) expect([type, help]).toEqual(["gauge", expect.stringMatching(/\.$/)]);
});

test("--prometheus: any label arrives, quoted", () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('"', "\\", "\n", '\\"\n,}{x="', "\u009b31m", "\u202e"));
  fc.assert(
    fc.property(text, (address) => {
      const state = { ...EMPTY_STATE, families: { 4: { recorded: { ...recorded, address } } } };
      const status = readStatus({ state, lastLookAt: undefined, condition: "sound" }, RULES, NOW);
      const samples = parseExposition(`${formatPrometheus(status)}\n`).get("ipcheck_address_info")?.samples ?? [];
      expect(samples.map(({ labels }) => labels["address"])).toEqual([quote(address)]);
    }),
  );
});

// As a state would hold them that somebody else had written, with the right checksum.
const HOSTILE = "a\u001b[31mb\u009bc\u202ed\u2028e\u{e0041}";
const HOSTILE_STATE: Partial<State> = {
  families: {
    4: { recorded: { ...recorded, confirmedBy: [HOSTILE] }, outage: { ...outage, reason: HOSTILE } },
  },
  outbox: [owed("a")],
  channels: { [OWNER]: { failures: 1, refusals: 0, triedAt: "2026-06-10T11:00:00.000Z", reason: HOSTILE } },
  coolDowns: { [HOSTILE]: "2026-06-10T15:00:00.000Z" },
};

test.each(["status", "status --json", "status --prometheus", "doctor"])(
  "%s: no character acts on a terminal",
  async (args) => {
    const env = {
      ...MAIL,
      IPCHECK_SMTP_HOST: "127.0.0.1",
      IPCHECK_SMTP_PORT: "1",
      IPCHECK_SERVICES: "http://127.0.0.1:1/",
    };
    const run = await homeWith(HOSTILE_STATE).run(args.split(" "), { now: NOW, env });
    expect(run.stdout).toContain("203.0.113.7");
    expect(run.stdout + run.stderr).not.toMatch(/[^\P{C}\n]|\u2028/u);
    if (args === "status --json") expect(JSON.parse(run.stdout).families[0].failing.reason).toBe(HOSTILE);
  },
);

test.each<[string, string | undefined, number, RegExp]>([
  ["3h", "2026-06-10T09:01:00Z", 0, /^$/],
  [
    "3h",
    "2026-06-10T08:59:59Z",
    3,
    /^ipcheck: error: the last good look is older than 3h: it was 3 hours ago\nipcheck: hint: /,
  ],
  ["30s", "2026-06-10T11:00:00Z", 3, /older than 30s: it was 1 hour ago\n/],
  // The clock ran backwards: nobody knows how old that look is.
  ["1s", "2026-06-11T00:00:00Z", 3, /error: the last good look lies 12 hours in the future.*clock.*\n.*hint: .*NTP/],
  ["3h", "2026-06-10T12:01:01Z", 3, /in the future/],
  ["3h", "2026-06-10T12:00:59Z", 0, /^$/],
  ["3h", undefined, 3, /there never was one\n/],
  ["3", "2026-06-10T09:00:00Z", 2, /--max-age: expected a duration like/],
  ["-3h", "2026-06-10T09:00:00Z", 2, /--max-age/],
])("--max-age %s with the last look at %s exits with %d", async (maxAge, lastLook, exitCode, stderr) => {
  const home = lastLook === undefined ? new Home() : homeWith(WELL, lastLook);
  const run = await home.run(["status", "--max-age", maxAge], { now: NOW });
  expect(run.exitCode).toBe(exitCode);
  expect(run.stderr).toMatch(stderr);
  // How things stand is printed all the same; not where the question was wrong.
  expect(run.stdout === "").toBe(exitCode === 2);
});

test("nothing recorded: said, and nothing is created", async () => {
  const home = new Home();
  expect(await home.run(["status"])).toMatchObject({
    exitCode: 0,
    stdout: "nothing is recorded yet: 'ipcheck check' makes the first look\n",
    stderr: "",
  });
  expect(() => home.listStateFolder()).toThrow("ENOENT");
});

test("a damaged state: said, and left where it is", async () => {
  const home = homeWith(encodeState({ ...EMPTY_STATE, ...WELL }).replace("203.0.113.7", "203.0.113.8"));
  const before = home.fingerprint();
  const run = await home.run(["status"], { now: NOW });
  expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("nothing is recorded yet") });
  expect(run.stderr).toMatch(/^ipcheck: warning: the state file cannot be read; .*\n$/);
  expect(home.fingerprint()).toBe(before);
});

test("a pause in force is told, and one whose settings are gone is not", () => {
  const deferredChange = PENDING.outbox?.[0]?.id ?? "";
  const nextTry = (hash: string) => {
    const channels = { [OWNER]: { ...PENDING.channels?.[OWNER], deferredChange } } as State["channels"];
    const state = { ...EMPTY_STATE, ...PENDING, channels };
    const loaded = { state, lastLookAt: undefined, condition: "sound" as const };
    return readStatus(loaded, { ...RULES, configHash: () => hash }, NOW).pending[0]?.nextTry;
  };
  expect([nextTry("other"), nextTry("new")]).toEqual(["2026-06-10T13:00:00.000Z", null]);
});

test("a state that cannot be written: what is shown comes from the runtime folder, and that is said", async () => {
  const home = homeWith(WELL);
  const echo = await startEchoServer("203.0.113.9");
  home.useServices(echo);
  const env = { XDG_RUNTIME_DIR: makeScratch() };
  const preload = [join(__dirname, "..", "faults", "faults.cjs")];
  const fault = { FAULT_ONLY: "^rename .*state", FAULT_AT: "1", FAULT_STAYS: "1", FAULT_CODE: "EROFS" };
  await home.run([], { now: NOW, env: { ...env, ...fault }, preload });
  await echo.close();
  const run = await home.run(["status"], { now: NOW, env });
  expect(run.stdout).toMatch(/^IPv4: 203\.0\.113\.9/);
  expect(run.stderr).toMatch(/^ipcheck: warning: .*state\.json cannot be written: this comes from the runtime folder/);
  const json = await home.run(["status", "--json"], { now: NOW, env });
  expect(json.stderr).toBe("");
  expect(JSON.parse(json.stdout)).toMatchObject({ unsaved: true, families: [{ address: "203.0.113.9" }] });
});

test("the state of the machine's timer is shown to who has none of his own", async ({ skip }) => {
  const home = homeWith(PENDING);
  const schedule = { nodePath: "/n", scriptPath: "/s", configFile: undefined, everyMinutes: 60, offsetMinutes: 1 };
  const unit = join(makeScratch(), "unit");
  writeFileSync(unit, systemdUnits(schedule, { isSystem: true })["ipcheck.service"] ?? "");
  const other = new Home();
  const script = `set -e; mkdir -p /etc/systemd/system; for d in /etc/systemd/system /var/lib; do mount -t tmpfs t $d; done
    cp ${unit} /etc/systemd/system/ipcheck.service; mkdir -m 700 /var/lib/ipcheck; cp -p ${home.stateFile} /var/lib/ipcheck/
    chown -R 61234 /var/lib/ipcheck; exec "$@"`;
  const through = (command: readonly string[]) => ["unshare", "-m", "sh", "-c", script, "sh", ...command];
  const { exitCode, stdout, stderr } = await other.run(["status"], { through });
  if (exitCode !== 0) return skip("nothing can be mounted here");
  expect(stdout).toMatch(/^IPv4: 203\.0\.113\.7.*\n[\s\S]*pending: 2 notices to owner@example\.net, 3 failed tries/);
  expect(stderr).toBe("ipcheck: this is the state of the machine's timer, in /var/lib/ipcheck/state.json\n");
});

test("a newer version's state is refused", async () => {
  const home = homeWith('{"version": 2, "checksum": "x"}');
  const before = home.fingerprint();
  const run = await home.run(["status", "--json"], { now: NOW });
  expect(run).toMatchObject({ exitCode: 4, stdout: "" });
  expect(run.stderr).toMatch(/^ipcheck: error: the state file was written by a newer ipcheck .*\nipcheck: hint: .*\n$/);
  expect(home.fingerprint()).toBe(before);
});

test("an address taken over from an older script is shown without a date", async () => {
  const run = await homeWith("203.0.113.7\n").run(["status"], { now: NOW });
  expect(run.stdout.split("\n")[0]).toBe("IPv4: 203.0.113.7");
});

test.each<[StatusOptions, string]>([
  [{ json: true, prometheus: true }, "do not go together"],
  [{ maxAge: "" }, "--max-age"],
])("%j is refused", async (options, message) => {
  const status: Status = readStatus({ state: EMPTY_STATE, lastLookAt: undefined, condition: "absent" }, RULES, NOW);
  const { said, output } = captureOutput();
  await expect(printStatus(options, status, NOW, output)).rejects.toThrow(message);
  expect(said).toEqual({ stdout: "", stderr: "" });
});
