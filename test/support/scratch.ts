import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Set by the test run's global set-up; everything below it is removed at the end. */
const ROOT_VARIABLE = "IPCHECK_TEST_ROOT";

/** A folder of one test's own. Outside a test run it is removed when the process ends. */
export function makeScratch(): string {
  const root = process.env[ROOT_VARIABLE];
  const path = mkdtempSync(join(root ?? tmpdir(), "ipcheck-test-"));
  if (root === undefined) process.on("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Vitest's global set-up: one root for all scratch folders. Workers do not end in a way that could clean up. */
export function setup(): () => void {
  const root = mkdtempSync(join(tmpdir(), "ipcheck-tests-"));
  process.env[ROOT_VARIABLE] = root;
  return () => rmSync(root, { recursive: true, force: true, maxRetries: 3 });
}
