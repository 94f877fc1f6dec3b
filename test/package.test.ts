import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { VARIABLE_NAMES, variable } from "../src/config/variables";
import { PANEL } from "../src/lookup/services";
import { LANGUAGES } from "../src/notify/message/languages";
import { readCommand } from "../src/schedule/cron";
import { ADDRESS, makeHome, startProvider, USER } from "./setup/workbench";
import type { Home } from "./support/home";
import { makeScratch } from "./support/scratch";

const ROOT = join(__dirname, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const { dependencies, version } = JSON.parse(read("package.json"));
const lock = JSON.parse(read("package-lock.json"));
/** The runtime packages by their folders. */
const runtime = Object.entries<{ version: string; dev?: boolean; hasInstallScript?: boolean }>(lock.packages).filter(
  ([path, { dev }]) => path !== "" && !dev,
);

describe("the release", () => {
  const folder = makeScratch();
  const archive = join(folder, `ipcheck-${version}.tgz`);
  const run = promisify(execFile);
  const release = (to: string) => run(process.execPath, [join(ROOT, ".release.mjs"), to]);
  const ownVersion = { stdout: `${version}\n`, stderr: "" };
  /** The files and links below `path`. */
  const list = (path: string) =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(path, join(entry.parentPath, entry.name)))
      .sort();
  /** Unpacks it as a user does. */
  const unpack = (cwd: string) => run("tar", ["xzf", archive], { cwd });
  /** Runs a program in a home; whatever it fails with rejects. */
  function runIn({ path, env }: Home, [command = "", ...args]: readonly string[], input = "") {
    const ending = run(command, args, { env, cwd: path });
    ending.child.stdin?.end(input);
    return ending;
  }

  beforeAll(() => release(folder));

  test("is one small file with its SHA-256, and the same files give the same bytes", async () => {
    const name = `ipcheck-${version}.tgz`;
    const bytes = readFileSync(archive);
    expect(list(folder)).toEqual([name, `${name}.sha256`]);
    const digest = createHash("sha256").update(bytes).digest("hex");
    expect(readFileSync(`${archive}.sha256`, "utf8")).toBe(`${digest}  ${name}\n`);
    expect(bytes.length).toBeLessThan(1_500_000);
    const again = makeScratch();
    await release(again);
    expect(readFileSync(join(again, name)).equals(bytes)).toBe(true);
  });

  test("holds the program and its runtime packages with their licences, and nothing for developers", async () => {
    const home = makeScratch();
    await unpack(home);
    expect(readdirSync(home)).toEqual(["ipcheck"]);
    const unpacked = join(home, "ipcheck");
    const files = list(unpacked);
    const own = files.filter((path) => !path.startsWith("node_modules/"));
    expect(own.filter((path) => !path.startsWith("dist/"))).toEqual([
      ".env.example",
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "bin/ipcheck.js",
      "package.json",
    ]);
    expect(own).toEqual(expect.arrayContaining(["dist/dotenv.LICENSE", "dist/ipcheck.1", "dist/main.js"]));
    const published = JSON.parse(readFileSync(join(unpacked, "package.json"), "utf8"));
    expect(published).toMatchObject({ name: "ipcheck-mail", version, dependencies });
    // npm would run 'prepare' where somebody installs the unpacked folder.
    expect(published).not.toHaveProperty("scripts");
    expect(published).not.toHaveProperty("devDependencies");
    const packages = files.filter((path) => /^node_modules\/(@[^/]+\/)?[^/@]+\/package\.json$/.test(path));
    expect(packages.map((path) => path.replace("/package.json", ""))).toEqual(runtime.map(([path]) => path).sort());
    for (const [path, { version }] of runtime) {
      expect(JSON.parse(readFileSync(join(unpacked, path, "package.json"), "utf8")).version, path).toBe(version);
      expect(
        readdirSync(join(unpacked, path)).some((name) => /^licen[cs]e/i.test(name)),
        path,
      ).toBe(true);
    }
  });

  test("unpacked where nothing but node is on the PATH it is set up, checks and mails; removed, it leaves no file", async () => {
    const mail = await startProvider("hunter22");
    const home = await makeHome();
    const searchPath = home.env["PATH"] ?? "";
    const before = list(home.path);
    const tools = join(makeScratch(), "bin");
    mkdirSync(tools);
    symlinkSync(process.env["IPCHECK_TEST_NODE"] ?? process.execPath, join(tools, "node"));
    Object.assign(home.env, { PATH: tools, TMPDIR: home.path });
    await unpack(home.path);
    const link = join(home.path, "ipcheck-link");
    symlinkSync(join(home.path, "ipcheck", "bin", "ipcheck.js"), link);
    expect(await runIn(home, [link, "--version"])).toEqual(ownVersion);
    const ipcheck = (args: string[], input?: string) =>
      runIn(home, [join(tools, "node"), "ipcheck/bin/ipcheck.js", ...args], input);

    const server = ["--smtp-host", "localhost", "--smtp-port", String(mail.port)];
    const answers = ["--to", "owner@example.net", "--user", USER, ...server, "--password-stdin"];
    await ipcheck(["init", "--yes", ...answers, "--send"], "hunter22\n");
    expect(await ipcheck(["check"])).toEqual({ stdout: "", stderr: "" });
    expect(mail.arrived).toHaveLength(2);
    expect(mail.arrived[1]?.mail.text).toContain(ADDRESS);
    const [node, script, command] = readCommand((await ipcheck(["schedule", "install", "--cron", "--print"])).stdout);
    expect([node, script, command]).toEqual([
      realpathSync(join(tools, "node")),
      realpathSync(join(home.path, "ipcheck/bin/ipcheck.js")),
      "check",
    ]);

    home.env["PATH"] = searchPath;
    await ipcheck(["schedule", "install", "--cron", "--yes"]);
    expect(home.crontab.table).toContain("ipcheck.js check");
    await ipcheck(["schedule", "remove"]);
    expect(home.crontab.table).toBeUndefined();
    for (const path of [".config/ipcheck", ".local/state/ipcheck", "ipcheck", "ipcheck-link"]) {
      rmSync(join(home.path, path), { recursive: true });
    }
    expect(list(home.path).filter((path) => path !== "table.calls")).toEqual(before);
  });
});

