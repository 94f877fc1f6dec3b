// Run by the build: prints the man page, made of the command tree and of `.env.example`, so that it drifts from neither.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command, Option } from "commander";
import { EXIT_MEANINGS } from "./base/errors";
import { buildProgram } from "./cli";
import type { Host } from "./commands/host";

function renderManual(version: string, envExample: string): string {
  const program = buildProgram({ version } as Host, () => undefined);
  const { commands } = program;
  return `${[
    `.TH IPCHECK 1 "" "ipcheck ${version}" "User Commands"`,
    // Left-aligned and without hyphens: URLs and names are there to be copied.
    ".nh",
    ".ad l",
    ".SH NAME",
    "ipcheck \\- mails you your home's public IP address when it changes",
    ".SH SYNOPSIS",
    ...commands.flatMap((command) => [".B ipcheck", roff(`${command.name()} ${command.usage()}`), ".br"]),
    ".SH DESCRIPTION",
    roff(program.description()),
    ".SH OPTIONS",
    ...visibleOptions(program).flatMap(describeOption),
    ".SH COMMANDS",
    ...commands.flatMap((command) => [
      `.SS ${roff(command.name())}`,
      roff(`${command.description()}.`),
      ...visibleOptions(command).flatMap(describeOption),
    ]),
    ".SH ENVIRONMENT",
    "Read from the environment, and from an env file with the same names; the environment wins.",
    "A value behind a name is its default.",
    ...describeVariables(envExample),
    ".SH FILES",
    ...term("~/.config/ipcheck/.env", "the configuration; --config or IPCHECK_CONFIG names another file"),
    ...term("~/.local/state/ipcheck/state.json", "the recorded address, and what is owed to whom"),
    ...term("~/.local/state/ipcheck/history.jsonl", "every change, one line each"),
    ".SH EXAMPLES",
    ...EXAMPLES.flatMap(([command, what]) => [".TP", `.B ${literal(command)}`, roff(what)]),
    ".SH EXIT STATUS",
    ...EXIT_MEANINGS.flatMap((meaning, code) => term(String(code), meaning)),
  ].join("\n")}\n`;
}

const EXAMPLES = [
  ["ipcheck init", "Sets it up: asks for the mailbox, sends a test mail, installs the hourly schedule."],
  ["ipcheck check -v", "Looks now, and says what was seen and done."],
  ["ipcheck check -n", "Looks now, says what would be written and sent, and does nothing of it."],
  ["ipcheck doctor --send", "Looks at everything the job needs, and sends a test mail."],
  ["ipcheck status --max-age 3h", "Shows how things stand; exits with 3 when the last good look is older."],
  ["ipcheck schedule install --every 15m", "Runs it four times an hour instead of once."],
  ["ipcheck history --csv > addresses.csv", "Every change, for a spreadsheet."],
  [
    `IPCHECK_ON_CHANGE='curl -fsS -H "Title: $IPCHECK_SUBJECT" -d "$IPCHECK_TEXT" https://ntfy.sh/TOPIC'`,
    "In the env file: a push message about each change, in the words of the mail.",
  ],
] as const;

/** The options of a command that its help shows. */
function visibleOptions(command: Command): Option[] {
  return command.createHelp().visibleOptions(command);
}

function describeOption({ flags, description }: Option): string[] {
  return term(flags, description);
}

// A paragraph of comments belongs to the variables below it.
function describeVariables(envExample: string): string[] {
  const blocks = [...envExample.matchAll(/^((?:# [^-].*\n)+)((?:#?IPCHECK_\w+=.*\n?)+)/gm)];
  return blocks.flatMap(([, comment = "", variables = ""]) => [
    ...[...variables.matchAll(/^(#?)(IPCHECK_\w+)=(.*)$/gm)].flatMap(([, off, name = "", value = ""], index) => {
      // What is quoted or a path is an example. roff could not break a long default, which the paragraph tells.
      const isDefault = off === "#" && /^[^'/].{0,38}$/.test(value);
      return [index === 0 ? ".TP" : ".TQ", isDefault ? `.BR ${name} ${roff(`=${value}`)}` : `.B ${name}`];
    }),
    roff(comment.trim().split(/\n?# /).filter(Boolean).join(" ")),
  ]);
}

function term(name: string, text: string): string[] {
  return [".TP", `.B ${roff(name)}`, roff(text)];
}

// roff: a backslash, a hyphen that is to stay one, and a line that begins like a request.
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/, "\\&$1");
}

// In a command straight quotes stay straight, and none of them is taken for roff's own.
function literal(command: string): string {
  return roff(command).replaceAll('"', "\\(dq").replaceAll("'", "\\(aq");
}

const root = join(__dirname, "..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
process.stdout.write(renderManual(version, readFileSync(join(root, ".env.example"), "utf8")));
