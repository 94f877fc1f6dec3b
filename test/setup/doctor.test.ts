import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { Home } from "../support/home";
import type { MailServerOptions } from "../support/mail-server";
import type { RunOptions } from "../support/run-ipcheck";
import * as bench from "./workbench";
import { ADDRESS, envFileOf, makeHome, startEcho, startMail, startProvider, USER } from "./workbench";

vi.setConfig({ maxConcurrency: 3 });

const PASSWORD = "hunter #22";
const FULL_DISK = join(__dirname, "full-disk.cjs");

/** A healthy home, configured by an env file; `options` say how the run is started. */
async function makeHealthy(login?: MailServerOptions["login"], ...services: { url: string }[]) {
  const mail = await startProvider(PASSWORD, login && { login });
  const home = await makeHome(...services);
  configure(home, mail);
  const options: Omit<RunOptions, "args"> = {};
  return { home, mail, options };
}

type Bench = Awaited<ReturnType<typeof makeHealthy>>;

function configure(home: Home, { port }: { port: number }, changes: Record<string, string> = {}): void {
  const values = {
    IPCHECK_TO: "owner@example.net",
    IPCHECK_SMTP_HOST: "localhost",
    IPCHECK_SMTP_PORT: String(port),
    IPCHECK_SMTP_USER: USER,
    IPCHECK_SMTP_PASSWORD: `'${PASSWORD}'`,
    ...changes,
  };
  const lines = Object.entries(values).map(([name, value]) => `${name}=${value}`);
  bench.writePrivate(envFileOf(home), `${lines.join("\n")}\n`);
}

function writeState(home: Home, text: string): void {
  mkdirSync(dirname(home.stateFile), { recursive: true, mode: 0o700 });
  writeFileSync(home.stateFile, text, { mode: 0o600 });
}

const day = (offset: number) => new Date(Date.now() + offset * 86_400_000);

interface Fault {
  make: () => Promise<Bench>;
  exitCode: number;
  said: RegExp;
  hint: RegExp;
}

const spoilt = (spoil: (bench: Bench) => unknown) => async () => {
  const healthy = await makeHealthy();
  await spoil(healthy);
  return healthy;
};

