import { mkdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CommandError, run } from "../base/command";
import { systemCode } from "../base/errors";
import { quote } from "../base/text";
import { clockTime, commandOf, intervalOf, readCheck, refuseForeign, type Schedule, type Scheduler } from "./plan";

/** Where the machine's administrator keeps units. */
export const SYSTEM_UNITS = "/etc/systemd/system";

const MARK = "# Written by 'ipcheck schedule install'";
/** How the units of version 1.0.0 begin, which had no mark. */
const UNMARKED = /^\[Unit\]\nDescription=Look up the public IP address(, mail a change| regularly)\n/;

/** systemd's timer and service, for this user or for the machine. */
export function systemd(folder: string, options: SystemdOptions): Scheduler {
  const scope = options.isSystem ? [] : ["--user"];
  const systemctl = (...words: string[]) => run("systemctl", [...scope, ...words]);
  const paths = ["ipcheck.service", "ipcheck.timer"].map((name) => join(folder, name));
  /** The text of each unit; undefined where there is none. */
  const read = () => Promise.all(paths.map(readUnit));
  const write = async (texts: (string | undefined)[]) => {
    for (const [index, path] of paths.entries()) await replaceUnit(path, texts[index]);
  };
  const findForeign = (texts: (string | undefined)[]) =>
    paths.find((_, index) => texts[index] !== undefined && !isOurs(texts[index]));
  return {
    name: options.isSystem ? "systemd" : "systemd --user",
    describe: (schedule) =>
      Object.entries(systemdUnits(schedule, options))
        .map(([name, text]) => `# ${join(folder, name)}\n${text}`)
        .join("\n"),
    async install(schedule) {
      const before = await read();
      const foreign = findForeign(before);
      if (foreign !== undefined) refuseForeign(quote(foreign));
      const made = await mkdir(folder, { recursive: true });
      try {
        await write(Object.values(systemdUnits(schedule, options)));
        await systemctl("daemon-reload");
        await systemctl("enable", "--now", "ipcheck.timer");
      } catch (error) {
        const isFirst = before.every((text) => text === undefined);
        if (isFirst) await systemctl("disable", "--now", "ipcheck.timer").catch(() => "");
        // Files that nobody runs would look like a schedule.
        await write(before);
        await removeFolders(folder, made);
        await systemctl("daemon-reload").catch(() => "");
        throw error;
      }
      return [];
    },
    async remove() {
      await systemctl("disable", "--now", "ipcheck.timer");
      await write([]);
      await systemctl("daemon-reload");
    },
    async find() {
      const texts = await read();
      const [service, timer = ""] = texts;
      const foreign = findForeign(texts);
      if (service === undefined && foreign === undefined) return undefined;
      const command = readExecStart(service ?? "");
      const check = readCheck(command);
      const credential = /^LoadCredential=env:(.*)$/m.exec(service ?? "")?.[1]?.replaceAll("%%", "%");
      const [, hour = "", minute = ""] = /^OnCalendar=\S+ (\S+?):(\S+?):00$/m.exec(timer) ?? [];
      return {
        text: service === undefined ? (foreign ?? "") : `${paths[0]}\n${service}`,
        command,
        ...check,
        configFile: credential ?? check?.configFile,
        everyMinutes: intervalOf(minute, hour),
        isForeign: foreign !== undefined,
      };
    },
    async findObstacle() {
      try {
        await systemctl("is-active", "ipcheck.timer");
        return undefined;
      } catch (error) {
        // systemctl itself complains where there is no systemd, or no session of this user.
        const isTold = error instanceof CommandError && error.stderr === "" && error.message.includes("failed");
        const program = options.isSystem ? "sudo systemctl" : "systemctl --user";
        const hint = `'${program} enable --now ipcheck.timer' starts it`;
        return isTold ? { text: "the timer is not active", hint } : undefined;
      }
    },
  };
}

/** Where the machine's timer keeps its state; undefined where no such timer is installed. */
export async function findSystemState(folder = SYSTEM_UNITS, states = "/var/lib"): Promise<string | undefined> {
  const unit = await readUnit(join(folder, "ipcheck.service"));
  const name = /^StateDirectory=([\w-]+)$/m.exec(unit ?? "")?.[1];
  return name === undefined ? undefined : join(states, name, "state.json");
}

function isOurs(text: string): boolean {
  return text.startsWith(`${MARK}\n`) || UNMARKED.test(text);
}

/** Undefined where there is none. What cannot be read is there, and not ours. */
async function readUnit(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    return systemCode(error) === "ENOENT" ? undefined : "";
  }
}

