// Neighbours on the same machine: what another user could have written decides nothing, and what somebody
// put in the way is neither waited for, nor moved, nor written to.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ADDRESS, envFileOf, SILENCE, startEcho, writePrivate } from "../setup/workbench";
import type { EchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import { runHere } from "../support/run-here";
import { runIpcheck } from "../support/run-ipcheck";

const isRoot = process.getuid?.() === 0;
const asRoot = test.skipIf(!isRoot);
/** Another user, who need not exist. */
const NEIGHBOUR = 4711;
let echoes: EchoServer[];
beforeAll(async () => {
  echoes = [await startEcho(), await startEcho()];
});

/** A home that has looked once. */
async function makeHome(start = runHere): Promise<Home> {
  const home = new Home(start).useServices(...echoes);
  expect(await home.run(["check"])).toMatchObject({ exitCode: 0, stderr: "" });
  expect(await home.run(["check"])).toMatchObject(SILENCE);
  return home;
}

/** Refused before anybody was asked, and with the cure. */
async function expectRefusal(
  home: Home,
  exitCode: number,
  fact: RegExp,
  cure: RegExp,
  args = ["check"],
): Promise<void> {
  const asked = echoes.map(({ requests }) => requests.length);
  const run = await home.run(args, { killAfterMs: 5000 });
  expect(run).toMatchObject({ exitCode, stdout: "" });
  expect(run.stderr).toMatch(fact);
  expect(run.stderr).toMatch(cure);
  expect(run.stderr).not.toMatch(/^\s+at /m);
  expect(echoes.map(({ requests }) => requests.length)).toEqual(asked);
}

describe("the state", () => {
  test.for([".", ".local", ".local/state", ".local/state/ipcheck"])(
    "below a folder that all can write: %s",
    async (folder) => {
      const home = await makeHome();
      const path = join(home.path, folder);
      chmodSync(path, 0o777);
      const before = home.fingerprint();
      for (const args of [["check"], ["check", "-n"], ["status"]])
        await expectRefusal(home, 4, /can be written by other users/, /hint: run chmod go-w/, args);
      expect((await home.run(["history"])).exitCode).toBe(4);
      expect(home.fingerprint()).toBe(before);
      chmodSync(path, 0o1777);
      expect(await home.run(["check"])).toMatchObject(SILENCE);
      // What umask 002 makes.
      chmodSync(path, 0o775);
      expect(await home.run(["check"])).toMatchObject(SILENCE);
    },
  );

  test("in a folder that is not there yet, below one that all can write: nothing is made", async () => {
    const home = new Home(runHere).useServices(...echoes);
    chmodSync(home.path, 0o777);
    await expectRefusal(home, 4, /can be written by other users/, /hint: run chmod go-w/);
    expect(readdirSync(home.path)).toEqual([]);
  });

  test("a file that all can write", async () => {
    const home = await makeHome();
    chmodSync(home.stateFile, 0o666);
    await expectRefusal(home, 4, /can be written by other users/, /hint: run chmod 600 \S*state\.json/);
  });

  test("the owner's own link into the owner's own folder is followed, and stays", async () => {
    const home = await makeHome();
    const elsewhere = join(home.path, "elsewhere");
    renameSync(dirname(home.stateFile), elsewhere);
    mkdirSync(dirname(home.stateFile));
    symlinkSync(join(elsewhere, "state.json"), home.stateFile);
    expect(await home.run(["check"])).toMatchObject(SILENCE);
    chmodSync(elsewhere, 0o777);
    await expectRefusal(
      home,
      4,
      /cannot use the state file .*: it lies in \S*elsewhere, which can be written by other users/,
      /hint: run chmod go-w/,
    );
    expect(home.listStateFolder()).toEqual(["state.json"]);
  });

  // Whoever pointed the link there: what is kept aside is the link.
  test("a link to what is no state: the link is moved aside, not the file", async () => {
    const home = await makeHome();
    const keys = join(home.path, "authorized_keys");
    writeFileSync(keys, "ssh-ed25519 AAAA\n", { mode: 0o644 });
    rmSync(home.stateFile);
    symlinkSync(keys, home.stateFile);
    const run = await home.run(["check"]);
    expect(run).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/^ipcheck: warning: [^\n]+\n$/) });
    expect([readFileSync(keys, "utf8"), statSync(keys).mode & 0o777]).toEqual(["ssh-ed25519 AAAA\n", 0o644]);
    expect(home.readState().families[4].recorded.address).toBe(ADDRESS);
    expect(await home.run(["check"])).toMatchObject(SILENCE);
  });

  test("two state files in one folder keep two histories", async () => {
    const home = new Home(runHere).useServices(...echoes);
    const folder = dirname(home.stateFile);
    const env = { IPCHECK_STATE_FILE: join(folder, "attic.json") };
    expect(await home.run(["check"])).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await home.run(["check"], { env })).toMatchObject({ exitCode: 0, stderr: "" });
    expect(home.listStateFolder()).toEqual(["attic.history.jsonl", "attic.json", "history.jsonl", "state.json"]);
    expect(JSON.parse((await home.run(["history", "--json"], { env })).stdout)).toHaveLength(1);
  });
});

