import { existsSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import { Deadline } from "../base/deadline";
import { IpcheckError, StoppedError, systemCode } from "../base/errors";
import { machineSeed } from "../base/machine-id";
import type { Output } from "../base/output";
import { TerminalPrompter } from "../base/prompts";
import { quote } from "../base/quote";
import { SecretPrompt } from "../base/secret-prompt";
import { UnusableFileError } from "../base/trusted-file";
import { findProblem } from "../config/check-value";
import { defaultEnvFiles } from "../config/env-file";
import { renderEnvFile } from "../config/env-lines";
import { writePrivateFile } from "../config/env-writer";
import { loadSettings, localeLanguage } from "../config/settings";
import { VARIABLE_NAMES, variable } from "../config/variables";
import { findSpecialRange } from "../lookup/address";
import { isGood } from "../lookup/explanation";
import { look } from "../lookup/lookup";
import { deliver } from "../notify/deliver";
import { findProvider } from "../notify/mail-providers";
import { testNotice } from "../notify/test-notice";
import { openStateFile } from "../state/state-file";
import type { GlobalOptions, Host } from "./host";
import { type InitOptions, type InitTools, Interview, type Prompter } from "./init-questions";
import { composeSchedule } from "./schedule";

/** Nobody waits longer for a question's suggestion. */
const IPV6_PROBE_MS = 4000;

/** `ipcheck init`. Resolves to the exit code. */
export async function composeInit(options: InitOptions & GlobalOptions, host: Host): Promise<number> {
  const { env, hostName } = host;
  const envFile = options.config === undefined ? defaultEnvFiles(host)[0] : resolve(options.config);
  if (envFile === undefined) throw new IpcheckError("usage", "no home folder is known: name a file with --config");
  // An env file named on the command line must be named again where it is used.
  const named = options.config === undefined ? {} : { config: envFile };
  return runInit(
    options,
    {
      prompter: host.isStdinTerminal ? new TerminalPrompter(host.openStdin(), host.openStderr()) : undefined,
      envFile,
      envFileExists: existsSync(envFile),
      hostName,
      language: localeLanguage(env),
      detectIpv6: () => detectIpv6(host),
      findProvider,
      findProblem,
      readPasswordFromStdin: async () => {
        const prompt = new SecretPrompt(host.openStdin(), host.openStderr());
        const password = await prompt.ask("Password: ");
        prompt.close();
        return password;
      },
      renderEnvFile,
      async write(text, passwordFile) {
        if (passwordFile) written(passwordFile.path, `${passwordFile.password}\n`, host);
        return written(envFile, text, host);
      },
      sendTest: () => sendTest(envFile, host),
      installSchedule: () => composeSchedule("install", { ...named, ...(options.yes && { yes: true }) }, host),
    },
    host.output,
  );
}

function written(path: string, text: string, who: Host): string | undefined {
  try {
    return writePrivateFile(path, text, new Date(), who);
  } catch (error) {
    if (error instanceof UnusableFileError) {
      throw new IpcheckError("config", `cannot write ${quote(path)}: it ${error.fact}`, {
        hint: error.cure,
        cause: error,
      });
    }
    throw new IpcheckError("usage", `cannot write ${quote(path)} (${systemCode(error) || "unknown error"})`, {
      hint: "--config names another place; nothing was changed there",
      cause: error,
    });
  }
}

async function sendTest(envFile: string, host: Host): Promise<number> {
  const { output } = host;
  const settings = loadSettings(envFile, host, output.redactor.secrets);
  const deadline = host.startDeadline(settings.deadlineMs);
  try {
    const { historyFile } = openStateFile(settings.stateFile, host);
    const bugs: unknown[] = [];
    const onBug = (bug: unknown) => bugs.push(bug);
    const { signal, remainingMs } = deadline;
    const context = { ...host, historyFile, signal, remainingMs, redactor: output.redactor, onBug };
    const outcomes = [...(await deliver(testNotice(settings, undefined, [], new Date()), settings, context))];
    for (const [recipient, outcome] of outcomes) {
      if (outcome.ok) await output.note(`the mail server took the test mail for ${recipient}: look at the mailbox`);
      else await output.fail(new IpcheckError("undelivered", `${recipient}: ${outcome.reason}`, outcome));
    }
    if (bugs.length > 0) throw bugs[0];
    if (outcomes.every(([, { ok }]) => ok)) return 0;
    await output.note("the env file stays: correct it, then try 'ipcheck doctor --send'");
    return 5;
  } finally {
    deadline.clear();
  }
}

/** Whether this machine has a public IPv6 address that the world sees. */
async function detectIpv6(host: Host): Promise<boolean> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const isPublic = addresses.some(({ family, address }) => family === "IPv6" && !findSpecialRange(6, address));
  if (!isPublic) return false;
  const deadline = new Deadline(IPV6_PROBE_MS, host.monotonicMs);
  try {
    const lookup = {
      ...host,
      seed: machineSeed(host.hostName),
      serviceUrls: undefined,
      acceptRanges: [],
      ipv6PrefixLength: 64,
      timeoutMs: IPV6_PROBE_MS,
      now: () => new Date(),
      redact: (text: string) => text,
      signal: deadline.lookSignal,
    };
    return isGood(await look({ family: 6, recorded: undefined, candidate: undefined, coolDowns: {} }, lookup));
  } finally {
    deadline.clear();
  }
}

