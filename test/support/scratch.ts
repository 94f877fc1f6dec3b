import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of one test's own, removed when the test file's process ends at the latest. */
export function makeScratch(): string {
  const path = mkdtempSync(join(tmpdir(), "ipcheck-test-"));
  process.on("exit", () => removeScratch(path));
  return path;
}

export function removeScratch(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