// Where only one user is mapped (rootless containers, hardened units of a user), root seems to be 'nobody'.
asRoot("in a user namespace root's folders are still root's", async ({ skip }) => {
  const home = mkdtempSync(join(tmpdir(), "ipcheck-namespace-"));
  try {
    chownSync(home, NEIGHBOUR, NEIGHBOUR);
    const asUser = ["--reuid", "4711", "--regid", "4711", "--clear-groups", "unshare", "--user", "--map-user=4711"];
    const through = (command: readonly string[]) => ["setpriv", ...asUser, ...command];
    try {
      execFileSync("setpriv", [...asUser, "true"], { stdio: "pipe" });
    } catch {
      return skip("user namespaces are not to be had");
    }
    const { stdout } = await runIpcheck({ args: ["status"], env: { HOME: home }, through });
    expect(stdout).toContain("nothing is recorded yet");
  } finally {
    rmSync(home, { recursive: true });
  }
});

describe("the history", () => {
  function makeOwing() {
    const home = new Home(runHere).useServices(...echoes);
    mkdirSync(dirname(home.stateFile), { recursive: true, mode: 0o700 });
    return home;
  }

  asRoot("a link of another user is not written through", async () => {
    const home = makeOwing();
    const profile = join(home.path, ".profile");
    writeFileSync(profile, "# mine\n");
    chmodSync(dirname(home.historyFile), 0o1777);
    symlinkSync(profile, home.historyFile);
    lchownSync(home.historyFile, NEIGHBOUR, NEIGHBOUR);
    const run = await home.run(["check"]);
    // People are told all the same.
    expect(run).toMatchObject({ exitCode: 4, stdout: expect.stringContaining(ADDRESS) });
    expect(run.stderr).toMatch(/cannot append to \S*history\.jsonl: it .*belongs to another user/);
    expect(readFileSync(profile, "utf8")).toBe("# mine\n");
  });

  test.each<[what: string, spoil: (path: string) => void, said: RegExp]>([
    [
      "that all can write",
      (path) => {
        writeFileSync(path, "");
        chmodSync(path, 0o666);
      },
      /it can be written by other users\n.*chmod 600/,
    ],
    ["that is a folder", (path) => mkdirSync(path), /EISDIR/],
    ["that is a pipe", (path) => execFileSync("mkfifo", [path]), /is no regular file/],
  ])("a file %s is not appended to, and both doctor and a dry run know it", async (_, spoil, said) => {
    const home = makeOwing();
    spoil(home.historyFile);
    const [dry, doctor] = [await home.run(["check", "-n"]), await home.run(["doctor"])];
    const run = await home.run(["check"]);
    for (const { exitCode, stderr } of [dry, run]) {
      expect(exitCode).toBe(4);
      expect(stderr).toMatch(new RegExp(`cannot append to \\S*history\\.jsonl.*${said.source}`));
    }
    expect(dry.stdout).not.toContain("would append");
    expect(doctor.exitCode).toBe(4);
    expect(doctor.stdout).toMatch(/ERROR +history: cannot append to /);
    expect((await home.run(["history"])).exitCode).toBe(4);
  });
});

