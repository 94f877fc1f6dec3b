import { CommandError, run } from "../base/run";
import { crontabLines, editCrontab, findBlock, readCommand } from "./crontab";
import type { Scheduler } from "./scheduler";

/** The user's crontab, edited between two marks; every other byte stays. */
export const cron: Scheduler = {
  name: "crontab",
  describe: (schedule) => crontabLines(schedule).join("\n"),
  async install(schedule) {
    const lines = crontabLines(schedule).map((line) => Buffer.from(line).toString("latin1"));
    await writeCrontab(editCrontab(await readCrontab(), lines));
  },
  async remove() {
    const table = await readCrontab();
    if (!findBlock(table)) return false;
    await writeCrontab(editCrontab(table, undefined));
    return true;
  },
  async find() {
    const block = findBlock(await readCrontab().catch(() => ""));
    const lines = block?.map((line) => Buffer.from(line, "latin1").toString("utf8"));
    return lines && { text: lines.join("\n"), command: readCommand(lines[0] ?? "") };
  },
};

/** True where this user may have a crontab. */
export async function isCronUsable(): Promise<boolean> {
  return readCrontab().then(
    () => true,
    () => false,
  );
}

async function readCrontab(): Promise<string> {
  try {
    return await run("crontab", ["-l"]);
  } catch (error) {
    // Every cron says so when a user has no table yet, each with an exit code of its own.
    if (error instanceof CommandError && /no crontab/i.test(error.stderr)) return "";
    throw error;
  }
}

async function writeCrontab(table: string): Promise<void> {
  if (table === "") {
    await run("crontab", ["-r"]);
    return;
  }
  try {
    await run("crontab", ["-"], table);
  } catch (error) {
    // Some crons refuse a table whose last line has no end, even one that they hold already.
    if (table.endsWith("\n")) throw error;
    await run("crontab", ["-"], `${table}\n`);
  }
  const written = await run("crontab", ["-l"]);
  if (written.trimEnd() !== table.trimEnd()) throw new Error("the crontab does not read back as it was written");
}
