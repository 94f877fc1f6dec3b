import { describe, expect, test } from "vitest";
import {
  diagnoseAlarm,
  diagnoseLock,
  diagnoseNetwork,
  diagnoseOutbox,
  diagnoseSchedule,
  diagnoseSource,
  diagnoseState,
} from "../../src/commands/diagnosis";
import type { FailureKind } from "../../src/lookup/failures";
import type { LookupResult } from "../../src/lookup/lookup-result";
import { parseIfInet6 } from "../../src/lookup/source-address";
import { EMPTY_STATE, HOOK, type State } from "../../src/state/state";

const NOW = new Date("2026-06-10T12:00:00Z");
const OWNER = "owner@example.net";
const at = (time: string) => `2026-06-10T${time}:00.000Z`;

test.for([
  [{}, "ok", /^free$/],
  [{ run: {} }, "ok", /^a run has held it$/],
  [{ run: { pid: 7, elapsedMs: 3000 } }, "ok", /^a run with pid 7 has held it for 3 seconds$/],
  [
    { run: { pid: 7, elapsedMs: 10_800_000 } },
    "error",
    /pid 7 has held it for 3 hours, longer than its deadline allows/,
  ],
  [{ problem: "process 7 of another user" }, "warning", /^process 7 of another user$/],
] as const)("the lock: %j is %s", ([condition, status, text]) => {
  expect(diagnoseLock(condition, 120_000)).toMatchObject({ status, text: expect.stringMatching(text) });
});

const TEMPORARY = "20010db8000100020000000000000abc 02 40 00 01 eth0";
const LASTING = "20010db8000100020000000000000abc 02 40 00 00 eth0";

test.for([
  ["asked from one that lasts", { askedFrom: "2001:db8:1:2::1" }, TEMPORARY, "ok", /^2001:db8:1:2::1 lasts/],
  ["a temporary one", {}, TEMPORARY, "warning", /^2001:db8:1:2::abc is a temporary one/],
  ["one that lasts by itself", {}, LASTING, undefined, /./],
  ["a translator's", {}, "", undefined, /./],
] as const)("the IPv6 address that the services see: %s", ([, source, rows, status, text]) => {
  const decision = { kind: "confirmed" as const, address: "2001:db8:1:2::abc", by: ["a", "b"] };
  const rest = { family: 6 as const, responses: [], requests: 2, newCoolDowns: {}, serverDate: undefined };
  const [finding] = diagnoseSource({ ...rest, decision, ...source }, parseIfInet6(rows));
  expect(finding?.status).toBe(status);
  if (finding) expect(finding.text).toMatch(text);
});

