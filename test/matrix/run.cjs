"use strict";
// npm run test:node 22 24 26: the spawned-program tests with the program running on each version.
// The binaries come as ordinary registry packages, one for each platform.
const { spawnSync } = require("node:child_process");
const { existsSync, mkdirSync, readdirSync } = require("node:fs");
const { join } = require("node:path");

const ROOT = join(__dirname, "..", "..");
const platform = process.platform === "win32" ? "win" : process.platform;
const binaryPackage = `node-${platform}-${process.arch}`;
const versions = process.argv.slice(2);
const suites = ["story", "modules", "usage", "families"];

function run(command, args, options = {}) {
  return spawnSync(command, args, { stdio: "inherit", cwd: ROOT, shell: process.platform === "win32", ...options });
}

function installNode(version) {
  const folder = join(ROOT, "build", "nodes", version);
  const binary = join(folder, "node_modules", binaryPackage, "bin", platform === "win" ? "node.exe" : "node");
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  const install = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder];
  const { status } = run("npm", [...install, `${binaryPackage}@${version}`], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0 || !existsSync(binary)) {
    throw new Error(
      `no ${binaryPackage}@${version} in ${folder}: ${existsSync(folder) ? readdirSync(folder) : "nothing"}`,
    );
  }
  return binary;
}

if (versions.length === 0) throw new Error("name the versions: npm run test:node 22 24 26");
const failed = versions.filter((version) => {
  const node = installNode(version);
  const { stdout } = spawnSync(node, ["--version"], { encoding: "utf8" });
  process.stdout.write(`\n=== Node.js ${stdout.trim()}\n`);
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  const { status } = run(process.execPath, [vitest, "run", "--config", "test/vitest.config.mts", ...suites], {
    env: { ...process.env, IPCHECK_TEST_NODE: node },
  });
  return status !== 0;
});
process.stdout.write(
  `\n${versions.length - failed.length} of ${versions.length} versions passed${failed.length > 0 ? `; failed: ${failed.join(", ")}` : ""}\n`,
);
process.exitCode = failed.length > 0 ? 1 : 0;
