import type { Command, Option } from "commander";

/** What the manual says besides the command tree. */
export interface ManualFacts {
  version: string;
  /** The text of `.env.example`: each variable below the comment that explains it. */
  envExample: string;
}

/** The man page, made of the command tree and of `.env.example`, so that neither can drift from it. */
export function renderManual(program: Command, { version, envExample }: ManualFacts): string {
  const { commands } = program;
  return `${[
    `.TH IPCHECK 1 "" "ipcheck ${version}" "User Commands"`,
    ".SH NAME",
    "ipcheck \\- mails you your home's public IP address when it changes",
    ".SH SYNOPSIS",
    ...commands.flatMap((command) => [".B ipcheck", roff(`${command.name()} ${command.usage()}`), ".br"]),
    ".SH DESCRIPTION",
    roff(program.description().replaceAll("\n", " ")),
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
    ...describeVariables(envExample),
    ".SH FILES",
    ...term("~/.config/ipcheck/.env", "the configuration"),
    ...term("~/.local/state/ipcheck/state.json", "the recorded address, and what is owed to whom"),
    ...term("~/.local/state/ipcheck/history.jsonl", "every change, one line each"),
    ".SH EXIT STATUS",
    ...EXIT_STATUS.flatMap(([code, meaning]) => term(code, meaning)),
  ].join("\n")}\n`;
}

const EXIT_STATUS = [
  ["0", "done: unchanged, or changed, recorded and mailed"],
  ["1", "a bug, or the result could not be written"],
  ["2", "usage or configuration; nothing was asked, nothing written"],
  ["3", "no trustworthy address could be had; what was recorded stands"],
  ["4", "the state could not be read or written"],
  ["5", "a change is recorded, but not everybody has been told yet"],
  ["6", "another run is at work"],
] as const;

/** The options of a command that its help shows. */
export function visibleOptions(command: Command): Option[] {
  return command.createHelp().visibleOptions(command);
}

function describeOption({ flags, description }: Option): string[] {
  return term(flags, description);
}

// A paragraph of comments belongs to the variables that follow it.
function describeVariables(envExample: string): string[] {
  const lines: string[] = [];
  let comment: string[] = [];
  for (const line of envExample.split("\n")) {
    const variable = /^#?(IPCHECK_\w+)=(.*)$/.exec(line);
    if (variable) {
      const [, name = "", value = ""] = variable;
      // A long default is a list that the paragraph speaks of; roff could not break it.
      const isDefault = line.startsWith("#") && value.length > 0 && value.length < 40 && !value.startsWith("'your ");
      lines.push(...term(name, [...comment, ...(isDefault ? [`[${value}]`] : [])].join(" ")));
      comment = [];
    } else if (/^# [^-]/.test(line)) {
      comment.push(line.slice(2));
    } else {
      comment = [];
    }
  }
  return lines;
}

function term(name: string, text: string): string[] {
  return [".TP", `.B ${roff(name)}`, roff(text || "See above.")];
}

// roff: a backslash, a hyphen that is to stay one, and a line that begins like a request.
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/, "\\&$1");
}
