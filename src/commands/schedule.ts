import { isAbsolute, join, resolve } from "node:path";
import { findMissing } from "../base/command";
import { IpcheckError, systemCode } from "../base/errors";
import type { Output } from "../base/output";
import { TerminalPrompter } from "../base/prompts";
import { quote } from "../base/text";
import { cron, isCronUsable } from "../schedule/cron";
import { launchd } from "../schedule/launchd";
import { checkPaths, type Installed, offsetFor, parseInterval, type Schedule, type Scheduler } from "../schedule/plan";
import { SYSTEM_UNITS, systemd } from "../schedule/systemd";
import { windowsTask } from "../schedule/windows";
import { type GlobalOptions, type Host, machineSeed } from "./host";

/** `ipcheck schedule`: prints, installs, removes or shows the schedule. Resolves to the exit code. */
export async function runSchedule(options: ScheduleOptions, host: Host, [action]: readonly string[]): Promise<number> {
  const named = namedScheduler(options, host);
  if (action === "install") return install(named ?? (await usualScheduler(host)), options, host);
  const schedulers = named ? [named] : allSchedulers(host);
  return action === "remove" ? remove(schedulers, host.output) : show(schedulers, host.output);
}

/** A schedule that runs something in our name. */
export interface FoundSchedule extends Installed {
  scheduler: Scheduler;
  /** Those of its files that are not there, as far as that can be judged from here. */
  missing: string[];
}

/** The schedules of this machine that are ours, or somebody's that run our check. */
export async function* findSchedules(host: Host): AsyncGenerator<FoundSchedule, undefined> {
  for (const scheduler of allSchedulers(host)) {
    const found = await scheduler.find();
    // A unit of that name that runs something else is no schedule of ours.
    if (!found || (found.isForeign && !found.files)) continue;
    // What is looked up on PATH, or from a folder of its own, cannot be judged.
    const missing = findMissing(found.files ?? found.command.slice(0, 2)).filter((path) => isAbsolute(path));
    yield { ...found, scheduler, missing };
  }
  return undefined;
}

/** Every scheduler of this platform that may hold a schedule of ours, the usual one first. */
function allSchedulers(host: Host): Scheduler[] {
  if (host.platform === "win32") return [windowsTask];
  if (host.platform === "darwin") return [userLaunchd(host), cron];
  return [cron, userSystemd(host), machineSystemd({}, host)];
}

async function usualScheduler(host: Host): Promise<Scheduler> {
  const [first = cron, second = first] = allSchedulers(host);
  return first === cron && !(await isCronUsable()) ? second : first;
}

function namedScheduler(options: ScheduleOptions, host: Host): Scheduler | undefined {
  const named = [
    options.cron && cron,
    options.system ? machineSystemd(options, host) : options.systemd && userSystemd(host),
    options.launchd && userLaunchd(host),
    options.windows && windowsTask,
  ].filter((scheduler) => typeof scheduler === "object");
  if (named.length > 1) {
    throw new IpcheckError("usage", "--cron, --systemd, --launchd and --windows do not go together");
  }
  if (options.passwordFile !== undefined && !options.system) {
    throw new IpcheckError("usage", "--password-file belongs to --system", {
      hint: "elsewhere IPCHECK_SMTP_PASSWORD_FILE in the env file names it",
    });
  }
  return named[0];
}

function userLaunchd({ home = "/", uid = 0 }: Host): Scheduler {
  return launchd(home, uid);
}

function userSystemd({ env, home = "/" }: Host): Scheduler {
  const config = env["XDG_CONFIG_HOME"] || join(home, ".config");
  return systemd(join(config, "systemd", "user"), { isSystem: false });
}

function machineSystemd({ passwordFile }: ScheduleOptions, { env, userName }: Host): Scheduler {
  const file = passwordFile === undefined ? undefined : resolve(passwordFile);
  const login = env["SUDO_USER"] || userName;
  const loginUser = /^[\w.][\w.-]*$/.test(login) && login !== "root" ? login : undefined;
  return systemd(SYSTEM_UNITS, { isSystem: true, passwordFile: file, loginUser });
}