test("a node that is too old for the build is told so in one sentence", () => {
  const old = join(ROOT, "test", "support", "ending.cjs");
  const check = promisify(execFile)(process.execPath, ["--require", old, join(ROOT, ".node-version.cjs")], {
    env: { ENDING: "old" },
  });
  const stderr = "ipcheck: error: this is Node.js 18.19.1, and building ipcheck needs 20.19 or newer\n";
  return expect(check).rejects.toMatchObject({ code: 1, stdout: "", stderr });
});

test("publint finds nothing", () => {
  const output = execFileSync(process.execPath, [join(ROOT, "node_modules", "publint", "src", "cli.js"), "--strict"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(output).toContain("All good!");
});

test("the lock file fits the package, and names what to download by its digest and never by its address", () => {
  expect(lock.packages[""].dependencies).toEqual(dependencies);
  expect(lock.version).toBe(version);
  const downloaded = Object.entries<{ link?: boolean; integrity?: string; resolved?: string }>(lock.packages).filter(
    ([path, { link }]) => path !== "" && !link,
  );
  expect(downloaded.filter(([, { integrity }]) => !integrity?.startsWith("sha512-")).map(([path]) => path)).toEqual([]);
  expect(downloaded.filter(([, { resolved }]) => resolved).map(([path]) => path)).toEqual([]);
});

test("the runtime packages are the ones that have earned their place", () => {
  const names = runtime.map(([path]) => path.replace(/^node_modules\//, ""));
  expect(names.sort()).toMatchInlineSnapshot(`
    [
      "@clack/core",
      "@clack/prompts",
      "commander",
      "dotenv",
      "fast-string-truncated-width",
      "fast-string-width",
      "fast-wrap-ansi",
      "nodemailer",
      "sisteransi",
    ]
  `);
  expect(runtime.filter(([, { hasInstallScript }]) => hasInstallScript)).toEqual([]);
});

test("the changelog speaks of this version", () => {
  expect(read("CHANGELOG.md")).toContain(`## ${version}`);
});

test("every language is named in .env.example", () => {
  const named = read(".env.example").match(/^# Language of the mails: ([a-z, ]+)\./m)?.[1];
  expect(named?.split(", ")).toEqual(LANGUAGES);
});

test("the panel in .env.example is the built-in one", () => {
  const urls = read(".env.example").match(/^#IPCHECK_SERVICES=(.*)$/m)?.[1];
  expect(urls?.split(",")).toEqual(PANEL.map((row) => row.urls[4]));
});

test("every variable is described in .env.example, with the placeholder that is refused", () => {
  const example = read(".env.example");
  for (const name of VARIABLE_NAMES) {
    expect(example, name).toMatch(new RegExp(`^#?${name}=`, "m"));
    const { placeholder } = variable(name);
    if (placeholder) expect(example, name).toContain(placeholder);
  }
  const named = [...example.matchAll(/^#?(IPCHECK_\w+)=/gm)].map(([, name]) => name);
  expect(named.sort()).toEqual([...VARIABLE_NAMES].sort());
});
