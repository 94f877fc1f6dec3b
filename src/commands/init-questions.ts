import { randomInt } from "node:crypto";
import { IpcheckError, StoppedError } from "../base/errors";
import { type Choice, SecretPrompt, type TerminalPrompter } from "../base/prompts";
import { quote } from "../base/text";
import { formatEnvLines } from "../config/env-edit";
import { defaultOf, findProblem, VARIABLE_NAMES, type VariableName, variable } from "../config/variables";
import { encodeVigenere } from "../config/vigenere";
import { CATALOGS, LANGUAGES } from "../notify/message/languages";
import { findProvider } from "../notify/providers";
import type { FailedOutcome } from "../state/outbox";
import type { Host } from "./host";

interface Question {
  /** The switch that answers it. */
  option: string;
  /** In a list of what can be changed. */
  label: string;
  message: string;
  choices?: Choice[];
}

/** In the order in which they are shown. */
const QUESTIONS = {
  IPCHECK_TO: { option: "to", label: "who is told", message: "Who is told? (mail address, several with commas)" },
  IPCHECK_SMTP_USER: {
    option: "user",
    label: "the mailbox that sends",
    message:
      "Which mailbox sends? Its login, usually its address; give your home one of its own. (Empty: a mail relay on this machine, without login)",
  },
  IPCHECK_SMTP_HOST: { option: "smtpHost", label: "mail server", message: "Mail server?" },
  IPCHECK_SMTP_PORT: { option: "smtpPort", label: "its port", message: "Its port?" },
  IPCHECK_SMTP_SECURITY: {
    option: "smtpSecurity",
    label: "its encryption",
    message: "How is the connection encrypted?",
    choices: [
      { value: "tls", label: "tls", hint: "from the first byte: port 465" },
      { value: "starttls", label: "starttls", hint: "port 587" },
      { value: "none", label: "none", hint: "a server on this very machine" },
    ],
  },
  IPCHECK_FROM: { option: "from", label: "the sender", message: "Sender's address?" },
  IPCHECK_SSH: {
    option: "ssh",
    label: "the ssh line",
    message: "How do you log in from outside? (user, or user:port, or a whole line with {ip} in it)",
  },
  IPCHECK_NAME: { option: "name", label: "name in mails", message: "How is this machine called in mails?" },
  IPCHECK_FAMILY: {
    option: "family",
    label: "addresses",
    message: "Which addresses?",
    choices: [
      { value: "4", label: "IPv4" },
      { value: "6", label: "IPv6" },
      { value: "both", label: "IPv4 and IPv6" },
    ],
  },
  IPCHECK_LANG: {
    option: "lang",
    label: "language of the mails",
    message: "Language of the mails?",
    choices: LANGUAGES.map((value) => ({ value, label: CATALOGS[value].name })),
  },
  IPCHECK_SMTP_PASSWORD_COMMAND: {
    option: "passwordCommand",
    label: "the command that prints the password",
    message: "Which command prints the password on its first line?",
  },
} as const satisfies Partial<Record<VariableName, Question>>;

type Name = keyof typeof QUESTIONS;

/** Those whose answer may be shown. */
const NAMES = (Object.keys(QUESTIONS) as Name[]).filter((name) => variable(name).secret === undefined);

/** The switches of `init`. */
export type InitOptions = Partial<Record<(typeof QUESTIONS)[Name]["option"], string>> & {
  relay?: boolean;
  password?: string;
  passwordStdin?: boolean;
  store?: string;
  send?: boolean;
  schedule?: boolean;
  yes?: boolean;
};

const PASSWORD: Choice = { value: "password", label: "the password" };
const STORE: Choice = { value: "store", label: "how the password is kept" };

const NEEDED = "something is needed here";

/** How the password can be kept, and in which variables. */
const STORES: (Choice & { names: VariableName[] })[] = [
  {
    value: "vigenere",
    label: "encoded in the env file",
    hint: "hides it from a glance, and from nobody else",
    names: ["IPCHECK_SMTP_PASSWORD_VIGENERE", "IPCHECK_VIGENERE_KEY"],
  },
  {
    value: "clear",
    label: "in clear in the env file",
    hint: "whoever reads the file has it; so with encoding",
    names: ["IPCHECK_SMTP_PASSWORD"],
  },
  {
    value: "file",
    label: "in a file of its own",
    hint: "as readable as the env file, but easier to keep out of backups",
    names: ["IPCHECK_SMTP_PASSWORD_FILE"],
  },
  {
    value: "command",
    label: "printed by a command",
    hint: "such as pass; it must work without you being there",
    names: ["IPCHECK_SMTP_PASSWORD_COMMAND"],
  },
];

