import { spawnSync } from "node:child_process";

/** Whether a process runs; one that is dead and that nobody has collected yet does not. */
export function isAlive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return /^[^Z\s]/.test(stdout.trim());
}
