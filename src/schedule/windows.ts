import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../base/command";
import { escapeXml, unescapeXml } from "../base/text";
import { clockTime, commandOf, installedAs, refuseForeign, type Schedule, type Scheduler } from "./plan";

/** A task of Windows' scheduler. */
export const windowsTask: Scheduler = {
  name: "Windows task",
  describe: windowsTaskXml,
  async install(schedule) {
    if ((await this.find())?.isForeign) refuseForeign("the task 'ipcheck'");
    const folder = await mkdtemp(join(tmpdir(), "ipcheck-"));
    try {
      const file = join(folder, "task.xml");
      // schtasks wants the encoding that the first line names, with its byte order mark.
      await writeFile(file, `\uFEFF${windowsTaskXml(schedule)}`, "utf16le");
      await run("schtasks", ["/Create", "/TN", "ipcheck", "/XML", file, "/F"]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return [];
  },
  async remove() {
    await run("schtasks", ["/Delete", "/TN", "ipcheck", "/F"]);
  },
  async find() {
    const text = await run("schtasks", ["/Query", "/TN", "ipcheck", "/XML"]).catch(() => undefined);
    if (text === undefined) return undefined;
    const program = unescapeXml(/<Command>(.*?)<\/Command>/.exec(text)?.[1] ?? "");
    const args = unescapeXml(/<Arguments>(.*?)<\/Arguments>/.exec(text)?.[1] ?? "");
    return installedAs(text, [program, ...[...args.matchAll(/"([^"]*)"/g)].map(([, word = ""]) => word)]);
  },
};

/** A task for Windows' scheduler: at the interval, at start-up, and made up for when it was missed. */
export function windowsTaskXml(schedule: Schedule): string {
  const [program = "", ...args] = commandOf(schedule);
  const { everyMinutes, offsetMinutes } = schedule;
  const { hour, minute } = clockTime(offsetMinutes);
  const start = `2026-01-01T${hour}:${minute}:00`;
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Looks up the public IP address and mails a change (ipcheck)</Description>
  </RegistrationInfo>
  <Triggers>
    <CalendarTrigger>
      <StartBoundary>${start}</StartBoundary>
      <Repetition><Interval>${everyMinutes === 1440 ? "P1D" : `PT${everyMinutes}M`}</Interval></Repetition>
      <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>
    </CalendarTrigger>
    <BootTrigger><Delay>PT1M</Delay></BootTrigger>
  </Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT10M</ExecutionTimeLimit>
    <Hidden>true</Hidden>
  </Settings>
  <Actions>
    <Exec>
      <Command>${escapeXml(program)}</Command>
      <Arguments>${escapeXml(args.map((word) => `"${word}"`).join(" "))}</Arguments>
    </Exec>
  </Actions>
</Task>
`;
}
