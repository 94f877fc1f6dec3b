// Nothing outlives a run: neither what a library left open, nor a look-up, nor a child.
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { ADDRESS, authority, issue, SILENCE, startEcho } from "../setup/workbench";
import { Home } from "../support/home";
import { isAlive } from "../support/processes";

const ENDING = [join(__dirname, "..", "support", "ending.cjs")];
const NAMES = [join(__dirname, "..", "support", "fake-names.cjs")];

/** A home that asks so many services. */
async function makeHome(services = 1) {
  return new Home().useServices(...(await Promise.all(Array.from({ length: services }, () => startEcho()))));
}

describe.concurrent("the process ends", () => {
  test("when its work ends, although something holds the event loop", async () => {
    const home = await makeHome();
    const run = await home.run(["-v"], { env: { ENDING: "handle" }, preload: ENDING });
    expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(ADDRESS) });
    expect(run.ms).toBeLessThan(8000);
  });

  test("with all its output, however slowly that is read", async () => {
    const home = new Home();
    const through = (command: readonly string[]) => ["/bin/sh", "-c", '"$@" | (sleep 1; wc -c)', "sh", ...command];
    const counted = await home.run(["--help"], { through });
    const { stdout } = await home.run(["--help"]);
    expect(Number(counted.stdout)).toBe(Buffer.byteLength(stdout));
  });

  test("with 1 and a sentence when what it waits for never comes", async () => {
    const home = await makeHome();
    const run = await home.run([], { env: { ENDING: "never" }, preload: ENDING });
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toMatch(/^ipcheck: error: the run stopped in the middle.*\nipcheck: hint: .*\n$/);
  });

  test("with 1 and a sentence long after its deadline, where no other time-out helped", async () => {
    const home = await makeHome();
    const run = await home.run([], { env: { ENDING: "overrun", IPCHECK_DEADLINE: "1s" }, preload: ENDING });
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toMatch(/^ipcheck: error: .*IPCHECK_DEADLINE.*\nipcheck: hint: .*\n$/);
  });

  test("also where its last warning is never read: a lock held for ever would silence all that follow", async () => {
    const home = await makeHome();
    const preload = join(home.path, "unread.cjs");
    const unread = `const { setTimeout: real } = globalThis;
globalThis.setTimeout = (call, ms, ...args) => real(call, ms > 60_000 ? 3000 : ms, ...args);
Object.defineProperty(process, "stderr", { value: { on() {}, write: () => true } });`;
    writeFileSync(preload, unread);
    const env = { IPCHECK_DEADLINE: "10s", IPCHECK_HEARTBEAT_URL: "http://127.0.0.1:1/" };
    const run = await home.run([], { env, preload: [preload] });
    expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("IPCHECK_DEADLINE") });
  });

  test("before it begins, under a node that is too old, with one sentence", async () => {
    const run = await new Home().run([], { env: { ENDING: "old" }, preload: ENDING });
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toMatch(/^ipcheck: error: this is Node\.js 18\.19\.1, .* 20\.19 .*\nipcheck: hint: .*\n$/);
  });
});

describe.concurrent("a signal ends the run and the command it runs", () => {
  test.for(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR2", "SIGXCPU"] as const)(
    "%s",
    async (signal) => {
      const home = await makeHome(2);
      const pidFile = join(home.path, "pid");
      home.env["IPCHECK_ON_CHANGE"] = `sleep 300 & echo $! > '${pidFile}'; wait`;
      let child: ChildProcess | undefined;
      const run = home.run([], {
        onStart: (started) => {
          child = started;
        },
      });
      await vi.waitFor(() => expect(existsSync(pidFile) && readFileSync(pidFile, "utf8")).toMatch(/\n/), 15_000);
      child?.kill(signal);
      expect(await run).toMatchObject({ exitCode: null, signal });
      await vi.waitFor(() => expect(isAlive(Number(readFileSync(pidFile, "utf8")))).toBe(false), 5000);
      home.env["IPCHECK_ON_CHANGE"] = "true";
      expect(await home.run()).toMatchObject({ exitCode: 0, stderr: "" });
      expect(home.readState()).toMatchObject({ outbox: [], families: { 4: { recorded: { address: ADDRESS } } } });
    },
  );
});

