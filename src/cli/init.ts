import { IpcheckError, StoppedError } from "../core/errors";
import type { InitOptions, InitTools, Prompter } from "./init-tools";
import { Interview } from "./interview";
import type { Output } from "./output";

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
  return text.replace(/^(IPCHECK_(?:SMTP_PASSWORD|SMTP_PASSWORD_VIGENERE|VIGENERE_KEY))=.*$/gm, "$1=(not shown)");
}
