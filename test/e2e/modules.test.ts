// What a quiet run loads is fixed here, so that the start cannot creep: each name is a decision.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeAuthority } from "../support/certificates";
import { startEchoServer } from "../support/echo-server";
import { Home } from "../support/home";

const ROOT = join(__dirname, "..", "..");
const LIST_MODULES = join(ROOT, "test", "support", "list-modules.cjs");
const FLOOR = join(ROOT, "test", "bench", "floor.cjs");

interface Loaded {
  files: string[];
  builtins: string[];
}

let quiet: Loaded;
let floor: Loaded;
const closers: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

beforeAll(async () => {
  const home = new Home();
  const authority = await makeAuthority(home.path);
  const echo = await startEchoServer("203.0.113.7\n", { tls: await authority.issue() });
  closers.push(echo.close);
  home.useServices(echo).env["NODE_EXTRA_CA_CERTS"] = authority.caFile;
  const list = join(home.path, "modules");
  const env = { LIST_MODULES_TO: list };
  await home.run(["check"]);
  const run = await home.run(["check"], { env, preload: [LIST_MODULES] });
  expect(run).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
  quiet = JSON.parse(readFileSync(list, "utf8"));
  await promisify(execFile)(process.execPath, ["--require", LIST_MODULES, FLOOR, echo.url], {
    env: { ...home.env, ...env },
  });
  floor = JSON.parse(readFileSync(list, "utf8"));
});

test("a quiet run reads two files", () => {
  expect(quiet.files.map((path) => relative(ROOT, path)).sort()).toEqual(["bin/ipcheck.js", "dist/main.js"]);
});

test("the second holds these of our files and no others", () => {
  const bundle = readFileSync(join(ROOT, "dist", "main.js"), "utf8");
  const sources = [...bundle.matchAll(/^\/\/ ((?:src|node_modules)\/\S+)$/gm)].map(([, path]) => path);
  expect(sources.sort()).toMatchInlineSnapshot(`
    [
      "node_modules/dotenv/dist/index.cjs",
      "src/cli/check-report.ts",
      "src/cli/check.ts",
      "src/cli/exit-codes.ts",
      "src/cli/output.ts",
      "src/compose/check.ts",
      "src/compose/deadline.ts",
      "src/config/env-file.ts",
      "src/config/password.ts",
      "src/config/readers.ts",
      "src/config/settings.ts",
      "src/config/url-secrets.ts",
      "src/config/values.ts",
      "src/config/variables.ts",
      "src/core/address.ts",
      "src/core/answer.ts",
      "src/core/check.ts",
      "src/core/consensus.ts",
      "src/core/dry-run.ts",
      "src/core/duration.ts",
      "src/core/errors.ts",
      "src/core/explanation.ts",
      "src/core/failure.ts",
      "src/core/letter/languages.ts",
      "src/core/outbox.ts",
      "src/core/quote.ts",
      "src/core/redactor.ts",
      "src/core/rest.ts",
      "src/core/special-ranges.ts",
      "src/core/state.ts",
      "src/core/suggest.ts",
      "src/core/telling.ts",
      "src/core/vigenere.ts",
      "src/io/echo-client.ts",
      "src/io/echo-services.ts",
      "src/io/history-writer.ts",
      "src/io/lock.ts",
      "src/io/lookup.ts",
      "src/io/state-file.ts",
      "src/main.ts",
    ]
  `);
});

// listen() loads cluster, and that child_process and dgram; tty tells whether a person is there.
test("of Node's own modules it loads few that one bare request does not", () => {
  const known = ["child_process", "cluster", "dgram", "http", "os", "tty", "util/types"];
  expect(quiet.builtins.filter((name) => !floor.builtins.includes(name) && !known.includes(name))).toEqual([]);
  expect(floor.builtins).toContain("https");
});
