import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { run } from "../base/run";
import { LAUNCHD_LABEL, launchdPlist, windowsTaskXml } from "./other-systems";
import type { Schedule } from "./plan";
import { readExecStart, type SystemdOptions, systemdUnits } from "./systemd-units";

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

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

function unescapeXml(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&amp;", "&");
}
