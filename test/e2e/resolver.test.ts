// The system's own resolver, against name servers that are dead: in a network namespace of the test's own.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Home } from "../support/home";
import { IS_LONG, sample } from "../support/sample";

const NAMESERVER = join(__dirname, "..", "support", "nameserver.cjs");

/** Answers as three echo services. */
const ECHO = `require("node:http").createServer((_, r) => r.end("203.0.113.7")).listen(8080, "127.0.0.1")`;

const canUnshare = spawnSync("unshare", ["--net", "--mount", "ip", "link", "set", "lo", "up"]).status === 0;
const isGlibc = "glibcVersionRuntime" in (process.report.getReport() as { header: object }).header;
const skip = canUnshare && isGlibc ? undefined : "needs root, unshare, ip and glibc";
if (skip) console.warn(`the resolver is not tried against dead name servers: ${skip}`);

/** Runs `ipcheck -v` where these name servers are configured. */
async function run(servers: readonly string[], env: Record<string, string>) {
  const home = new Home().useServices({ url: "http://a.example.net:8080/" });
  const conf = join(home.path, "resolv.conf");
  writeFileSync(conf, `search a.test b.test\n${servers.map((server) => `nameserver ${server}\n`).join("")}`);
  const script = `
    mount --bind '${conf}' /etc/resolv.conf && ip link set lo up
    '${process.execPath}' '${NAMESERVER}' > '${home.path}/ready' & dns=$!
    '${process.execPath}' -e '${ECHO}' & echo=$!
    until grep -q ready '${home.path}/ready'; do sleep 0.1; done; sleep 0.3
    start=$(date +%s%3N)
    "$@"
    code=$?
    kill $dns $echo
    echo "ended after $(( $(date +%s%3N) - start )) ms"
    exit $code`;
  const through = (command: readonly string[]) => ["unshare", "--net", "--mount", "sh", "-c", script, "sh", ...command];
  const { stdout, stderr, exitCode } = await home.run(["-v"], { env, through });
  return { said: stdout + stderr, exitCode, ms: Number(/after (\d+) ms/.exec(stdout)?.[1]) };
}

describe.skipIf(skip).concurrent("name servers", () => {
  const lastAlone = ["2m 127.0.0.2 127.0.0.1", "2m 127.0.0.2 127.0.0.3 127.0.0.1", "10s 127.0.0.2 127.0.0.1"];
  test.for(sample(lastAlone, 1))("of which the last alone answers in time: %s", async (row) => {
    const [deadline = "", ...servers] = row.split(" ");
    // Less than one server takes by default: the look-up has a time of its own.
    const result = await run(servers, { IPCHECK_DEADLINE: deadline, IPCHECK_TIMEOUT: "1s" });
    expect(result).toMatchObject({ exitCode: 0, said: expect.stringContaining("203.0.113.7 is the public") });
    expect(result.ms).toBeLessThan(15_000);
  });

  const silent = ["127.0.0.2", "127.0.0.2 127.0.0.3 127.0.0.4"];
  test.for(sample(silent, 1))("that swallow every question hold no run past its deadline: %s", async (servers) => {
    const result = await run(servers.split(" "), { IPCHECK_DEADLINE: "10s" });
    expect(result).toMatchObject({ exitCode: 3, said: expect.stringContaining("names cannot be resolved") });
    expect(result.ms).toBeLessThan(11_000);
  });

  test.runIf(IS_LONG)("whose user wants more patience than the deadline has: the process ends", async () => {
    const env = { IPCHECK_DEADLINE: "5s", RES_OPTIONS: "timeout:25 attempts:2" };
    const { exitCode, ms, said } = await run(["127.0.0.2"], env);
    // Node.js before 22.15 cannot leave the look-up's thread behind and keep the exit code.
    if (exitCode !== 3) expect([exitCode, said]).toEqual([137, expect.stringContaining("look-up does not end")]);
    expect(ms).toBeLessThan(15_000);
  });
});