/** A mail relay on this machine, where nothing is configured. */
const RELAY = { IPCHECK_SMTP_HOST: "localhost", IPCHECK_SMTP_PORT: "25", IPCHECK_SMTP_SECURITY: "none" } as const;

/** What only the network can tell, within seconds. */
interface Probes {
  hasIpv6(): Promise<boolean>;
  findMailServers(domain: string): Promise<{ host: string; port: string }[]>;
}

/** Puts the questions that no switch answers, and collects what the env file is to say. */
export class Interview {
  /** What the env file says, as far as it can be meant, and is to say; what is undefined is taken out of it. */
  readonly answers: Partial<Record<VariableName, string | undefined>> = {};
  passwordFile: { path: string; password: string } | undefined;
  private readonly unasked = new Set<Name>();
  /** Where a password is kept that is to have a file of its own. */
  private readonly passwordPath: string;

  constructor(
    envFile: string,
    values: Record<string, string>,
    private options: InitOptions,
    /** Undefined where nobody can be asked. */
    private readonly prompter: TerminalPrompter | undefined,
    private readonly host: Host,
    private readonly probes: Probes,
  ) {
    for (const name of VARIABLE_NAMES) {
      const value = values[name];
      if (!value) continue;
      const isMeant = value !== variable(name).placeholder && findProblem(name, value) === undefined;
      if (isMeant) this.answers[name] = value;
      else if (NAMES.includes(name as Name)) this.answers[name] = undefined;
    }
    this.passwordPath = this.answers.IPCHECK_SMTP_PASSWORD_FILE ?? envFile.replace(/[^/\\]*$/, "smtp-password");
  }

  async run(): Promise<void> {
    const { answers, options, prompter } = this;
    // In a file that says something, what is a default so far stays one.
    const isNew = Object.values(answers).every((value) => value === undefined);
    await this.ask("IPCHECK_TO", answers.IPCHECK_TO);
    const user = answers.IPCHECK_SMTP_USER;
    await this.chooseMailbox();
    if (answers.IPCHECK_SMTP_USER !== undefined) await this.choosePassword(answers.IPCHECK_SMTP_USER === user);
    if (prompter || options.ssh !== undefined) {
      await this.ask("IPCHECK_SSH", answers.IPCHECK_SSH ?? this.defaultOf("IPCHECK_SSH"));
    }
    this.assume("IPCHECK_NAME", isNew ? this.defaultOf("IPCHECK_NAME") : undefined);
    if (options.family !== undefined || (prompter && !isNew)) this.assume("IPCHECK_FAMILY");
    else if (prompter) this.assume("IPCHECK_FAMILY", (await this.probes.hasIpv6()) ? "both" : "4");
    this.assume("IPCHECK_LANG", isNew ? this.defaultOf("IPCHECK_LANG") : undefined);
  }

  /** What nobody was asked, as lines to show. */
  describeSettled(): string[] {
    const store = this.store();
    const lines = NAMES.filter((name) => this.unasked.has(name)).map((name) => this.describe(name));
    return store ? [...lines, `the password: ${store.label}`] : lines;
  }

  /**
   * Lets the person choose a question, and puts it again; the one to blame for a failed test mail comes first. Resolves
   * to the value of what was chosen among the `others` instead.
   */
  async change(message: string, about?: FailedOutcome["about"], others: Choice[] = []): Promise<string | undefined> {
    const blamed: readonly string[] = about ? BLAMED[about] : [];
    const names = NAMES.filter((name) => this.get(name) !== undefined || blamed.includes(name));
    const options: Choice[] = names.map((value) => ({ value, label: this.describe(value) }));
    if (this.get("IPCHECK_SMTP_USER")) options.push(PASSWORD, STORE);
    const first = blamed.flatMap((value) => options.filter((option) => option.value === value));
    const rest = options.filter((option) => !first.includes(option));
    const chosen = await this.person.select({ message, options: [...first, ...others, ...rest] });
    // A switch answers its question once: put again, it is for the person to answer.
    this.options = {};
    if (others.some(({ value }) => value === chosen)) return chosen;
    await this.putAgain(chosen);
    return undefined;
  }

