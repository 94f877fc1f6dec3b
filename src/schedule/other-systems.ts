import { clockTime, commandOf, type Schedule } from "./plan";

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

function escapeXml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
