import { existsSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import { Deadline } from "../base/deadline";
import { IpcheckError, StoppedError, systemCode } from "../base/errors";
import { takesConnection } from "../base/network";
import { TerminalPrompter } from "../base/prompts";
import { quote } from "../base/text";
import { readTrusted, UnusableFileError } from "../base/trusted-file";
import { describeChanges, editEnvText, repairEnvText } from "../config/env-edit";
import { defaultEnvFiles, writePrivateFile } from "../config/env-file";
import { readEnvText } from "../config/env-text";
import { path as readPath } from "../config/readers";
import { loadSettings } from "../config/settings";
import { findSpecialRange } from "../lookup/address";
import { look } from "../lookup/lookup";
import { isGood, type LookupResult } from "../lookup/lookup-result";
import { sendTestMail } from "../notify/test-mail";
import type { FailedOutcome } from "../state/outbox";
import { openStateFile } from "../state/state-file";
import { deliveryContext, type GlobalOptions, type Host, lookAtAllFamilies, lookupOptions } from "./host";
import { type InitOptions, Interview } from "./init-questions";
import { offerReach } from "./reach";
import { findSchedules, runSchedule } from "./schedule";

const NEW_FILE = "# Written by 'ipcheck init'. Every variable is described in .env.example.\n";

/**
 * `ipcheck init`: asks what no switch answers, shows and writes what changes in the env file, offers a test mail and
 * the schedule. Resolves to the exit code.
 */
export async function runInit(options: InitOptions & GlobalOptions, host: Host): Promise<number> {
  const isAsking = host.isStdinTerminal && !options.yes;
  if (!isAsking && !options.yes) {
    throw new IpcheckError("usage", "nobody can be asked, for this is no terminal", {
      hint: "give the answers as switches: ipcheck init --yes --to … --user … --password-stdin (see ipcheck init --help)",
    });
  }
  if (options.relay && options.user !== undefined) {
    throw new IpcheckError("usage", "--relay and --user do not go together", {
      hint: "a relay is used without a login",
    });
  }
  // A file that is named here must be named again where it is used.
  const named = options.config ?? (host.env["IPCHECK_CONFIG"] || undefined);
  const usual = defaultEnvFiles(host);
  const envFile = named === undefined ? (usual.find((path) => existsSync(path)) ?? usual[0]) : resolve(named);
  if (envFile === undefined) throw new IpcheckError("usage", "no home folder is known: name a file with --config");
  const prompter = isAsking ? new TerminalPrompter(host.openStdin(), host.openStderr()) : undefined;
  const setup = new Setup(envFile, options, prompter, host);
  if (!(await setup.agree())) {
    await host.output.note("nothing was written");
    return 0;
  }
  await setup.write();
  try {
    const wantsTest = options.send ?? (prompter ? await prompter.confirm("Send a test mail now?") : false);
    const exitCode = wantsTest ? await setup.tryMail() : 0;
    // What else stands in the file, and in the environment, counts too.
    const settings = loadSettings(envFile, host, host.output.redactor.secrets);
    const isInstalled = await offerSchedule(options, named === undefined ? undefined : envFile, host);
    // Not offered where switches have answered the other two offers. The default is no: it has a stranger connect to us.
    if (prompter && (options.send === undefined || options.schedule === undefined)) {
      const ask = (question: string) => prompter.confirm(question, false);
      for await (const { title, text, hint } of offerReach(settings, host, ask)) {
        await host.output.note(`${title}: ${text}`);
        if (hint !== undefined) await host.output.note(hint, "hint: ");
      }
    }
    await host.output.note("done; 'ipcheck doctor' looks at everything, 'ipcheck check -v' makes a run now");
    return isInstalled || exitCode;
  } catch (error) {
    throw error instanceof StoppedError ? new StoppedError("the env file stays as it was written") : error;
  }
}

/** The env file and the answers for it: shown, written, and tried until a mail gets through. */
class Setup {
  private readonly before: string | undefined;
  /** What the env file says by now. */
  private current: string | undefined;
  private readonly backedUp = new Set<string>();
  private readonly interview: Interview;
  /** Undefined until the first test mail. */
  private lookupResults: readonly LookupResult[] | undefined;

  constructor(
    private readonly envFile: string,
    options: InitOptions,
    private readonly prompter: TerminalPrompter | undefined,
    private readonly host: Host,
  ) {
    this.before = guarded("read", envFile, () => readIfThere(envFile, host));
    this.current = this.before;
    const { values } = repairEnvText(this.before ?? "").content;
    const probes = { hasIpv6: () => hasIpv6(host), findMailServers };
    this.interview = new Interview(envFile, values, options, prompter, host, probes);
  }

  /** Puts the questions and shows what changes; resolves to whether that is to be written. */
  async agree(): Promise<boolean> {
    const { prompter, interview } = this;
    await interview.run();
    for (;;) {
      const hasChanges = await this.show();
      if (!prompter) return true;
      await prompter.say("These are settled:", ...interview.describeSettled());
      const chosen = await prompter.select({
        message: hasChanges ? "Write this?" : "Nothing changes. Go on?",
        options: [
          { value: "yes", label: "yes" },
          { value: "change", label: "no, change an answer first" },
          { value: "no", label: "no, stop here" },
        ],
      });
      if (chosen !== "change") return chosen === "yes";
      await interview.change("Which one?");
    }
  }

  async write(): Promise<void> {
    const { envFile, current, host, text } = this;
    const { passwordFile } = this.interview;
    if (passwordFile) {
      const path = readPath(passwordFile.path, host);
      if ("expected" in path) {
        throw new IpcheckError("config", `IPCHECK_SMTP_PASSWORD_FILE: expected ${path.expected}`);
      }
      this.save(path.value, `${passwordFile.password}\n`);
    }
    if (text === current) return;
    const backup = this.save(envFile, text);
    this.current = text;
    await host.output.note(`written: ${quote(envFile)}${backup ? ` (the one before is ${quote(backup)})` : ""}`);
    const [old, now] = [current ?? "", text].map((one) => readEnvText(one).values["IPCHECK_SMTP_PASSWORD_FILE"]);
    if (!old || now) return;
    const left = readPath(old, host);
    if ("expected" in left || !existsSync(left.value)) return;
    await host.output.note(`${quote(old)} still holds a password; ipcheck reads it no longer`);
  }

  /** Sends the test mail, and asks for what is to blame until it is taken; resolves to the exit code. */
  async tryMail(): Promise<number> {
    const { prompter, interview, host } = this;
    for (;;) {
      const failure = await this.sendTest().catch(async (error) => {
        if (!prompter || !(error instanceof IpcheckError)) throw error;
        await host.output.fail(error);
        return { about: undefined };
      });
      if (!failure) return 0;
      const chosen = prompter && (await interview.change("What shall be corrected?", failure.about, AFTER_FAILURE));
      if (!prompter || chosen === "leave") {
        await host.output.note("the env file stays: correct it, then try 'ipcheck doctor --send'");
        return 5;
      }
      if (chosen === undefined) {
        await this.show();
        await this.write();
      }
    }
  }

  /** Sends the test mail and says how it went; resolves to the first failure. */
  private async sendTest(): Promise<FailedOutcome | undefined> {
    const { envFile, host } = this;
    const { output } = host;
    const settings = loadSettings(envFile, host, output.redactor.secrets);
    const deadline = host.startDeadline(settings.deadlineMs);
    try {
      const context = deliveryContext(openStateFile(settings.stateFile, host), deadline, host);
      // A test that is sent again shows the address seen for the first one: no service is asked twice.
      this.lookupResults ??= await lookAtAllFamilies(settings, undefined, deadline, host);
      const seen = { state: undefined, lookupResults: this.lookupResults };
      let failure: FailedOutcome | undefined;
      for await (const [recipient, outcome] of sendTestMail(settings, seen, context)) {
        if (outcome.ok) await output.note(`the mail server took the test mail for ${recipient}: look at the mailbox`);
        else await output.fail(new IpcheckError("undelivered", `${recipient}: ${outcome.reason}`, outcome));
        if (!outcome.ok) failure ??= outcome;
      }
      return failure;
    } finally {
      deadline.clear();
    }
  }

  /** What the env file is to say. */
  private get text(): string {
    const text = editEnvText(this.before ?? NEW_FILE, this.interview.answers);
    if (text !== undefined) return text;
    throw new IpcheckError("usage", "no quoting can carry these values in an env file", {
      hint: "a value with all three kinds of quotes does that; for a password choose --store file",
    });
  }

  /** Resolves to whether there is anything to write. */
  private async show(): Promise<boolean> {
    const { envFile, current, interview, host } = this;
    const changes = describeChanges(current ?? "", this.text);
    if (interview.passwordFile) changes.push(`+ the password in ${quote(interview.passwordFile.path)}`);
    const title = `${quote(envFile)}${current === undefined ? " (new)" : ""}`;
    const lines = changes.length > 0 ? changes.map((line) => `  ${line}`) : ["  (nothing changes)"];
    await host.output.print(`\n${title}:\n${lines.join("\n")}\n`);
    return changes.length > 0;
  }

  /** Writes a file; returns the path of its backup, which later writes do not replace by our own first attempt. */
  private save(path: string, text: string): string | undefined {
    const hasBackup = !this.backedUp.has(path);
    this.backedUp.add(path);
    return guarded("write", path, () => writePrivateFile(path, text, hasBackup, this.host));
  }
}

const AFTER_FAILURE = [
  { value: "again", label: "nothing, try again" },
  { value: "leave", label: "nothing, go on without" },
];

function readIfThere(path: string, host: Host): string | undefined {
  try {
    return readTrusted(path, host).text;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error))) return undefined;
    throw error;
  }
}

