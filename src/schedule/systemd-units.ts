import { clockTime, commandOf, type Schedule } from "./plan";

export interface SystemdOptions {
  /** For the whole machine, hardened, instead of for one user. */
  isSystem: boolean;
  /** With `isSystem`: a file with the password, handed over as a credential. */
  passwordFile?: string | undefined;
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
  return `[Unit]
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

function serviceUnit(schedule: Schedule, { isSystem, passwordFile }: SystemdOptions): string {
  // The unprivileged user of the service cannot read root's files: systemd hands the env file over.
  const command = commandOf(schedule)
    .map((word) => (isSystem && word === schedule.configFile ? "%d/env" : quoteForSystemd(word)))
    .join(" ");
  return `[Unit]
Description=Look up the public IP address, mail a change
${isSystem ? "Wants=network-online.target\nAfter=network-online.target\n" : ""}
[Service]
Type=oneshot
ExecStart=${command}
# No address, no delivery yet, another run at work: said in the journal, and the next run goes on.
SuccessExitStatus=3 5 6
${isSystem ? hardening(schedule, passwordFile) : ""}`;
}

// MemoryDenyWriteExecute is missing on purpose: the JIT compiler of Node.js needs such memory.
function hardening({ configFile, nodePath, scriptPath }: Schedule, passwordFile: string | undefined): string {
  const isAtHome = [nodePath, scriptPath].some((path) => /^\/(home|root|run\/user)\//.test(path));
  const credentials = [
    ...(configFile === undefined ? [] : [`LoadCredential=env:${escapePath(configFile)}`]),
    ...(passwordFile === undefined ? [] : [`LoadCredential=smtp-password:${escapePath(passwordFile)}`]),
  ];
  return `DynamicUser=yes
StateDirectory=ipcheck
StateDirectoryMode=0700
UMask=0077
${credentials.map((line) => `${line}\n`).join("")}NoNewPrivileges=yes
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
