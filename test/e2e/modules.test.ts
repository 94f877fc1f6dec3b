import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, expect, test } from "vitest";
import { startEchoServer } from "../support/echo-server";
import { Home } from "../support/home";

const ROOT = join(__dirname, "..", "..");
const LIST_MODULES = join(ROOT, "test", "support", "list-modules.cjs");

const closers: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

test("a quiet run loads these files and no others", async () => {
  const echo = await startEchoServer("203.0.113.7\n");
  closers.push(echo.close);
  const home = new Home().useServices(echo);
  const list = join(home.path, "modules");
  await home.run(["check"]);
  const run = await home.run(["check"], { env: { LIST_MODULES_TO: list }, preload: [LIST_MODULES] });
  expect(run).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
  const loaded = readFileSync(list, "utf8")
    .split("\n")
    .map((path) => relative(ROOT, path));
  expect(loaded.sort()).toMatchInlineSnapshot(`
    [
      "bin/ipcheck.js",
      "dist/cli/check-report.js",
      "dist/cli/check.js",
      "dist/cli/exit-codes.js",
      "dist/cli/output.js",
      "dist/compose/check.js",
      "dist/compose/deadline.js",
      "dist/config/env-file.js",
      "dist/config/password.js",
      "dist/config/readers.js",
      "dist/config/settings.js",
      "dist/config/variables.js",
      "dist/core/address.js",
      "dist/core/answer.js",
      "dist/core/check.js",
      "dist/core/consensus.js",
      "dist/core/dry-run.js",
      "dist/core/duration.js",
      "dist/core/errors.js",
      "dist/core/explanation.js",
      "dist/core/failure.js",
      "dist/core/language.js",
      "dist/core/outbox.js",
      "dist/core/quote.js",
      "dist/core/recording.js",
      "dist/core/redactor.js",
      "dist/core/rest.js",
      "dist/core/special-ranges.js",
      "dist/core/state.js",
      "dist/core/suggest.js",
      "dist/core/telling.js",
      "dist/core/vigenere.js",
      "dist/io/echo-client.js",
      "dist/io/echo-services.js",
      "dist/io/lock.js",
      "dist/io/lookup.js",
      "dist/io/state-file.js",
      "dist/main.js",
      "node_modules/dotenv/dist/index.cjs",
    ]
  `);
});
