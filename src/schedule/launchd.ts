import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../base/command";
import { escapeXml, quote, unescapeXml } from "../base/text";
import { commandOf, installedAs, readCheck, refuseForeign, type Schedule, type Scheduler } from "./plan";

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
      return text === undefined ? undefined : installedAs(`${plist}\n${text}`, readArguments(text));
    },
  };
}

const LAUNCHD_LABEL = "ipcheck.check";

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
  const minute = `<key>Minute</key><integer>${offsetMinutes % 60}</integer>`;
  const runs = Array.from({ length: 1440 / everyMinutes }, (_, index) => offsetMinutes + index * everyMinutes);
  const hours = runs.map((run) => `<key>Hour</key><integer>${Math.floor(run / 60)}</integer>`);
  const times = everyMinutes === 60 ? [minute] : hours.map((hour) => hour + minute);
  const dicts = times.map((time) => `    <dict>${time}</dict>`);
  return `  <key>StartCalendarInterval</key>\n  <array>\n${dicts.join("\n")}\n  </array>`;
}
