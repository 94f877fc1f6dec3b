import { type HistoryOptions, runHistory } from "../cli/history";
import type { GlobalOptions } from "../cli/program";
import { runStatus, type StatusOptions } from "../cli/status";
import { loadSettings } from "../config/settings";
import { HOOK } from "../core/state";
import { readStatus } from "../core/status";
import { readHistory } from "../io/history-file";
import { openStateFile } from "../io/state-file";
import type { Host } from "./host";

/** `ipcheck status`: reads, and touches nothing. Resolves to the exit code. */
export async function composeStatus(options: StatusOptions & GlobalOptions, host: Host): Promise<number> {
  const settings = loadSettings(options.envFile, host, host.output.redactor.secrets);
  const store = openStateFile(settings.stateFile);
  const recollection = store.recall();
  if (recollection.condition === "damaged") {
    await host.output.warn("the state file cannot be read; the next check keeps it aside and begins anew");
  }
  const now = new Date();
  const channels = [...settings.recipients, ...(settings.onChange === undefined ? [] : [HOOK])];
  return runStatus(options, readStatus(recollection, channels, now), now, host.output);
}

/** `ipcheck history`: reads, and touches nothing. Resolves to the exit code. */
export async function composeHistory(options: HistoryOptions & GlobalOptions, host: Host): Promise<number> {
  const settings = loadSettings(options.envFile, host, host.output.redactor.secrets);
  const { historyFile } = openStateFile(settings.stateFile);
  return runHistory(options, readHistory(historyFile), { now: new Date(), env: host.env }, host.output);
}
