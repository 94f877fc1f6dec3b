import { Argument, Command, CommanderError, Option } from "commander";
import { IpcheckError } from "./base/errors";
import { quote, suggest } from "./base/text";
import type { Host } from "./commands/host";
import { port } from "./config/readers";
import { LANGUAGES } from "./notify/message/languages";

const DESCRIPTION =
  "Mails you your home's public IP address when it changes. Run it by hand, and hourly by cron: it says nothing while all is well.";

const SCHEDULE_ACTIONS = ["install", "remove", "show"];

/** What people type who know other programs, and what it is called here. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  version: "--version",
  setup: "init",
  configure: "init",
  run: "check",
  log: "history",
  test: "doctor --send",
  install: "schedule install",
  uninstall: "schedule remove",
};
const OTHER_ACTIONS: Readonly<Record<string, string>> = {
  add: "install",
  enable: "install",
  uninstall: "remove",
  delete: "remove",
  disable: "remove",
  list: "show",
  status: "show",
};

/** How every command is called; resolves to its exit code. */
type RunCommand<Options> = (options: Options, host: Host, args: readonly string[]) => Promise<number>;

/** The command tree: the one place where commands and options are defined. */
export function buildProgram(host: Host, finish: (exitCode: number) => void): Command {
  /** The action of a command, whose file is loaded when it is called. */
  const run =
    <Options extends object>(load: () => Promise<RunCommand<Options>>) =>
    async (...given: unknown[]) => {
      const command = given.at(-1) as Command;
      finish(await (await load())(command.optsWithGlobals<Options>(), host, command.args));
    };
  const program = new Command("ipcheck")
    .description(DESCRIPTION)
    .version(host.version, "-V, --version")
    .addOption(new Option("-c, --config <file>", "read the configuration from this env file").argParser(readConfig))
    .configureHelp({ minWidthToWrap: 20 })
    .showHelpAfterError(false);

  program
    .command("check", { isDefault: true })
    .description("look up the public address, compare, record, and mail a change (the default)")
    .option("-n, --dry-run", "look and compare, say what would be written and sent, touch nothing")
    .option("--json", "print one JSON object")
    .option("-v, --verbose", "say what was seen and done, also when all is well")
    .option("-q, --quiet", "say nothing on success, not even on a terminal")
    .action(run(async () => (await import("./commands/check.js")).runCheck));

  program
    .command("vigenere")
    .argument("[key]", "asked for when missing")
    .argument("[password]", "asked for when missing")
    .description(
      "encode the SMTP password for the configuration; this hides it from a glance over your shoulder and from nobody else",
    )
    .option("--decode", "turn an encoded password back")
    .option("--env", "print the two lines for the env file")
    .action(run(async () => (await import("./commands/vigenere.js")).runVigenere));

  program
    .command("init")
    .description("ask a few questions, write the env file, offer a test mail and the schedule")
    .option("--to <addresses>", "who is told")
    .option("--user <login>", "the mailbox that sends")
    .option("--relay", "send through a relay on this machine, without login")
    .option("--from <address>", "the sender, when the login is no mail address")
    .option("--smtp-host <host>", "the mail server, when the login's domain does not tell")
    .option("--smtp-port <port>", "its port")
    .option("--smtp-security <how>", "tls, starttls or none")
    .option("--password <password>", "the password (others can see it in the list of processes)")
    .option("--password-stdin", "read the password from standard input")
    .option("--password-command <command>", "a command that prints the password")
    .option("--store <how>", "keep the password as: vigenere, clear, file or command")
    .option("--name <name>", "how the machine is called in mails")
    .option("--ssh <line>", "how to log in from outside: user, user:port, or a line with {ip} in it")
    .option("--family <family>", "4, 6 or both")
    .option("--lang <language>", `language of the mails: ${LANGUAGES.join(", ")}`)
    .option("--send", "send the test mail (--no-send does not ask)")
    .addOption(new Option("--no-send").hideHelp())
    .option("--schedule", "install the hourly schedule (--no-schedule does not ask)")
    .addOption(new Option("--no-schedule").hideHelp())
    .option("-y, --yes", "ask nothing; what no switch names stays as it is in an existing file (a backup is kept)")
    .action(run(async () => (await import("./commands/init.js")).runInit));

  program
    .command("doctor")
    .description("look at everything the job needs, say what is wrong and what to do")
    .option("--send", "also send the mail that a change would produce, marked as a test")
    .addOption(
      new Option(
        "--reach [port]",
        "also ask a service outside whether this port can be reached (default: that in IPCHECK_SSH, else 22)",
      ).argParser(readPort),
    )
    .option("--json", "print one JSON object")
    .action(run(async () => (await import("./commands/doctor.js")).runDoctor));

  program
    .command("status")
    .description("current addresses, since when, the last look, and what is pending")
    .option("--json", "print one JSON object")
    .option("--prometheus", "print metrics for node_exporter's textfile collector")
    .option("--max-age <duration>", "exit with 3 when the last good look is older, like 3h")
    .action(run(async () => (await import("./commands/status.js")).runStatus));

  program
    .command("history")
    .description("every change: since when, how long, who confirmed it")
    .option("-n, --limit <number>", "show the last so many (20 on a terminal, all with --json and --csv)")
    .option("--json", "print a JSON array")
    .option("--csv", "print comma-separated values (RFC 4180)")
    .action(run(async () => (await import("./commands/history.js")).runHistory));

  program
    .command("schedule")
    .addArgument(
      new Argument("<action>", "what to do with the schedule").choices(SCHEDULE_ACTIONS).argParser(readScheduleAction),
    )
    .description("run check regularly: print and install the crontab line or timer, remove it, show it")
    .option("--cron", "the crontab (the default where one is usable)")
    .option("--systemd", "a systemd timer of this user")
    .option("--system", "a hardened systemd timer of the machine")
    .option("--launchd", "a launchd agent (macOS)")
    .option("--windows", "a task of Windows' scheduler")
    .option("--every <interval>", "how often: 5m, 15m, 1h, 6h, 1d and the like", "1h")
    .option("--password-file <file>", "with --system: hand this file over as the credential smtp-password")
    .option("--print", "print what would be installed, touch nothing")
    .option("-y, --yes", "do not ask")
    .action(run(async () => (await import("./commands/schedule.js")).runSchedule));

  return program;
}