/** The switches of `schedule`. */
interface ScheduleOptions extends GlobalOptions {
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

async function install(scheduler: Scheduler, options: ScheduleOptions, host: Host): Promise<number> {
  const { output } = host;
  const every = options.every ?? "1h";
  const everyMinutes = parseInterval(every);
  if (everyMinutes === undefined) {
    throw new IpcheckError("usage", `--every ${quote(every)}: no interval that divides an hour or a day`, {
      hint: "5m, 10m, 15m, 30m, 1h, 2h, 6h, 12h and 1d are some that do",
    });
  }
  const named = options.config && resolve(options.config);
  // Without it the runs would go on without their configuration, and nobody would be told.
  const kept = named === undefined && !options.print ? (await scheduler.find())?.configFile : undefined;
  const schedule: Schedule = {
    nodePath: host.execPath,
    scriptPath: join(host.packageDirectory, "bin", "ipcheck.js"),
    configFile: named ?? kept,
    everyMinutes,
    offsetMinutes: offsetFor(machineSeed(host.hostName), everyMinutes),
  };
  const { nodePath, scriptPath, configFile } = schedule;
  checkPaths([nodePath, scriptPath, configFile, options.passwordFile, host.home, host.env["XDG_CONFIG_HOME"]]);
  const isMissing = configFile !== undefined && findMissing([nodePath, configFile]).includes(configFile);
  if (options.system && !options.print) checkConfiguration(configFile, isMissing);
  await output.print(scheduler.describe(schedule).trimEnd());
  if (options.print) return 0;
  if (kept !== undefined) await output.note(`--config ${quote(kept)} is kept from the schedule that was there`);
  const promise = scheduler === cron ? " Your other lines in it stay as they are." : "";
  if (host.isStdinTerminal && !options.yes) {
    const prompter = new TerminalPrompter(host.openStdin(), host.openStderr());
    if (!(await prompter.confirm(`Install this as ${scheduler.name}?${promise}`))) {
      await output.note("nothing was installed");
      return 0;
    }
  }
  const replaced = await guarded(() => scheduler.install(schedule));
  for (const line of replaced) await output.note(`it takes the place of your own line: ${line}`);
  await output.note(`installed (${scheduler.name}); 'ipcheck schedule remove' takes it away without a trace`);
  if (isMissing) {
    await output.warn(
      `${quote(configFile)} is not there, or cannot be read: until it is, every run ends with an error`,
    );
  }
  return 0;
}

/** @throws IpcheckError `usage`: the machine's timer has a user of its own, and would find no configuration */
function checkConfiguration(configFile: string | undefined, isMissing: boolean): void {
  const hint = "'sudo ipcheck --config /etc/ipcheck/env init' writes one; then name it here with --config";
  if (configFile === undefined) {
    throw new IpcheckError("usage", "--system needs a configuration by name, because it runs as a user of its own", {
      hint,
    });
  }
  if (isMissing) {
    throw new IpcheckError("usage", `--config ${quote(configFile)}: there is no such file, or it cannot be read`, {
      hint: `${hint}; if it is there, sudo reads it`,
    });
  }
}

async function remove(schedulers: readonly Scheduler[], output: Output): Promise<number> {
  const removed: string[] = [];
  for (const scheduler of schedulers) {
    const found = await scheduler.find();
    if (found && !found.isForeign) {
      await guarded(() => scheduler.remove());
      removed.push(scheduler.name);
    }
    const left = await scheduler.find();
    if (left) await output.note(`not written by ipcheck and left as it is (${scheduler.name}): ${quote(left.text)}`);
  }
  await output.note(removed.length > 0 ? `removed (${removed.join(", ")})` : "nothing was installed");
  return 0;
}

async function show(schedulers: readonly Scheduler[], output: Output): Promise<number> {
  let count = 0;
  for (const scheduler of schedulers) {
    const found = await scheduler.find();
    if (!found) continue;
    count++;
    await output.print(
      `${scheduler.name}${found.isForeign ? " (not written by ipcheck)" : ""}:\n${found.text.trimEnd()}`,
    );
  }
  if (count === 0) await output.note("nothing is installed: 'ipcheck schedule install' does it");
  return 0;
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof IpcheckError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new IpcheckError("usage", message, { hint: cureOf(message, systemCode(error)), cause: error });
  }
}

function cureOf(message: string, code: string): string {
  if (["EACCES", "EPERM"].includes(code)) {
    return "--system is for root: sudo; in your own folders 'ls -l' shows what is not yours";
  }
  if (/^(crontab|systemctl) is not installed$/.test(message)) {
    return "install cron (Debian and Raspberry Pi OS: sudo apt install cron), or have something else run what is shown above";
  }
  return "--cron, --systemd, --launchd and --windows choose another scheduler; --print shows what to install by hand";
}