describe("what cuts the machine off", () => {
  const result = (family: 4 | 6, ...kinds: (FailureKind | "ok")[]): LookupResult => ({
    family,
    decision: { kind: "silence" },
    responses: kinds.map((kind) => {
      const vote = kind === "ok" ? { address: "203.0.113.7" } : { kind, detail: "failed" };
      return { service: "s", operator: "o", vote, ms: 1 };
    }),
    requests: kinds.length,
    newCoolDowns: {},
    serverDate: undefined,
  });
  test.for([
    [[result(4, "dns", "dns", "dns")], /^names cannot be resolved/, /^'getent hosts /],
    [[result(4, "no-network", "no-network")], /^no network$/, /^'ip route' /],
    [[result(4, "no-network"), result(6, "no-ipv6")], /^no network$/, /^'ip route' /],
    // Where anything else is heard, each service speaks for itself.
    [[result(4, "dns", "timeout")], undefined, undefined],
    [[result(4, "dns", "ok")], undefined, undefined],
    [[result(4, "ok"), result(6, "no-network")], undefined, undefined],
    [[result(4, "portal", "portal")], undefined, undefined],
    [[result(6, "no-ipv6")], undefined, undefined],
    [[], undefined, undefined],
  ] as const)("%#", ([results, text, hint]) => {
    const finding = diagnoseNetwork(results);
    if (text === undefined) expect(finding).toBeUndefined();
    else expect(finding).toMatchObject({ text: expect.stringMatching(text), hint: expect.stringMatching(hint) });
  });
});

describe("the schedule", () => {
  const found = {
    name: "crontab",
    command: ["/n", "/s", "check"],
    missing: [],
    isOutdated: false,
    obstacle: undefined,
  };
  const obstacle = { text: "no cron daemon is running", hint: "'start it'" };
  const idle = expect.stringMatching(/^no cron daemon is running, so nothing is run by/);
  test.for<[object, object]>([
    [{}, { status: "ok", text: "crontab runs /n /s check" }],
    [{ obstacle }, { status: "warning", text: idle, hint: "'start it'" }],
    [{ missing: ["/n"], obstacle }, { text: expect.stringMatching(/does not exist/) }],
  ])("%j", ([schedule, expected]) => {
    expect(diagnoseSchedule({ ...found, ...schedule })).toMatchObject(expected);
  });
});

describe("the last good look, by the interval of the schedule", () => {
  const recorded = { address: "203.0.113.7", confirmedBy: [] };
  const last = (time: string, everyMinutes: number | undefined, failedAt?: string) => {
    const outage = failedAt === undefined ? {} : { outage: { failedAt: at(failedAt), runs: 3, reason: "no network" } };
    const state: State = { ...EMPTY_STATE, families: { 4: { recorded, ...outage } } };
    const loaded = { state, condition: "sound" as const, lastLookAt: new Date(at(time)) };
    return diagnoseState("/s", loaded, everyMinutes, NOW).find(({ title }) => title === "last good look");
  };
  test.for([
    ["11:00", undefined, undefined, "ok", /^1 hour ago/],
    ["08:59", undefined, undefined, "warning", /no run since$/],
    ["08:59", 360, undefined, "ok", /^3 hours 1 minute ago/],
    ["10:20", 15, undefined, "warning", /no run since$/],
    ["08:00", 60, "11:30", "warning", /: runs are made, and fail$/],
    ["05:00", 60, "08:00", "warning", /no run since$/],
    ["13:00", 60, undefined, "warning", /cannot be true/],
  ] as const)("at %s, every %s minutes, failed at %s: %s", ([time, every, failedAt, status, text]) => {
    expect(last(time, every, failedAt)).toMatchObject({ status, text: expect.stringMatching(text) });
  });

  test("a fallback for a state file that cannot be written is named", () => {
    const having = (address: string) => ({
      ...EMPTY_STATE,
      families: { 4: { recorded: { address, since: "2026-06-01T00:00:00.000Z", confirmedBy: [] } } },
    });
    const [state, stateOnDisk] = [having("203.0.113.8"), having("203.0.113.7")];
    const loaded = { state, stateOnDisk, condition: "sound" as const, lastLookAt: undefined };
    expect(diagnoseState("/s", loaded, 60, NOW).map(({ status, text }) => `${status}: ${text}`)).toEqual([
      "ok: /s has 203.0.113.7 (IPv4)",
      expect.stringMatching(/^warning: .*cannot be written; 203\.0\.113\.8 \(IPv4\) is in the runtime folder/),
    ]);
  });
});

test("the outbox: mails wait for a mail server that has a line of its own, the command does not", () => {
  const event = { id: "a", kind: "change" as const, family: 4 as const, at: at("11:00"), old: "203.0.113.6" };
  const channel = { failures: 2, refusals: 0, triedAt: at("11:00"), reason: "it failed", hint: "'try it'" };
  const state: State = {
    ...EMPTY_STATE,
    outbox: [{ ...event, address: "203.0.113.7", confirmedBy: [], told: [] }],
    channels: { [OWNER]: channel, [HOOK]: channel },
  };
  const rules = { recipients: [OWNER, "new@example.net"], hasHook: true, mailIntervalMs: 0, configHash: () => "" };
  const inWords = (isMailUsable: boolean) =>
    diagnoseOutbox(state, rules, isMailUsable, NOW).map(({ status, text }) => `${status}: ${text}`);
  expect(inWords(true)).toEqual([
    `error: ${OWNER} has not been told after 2 failed tries: it failed`,
    "ok: 1 notice to new@example.net, not tried yet; next try with the next run",
    "error: the command has not been told after 2 failed tries: it failed",
  ]);
  expect(inWords(false).map((line) => line.slice(0, 28))).toEqual([
    "skipped: it needs the mail s",
    "skipped: it needs the mail s",
    "error: the command has not b",
  ]);
});

test.for([
  [{ heartbeatUrl: new URL("https://hc.example.net/x") }, undefined, "ok", /monitor notices/],
  [{ heartbeatMailMs: 86_400_000 }, undefined, "ok", /at least every 1 day/],
  [{}, { mailsOutput: true, hasMailer: true }, "ok", /cron mails/],
  [{}, { mailsOutput: true, hasMailer: false }, "warning", /nobody would hear.*no program that could mail/],
  [{}, { mailsOutput: false, hasMailer: true }, "warning", /nobody would hear/],
  [{}, undefined, "warning", /nobody would hear/],
] as const)("who hears of a failure: %j, %j: %s", ([settings, schedule, status, text]) => {
  const all = { heartbeatUrl: undefined, heartbeatMailMs: undefined, ...settings };
  const finding = diagnoseAlarm(all, schedule);
  expect(finding).toMatchObject({ status, text: expect.stringMatching(text) });
  if (status === "warning") expect(finding.hint).toMatch(/IPCHECK_HEARTBEAT_URL/);
});