const FAULTS: Record<string, Fault> = {
  "a wrong password": {
    make: () => makeHealthy({ user: USER, password: "another" }),
    exitCode: 5,
    said: /ERROR.*mail server: localhost:\d+ refused the login: .*5\.7\.8/,
    hint: /IPCHECK_SMTP_USER and the password.*app password/,
  },
  "a mail server that is not there": {
    make: spoilt(({ home, mail }) => configure(home, mail, { IPCHECK_SMTP_HOST: "smtp.home.invalid" })),
    exitCode: 5,
    said: /ERROR.*smtp\.home\.invalid has no address/,
    hint: /typing error in IPCHECK_SMTP_HOST/,
  },
  "a heartbeat that is not heard": {
    make: spoilt(async ({ home, mail }) => {
      const monitor = await startEcho((_request, response) => response.writeHead(404).end());
      configure(home, mail, { IPCHECK_HEARTBEAT_URL: `${monitor.url}s3cret-token` });
    }),
    exitCode: 0,
    said: /warning.*heartbeat: not heard: 127\.0\.0\.1:\d+ does not know this URL \(404\)\n[\s\S]*skipped.*alarm: it needs a heartbeat that is heard/,
    hint: /IPCHECK_HEARTBEAT_URL.*\bthe way to it/,
  },
  "a state folder that cannot be made": {
    make: spoilt(({ home, mail }) => configure(home, mail, { IPCHECK_STATE_FILE: "/proc/ipcheck/state.json" })),
    exitCode: 4,
    said: /ERROR.*state folder: .*\/proc\/ipcheck\/state\.json/,
    hint: /a change could not be recorded|owner and mode/,
  },
  "a password command that fails": {
    make: spoilt(({ home, mail }) => {
      const command = "'printf hunt; echo er22; echo no store >&2; exit 3'";
      configure(home, mail, { IPCHECK_SMTP_PASSWORD: "", IPCHECK_SMTP_PASSWORD_COMMAND: command });
    }),
    exitCode: 5,
    said: /ERROR.*password: the password command ended with exit code 3; its last words: no store\n/,
    hint: /run it by hand.*IPCHECK_SMTP_PASSWORD_COMMAND/,
  },
  "a recipient who was refused": {
    make: spoilt(async ({ home, mail }) => {
      mail.refusals.set("owner@example.net", [550, "5.1.1 no such user"]);
      expect(await home.run()).toMatchObject({ exitCode: 5 });
    }),
    exitCode: 5,
    said: /ERROR.*outbox: owner@example\.net has not been told after 1 failed try: .*no such user/,
    hint: /IPCHECK_TO/,
  },
  "an env file that others can read": {
    make: spoilt(({ home }) => chmodSync(envFileOf(home), 0o644)),
    exitCode: 0,
    said: /warning.*permissions: .*holds a secret and can be read by other users/,
    hint: /run chmod 600 .*\.env/,
  },
  "several faults in the configuration": {
    make: spoilt(({ home, mail }) => configure(home, mail, { IPCHECK_FAMILY: "5", IPCHECK_TOO: "x" })),
    exitCode: 2,
    said: /ERROR.*configuration: (.*IPCHECK_TOO[\s\S]*ERROR.*IPCHECK_FAMILY|.*IPCHECK_FAMILY[\s\S]*ERROR.*IPCHECK_TOO)/,
    hint: /\(env file \S*\.env\)\n +hint: correct it there; .*\.env\.example/,
  },
  "a password file that is not there": {
    make: spoilt(({ home, mail }) =>
      configure(home, mail, { IPCHECK_SMTP_PASSWORD: "", IPCHECK_SMTP_PASSWORD_FILE: "/nope/password" }),
    ),
    exitCode: 2,
    said: /ERROR.*IPCHECK_SMTP_PASSWORD_FILE: \/nope\/password/,
    hint: /correct it there/,
  },
  "a full disk": {
    make: spoilt(({ home, options }) => {
      mkdirSync(dirname(home.stateFile), { recursive: true });
      options.preload = [FULL_DISK];
    }),
    exitCode: 4,
    said: /ERROR.*state folder: the disk under .* is full \(ENOSPC\)/,
    hint: /make room/,
  },
  "a state folder that leads nowhere": {
    make: spoilt(({ home }) => {
      mkdirSync(dirname(dirname(home.stateFile)), { recursive: true });
      symlinkSync(basename(dirname(home.stateFile)), dirname(home.stateFile));
    }),
    exitCode: 4,
    said: /ERROR.*state folder: nothing can be written beside .* \(ELOOP\)/,
    hint: /look at the folder's owner and mode/,
  },
  "a state that cannot be read": {
    make: spoilt(({ home }) => writeState(home, '{"version":1,"fam')),
    exitCode: 4,
    said: /ERROR.*state: .* cannot be read as a state/,
    hint: /kept aside|keeps it aside/,
  },
  "a last look long ago": {
    make: spoilt(async ({ home }) => {
      await home.run();
      utimesSync(home.stateFile, day(-1), day(-1));
    }),
    exitCode: 0,
    said: /warning.*last good look: 24 hours ago|warning.*last good look: 1 day ago/,
    hint: /ipcheck schedule show/,
  },
  "a clock in 1970": {
    make: spoilt(async ({ home, options }) => {
      await home.run();
      options.now = "1970-01-01T00:05:00Z";
    }),
    exitCode: 3,
    said: /ERROR.*clock: says 1970-01-01 00:05, \d+ .* behind of the services[\s\S]*\nskipped {2}last good look: it needs a clock/,
    hint: /wait for NTP/,
  },
  // As many as the panel has for both families: Node.js warns of more than ten that wait for one signal.
  "a captive portal": {
    make: async () => {
      const page = "<!doctype html><title>Welcome to the hotel</title>";
      return makeHealthy(undefined, ...(await Promise.all(Array.from({ length: 11 }, () => startEcho(page)))));
    },
    exitCode: 3,
    said: /ERROR.*agreement: .*captive portal/,
    hint: /browser/,
  },
  "one service down": {
    make: async () => {
      const dead = await startEcho();
      await dead.close();
      return makeHealthy(undefined, dead, await startEcho(), await startEcho());
    },
    exitCode: 0,
    said: /warning.*echo service: 127\.0\.0\.1:\d+ refused the connection[\s\S]*ok.*agreement: 2 of 3 say 203\.0\.113\.7/,
    hint: /schedule install/,
  },
  "two services that contradict each other": {
    make: async () => makeHealthy(undefined, await startEcho(), await startEcho("203.0.113.8")),
    exitCode: 3,
    said: /ok.*answered 203\.0\.113\.[78][\s\S]*ok.*answered 203\.0\.113\.[78][\s\S]*ERROR.*agreement: .*contradict each other/,
    hint: /proxy|VPN/,
  },
  "a node that has moved": {
    make: spoilt(async ({ home }) => {
      await home.run(["schedule", "install", "--cron"]);
      home.crontab.table = home.crontab.table?.replaceAll(/ \/\S+ (?=\S*ipcheck\.js)/g, " /gone/bin/node ");
    }),
    exitCode: 2,
    said: /ERROR.*schedule: the crontab runs \/gone\/bin\/node, which does not exist/,
    hint: /'ipcheck schedule install' writes the new paths/,
  },
};

