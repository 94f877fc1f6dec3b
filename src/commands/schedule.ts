import { join, resolve } from "node:path";
import { IpcheckError } from "../base/errors";
import type { Output } from "../base/output";
import { TerminalPrompter } from "../base/prompts";
import { cron, isCronUsable } from "../schedule/cron";
import { offsetFor, parseInterval, type Schedule } from "../schedule/plan";
import { launchd, type Scheduler, systemd, windowsTask } from "../schedule/scheduler";
import type { GlobalOptions, Host } from "./host";

/** `ipcheck schedule`. Resolves to the exit code. */
export async function composeSchedule(
  action: ScheduleAction,
  options: ScheduleOptions & GlobalOptions,
  host: Host,
): Promise<number> {
  const chosen = await chooseScheduler(options, host);
  const prompter = host.isStdinTerminal ? new TerminalPrompter(host.openStdin(), host.openStderr()) : undefined;
  const tools = {
    scheduler: chosen,
    schedulers: isChosen(options) ? [chosen] : allSchedulers(host),
    nodePath: host.execPath,
    scriptPath: join(host.packageDirectory, "bin", "ipcheck.js"),
    configFile: options.config && resolve(options.config),
    hostName: host.hostName,
    confirm: prompter && ((question: string) => prompter.confirm(question)),
  };
  return runSchedule(action, options, tools, host.output);
}

/** Every scheduler of this platform that may hold a schedule of ours. */
export function allSchedulers(host: Host): Scheduler[] {
  const { platform, home = "/", uid = 0 } = host;
  if (platform === "win32") return [windowsTask];
  if (platform === "darwin") return [launchd(home, uid), cron];
  return [cron, userSystemd(host), machineSystemd({})];
}

function isChosen({ cron, systemd, system, launchd, windows }: ScheduleOptions): boolean {
  return Boolean(cron || systemd || system || launchd || windows);
}

async function chooseScheduler(options: ScheduleOptions, host: Host): Promise<Scheduler> {
  const { home = "/", uid = 0, platform } = host;
  const flags = [options.cron, options.systemd || options.system, options.launchd, options.windows];
  if (flags.filter(Boolean).length > 1) {
    throw new IpcheckError("usage", "--cron, --systemd, --launchd and --windows do not go together");
  }
  if (options.passwordFile !== undefined && !options.system) {
    throw new IpcheckError("usage", "--password-file belongs to --system", {
      hint: "elsewhere IPCHECK_SMTP_PASSWORD_FILE in the env file names it",
    });
  }
  if (options.cron) return cron;
  if (options.system) return machineSystemd(options);
  if (options.systemd) return userSystemd(host);
  if (options.launchd) return launchd(home, uid);
  if (options.windows) return windowsTask;
  if (platform === "win32") return windowsTask;
  if (platform === "darwin") return launchd(home, uid);
  return (await isCronUsable()) ? cron : userSystemd(host);
}

function userSystemd({ env, home = "/" }: Host): Scheduler {
  const config = env["XDG_CONFIG_HOME"] || join(home, ".config");
  return systemd(join(config, "systemd", "user"), { isSystem: false });
}

function machineSystemd({ passwordFile }: ScheduleOptions): Scheduler {
  const file = passwordFile === undefined ? undefined : resolve(passwordFile);
  return systemd("/etc/systemd/system", { isSystem: true, passwordFile: file });
}

/** The switches of `schedule`. */
export interface ScheduleOptions {
  cron?: boolean;
  systemd?: boolean;
  system?: boolean;
  launchd?: boolean;
  windows?: boolean;
  every?: string;
  passwordFile?: string;
  print?: boolean;
  yes?: boolean;
}

export type ScheduleAction = "install" | "remove" | "show";

/** A scheduler as the command needs it; the real ones are in io. */
export interface SchedulerPort {
  name: string;
  describe(schedule: Schedule): string;
  install(schedule: Schedule): Promise<void>;
  remove(): Promise<boolean>;
  find(): Promise<{ text: string } | undefined>;
}

export interface ScheduleTools {
  /** The scheduler that was asked for, or the one that fits this machine. */
  scheduler: SchedulerPort;
  /** All that could hold a schedule of ours. */
  schedulers: readonly SchedulerPort[];
  nodePath: string;
  scriptPath: string;
  configFile: string | undefined;
  hostName: string;
  /** Undefined where nobody can be asked. */
  confirm: ((question: string) => Promise<boolean>) | undefined;
}

/** Prints, installs, removes or shows the schedule; resolves to the exit code. */
export async function runSchedule(
  action: ScheduleAction,
  options: ScheduleOptions,
  tools: ScheduleTools,
  output: Output,
): Promise<number> {
  switch (action) {
    case "install":
      return install(options, tools, output);
    case "remove":
      return remove(tools, output);
    case "show":
      return show(tools, output);
  }
}

async function install(options: ScheduleOptions, tools: ScheduleTools, output: Output): Promise<number> {
  const every = options.every ?? "1h";
  const everyMinutes = parseInterval(every);
  if (everyMinutes === undefined) {
    throw new IpcheckError("usage", `--every ${every}: no interval that divides an hour or a day`, {
      hint: "5m, 10m, 15m, 30m, 1h, 2h, 6h, 12h and 1d are some that do",
    });
  }
  const { scheduler, hostName } = tools;
  const schedule: Schedule = { ...tools, everyMinutes, offsetMinutes: offsetFor(hostName, everyMinutes) };
  await output.print(scheduler.describe(schedule).trimEnd());
  if (options.print) return 0;
  if (tools.confirm && !options.yes && !(await tools.confirm(`Install this as ${scheduler.name}?`))) {
    await output.note("nothing was installed");
    return 0;
  }
  await guarded(() => scheduler.install(schedule));
  await output.note(`installed (${scheduler.name}); 'ipcheck schedule remove' takes it away without a trace`);
  return 0;
}

async function remove({ schedulers }: ScheduleTools, output: Output): Promise<number> {
  const removed: string[] = [];
  for (const scheduler of schedulers) {
    if ((await scheduler.find()) && (await guarded(() => scheduler.remove()))) removed.push(scheduler.name);
  }
  await output.note(removed.length > 0 ? `removed (${removed.join(", ")})` : "nothing was installed");
  return 0;
}

async function show({ schedulers }: ScheduleTools, output: Output): Promise<number> {
  let count = 0;
  for (const scheduler of schedulers) {
    const found = await scheduler.find();
    if (!found) continue;
    count++;
    await output.print(`${scheduler.name}:\n${found.text.trimEnd()}`);
  }
  if (count === 0) await output.note("nothing is installed: 'ipcheck schedule install' does it");
  return 0;
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof IpcheckError) throw error;
    throw new IpcheckError("usage", error instanceof Error ? error.message : String(error), {
      hint: "--cron, --systemd, --launchd and --windows choose another scheduler; --print shows what to install by hand",
      cause: error,
    });
  }
}