/** Asks what is not given by switches, shows and writes the env file, offers test mail and schedule. */
export async function runInit(options: InitOptions, tools: InitTools, output: Output): Promise<number> {
  const prompter = options.yes ? undefined : tools.prompter;
  if (!prompter && !options.yes) {
    throw new IpcheckError("usage", "nobody can be asked, for this is no terminal", {
      hint: "give the answers as switches: ipcheck init --yes --to … --user … --password-stdin (see ipcheck init --help)",
    });
  }
  const interview = new Interview(options, prompter, tools, output);
  const answers = await interview.hold();
  const { password, passwordFile } = interview;
  const text = tools.renderEnvFile(answers);
  if (text === undefined) {
    throw new IpcheckError("usage", "no quoting can carry these values in an env file", {
      hint: "a value with all three kinds of quotes does that; for a password choose --store file",
    });
  }
  if (password !== undefined) output.redactor.secrets.push(password);
  await output.print(`\n${tools.envFile}:\n\n${mask(text)}`);
  const question = tools.envFileExists ? "Replace the existing file (a backup is kept)?" : "Write this file?";
  if (prompter && !(await prompter.confirm(question))) {
    await output.note("nothing was written");
    return 0;
  }
  const backup = await tools.write(text, passwordFile);
  await output.note(`written: ${tools.envFile}${backup === undefined ? "" : ` (the old one is ${backup})`}`);

  try {
    return await offer(options, prompter, tools, output);
  } catch (error) {
    throw error instanceof StoppedError ? new StoppedError("the env file stays as it was written") : error;
  }
}

async function offer(
  options: InitOptions,
  prompter: Prompter | undefined,
  tools: InitTools,
  output: Output,
): Promise<number> {
  let exitCode = 0;
  const wantsTest = options.send ?? (prompter ? await prompter.confirm("Send a test mail now?") : false);
  if (wantsTest) exitCode = await tools.sendTest();
  const wantsSchedule = options.schedule ?? (prompter ? await prompter.confirm("Run check every hour?") : false);
  if (wantsSchedule) exitCode = (await tools.installSchedule()) || exitCode;
  await output.note("done; 'ipcheck doctor' looks at everything, 'ipcheck check -v' is the first look");
  return exitCode;
}

function mask(text: string): string {
  return VARIABLE_NAMES.filter((name) => variable(name).shown !== "whole").reduce(
    (shown, name) => shown.replace(new RegExp(`^${name}=.*$`, "m"), `${name}=(not shown)`),
    text,
  );
}