function guarded<T>(verb: "read" | "write", path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof UnusableFileError) {
      throw new IpcheckError("config", `cannot ${verb} ${quote(path)}: it ${error.fact}`, {
        hint: error.cure,
        cause: error,
      });
    }
    throw new IpcheckError("usage", `cannot ${verb} ${quote(path)} (${systemCode(error) || "unknown error"})`, {
      hint: ["EACCES", "EPERM"].includes(systemCode(error))
        ? "'ls -l' shows whose it and its folder are: give them to the user that runs ipcheck, or name another place with --config"
        : "--config names another place; nothing was changed there",
      cause: error,
    });
  }
}

/** Installs the schedule, by consent, unless one is there; resolves to the exit code. */
async function offerSchedule(
  { schedule, yes }: InitOptions,
  configFile: string | undefined,
  host: Host,
): Promise<number> {
  if (schedule === false || (schedule === undefined && yes)) return 0;
  if (!schedule) {
    for await (const { files, isOutdated, missing, scheduler, ...found } of findSchedules(host)) {
      const isUsable = files && !isOutdated && missing.length === 0;
      if (!isUsable || found.configFile !== configFile) continue;
      await host.output.note(`the schedule is there already (${scheduler.name})`);
      return 0;
    }
  }
  const config = configFile !== undefined && { config: configFile };
  return runSchedule({ ...config, ...(yes && { yes }) }, host, ["install"]);
}

