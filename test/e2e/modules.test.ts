// What a quiet run loads is fixed here, so that the start cannot creep: each name is a decision.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { ADDRESS, authority, issue, SILENCE, startEcho } from "../setup/workbench";
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

beforeAll(async () => {
  const echo = await startEcho(ADDRESS, { tls: await issue() });
  const home = new Home().useServices(echo);
  home.env["NODE_EXTRA_CA_CERTS"] = (await authority).caFile;
  const list = join(home.path, "modules");
  const env = { LIST_MODULES_TO: list };
  await home.run(["check"]);
  const run = await home.run(["check"], { env, preload: [LIST_MODULES] });
  expect(run).toMatchObject(SILENCE);
  quiet = JSON.parse(readFileSync(list, "utf8"));
  await promisify(execFile)(process.execPath, ["--require", LIST_MODULES, FLOOR, echo.url], {
    env: { ...home.env, ...env },
  });
  floor = JSON.parse(readFileSync(list, "utf8"));
});

test("a quiet run reads two files", () => {
  expect(quiet.files.map((path) => relative(ROOT, path)).sort()).toEqual(["bin/ipcheck.js", "dist/main.js"]);
});

test("the second holds nothing that only some runs need", () => {
  const bundle = readFileSync(join(ROOT, "dist", "main.js"), "utf8");
  const sources = [...bundle.matchAll(/^\/\/ (src\/\S+)$/gm)].map(([, path = ""]) => path);
  const kinds = [...new Set(sources.map((path) => path.split("/").slice(0, 2).join("/")))];
  expect(kinds.sort()).toEqual([
    "src/base",
    "src/commands",
    "src/config",
    "src/lookup",
    "src/main.ts",
    "src/notify",
    "src/state",
  ]);
  // No command line, prompts, mail, hook or heartbeat, and no other command.
  const rare =
    /^src\/(cli|schedule)|prompt|notify\/(deliver|message-facts|hook|heartbeat|message\/(compose|render))|command\./;
  expect(sources.filter((path) => rare.test(path))).toEqual([]);
  expect(sources.filter((path) => path.startsWith("src/commands/") && !/check|host/.test(path))).toEqual([]);
});

// listen() loads cluster, and that child_process and dgram; tty tells whether a person is there; a name
// would load dns in the bare request too.
test("of Node's own modules it loads few that one bare request does not", () => {
  const known = ["child_process", "cluster", "dgram", "dns", "http", "os", "tty", "util/types"];
  expect(quiet.builtins.filter((name) => !floor.builtins.includes(name) && !known.includes(name))).toEqual([]);
  expect(floor.builtins).toContain("https");
});
