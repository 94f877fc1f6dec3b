import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { inspectLock, isOverdue, takeLock } from "../../src/state/lock";
import { makeScratch } from "../support/scratch";

const ROOT = join(__dirname, "..", "..");
const NODE = process.env["IPCHECK_TEST_NODE"] ?? process.execPath;
const BUNDLE = join(makeScratch(), "lock.cjs");
const HOLDER = join(ROOT, "test", "support", "lock-holder.cjs");
const UID = process.getuid?.() ?? 0;
const HOUR_MS = 3_600_000;

const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});

beforeAll(() => {
  const input = join(ROOT, "src", "state", "lock.ts");
  const rolldown = join(ROOT, "node_modules", ".bin", "rolldown");
  execFileSync(rolldown, [input, "--platform", "node", "--format", "cjs", "--file", BUNDLE], { stdio: "ignore" });
});

function makeStatePath(name = "state.json"): string {
  const folder = join(makeScratch(), "ipcheck");
  mkdirSync(folder, { mode: 0o700 });
  return join(folder, name);
}

/** What a process of its own says when it has tried to take the lock; it lives on. */
async function holdElsewhere(path: string, platform = "linux", ...rest: unknown[]) {
  const child = spawn(NODE, [HOLDER, BUNDLE, path, platform, ...(rest.length > 0 ? rest.map(String) : ["120000"])]);
  children.add(child);
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  child.once("close", () => child.stdout.emit("data", "{}\n"));
  while (!said.includes("\n")) await once(child.stdout, "data");
  return { child, said: JSON.parse(said) };
}

const lockedBy = (pid: number | undefined) =>
  expect.objectContaining({ code: "locked", message: expect.stringContaining(`(pid ${pid})`) });

const LINUX_ONLY = process.platform !== "linux";
const PLATFORMS = ["linux", "darwin"] as const;

