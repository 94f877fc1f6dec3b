import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { runCommand } from "../../src/base/command";
import { isAlive } from "../support/processes";
import { makeScratch } from "../support/scratch";

const PATH = { PATH: process.env["PATH"] };
const options = { env: PATH, timeoutMs: 20_000 };

describe.concurrent("how a command ended is said as it was", () => {
  test.for([
    ["exit 0", options, undefined],
    ["exit 3", options, "ended with exit code 3"],
    ["echo one >&2; echo two >&2; exit 1", options, "ended with exit code 1; its last words: two"],
    [
      "printf 'Total Speed\\n\\r 0 12k --:--\\r 9 12k --:--\\rcurl: (7) no' >&2; exit 7",
      options,
      /7; its last words: curl: \(7\) no$/,
    ],
    ["printf 'curl: (7) no\\n\\r 9 12k --:--\\r\\n' >&2; exit 7", options, /7; its last words: curl: \(7\) no$/],
    ["echo 42 >&2; exit 1", options, "ended with exit code 1; its last words: 42"],
    ["kill -KILL $$", options, "was killed by SIGKILL"],
    ["kill -TERM $$", options, "was killed by SIGTERM"],
    ["sleep 60", { env: PATH, timeoutMs: 100 }, "did not end within 0.1 s"],
    ["sleep 60", { ...options, signal: AbortSignal.abort() }, "did not end within the run's deadline"],
    ["no-such-program-here", options, /^ended with exit code 127; its last words: .*not found/],
  ] as const)("%s", async ([command, given, expected]) => {
    const { failure } = await runCommand(command, given);
    if (expected instanceof RegExp) expect(failure).toMatch(expected);
    else expect(failure).toBe(expected);
  });
});

describe.concurrent("what cannot be started is a failure, never an exception", () => {
  test.for([
    ["an environment that is too large", "true", { BIG: "x".repeat(3_000_000) }, /^could not be started: .* too large/],
    ["NUL in the environment", "true", { NUL: "a\0b" }, /^could not be started \(/],
    ["NUL in the command", "true\0", {}, /^could not be started \(/],
  ] as const)("%s", async ([, command, env, expected]) => {
    const result = await runCommand(command, { ...options, env: { ...PATH, ...env } });
    expect(result).toEqual({ stdout: "", failure: expect.stringMatching(expected) });
  });
});

describe.concurrent("output", () => {
  test("in floods is cut and holds nobody up; of stderr the end is kept", async () => {
    const flood = "head -c 200000000 /dev/zero | tr '\\0' 'y'";
    const { stdout, failure } = await runCommand(`${flood}; ${flood} >&2; echo >&2; echo last >&2; exit 1`, options);
    expect(stdout).toHaveLength(64 * 1024);
    expect(failure).toBe("ended with exit code 1; its last words: last");
  });

  test("held by a background child delays nothing", async () => {
    const start = performance.now();
    expect(await runCommand("echo done; sleep 30 &", options)).toEqual({ stdout: "done\n", failure: undefined });
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

test("nothing is left listening for signals", async () => {
  const listeners = () => process.eventNames().map((name) => [name, process.listenerCount(name as "exit")]);
  const before = listeners();
  await Promise.all([runCommand("exit 1", options), runCommand("true\0", options)]);
  expect(listeners()).toEqual(before);
});

test("what a command leaves in the background ends with it", async () => {
  const pidFile = join(makeScratch(), "pid");
  const result = await runCommand(`sleep 300 >&- 2>&- & echo $! > '${pidFile}'`, options);
  expect(result).toEqual({ stdout: "", failure: undefined });
  await vi.waitFor(() => expect(isAlive(Number(readFileSync(pidFile, "utf8")))).toBe(false), 5000);
});

test("a command that is stopped takes what it started along", async () => {
  const pidFile = join(makeScratch(), "pid");
  const running = new AbortController();
  const result = runCommand(`sleep 300 & echo $! > '${pidFile}'; wait`, { ...options, signal: running.signal });
  await vi.waitFor(() => expect(existsSync(pidFile) && readFileSync(pidFile, "utf8")).toMatch(/\n/));
  running.abort();
  expect((await result).failure).toBe("did not end within the run's deadline");
  await vi.waitFor(() => expect(isAlive(Number(readFileSync(pidFile, "utf8")))).toBe(false), 5000);
});
