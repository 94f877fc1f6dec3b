import { expect, test } from "vitest";
import { diagnoseLock } from "../../src/commands/diagnosis";

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