  private async putAgain(chosen: string): Promise<void> {
    const store = this.store()?.value;
    if (chosen === PASSWORD.value) return this.setPassword(store ?? "vigenere");
    if (chosen === STORE.value) {
      const message = "How is the password kept?";
      return this.setPassword(await this.person.select({ message, options: STORES, initial: store }));
    }
    const name = chosen as Name;
    const before = this.get(name);
    if (name === "IPCHECK_SMTP_USER") {
      await this.chooseMailbox();
      const user = this.get(name);
      return user === undefined || user === before ? undefined : this.setPassword(store ?? "vigenere");
    }
    this.answers[name] = await this.prompt(name, before);
    if (name === "IPCHECK_SMTP_PORT" && this.get("IPCHECK_SMTP_SECURITY") !== "none") {
      this.answers.IPCHECK_SMTP_SECURITY = usualSecurity(this.answers[name]);
    }
  }

  private get person(): TerminalPrompter {
    if (!this.prompter) throw new Error("nobody can be asked");
    return this.prompter;
  }

  /** What is configured by now; of what nobody was asked, the default too. */
  private get(name: Name): string | undefined {
    return this.answers[name] ?? (this.unasked.has(name) ? this.defaultOf(name) : undefined);
  }

  private defaultOf(name: VariableName): string | undefined {
    return defaultOf(name, this.host, (other) => this.answers[other]);
  }

  private describe(name: Name): string {
    const value = this.get(name) ?? "";
    const { label, choices }: Question = QUESTIONS[name];
    return `${label}: ${choices?.find((choice) => choice.value === value)?.label ?? quote(value)}`;
  }

  /** The switch's value, else a person's answer, for which `suggestion` stands there. */
  private async ask(name: Name, suggestion: string | undefined): Promise<void> {
    const { option, label } = QUESTIONS[name];
    const isGiven = this.options[option] !== undefined;
    if (this.prompter && !isGiven) this.answers[name] = await this.prompt(name, suggestion);
    else if (isGiven || suggestion !== undefined) this.assume(name, suggestion);
    else throw missing(label, flagOf(name));
  }

  /**
   * Asks nobody: the switch's value, else `value`; without either what is configured stays, and is not even written where
   * it is a default so far.
   */
  private assume(name: Name, value?: string): void {
    this.unasked.add(name);
    const chosen = this.options[QUESTIONS[name].option] ?? value;
    if (chosen === undefined) return;
    this.answers[name] = this.requireValid(name, name === "IPCHECK_SSH" ? readSshAnswer(chosen) : chosen);
  }

  private async prompt(name: Name, suggestion: string | undefined, mayBeEmpty = false): Promise<string> {
    const { message, choices }: Question = QUESTIONS[name];
    if (choices) return this.person.select({ message, options: choices, initial: suggestion });
    const isSsh = name === "IPCHECK_SSH";
    const read = isSsh ? readSshAnswer : (text: string) => text.trim();
    const answer = await this.person.text({
      message,
      initial: isSsh && suggestion !== undefined ? shortenSshLine(suggestion) : suggestion,
      validate: (text) => (text.trim() === "" ? (mayBeEmpty ? undefined : NEEDED) : findProblem(name, read(text))),
    });
    return read(answer);
  }

  private requireValid(name: Name, value: string): string {
    const problem = value === "" ? NEEDED : findProblem(name, value);
    if (problem !== undefined) throw new IpcheckError("usage", `${flagOf(name)}: ${problem}`);
    return value;
  }

  private async chooseMailbox(): Promise<void> {
    const { answers, options, prompter } = this;
    const before = answers.IPCHECK_SMTP_USER;
    const isRelay = before === undefined && answers.IPCHECK_SMTP_HOST !== undefined;
    let user = options.relay ? "" : options.user;
    if (user === undefined && prompter) user = await this.prompt("IPCHECK_SMTP_USER", before, true);
    user ??= before ?? (isRelay ? "" : undefined);
    if (user === undefined) throw missing(QUESTIONS.IPCHECK_SMTP_USER.label, "--user");
    if (user === "") return this.useRelay(isRelay);
    answers.IPCHECK_SMTP_USER = this.requireValid("IPCHECK_SMTP_USER", user);

    const isSame = user === before;
    const { note, isUnusable } = (isSame ? undefined : findProvider(user)) ?? {};
    if (note) await this.note(note);
    if (isUnusable && prompter && !(await prompter.confirm("Go on with it all the same?"))) throw new StoppedError();
    await this.chooseServer(user, isSame);
    if (options.from !== undefined || findProblem("IPCHECK_FROM", user) !== undefined) {
      await this.ask("IPCHECK_FROM", answers.IPCHECK_FROM);
    } else if (!isSame) {
      answers.IPCHECK_FROM = undefined;
    }
  }