bench.startCronDaemon();

describe.concurrent("doctor names the fault and the cure, and touches nothing", () => {
  test.for(Object.entries(FAULTS))("%s", async ([, { make, exitCode, said, hint }]) => {
    const { home, mail, options } = await make();
    const [before, arrived] = [bench.listTree(home.path), mail.arrived.length];
    const run = await home.run(["doctor"], options);
    expect(run).toMatchObject({ exitCode, stderr: "" });
    expect(run.stdout).toMatch(said);
    expect(run.stdout).toMatch(hint);
    expect(run.stdout).not.toMatch(/hunter/);
    // The fake crontab keeps a log of its own.
    const withoutLog = (tree: string[]) => tree.filter((line) => !line.includes("/table.calls "));
    expect(withoutLog(bench.listTree(home.path))).toEqual(withoutLog(before));
    expect(mail.arrived).toHaveLength(arrived);
  });

  test.for([
    ["4 before 5 and 3", 4, { IPCHECK_SMTP_PASSWORD: "wrong" }, true],
    ["5 before 3", 5, { IPCHECK_SMTP_PASSWORD: "wrong" }, false],
  ] as const)("of several faults the gravest decides: %s", async ([, exitCode, changes, isBroken]) => {
    const { home, mail } = await makeHealthy(undefined, await startEcho(), await startEcho("203.0.113.8"));
    configure(home, mail, changes);
    if (isBroken) writeState(home, "{");
    const { exitCode: found, stdout } = await home.run(["doctor", "--json"]);
    expect(found).toBe(exitCode);
    expect(JSON.parse(stdout)).toMatchObject({ exitCode });
  });

  test("all is well: exit 0, only the schedule is missing; with it nothing is", async () => {
    const { home, mail } = await makeHealthy();
    home.env["IPCHECK_HEARTBEAT_URL"] = (await startEcho("OK")).url;
    const first = await home.run(["doctor"]);
    expect(first).toMatchObject({ exitCode: 0, stderr: "" });
    expect(first.stdout.match(/^(warning|ERROR) .*$/gm)).toEqual(["warning  schedule: none is installed"]);
    for (const fact of [envFileOf(home), "IPCHECK_SMTP_PASSWORD=(not shown)", ADDRESS, "TLSv1.3", "is accepted"]) {
      expect(first.stdout).toContain(fact);
    }
    // No state yet, and none is made by looking.
    expect(home.readState()).toBeUndefined();
    expect(mail.logins).toEqual([{ user: USER, password: PASSWORD }]);
    await home.run(["schedule", "install", "--cron"]);
    await home.run();
    const second = await home.run(["doctor", "--json"]);
    expect(second).toMatchObject({ exitCode: 0, stderr: "" });
    const { exitCode, checks } = JSON.parse(second.stdout);
    expect(exitCode).toBe(0);
    expect(checks.filter(({ status }: { status: string }) => status !== "ok")).toEqual([]);
    expect(checks.length).toBeGreaterThan(10);
  });

  test("the root cause comes first, and what depends on it is skipped", async () => {
    const { home, mail } = await makeHealthy();
    configure(home, mail, { IPCHECK_SMTP_HOST: "smtp.example.net" });
    const env = {
      IPCHECK_SERVICES: "https://a.example.net/,https://b.example.net/",
      IPCHECK_HEARTBEAT_URL: "https://hc.example.net/token",
      FAKE_NAMES: JSON.stringify(Object.fromEntries(["a", "b"].map((name) => [`${name}.example.net`, ["192.0.2.1"]]))),
      FAIL_CONNECT_CODE: "ENETUNREACH",
    };
    const preload = ["fake-names", "failing-connect"].map((name) => join(__dirname, "..", "support", `${name}.cjs`));
    const run = await home.run(["doctor", "--send", "--json"], { env, preload });
    expect(run).toMatchObject({ exitCode: 3, stderr: "" });
    const checks: { title: string; status: string; hint?: string }[] = JSON.parse(run.stdout).checks;
    expect(checks.filter(({ status }) => status === "error").map(({ title }) => title)).toEqual(["network"]);
    const skipped = checks.filter(({ status }) => status === "skipped");
    expect(skipped.map(({ title }) => title)).toEqual(["echo services", "mail server", "test mail", "heartbeat"]);
    expect(skipped[1]?.hint).toMatch(/^'openssl s_client -connect smtp\.example\.net:\d+ -starttls smtp'/);
    expect(checks.indexOf(skipped[0] as never)).toBeGreaterThan(checks.findIndex(({ title }) => title === "network"));
  });

  test("nobody is told that a run would send the test mail again", async () => {
    const { home, mail } = await makeHealthy();
    mail.refusals.set("owner@example.net", [450, "4.2.0 greylisted"]);
    const { stdout } = await home.run(["doctor", "--send"]);
    expect(stdout).toMatch(
      /test mail: .*greylisted\n +hint: send the test again a little later \(greylisting does that\)\n/,
    );
  });

  test("a test mail is not tried where the login fails, and what is owed waits for it", async () => {
    const { home, mail } = await makeHealthy({ user: USER, password: "another" });
    await home.run();
    const { exitCode, stdout } = await home.run(["doctor", "--send"]);
    expect(exitCode).toBe(5);
    expect(stdout.match(/^(ERROR|skipped) +[^:]+/gm)).toEqual([
      "ERROR    mail server",
      "skipped  test mail",
      "skipped  outbox",
    ]);
    expect(mail.arrived).toEqual([]);
  });

  test("a timer that is not active is found out", async () => {
    const { home } = await makeHealthy();
    const systemctl = bench.writeScript(join(home.path, "bin"), "systemctl", '[ "$2" != is-active ] || exit 3');
    await home.run(["schedule", "install", "--systemd"]);
    const run = await home.run(["doctor"]);
    expect(run.stdout).toMatch(
      /warning {2}schedule: the timer is not active, so nothing is run by the systemd --user\n +hint: 'systemctl --user enable --now/,
    );
    writeFileSync(systemctl, "#!/bin/sh\nexit 0\n");
    expect((await home.run(["doctor"])).stdout).toMatch(/ok {7}schedule: systemd --user runs/);
  });

  test("--send sends one mail, marked as a test, and writes no state", async () => {
    const { home, mail } = await makeHealthy();
    const run = await home.run(["doctor", "--send"]);
    expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/ok {7}test mail: .*owner@example\.net/) });
    expect(mail.arrived.map(({ mail: { subject, text } }) => [subject, text])).toEqual([
      [expect.stringMatching(/test/i), expect.stringMatching(/test[\s\S]*203\.0\.113\.7/i)],
    ]);
    expect(bench.listTree(dirname(home.stateFile))).toEqual([]);
    mail.refusals.set("owner@example.net", [550, "5.1.1 no such user"]);
    const refused = await home.run(["doctor", "--send", "--json"]);
    expect(refused).toMatchObject({ exitCode: 5, stdout: expect.stringMatching(/no such user/) });
    expect(bench.listTree(dirname(home.stateFile))).toEqual([]);
  });

  test("nobody to tell is a warning, and with --send an error", async () => {
    const home = await makeHome();
    const run = await home.run(["doctor"]);
    expect(run).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/recipients: nobody is mailed\n.*IPCHECK_TO/),
    });
    expect(await home.run(["doctor", "--send"])).toMatchObject({ exitCode: 2 });
  });

  test("a certificate not yet valid by the clock is the clock's fault", async () => {
    const tls = await bench.issue({ notBefore: day(1), notAfter: day(2) });
    const mail = await startMail({ security: "starttls", certificate: tls, login: { user: USER, password: PASSWORD } });
    const home = await makeHome();
    configure(home, mail);
    const run = await home.run(["doctor"]);
    expect(run).toMatchObject({ exitCode: 5, stdout: expect.stringMatching(/not valid yet by this clock\n.*NTP/) });
  });
});
