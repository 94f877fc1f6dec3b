import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readCommand } from "../../src/schedule/cron";
import { makeScratch } from "../support/scratch";

const ROOT = join(__dirname, "..", "..");
const run = promisify(execFile);
const OFFLINE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT/;

/** What is packed, and why it could not be installed below `prefix`. */
async function install(): Promise<{ prefix: string; paths: string[]; failure: string }> {
  const prefix = makeScratch();
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];
  // Without the scripts: they would build 'dist' anew under the other tests.
  const pack = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", prefix], { cwd: ROOT });
  const [{ filename, files }] = JSON.parse(pack.stdout);
  const paths: string[] = files.map(({ path }: { path: string }) => path);
  const words = ["install", "--global", "--prefix", prefix, ...quiet, join(prefix, filename)];
  const failure = await run("npm", words, { cwd: prefix }).then(
    () => "",
    ({ stderr }) => String(stderr),
  );
  return { prefix, paths, failure };
}

const installation = install();
const OPTIONS = { timeout: 120_000 };

test("the package holds the program and nothing else", OPTIONS, async () => {
  const { paths } = await installation;
  for (const path of [
    "bin/ipcheck.js",
    "dist/main.js",
    "dist/dotenv.LICENSE",
    "dist/ipcheck.1",
    ".env.example",
    "LICENSE",
    "README.md",
  ]) {
    expect(paths).toContain(path);
  }
  expect(paths.filter((path) => /^(src|test|build|node_modules)\/|\.test\.|(^|\/)\.env$/.test(path))).toEqual([]);
});

test("the packed copy, installed for all users, works and schedules itself", OPTIONS, async ({ skip }) => {
  const { prefix, failure } = await installation;
  if (OFFLINE.test(failure)) return skip("the npm registry cannot be reached");
  expect(failure).toBe("");
  const env = { PATH: process.env["PATH"], HOME: prefix };
  const installed = (...args: string[]) => run(join(prefix, "bin", "ipcheck"), args, { env, cwd: "/" });
  const version = { stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: "" };
  expect(await installed("--version")).toEqual(version);
  expect((await installed("--help")).stdout).toContain("schedule");
  await expect(installed("check", "--nonsense")).rejects.toMatchObject({ code: 2 });

  const { stdout } = await installed("schedule", "install", "--cron", "--print");
  const [node = "", script = "", ...words] = readCommand(stdout);
  expect(script).toBe(realpathSync(join(prefix, "bin", "ipcheck")));
  expect(script.startsWith(join(realpathSync(prefix), "lib", "node_modules"))).toBe(true);
  expect(words[0]).toBe("check");
  expect(await run(node, [script, "--version"], { env: { HOME: prefix }, cwd: "/" })).toEqual(version);
});

// npm links manual pages only when "man" in package.json is an array.
test("the manual page is found by man", OPTIONS, async ({ skip }) => {
  const { prefix, failure } = await installation;
  if (OFFLINE.test(failure)) return skip("the npm registry cannot be reached");
  expect(existsSync(join(prefix, "share", "man", "man1", "ipcheck.1"))).toBe(true);
});
