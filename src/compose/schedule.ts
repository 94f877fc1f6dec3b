import { join, resolve } from "node:path";
import type { GlobalOptions } from "../cli/program";
import { runSchedule, type ScheduleAction, type ScheduleOptions } from "../cli/schedule";
import { IpcheckError } from "../core/errors";
import { cron, isCronUsable } from "../io/crontab";
import { TerminalPrompter } from "../io/prompts";
import { launchd, type Scheduler, systemd, windowsTask } from "../io/scheduler";
import type { Host } from "./host";

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
    envFile: options.envFile && resolve(options.envFile),
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
