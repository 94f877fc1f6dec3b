import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(__dirname, "..", "..");

// The binaries come from the npm registry; without it the versions cannot be had.
test.for(["22", "24", "26"])("the story runs on Node.js %s", { timeout: 240_000 }, (version, { skip }) => {
  if (process.env["IPCHECK_TEST_NODE"] !== undefined) return skip("this is such a run");
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(__dirname, "run.cjs"), version], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, MATRIX_SUITES: "story,modules" },
  });
  if (/no node-\S+ in/.test(stderr)) return skip(`no binary of Node.js ${version} to be had here`);
  expect(`${status}\n${status === 0 ? "" : stdout + stderr}`).toBe("0\n");
  expect(stdout).toContain(`=== Node.js v${version}.`);
});