// Never through a link that somebody has put in its place.
async function replaceUnit(path: string, text: string | undefined): Promise<void> {
  await rm(path, { force: true });
  if (text !== undefined) await writeFile(path, text, { flag: "wx" });
}

/** Removes `folder` and those above it up to `made`, which did not exist before. */
async function removeFolders(folder: string, made: string | undefined): Promise<void> {
  if (made === undefined) return;
  for (let path = folder; path.length >= made.length; path = dirname(path)) await rmdir(path).catch(() => undefined);
}

export interface SystemdOptions {
  /** For the whole machine, hardened, instead of for one user. */
  isSystem: boolean;
  /** With `isSystem`: a file with the password, handed over as a credential. */
  passwordFile?: string | undefined;
  /** With `isSystem`: who logs in here by ssh, for the service has a user of its own. */
  loginUser?: string | undefined;
}

/** The two unit files by name. */
export function systemdUnits(schedule: Schedule, options: SystemdOptions): Record<string, string> {
  return { "ipcheck.service": serviceUnit(schedule, options), "ipcheck.timer": timerUnit(schedule) };
}

/** The command of a service file, as words; empty where there is none. */
export function readExecStart(unit: string): string[] {
  const line = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? "";
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, bare]) =>
    (quoted?.replace(/\\(.)/g, "$1") ?? bare ?? "").replaceAll("%%", "%").replaceAll("$$", "$"),
  );
}

function timerUnit({ everyMinutes, offsetMinutes }: Schedule): string {
  return `${MARK}
[Unit]
Description=Look up the public IP address regularly

[Timer]
OnCalendar=${calendar(everyMinutes, offsetMinutes)}
# A run when the machine has come up: that is when the address changes.
OnBootSec=1min
# A run that was missed while the machine was off is made up for.
Persistent=true
RandomizedDelaySec=30
FixedRandomDelay=true

[Install]
WantedBy=timers.target
`;
}

function serviceUnit(schedule: Schedule, options: SystemdOptions): string {
  const { isSystem } = options;
  // The unprivileged user of the service cannot read root's files: systemd hands the env file over.
  const command = commandOf(schedule)
    .map((word) => (isSystem && word === schedule.configFile ? "%d/env" : quoteForSystemd(word)))
    .join(" ");
  return `${MARK}
[Unit]
Description=Look up the public IP address, mail a change
${isSystem ? "Wants=network-online.target\nAfter=network-online.target\n" : ""}
[Service]
Type=oneshot
ExecStart=${command}
# No address, no delivery yet, another run at work: said in the journal, and the next run goes on.
SuccessExitStatus=3 5 6
# Twice the default deadline, and the command's own time, fit in several times.
TimeoutStartSec=10min
${isSystem ? hardening(schedule, options) : ""}`;
}

// MemoryDenyWriteExecute is missing on purpose: the JIT compiler of Node.js needs such memory.
function hardening(
  { configFile, nodePath, scriptPath }: Schedule,
  { passwordFile, loginUser }: SystemdOptions,
): string {
  const isAtHome = [nodePath, scriptPath].some((path) => /^\/(home|root|run\/user)\//.test(path));
  const own = [
    ...(loginUser === undefined ? [] : [`Environment=SUDO_USER=${loginUser}`]),
    ...(configFile === undefined ? [] : [`LoadCredential=env:${escapePath(configFile)}`]),
    ...(passwordFile === undefined ? [] : [`LoadCredential=smtp-password:${escapePath(passwordFile)}`]),
  ];
  return `DynamicUser=yes
StateDirectory=ipcheck
StateDirectoryMode=0700
UMask=0077
${own.map((line) => `${line}\n`).join("")}NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=${isAtHome ? "read-only" : "yes"}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
CapabilityBoundingSet=
`;
}

function calendar(everyMinutes: number, offsetMinutes: number): string {
  const { hour, minute } = clockTime(offsetMinutes);
  if (everyMinutes < 60) return `*-*-* *:${minute}/${everyMinutes}:00`;
  if (everyMinutes === 60) return `*-*-* *:${minute}:00`;
  if (everyMinutes === 1440) return `*-*-* ${hour}:${minute}:00`;
  return `*-*-* ${hour}/${everyMinutes / 60}:${minute}:00`;
}

function quoteForSystemd(word: string): string {
  const escaped = escapePath(word).replaceAll("$", "$$$$");
  return /^[\w@+=:,./%$-]+$/.test(escaped) ? escaped : `"${escaped.replace(/["\\]/g, "\\$&")}"`;
}

// A percent sign begins one of systemd's specifiers.
function escapePath(path: string): string {
  return path.replaceAll("%", "%%");
}
