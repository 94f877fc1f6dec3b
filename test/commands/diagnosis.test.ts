import { expect, test } from "vitest";
import { diagnoseLock, diagnoseSource } from "../../src/commands/diagnosis";
import { parseIfInet6 } from "../../src/lookup/source-address";

test.for([
  [{}, "ok", /^free$/],
  [{ run: {} }, "ok", /^a run has held it$/],
  [{ run: { pid: 7, elapsedMs: 3000 } }, "ok", /^a run with pid 7 has held it for 3 seconds$/],
  [
    { run: { pid: 7, elapsedMs: 10_800_000 } },
    "error",
    /pid 7 has held it for 3 hours, longer than its deadline allows/,
  ],
  [{ strangers: "process 7 of another user" }, "warning", /^process 7 of another user$/],
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