describe("the env file", () => {
  async function makeConfigured(start?: typeof runIpcheck) {
    const home = await makeHome(start);
    const file = writePrivate(envFileOf(home), "IPCHECK_NAME=attic\n");
    expect(await home.run(["check"])).toMatchObject(SILENCE);
    return { home, file };
  }

  test.for([".config", ".config/ipcheck"])("below a folder that all can write: %s", async (folder) => {
    const { home } = await makeConfigured();
    chmodSync(join(home.path, folder), 0o777);
    const cure = /run chmod go-w.*\n.*hint: whoever can write there/;
    await expectRefusal(home, 2, /lies in \S*, which can be written by other users/, cure);
    chmodSync(join(home.path, folder), 0o775);
    expect(await home.run(["check"])).toMatchObject(SILENCE);
  });

  test("that all can write", async () => {
    const { home, file } = await makeConfigured();
    chmodSync(file, 0o666);
    await expectRefusal(home, 2, /can be written by other users: run chmod 600 \S*\.env/, /hint: whoever can write/);
  });

  test("that may not be read", async () => {
    const { home } = await makeConfigured();
    const options = {
      preload: [join(__dirname, "..", "faults", "faults.cjs")],
      env: { FAULT_ONLY: "named", FAULT_AT: "1", FAULT_CODE: "EACCES", FAULT_STAYS: "1" },
    };
    const named = writePrivate(join(home.path, "named"), "IPCHECK_NAME=attic\n");
    for (const args of [["check"], ["init", "--yes", "--name", "cellar"]]) {
      const run = await home.run([...args, "--config", named], options);
      expect(run).toMatchObject({
        exitCode: 2,
        stderr: expect.stringMatching(/cannot (be )?read.*\n.*hint: 'ls -l' shows/),
      });
    }
  });

  asRoot("of another user, as root", async () => {
    const { home, file } = await makeConfigured();
    chownSync(file, NEIGHBOUR, NEIGHBOUR);
    const cure = /sudo -u '#4711'.*\n.*hint: whoever can write there/;
    await expectRefusal(home, 2, /belongs to another user \(4711\)/, cure);
  });

  const OBSTACLES: Record<string, (path: string) => void> = {
    "a pipe": (path) => execFileSync("mkfifo", [path]),
    "a folder": (path) => mkdirSync(path),
    "a device": (path) => symlinkSync("/dev/zero", path),
    "200,000 blank lines": (path) => writeFileSync(path, "\n".repeat(200_000), { mode: 0o600 }),
  };
  test.for(Object.entries(OBSTACLES))(
    "%s in its place, or in the password file's: refused at once",
    async ([, put]) => {
      // A process that can be killed: whoever opens the pipe waits for ever.
      const { home, file } = await makeConfigured(runIpcheck);
      rmSync(file);
      put(file);
      await expectRefusal(home, 2, /\.env is (a directory|no regular file|larger than 64 KiB)/, /hint: /);
      rmSync(file, { recursive: true });
      home.env["IPCHECK_SMTP_PASSWORD_FILE"] = join(home.path, "password");
      home.env["IPCHECK_SMTP_USER"] = "pi@example.net";
      put(join(home.path, "password"));
      await expectRefusal(home, 2, /password is (a directory|no regular file|larger than 4 KiB)/, /hint: /);
    },
  );
});

test("init: the backup is for its owner alone, a link stays, and an unsafe folder is refused", async () => {
  const home = new Home(runHere);
  const link = envFileOf(home);
  const real = writePrivate(join(home.path, "dotfiles.env"), "IPCHECK_NAME=old\n", 0o644);
  mkdirSync(dirname(link), { recursive: true, mode: 0o700 });
  symlinkSync(real, link);
  const args = ["init", "--yes", "--to", "me@example.net", "--user", "pi@example.net", "--password", "hunter22"];
  const rest = ["--smtp-host", "127.0.0.1", "--no-send", "--no-schedule"];
  expect(await home.run([...args, ...rest])).toMatchObject({ exitCode: 0 });
  const backups = readdirSync(home.path).filter((name) => name.startsWith("dotfiles.env.backup"));
  expect(backups.map((name) => statSync(join(home.path, name)).mode & 0o777)).toEqual([0o600]);
  expect(readFileSync(join(home.path, backups[0] ?? ""), "utf8")).toBe("IPCHECK_NAME=old\n");
  expect(readFileSync(real, "utf8")).toContain("me@example.net");
  expect(statSync(real).mode & 0o777).toBe(0o600);

  chmodSync(dirname(link), 0o777);
  const run = await home.run([...args, ...rest, "--config", join(dirname(link), "other.env")]);
  expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/cannot write .*hint: run chmod go-w/s) });
  expect(existsSync(join(dirname(link), "other.env"))).toBe(false);
});