  private async useRelay(isRelay: boolean): Promise<void> {
    const { answers } = this;
    answers.IPCHECK_SMTP_USER = undefined;
    this.keepPassword({});
    for (const name of ["IPCHECK_SMTP_HOST", "IPCHECK_SMTP_PORT", "IPCHECK_SMTP_SECURITY"] as const) {
      this.assume(name, isRelay ? undefined : RELAY[name]);
    }
    await this.ask("IPCHECK_FROM", answers.IPCHECK_FROM ?? answers.IPCHECK_TO?.split(",")[0]?.trim());
  }

  /** The server in use, as it is, while the login is the same; else that of the login's domain. */
  private async chooseServer(user: string, isSame: boolean): Promise<void> {
    const inUse = (name: Name) => (isSame ? (this.answers[name] ?? this.defaultOf(name)) : undefined);
    const [usedHost, usedPort] = [inUse("IPCHECK_SMTP_HOST"), inUse("IPCHECK_SMTP_PORT")];
    const provider = findProvider(user);
    const known = provider ?? (isSame ? undefined : await this.search(user));
    if (isSame || provider) this.assume("IPCHECK_SMTP_HOST", isSame ? undefined : provider?.host);
    else await this.ask("IPCHECK_SMTP_HOST", known?.host);

    const host = this.get("IPCHECK_SMTP_HOST");
    if (host === usedHost) this.assume("IPCHECK_SMTP_PORT");
    else if (host === known?.host) this.assume("IPCHECK_SMTP_PORT", String(known?.port));
    else await this.ask("IPCHECK_SMTP_PORT", this.options.smtpSecurity === "tls" ? "465" : "587");

    const port = this.get("IPCHECK_SMTP_PORT");
    const isUnchanged = host === usedHost && port === usedPort;
    this.assume("IPCHECK_SMTP_SECURITY", isUnchanged ? undefined : usualSecurity(port));
  }

  /** The best of the servers that answer where those of the login's domain usually are. */
  private async search(user: string): Promise<{ host: string; port: string } | undefined> {
    const domain = user.slice(user.lastIndexOf("@") + 1);
    if (!this.prompter || this.options.smtpHost !== undefined) return undefined;
    if (!user.includes("@") || findProblem("IPCHECK_SMTP_HOST", domain) !== undefined) return undefined;
    await this.note(`looking for the mail server of ${domain} …`);
    const found = await this.probes.findMailServers(domain);
    const places = found.map(({ host, port }) => `${host}:${port}`).join(", ");
    await this.note(places ? `these answer: ${places}` : "no server answers where one would be expected");
    return found[0];
  }

  /** How the password is kept; undefined where there is none, or more than one. */
  private store(): (typeof STORES)[number] | undefined {
    const has = (name: VariableName) => this.answers[name] !== undefined;
    const [store, ...others] = STORES.filter(({ names }) => names.some(has));
    return others.length === 0 && store?.names.every(has) ? store : undefined;
  }

  private async choosePassword(isSameLogin: boolean): Promise<void> {
    const { passwordCommand, store: given } = this.options;
    const before = this.store()?.value;
    const store = given ?? (passwordCommand === undefined ? (before ?? "vigenere") : "command");
    if (!STORES.some(({ value }) => value === store)) {
      throw new IpcheckError("usage", "--store: expected vigenere, clear, file or command");
    }
    await this.setPassword(store, isSameLogin && store === before);
  }

  private async setPassword(store: string, canKeep = false): Promise<void> {
    if (store === "command") {
      // The one that is there may hold a secret: it is no suggestion.
      if (canKeep && this.options.passwordCommand === undefined) return;
      await this.ask("IPCHECK_SMTP_PASSWORD_COMMAND", undefined);
      return this.keepPassword({ IPCHECK_SMTP_PASSWORD_COMMAND: this.answers.IPCHECK_SMTP_PASSWORD_COMMAND });
    }
    const password = await this.readPassword(canKeep);
    if (password === undefined) return;
    this.host.output.redactor.secrets.push(password);
    const path = this.passwordPath;
    if (store === "file") this.keepPassword({ IPCHECK_SMTP_PASSWORD_FILE: path }, { path, password });
    else if (store === "clear") this.keepPassword({ IPCHECK_SMTP_PASSWORD: password });
    else this.keepPassword(encodeWithNewKey(password));
  }