describe.skipIf(process.platform === "win32").each(PLATFORMS)("as on %s", (platform) => {
  const take = (path: string, deadlineMs?: number) =>
    takeLock(path, { uid: UID, platform, ...(deadlineMs !== undefined && { deadlineMs }) });

  test("one holder at a time, and nothing is left of it", async () => {
    const path = makeStatePath();
    const first = await take(path);
    expect(first.problem).toBeUndefined();
    await expect(take(path)).rejects.toMatchObject({ code: "locked" });
    const other = await take(join(dirname(path), "other.json"));
    await other.release();
    await first.release();
    expect(readdirSync(dirname(path))).toEqual([]);
    const again = await take(path);
    await again.release();
  });

  test("a run of another process is named", async () => {
    const path = makeStatePath();
    const { child } = await holdElsewhere(path, platform);
    const expected = LINUX_ONLY ? expect.objectContaining({ code: "locked" }) : lockedBy(child.pid);
    await expect(take(path)).rejects.toEqual(expected);
    expect(await inspectLock(path, { uid: UID, platform })).toMatchObject({ run: { pid: child.pid } });
  });

  test("a killed holder and a killed contender hold nobody up, and are cleared away", async () => {
    const path = makeStatePath();
    const { child } = await holdElsewhere(path, platform);
    child.kill("SIGKILL");
    await once(child, "close");
    // On Linux only a run that met a stranger at the public name makes a folder.
    mkdirSync(`${path}.lock`, { recursive: true });
    if (platform !== "linux") mkdirSync(`${path}.lock.01234567`);
    expect(await inspectLock(path, { uid: UID, platform })).toEqual({});
    const lock = await take(path);
    expect(readdirSync(dirname(path))).toEqual(platform === "linux" ? [] : ["state.json.lock"]);
    await lock.release();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  // Asking a leftover socket, removing it and listening in its place let two runs in at once.
  test("many processes on the leftovers of dead ones: never two at once", { timeout: 60_000 }, async () => {
    const path = makeStatePath();
    const runs = await Promise.all([1, 2, 3, 4].map(() => holdElsewhere(path, platform, 120_000, 150)));
    for (const { said } of runs) expect(said).toMatchObject({ together: 0 });
    const alone = runs.reduce((sum, { said }) => sum + said.alone, 0);
    expect(alone).toBeGreaterThan(20);
    await (await take(path)).release();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test("a run that holds it for longer than its deadline allows is named with what to do", async () => {
    const path = makeStatePath();
    const { child } = await holdElsewhere(path, platform);
    if (LINUX_ONLY) return;
    await expect(take(path, -HOUR_MS)).rejects.toMatchObject({
      code: "locked",
      message: expect.stringMatching(`^a run with pid ${child.pid} has held the lock for \\d+ seconds?, longer than`),
      hint: expect.stringContaining(`kill -9 ${child.pid}`),
    });
  });

  test("a folder that nothing can be written to stops no run", async () => {
    const lock = await take("/proc/ipcheck/state.json");
    if (platform === "linux") await expect(take("/proc/ipcheck/state.json")).rejects.toMatchObject({ code: "locked" });
    await lock.release();
  });
});

test.each(PLATFORMS)("a folder that cannot even be looked at stops no run, as on %s", async (platform) => {
  const folder = join(makeScratch(), "loop");
  symlinkSync("loop", folder);
  const path = join(folder, "state.json");
  expect(await inspectLock(path, { uid: UID, platform })).toEqual({});
  await (await takeLock(path, { uid: UID, platform })).release();
});

// The state may lie in a folder such as /tmp, where anybody can make the lock's folder.
test.skipIf(UID !== 0).each(PLATFORMS)("a lock's folder of another user stops no run, as on %s", async (platform) => {
  const path = makeStatePath();
  const server = createServer();
  mkdirSync(`${path}.lock`);
  await new Promise<void>((resolve) => server.listen(join(`${path}.lock`, "a"), resolve));
  chownSync(`${path}.lock`, 65534, 65534);
  const problem = expect.stringMatching(/state\.json\.lock belongs to another user \(uid 65534\)/);
  const cure = expect.stringMatching(/^'sudo rm -r .*state\.json\.lock' removes it$/);
  expect(await inspectLock(path, { uid: UID, platform })).toEqual({ problem, cure });
  const lock = await takeLock(path, { uid: UID, platform });
  expect(lock.problem).toEqual(problem);
  await lock.release();
  await new Promise((resolve) => server.close(resolve));
});

test("a path that is too long for a socket's address works on Linux and is an error elsewhere", async () => {
  const path = join(makeStatePath(), "..", "x".repeat(150));
  await expect(takeLock(path, { uid: UID, platform: "darwin" })).rejects.toMatchObject({
    code: "state",
    hint: expect.stringContaining("IPCHECK_STATE_FILE"),
  });
  if (LINUX_ONLY) return;
  const lock = await takeLock(path, { uid: UID });
  await expect(takeLock(path, { uid: UID })).rejects.toMatchObject({ code: "locked" });
  expect(await inspectLock(path, { uid: UID })).toMatchObject({ run: {} });
  await lock.release();
  const { child } = await holdElsewhere(path);
  child.kill("SIGKILL");
  await once(child, "close");
  await (await takeLock(path, { uid: UID })).release();
  expect(readdirSync(dirname(path))).toEqual([]);
});

test.for([
  [undefined, 120_000, false],
  [299_000, 120_000, false],
  [301_000, 120_000, true],
  [301_000, HOUR_MS, false],
] as const)("held for %s ms with a deadline of %d ms: overdue %s", ([elapsedMs, deadlineMs, expected]) => {
  expect(isOverdue({ elapsedMs }, deadlineMs)).toBe(expected);
});

describe.skipIf(LINUX_ONLY)("the public name", () => {
  const nameOf = (path: string) => `ipcheck-${UID}-${createHash("sha256").update(path).digest("hex").slice(0, 20)}`;

  // Node.js 20 fills the address up with zeros by itself, 22 and later do not: their runs did not see each other.
  test("has the same bytes on every version of Node.js", async () => {
    const path = makeStatePath();
    await holdElsewhere(path);
    const bound = readFileSync("/proc/net/unix", "latin1").match(new RegExp(`@${nameOf(path)}\\S*`, "g"));
    expect(bound).toEqual([`@${nameOf(path)}`.padEnd(108, "@")]);
  });

  // Version 1.0.0 holds nothing else.
  test("held by a process of this user: a run of an older version, which is let finish", async () => {
    const path = makeStatePath();
    const name = await bind(path);
    await expect(takeLock(path, { uid: UID })).rejects.toEqual(lockedBy(name.pid));
    expect(readdirSync(dirname(path))).toEqual([]);
    expect(await inspectLock(path, { uid: UID })).toMatchObject({ run: { pid: name.pid } });
  });

  test("held by another user: the run goes on and says so, and still no two runs at once", async ({ skip }) => {
    if (UID !== 0) return skip("only root can act as another user");
    const path = makeStatePath();
    const stranger = await bind(path, ["setpriv", "--reuid=65534", "--clear-groups"]);
    const named = expect.stringMatching(`^process ${stranger.pid} of another user \\(uid 65534\\) holds .*@ipcheck-0-`);
    const cure = "ask whoever runs that process to end it";
    expect(await inspectLock(path, { uid: UID })).toEqual({ problem: named, cure });
    const lock = await takeLock(path, { uid: UID });
    expect(lock.problem).toEqual(named);
    await expect(takeLock(path, { uid: UID })).rejects.toMatchObject({ code: "locked" });
    // Not even when the stranger has gone meanwhile.
    stranger.kill("SIGKILL");
    await once(stranger, "close");
    await expect(takeLock(path, { uid: UID })).rejects.toMatchObject({ code: "locked" });
    await lock.release();
  });

  test("held by another user who has made the folder, too: the run goes on and names both", async ({ skip }) => {
    if (UID !== 0) return skip("only root can act as another user");
    const path = makeStatePath();
    mkdirSync(`${path}.lock`);
    mkdirSync(join(`${path}.lock`, "a"));
    chownSync(`${path}.lock`, 65534, 65534);
    await bind(path, ["setpriv", "--reuid=65534", "--clear-groups"]);
    const lock = await takeLock(path, { uid: UID });
    expect(lock.problem).toMatch(/^process \d+ of another user .*; \S+\.lock belongs to another user \(uid 65534\)/);
    await lock.release();
  });

  test("a stranger's socket file of the same wording hides no run of this user", async ({ skip }) => {
    if (UID !== 0) return skip("only root can act as another user");
    const path = makeStatePath();
    // /proc/net/unix shows the zeros of an abstract name as @, and a path as it is.
    const bindPath = `
import ctypes, os, socket, sys, time
os.chdir(sys.argv[1]); os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
assert ctypes.CDLL(None).bind(s.fileno(), b"\\1\\0" + sys.argv[2].encode().ljust(108, b"@"), 110) == 0
s.listen(); print(1, flush=True); time.sleep(60)`;
    const folder = makeScratch();
    chmodSync(folder, 0o777);
    chmodSync(dirname(folder), 0o755);
    const stranger = spawn("python3", ["-c", bindPath, folder, `@${nameOf(path)}`]);
    children.add(stranger);
    await once(stranger.stdout, "data");
    const { child } = await holdElsewhere(path);
    await expect(takeLock(path, { uid: UID })).rejects.toEqual(lockedBy(child.pid));
    expect(await inspectLock(path, { uid: UID })).toMatchObject({ run: { pid: child.pid } });
  });

  /** A process that holds the name of the lock of `path`, and nothing in the state folder. */
  async function bind(path: string, prefix: string[] = []): Promise<ChildProcess> {
    const name = `\0${nameOf(path)}`.padEnd(108, "\0");
    const script = `net.createServer().listen(${JSON.stringify(name)}, () => console.log(1))`;
    const [program = "", ...args] = [...prefix, process.execPath, "-e", script];
    const child = spawn(program, args, { cwd: "/" });
    children.add(child);
    await once(child.stdout, "data");
    return child;
  }
});