/** How long the suggestion for an answer may take. */
const PROBE_MS = 4000;

/** Whether this machine has a public IPv6 address that the world sees. */
async function hasIpv6(host: Host): Promise<boolean> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const isPublic = addresses.some(({ family, address }) => family === "IPv6" && !findSpecialRange(6, address));
  if (!isPublic) return false;
  const deadline = new Deadline(PROBE_MS, host.monotonicMs);
  const usual = { serviceUrls: undefined, acceptRanges: [], ipv6PrefixLength: 64, extraCa: undefined };
  const options = lookupOptions({ ...usual, timeoutMs: PROBE_MS }, deadline, host);
  try {
    return isGood(await look({ family: 6, recorded: undefined, candidate: undefined, coolDowns: {} }, options));
  } finally {
    deadline.clear();
  }
}

/** Where a domain's mail server usually is, the best first (RFC 8314 prefers 465), as far as it takes a connection. */
async function findMailServers(domain: string): Promise<{ host: string; port: string }[]> {
  const places = ["smtp", "mail"].flatMap((name) =>
    ["465", "587"].map((port) => ({ host: `${name}.${domain}`, port })),
  );
  const answers = await Promise.all(places.map(({ host, port }) => takesConnection(host, Number(port), PROBE_MS)));
  return places.filter((_, index) => answers[index]);
}