/**
 * Runs the command line `args` (without node and script) and resolves to its exit code.
 * @throws IpcheckError `usage`
 */
export async function runProgram(args: readonly string[], host: Host): Promise<number> {
  let exitCode = 0;
  const printed: string[] = [];
  const program = buildProgram(host, (code) => {
    exitCode = code;
  });
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeOut: (text) => printed.push(text), writeErr: () => undefined });
  }
  rejectEnvFileOption(args);
  const [named, topic] = findWords(args);
  const names = program.commands.map((command) => command.name()).concat("help");
  // With a default command, commander takes a mistyped one for its argument; its help ignores one.
  const name = named === "help" ? topic : named;
  if (name !== undefined && !names.includes(name)) throw unknownCommand(name, names);
  try {
    // commander has no answer to 'help help'.
    await program.parseAsync(named === "help" && topic === "help" ? ["help"] : [...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, named ?? "check");
  }
  if (printed.length > 0) await host.output.printText(printed.join("").trimEnd(), { indent: 4 });
  return exitCode;
}

/** What is neither an option nor the file behind --config: the command comes first. */
function findWords(args: readonly string[]): string[] {
  const isConfig = (word: string | undefined) => word === "-c" || word === "--config";
  return args.filter((word, index) => !word.startsWith("-") && !isConfig(args[index - 1]));
}

// Without this, the file behind it would be reported as an unknown command.
function rejectEnvFileOption(args: readonly string[]): void {
  if (!args.some((word) => /^--env-file(=|$)/.test(word))) return;
  throw new IpcheckError("usage", "unknown option '--env-file'", {
    hint: "the env file is named by -c, --config: Node.js has an option of the other name and takes it for its own",
  });
}

// commander takes '-c=FILE' for the file '=FILE'.
function readConfig(file: string): string {
  if (!file.startsWith("=")) return file;
  throw new IpcheckError("usage", `unknown option '-c${quote(file)}'`, { hint: "write -c FILE, or --config=FILE" });
}

function readScheduleAction(word: string): string {
  if (SCHEDULE_ACTIONS.includes(word)) return word;
  const meant = findMeant(word, SCHEDULE_ACTIONS, OTHER_ACTIONS);
  throw new IpcheckError("usage", `schedule: expected install, remove or show, not '${quote(word)}'`, {
    hint: meant ? `did you mean 'ipcheck schedule ${meant}'?` : "'ipcheck schedule --help' says how it is called",
  });
}

function readPort(text: string): number {
  const result = port(text);
  if ("value" in result) return result.value;
  throw new IpcheckError("usage", `doctor --reach: expected ${result.expected}, not '${quote(text)}'`);
}

function findMeant(word: string, words: string[], others: Readonly<Record<string, string>>): string | undefined {
  const meant = suggest(word.toLowerCase(), [...Object.keys(others), ...words]);
  return meant === undefined || !Object.hasOwn(others, meant) ? meant : others[meant];
}

function unknownCommand(name: string, names: string[]): IpcheckError {
  const meant = findMeant(name, names, OTHER_WORDS);
  return new IpcheckError("usage", `unknown command '${quote(name)}'`, {
    hint: meant ? `did you mean 'ipcheck ${meant}'?` : "'ipcheck --help' lists the commands",
  });
}

function usageError(error: CommanderError, command: string): IpcheckError {
  const help = `'ipcheck ${command} --help' says how it is called`;
  if (command === "vigenere" && error.code === "commander.unknownOption") {
    // What looks like an option may be the password: it is not repeated.
    return new IpcheckError("usage", "unknown option for vigenere", {
      hint: "when the key or the password begins with '-', write -- before them: ipcheck vigenere -- KEY PASSWORD",
    });
  }
  const [message = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  const hint = suggestion?.replace(/^\(|\)$/g, "").replace(/^Did/, "did");
  // What stands behind a mistyped '--passwort=' is not repeated.
  const safe = message.replace(/^(unknown option '[^=]*)=.*'$/, "$1'").replace(/\.$/, "");
  return new IpcheckError("usage", quote(safe), { hint: hint ?? help });
}