  /** Undefined where the one that is there is to be kept. */
  private async readPassword(canKeep: boolean): Promise<string | undefined> {
    const isOnStdin = this.options.passwordStdin;
    const given = this.options.password ?? (isOnStdin ? await this.readLineOfStdin() : undefined);
    const user = this.answers.IPCHECK_SMTP_USER ?? "";
    const what = findProvider(user)?.note?.includes("app password") ? "App password" : "Password";
    const message = `${what} of ${user}${canKeep ? " (Enter keeps the one that is there)" : ""}`;
    const entered = given ?? (await this.prompter?.secret(message, { mayBeEmpty: canKeep }));
    if (!entered && canKeep && !isOnStdin) return undefined;
    if (!entered) throw missing("the password", "--password-stdin");
    // Google shows an app password in four groups; the spaces, of whatever kind, are no part of it.
    const isInGroups = /^([a-z]{4}\p{Zs}){3}[a-z]{4}$/u.test(entered.trim());
    const password = isInGroups ? entered.replaceAll(/\s/g, "") : entered;
    const problem = findProblem("IPCHECK_SMTP_PASSWORD", password);
    if (problem !== undefined) {
      throw new IpcheckError("usage", `the password cannot be used: ${problem}`, {
        hint: "look at what was pasted: there is a line break or something invisible in it",
      });
    }
    return password;
  }

  private async readLineOfStdin(): Promise<string | undefined> {
    const prompt = new SecretPrompt(this.host.openStdin(), this.host.openStderr());
    const line = await prompt.ask("Password: ");
    prompt.close();
    return line;
  }

  /** The one source of the password; every other is taken out. */
  private keepPassword(source: typeof this.answers, file?: typeof this.passwordFile): void {
    this.passwordFile = file;
    for (const name of STORES.flatMap(({ names }) => names)) this.answers[name] = source[name];
  }

  private note(text: string): Promise<void> {
    return this.prompter ? this.prompter.say(text) : this.host.output.note(text);
  }
}

/** The questions that may be to blame for a failed test mail. */
const BLAMED: Record<NonNullable<FailedOutcome["about"]>, readonly string[]> = {
  login: [PASSWORD.value, "IPCHECK_SMTP_USER"],
  server: ["IPCHECK_SMTP_HOST", "IPCHECK_SMTP_PORT", "IPCHECK_SMTP_SECURITY"],
  sender: ["IPCHECK_FROM", "IPCHECK_SMTP_USER"],
  recipient: ["IPCHECK_TO"],
};

/** The ssh line of an answer like pi or pi:2222; what is neither stays as it is. */
export function readSshAnswer(answer: string): string {
  const text = answer.trim();
  const [, user, port = "22"] = /^([a-z_][\w.-]*)(?::(\d+))?$/i.exec(text) ?? [];
  if (user === undefined || Number(port) < 1 || Number(port) > 65_535) return text;
  return `ssh ${port === "22" ? "" : `-p ${port} `}${user}@{ip}`;
}

/** The short answer that stands for an ssh line, where there is one. */
export function shortenSshLine(line: string): string {
  return line.replace(/^ssh (?:-p (\d+) )?([a-z_][\w.-]*)@\{ip\}$/i, (_, port, user) =>
    port ? `${user}:${port}` : user,
  );
}

/**
 * The encoded password with a key made for it, as the two variables; other keys are tried until an env file can carry
 * the values.
 */
function encodeWithNewKey(password: string): Record<string, string> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const key = Array.from({ length: 16 }, () => String.fromCharCode(65 + randomInt(26))).join("");
    const values = { IPCHECK_SMTP_PASSWORD_VIGENERE: encodeVigenere(password, key), IPCHECK_VIGENERE_KEY: key };
    if (formatEnvLines(values) !== undefined) return values;
  }
  throw new IpcheckError("usage", "no key makes this password fit into an env file", { hint: "choose --store file" });
}

function usualSecurity(port: string | undefined): string {
  return port === "465" ? "tls" : "starttls";
}

function flagOf(name: Name): string {
  return `--${QUESTIONS[name].option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function missing(what: string, flag: string): IpcheckError {
  return new IpcheckError("usage", `${flag} is needed: ${what}`, { hint: "'ipcheck init --help' lists all switches" });
}
