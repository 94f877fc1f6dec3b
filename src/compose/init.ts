import { existsSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import { runInit } from "../cli/init";
import type { InitOptions } from "../cli/init-tools";
import type { GlobalOptions } from "../cli/program";
import { findProblem } from "../config/check-value";
import { defaultEnvFiles } from "../config/env-file";
import { renderEnvFile } from "../config/env-lines";
import { loadSettings, localeLanguage } from "../config/settings";
import { findSpecialRange } from "../core/address";
import { IpcheckError, systemCode } from "../core/errors";
import { isGood } from "../core/explanation";
import { quote } from "../core/quote";
import { testNotice } from "../core/test-notice";
import { SecretPrompt } from "../io/ask";
import { deliver } from "../io/deliver";
import { writePrivateFile } from "../io/env-writer";
import { look } from "../io/lookup";
import { findProvider } from "../io/mail-providers";
import { TerminalPrompter } from "../io/prompts";
import { openStateFile } from "../io/state-file";
import { Deadline } from "./deadline";
import type { Host } from "./host";
import { composeSchedule } from "./schedule";

/** Nobody waits longer for a question's suggestion. */
const IPV6_PROBE_MS = 4000;

/** `ipcheck init`. Resolves to the exit code. */
export async function composeInit(options: InitOptions & GlobalOptions, host: Host): Promise<number> {
  const { env, hostName } = host;
  const envFile = options.envFile === undefined ? defaultEnvFiles(host)[0] : resolve(options.envFile);
  if (envFile === undefined) throw new IpcheckError("usage", "no home folder is known: name a file with --env-file");
  // An env file named on the command line must be named again where it is used.
  const named = options.envFile === undefined ? {} : { envFile };
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
        if (passwordFile) await written(passwordFile.path, `${passwordFile.password}\n`);
        return written(envFile, text);
      },
      sendTest: () => sendTest(envFile, host),
      installSchedule: () => composeSchedule("install", { ...named, ...(options.yes && { yes: true }) }, host),
    },
    host.output,
  );
}

async function written(path: string, text: string): Promise<string | undefined> {
  try {
    return await writePrivateFile(path, text, new Date());
  } catch (error) {
    throw new IpcheckError("usage", `cannot write ${quote(path)} (${systemCode(error) || "unknown error"})`, {
      hint: "--env-file names another place; nothing was changed there",
      cause: error,
    });
  }
}

async function sendTest(envFile: string, host: Host): Promise<number> {
  const { output } = host;
  const settings = loadSettings(envFile, host, output.redactor.secrets);
  const deadline = new Deadline(settings.deadlineMs);
  try {
    const { historyFile } = openStateFile(settings.stateFile);
    const context = { ...host, historyFile, signal: deadline.signal, redactor: output.redactor };
    const outcomes = [...(await deliver(testNotice(settings, undefined, [], new Date()), settings, context))];
    for (const [recipient, outcome] of outcomes) {
      if (outcome.ok) await output.note(`the mail server took the test mail for ${recipient}: look at the mailbox`);
      else await output.fail(new IpcheckError("undelivered", `${recipient}: ${outcome.reason}`, outcome));
    }
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
  const deadline = new Deadline(IPV6_PROBE_MS);
  try {
    const lookup = {
      ...host,
      serviceUrls: undefined,
      acceptRanges: [],
      ipv6PrefixLength: 64,
      timeoutMs: IPV6_PROBE_MS,
      now: () => new Date(),
      redact: (text: string) => text,
      signal: deadline.lookSignal,
    };
    return isGood(await look({ family: 6, recorded: undefined, candidate: undefined, rests: {} }, lookup));
  } finally {
    deadline.clear();
  }
}
