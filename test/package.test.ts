import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { VARIABLE_NAMES, variable } from "../src/config/variables";
import { PANEL } from "../src/lookup/services";
import { LANGUAGES } from "../src/notify/message/languages";

const ROOT = join(__dirname, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const { dependencies, version } = JSON.parse(read("package.json"));
const lock = JSON.parse(read("package-lock.json"));

test("publint finds nothing", () => {
  const output = execFileSync(process.execPath, [join(ROOT, "node_modules", "publint", "src", "cli.js"), "--strict"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(output).toContain("All good!");
});

test("the lock file fits the package and names no download address", () => {
  expect(lock.packages[""].dependencies).toEqual(dependencies);
  expect(lock.version).toBe(version);
  expect(read("package-lock.json")).not.toContain('"resolved"');
});

test("the runtime packages are the ones that have earned their place", () => {
  const runtime = Object.entries<{ dev?: boolean; hasInstallScript?: boolean }>(lock.packages)
    .filter(([path, { dev }]) => path !== "" && !dev)
    .map(([path]) => path.replace(/^node_modules\//, ""));
  expect(runtime.sort()).toMatchInlineSnapshot(`
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
  expect(
    Object.values<{ dev?: boolean; hasInstallScript?: boolean }>(lock.packages).filter(
      (one) => !one.dev && one.hasInstallScript,
    ),
  ).toEqual([]);
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
