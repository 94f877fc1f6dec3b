import { readdir, readFile } from "node:fs/promises";

/** Whether a process with one of these names runs; true where that cannot be seen. */
export async function isAnyRunning(names: readonly string[]): Promise<boolean> {
  try {
    // Hidden where /proc shows each user only his own processes.
    await readFile("/proc/1/comm");
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const running = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")));
    return running.some((name) => names.includes(name.trim()));
  } catch {
    return true;
  }
}
