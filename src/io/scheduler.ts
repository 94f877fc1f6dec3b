import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { systemCode } from "../core/errors";
import { quote } from "../core/quote";
import { crontabLines, editCrontab, findBlock, readCommand } from "../core/schedule/crontab";
import { LAUNCHD_LABEL, launchdPlist, windowsTaskXml } from "../core/schedule/other-systems";
import type { Schedule } from "../core/schedule/plan";
import { readExecStart, type SystemdOptions, systemdUnits } from "../core/schedule/systemd";

/** One way to run a command regularly. */
export interface Scheduler {
  /** How it is called in output. */
  name: string;
  /** What `install` would put in place, as a person reads it. */
  describe(schedule: Schedule): string;
  /** @throws Error with a plain message */
  install(schedule: Schedule): Promise<void>;
  /** False when nothing was installed. */
  remove(): Promise<boolean>;
  /** What is installed, with the words of its command; undefined where nothing is. */
  find(): Promise<{ text: string; command: string[] } | undefined>;
}

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

/** systemd's timer and service, for this user or for the machine. */
export function systemd(folder: string, options: SystemdOptions): Scheduler {
  const scope = options.isSystem ? [] : ["--user"];
  const systemctl = (...words: string[]) => run("systemctl", [...scope, ...words]);
  const units = (schedule: Schedule) => Object.entries(systemdUnits(schedule, options));
  const service = join(folder, "ipcheck.service");
  const removeUnits = async () => {
    for (const name of ["ipcheck.service", "ipcheck.timer"]) await rm(join(folder, name), { force: true });
  };
  return {
    name: options.isSystem ? "systemd" : "systemd --user",
    describe: (schedule) =>
      units(schedule)
        .map(([name, text]) => `# ${join(folder, name)}\n${text}`)
        .join("\n"),
    async install(schedule) {
      const isFirst = (await readText(service)) === undefined;
      await mkdir(folder, { recursive: true });
      for (const [name, text] of units(schedule)) await writeFile(join(folder, name), text);
      try {
        await systemctl("daemon-reload");
        await systemctl("enable", "--now", "ipcheck.timer");
      } catch (error) {
        // Files that nobody runs would look like a schedule.
        if (isFirst) await removeUnits();
        throw error;
      }
    },
    async remove() {
      if ((await readText(service)) === undefined) return false;
      await systemctl("disable", "--now", "ipcheck.timer");
      await removeUnits();
      await systemctl("daemon-reload");
      return true;
    },
    async find() {
      const text = await readText(service);
      return text === undefined ? undefined : { text: `${service}\n${text}`, command: readExecStart(text) };
    },
  };
}

/** A launchd agent of the user (macOS). */
export function launchd(home: string, uid: number): Scheduler {
  const plist = join(home, "Library", "LaunchAgents", `${LAUNCHD_LABEL}.plist`);
  const domain = `gui/${uid}`;
  return {
    name: "launchd",
    describe: (schedule) => `# ${plist}\n${launchdPlist(schedule)}`,
    async install(schedule) {
      await mkdir(dirname(plist), { recursive: true });
      if ((await readText(plist)) !== undefined)
        await run("launchctl", ["bootout", `${domain}/${LAUNCHD_LABEL}`]).catch(() => "");
      await writeFile(plist, launchdPlist(schedule));
      await run("launchctl", ["bootstrap", domain, plist]);
    },
    async remove() {
      if ((await readText(plist)) === undefined) return false;
      await run("launchctl", ["bootout", `${domain}/${LAUNCHD_LABEL}`]).catch(() => "");
      await rm(plist);
      return true;
    },
    async find() {
      const text = await readText(plist);
      const words = [...(text ?? "").matchAll(/<string>(.*?)<\/string>/g)].map(([, word = ""]) => unescapeXml(word));
      return text === undefined ? undefined : { text: `${plist}\n${text}`, command: words.slice(1) };
    },
  };
}

/** A task of Windows' scheduler. */
export const windowsTask: Scheduler = {
  name: "Windows task",
  describe: windowsTaskXml,
  async install(schedule) {
    const folder = await mkdtemp(join(tmpdir(), "ipcheck-"));
    try {
      const file = join(folder, "task.xml");
      // schtasks wants the encoding that the first line names, with its mark.
      await writeFile(file, `\uFEFF${windowsTaskXml(schedule)}`, "utf16le");
      await run("schtasks", ["/Create", "/TN", "ipcheck", "/XML", file, "/F"]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  async remove() {
    if (!(await this.find())) return false;
    await run("schtasks", ["/Delete", "/TN", "ipcheck", "/F"]);
    return true;
  },
  async find() {
    const text = await run("schtasks", ["/Query", "/TN", "ipcheck", "/XML"]).catch(() => undefined);
    if (text === undefined) return undefined;
    const program = unescapeXml(/<Command>(.*?)<\/Command>/.exec(text)?.[1] ?? "");
    const args = unescapeXml(/<Arguments>(.*?)<\/Arguments>/.exec(text)?.[1] ?? "");
    return { text, command: [program, ...[...args.matchAll(/"([^"]*)"/g)].map(([, word = ""]) => word)] };
  },
};

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

class CommandError extends Error {
  constructor(
    message: string,
    readonly stderr: string,
  ) {
    super(message);
  }
}

// Output as latin-1 both ways, so that every byte of somebody's table survives.
function run(program: string, args: string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "pipe" });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.once("error", (error) => {
      const why = systemCode(error) === "ENOENT" ? "is not installed" : `cannot be run (${systemCode(error)})`;
      reject(new CommandError(`${program} ${why}`, ""));
    });
    child.once("close", (code) => {
      const said = Buffer.concat(stderr).toString("utf8").trim();
      if (code === 0) resolve(Buffer.concat(stdout).toString("latin1"));
      else reject(new CommandError(`${program} ${args[0]} failed: ${quote(said || `exit code ${code}`)}`, said));
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(Buffer.from(input, "latin1"));
  });
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

function unescapeXml(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&amp;", "&");
}
