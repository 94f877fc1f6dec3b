import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../base/command";
import { escapeXml, quote, unescapeXml } from "../base/text";
import { commandOf, readCheck, refuseForeign, type Schedule, type Scheduler } from "./plan";

/** A launchd agent of the user (macOS). */
export function launchd(home: string, uid: number): Scheduler {
  const plist = join(home, "Library", "LaunchAgents", `${LAUNCHD_LABEL}.plist`);
  const domain = `gui/${uid}`;
  const read = () => readFile(plist, "utf8").catch(() => undefined);
  const unload = () => run("launchctl", ["bootout", `${domain}/${LAUNCHD_LABEL}`]).catch(() => "");
  const load = () => run("launchctl", ["bootstrap", domain, plist]);
  return {
    name: "launchd",
    describe: (schedule) => `# ${plist}\n${launchdPlist(schedule)}`,
    async install(schedule) {
      const before = await read();
      if (before !== undefined && !readCheck(readArguments(before))) refuseForeign(quote(plist));
      await mkdir(dirname(plist), { recursive: true });
      if (before !== undefined) await unload();
      try {
        await writeFile(plist, launchdPlist(schedule));
        await load();
      } catch (error) {
        // A file that nobody runs would look like a schedule.
        if (before === undefined) await rm(plist, { force: true });
        else
          await writeFile(plist, before)
            .then(load)
            .catch(() => "");
        throw error;
      }
      return [];
    },
    async remove() {
      await unload();
      await rm(plist);
    },
    async find() {
      const text = await read();
      if (text === undefined) return undefined;
      const command = readArguments(text);
      const check = readCheck(command);
      return { text: `${plist}\n${text}`, command, configFile: check?.configFile, ...(!check && { isForeign: true }) };
    },
  };
}

/** The name of the launchd job. */
export const LAUNCHD_LABEL = "ipcheck.check";

/** A launchd property list (macOS): at the interval, and when the user logs in. */
export function launchdPlist(schedule: Schedule): string {
  const words = commandOf(schedule).map((word) => `    <string>${escapeXml(word)}</string>`);
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LAUNCHD_LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${words.join("\n")}
  </array>
${launchdTimes(schedule)}
  <key>RunAtLoad</key>
  <true/>
  <key>ProcessType</key>
  <string>Background</string>
</dict>
</plist>
`;
}

function readArguments(text: string): string[] {
  const list = /<key>ProgramArguments<\/key>\s*<array>(.*?)<\/array>/s.exec(text)?.[1] ?? "";
  return [...list.matchAll(/<string>(.*?)<\/string>/gs)].map(([, word = ""]) => unescapeXml(word));
}

// Within an hour launchd has no 'every n minutes from minute m': an interval has to do.
function launchdTimes({ everyMinutes, offsetMinutes }: Schedule): string {
  if (everyMinutes < 60) return `  <key>StartInterval</key>\n  <integer>${everyMinutes * 60}</integer>`;
  const hours = everyMinutes === 60 ? [undefined] : hoursOf(everyMinutes, Math.floor(offsetMinutes / 60));
  const times = hours.map((hour) => {
    const hourKey = hour === undefined ? "" : `<key>Hour</key><integer>${hour}</integer>`;
    return `    <dict>${hourKey}<key>Minute</key><integer>${offsetMinutes % 60}</integer></dict>`;
  });
  return `  <key>StartCalendarInterval</key>\n  <array>\n${times.join("\n")}\n  </array>`;
}

function hoursOf(everyMinutes: number, first: number): number[] {
  const step = everyMinutes / 60;
  return Array.from({ length: 24 / step }, (_, index) => first + index * step);
}