describe.concurrent("a hook", () => {
  test("has 30 s of its own, whatever is left of the deadline", async () => {
    const home = await makeHome(2);
    home.env["IPCHECK_ON_CHANGE"] = `sleep 3; touch '${home.path}/done'`;
    expect(await home.run([], { env: { IPCHECK_DEADLINE: "2s" } })).toMatchObject({ exitCode: 0, stderr: "" });
    expect(existsSync(join(home.path, "done"))).toBe(true);
  });

  test("sees the environment as it was given to the run", async () => {
    const home = await makeHome(2);
    home.env["IPCHECK_ON_CHANGE"] = `env > '${home.path}/env'`;
    expect(await home.run()).toMatchObject({ exitCode: 0, stderr: "" });
    expect(readFileSync(join(home.path, "env"), "utf8")).not.toMatch(/RES_OPTIONS|UV_THREADPOOL_SIZE/);
  });
});

describe.concurrent("a name", () => {
  const named = ({ port }: { port: number }, name = "echo.test") => ({ url: `http://${name}:${port}/` });
  const run = async (names: object, slow: object, env: Record<string, string> = {}) => {
    const echo = await startEcho();
    const home = new Home().useServices(named(echo));
    const given = { FAKE_NAMES: JSON.stringify(names), SLOW_ADDRESSES: JSON.stringify(slow), ...env };
    return home.run(["-v"], { env: given, preload: NAMES });
  };

  test.for([
    ["the first address is dead", { "echo.test": ["127.0.0.9", "127.0.0.1"] }, { "127.0.0.9": 0 }],
    ["three are dead", { "echo.test": ["127.0.0.7", "127.0.0.8", "127.0.0.9", "127.0.0.1"] }, {}],
    ["the handshake takes a second", { "echo.test": ["127.0.0.1", "127.0.0.9"] }, { "127.0.0.1": 1000 }],
  ] as const)("of which %s is asked all the same", async ([, names, slow]) => {
    expect(await run(names, slow)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(ADDRESS) });
  });

  test("that is never answered ends with the time for looking, as a matter of DNS", async () => {
    const result = await run({ "echo.test": [] }, {}, { IPCHECK_DEADLINE: "2s" });
    expect(result).toMatchObject({ exitCode: 3, stderr: expect.stringMatching(/names cannot be resolved/) });
    expect(result.ms).toBeLessThan(6000);
  });
});

test("a mail server's name that is never answered is a matter of DNS, too", async () => {
  const home = (await makeHome()).useMail({ port: 25 });
  const env = { IPCHECK_SMTP_HOST: "mail.test", FAKE_NAMES: '{"mail.test":[]}', IPCHECK_DEADLINE: "2s" };
  const run = await home.run([], { env, preload: NAMES });
  expect(run).toMatchObject({
    exitCode: 5,
    stderr: expect.stringMatching(/mail\.test has no address .* or no DNS answers/),
  });
});

describe.concurrent("the heartbeat", () => {
  test.for([
    ["the IPv6 address is dead", { "::1": 0 }],
    ["there is no IPv6 route", {}],
    ["the handshake takes longer than Node allows an address", { "::1": 0, "127.0.0.1": 800 }],
  ] as const)("of a name with both families is heard although %s", async ([, slow]) => {
    const home = await makeHome();
    const monitor = await startEcho("OK");
    const env = {
      IPCHECK_HEARTBEAT_URL: `http://monitor.test:${monitor.port}/token`,
      FAKE_NAMES: JSON.stringify({ "monitor.test": ["::1", "::1", "::1", "::1", "127.0.0.1"] }),
      SLOW_ADDRESSES: JSON.stringify(slow),
    };
    expect(await home.run([], { env, preload: NAMES })).toMatchObject({ exitCode: 0, stderr: "" });
    expect(monitor.requests).toHaveLength(1);
    expect(monitor.requests[0]).toMatchObject({ host: `monitor.test:${monitor.port}`, "user-agent": "ipcheck/1.0.0" });
  });
});

test("certificates are checked whatever NODE_TLS_REJECT_UNAUTHORIZED says, and nothing is said of it", async () => {
  const home = new Home().useServices(await startEcho(ADDRESS, { tls: await issue() }));
  home.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
  const distrusted = await home.run();
  expect(distrusted).toMatchObject({ exitCode: 3, stderr: expect.stringMatching(/certificates are not trusted/) });
  expect(distrusted.stderr).not.toMatch(/NODE_TLS|Warning/);
  home.env["NODE_EXTRA_CA_CERTS"] = (await authority).caFile;
  expect((await home.run()).exitCode).toBe(0);
  expect(await home.run()).toMatchObject(SILENCE);
});
