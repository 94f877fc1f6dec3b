import { IpcheckError, StoppedError } from "../base/errors";
import type { Output } from "../base/output";
import type { Choice, TerminalPrompter } from "../base/prompts";
import { quote } from "../base/text";
import { formatEnvLines } from "../config/env-edit";
import { findProblem, VARIABLE_NAMES, type VariableName, variable } from "../config/variables";
import { encodeWithNewKey } from "../config/vigenere";
import { CATALOGS, LANGUAGES } from "../notify/message/languages";
import { findProvider } from "../notify/providers";
import type { FailedOutcome } from "../state/outbox";

/** The switches of `init`: one for every question. */
export interface InitOptions {
  to?: string;
  from?: string;
  user?: string;
  smtpHost?: string;
  smtpPort?: string;
  smtpSecurity?: string;
  relay?: boolean;
  password?: string;
  passwordStdin?: boolean;
  passwordCommand?: string;
  store?: string;
  name?: string;
  ssh?: string;
  family?: string;
  lang?: string;
  send?: boolean;
  schedule?: boolean;
  yes?: boolean;
}

/** What the machine suggests where nothing is configured yet. */
interface InterviewDependencies {
  hostName: string;
  userName: string;
  language: string;
  passwordFile: string;
  detectIpv6(): Promise<boolean>;
  findMailServers(domain: string): Promise<{ host: string; port: string }[]>;
  readPasswordFromStdin(): Promise<string | undefined>;
}

interface Question {
  option: keyof InitOptions;
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
} as const satisfies Record<string, Question>;

type Name = keyof typeof QUESTIONS;

const NAMES = Object.keys(QUESTIONS) as Name[];

const PASSWORD: Choice = { value: "password", label: "the password" };
const STORE: Choice = { value: "store", label: "how the password is kept" };

const NEEDED = "something is needed here";

/** How the password can be kept, and in which variables. */
const STORES: readonly (Choice & { names: string[] })[] = [
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

/** Puts the questions that no switch answers, and collects what the env file is to say. */
export class Interview {
  /** The new values; what is undefined is taken out of the file. */
  readonly answers: Record<string, string | undefined> = {};
  passwordFile: { path: string; password: string } | undefined;
  /** What nobody was asked, with its value. */
  private readonly settled = new Map<Name, string>();

  /** What the file says, as far as it can be meant: it is what every answer begins from. */
  private readonly existing: Record<string, string>;

  constructor(
    values: Record<string, string>,
    private readonly options: InitOptions,
    /** Undefined where nobody can be asked. */
    private readonly prompter: TerminalPrompter | undefined,
    private readonly dependencies: InterviewDependencies,
    private readonly output: Output,
  ) {
    const isMeant = (name: VariableName) =>
      values[name] && values[name] !== variable(name).placeholder && findProblem(name, values[name]) === undefined;
    this.existing = Object.fromEntries(VARIABLE_NAMES.filter(isMeant).map((name) => [name, values[name] ?? ""]));
    for (const name of NAMES) if (values[name] && !isMeant(name)) this.answers[name] = undefined;
  }

  async run(): Promise<void> {
    const { existing, options, prompter, dependencies } = this;
    const sure = Object.keys(existing).length > 0 ? "keep" : "sure";
    await this.settle("IPCHECK_TO", existing["IPCHECK_TO"]);
    await this.chooseServer();
    if (this.get("IPCHECK_SMTP_USER")) await this.choosePassword();
    if (prompter || options.ssh !== undefined) {
      await this.settle("IPCHECK_SSH", existing["IPCHECK_SSH"] ?? `ssh ${dependencies.userName}@{ip}`);
    }
    await this.settle("IPCHECK_NAME", existing["IPCHECK_NAME"] ?? dependencies.hostName, sure);
    if (prompter || options.family !== undefined) {
      const known = options.family ?? existing["IPCHECK_FAMILY"] ?? (sure === "keep" ? "4" : undefined);
      await this.settle("IPCHECK_FAMILY", known ?? ((await dependencies.detectIpv6()) ? "both" : "4"), sure);
    }
    await this.settle("IPCHECK_LANG", existing["IPCHECK_LANG"] ?? dependencies.language, sure);
  }

  /** What nobody was asked, as lines to show. */
  describeSettled(): string[] {
    const store = this.store();
    return [
      ...[...this.settled.keys()].map((name) => this.describe(name)),
      ...(store ? [`the password: ${store.label}`] : []),
    ];
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
    const chosen = await this.ask.select({ message, options: [...first, ...others, ...rest] });
    if (others.some(({ value }) => value === chosen)) return chosen;
    await this.putAgain(chosen);
    return undefined;
  }

  private async putAgain(chosen: string): Promise<void> {
    const user = this.get("IPCHECK_SMTP_USER");
    if (chosen === PASSWORD.value) return this.takePassword(this.store()?.value ?? "vigenere");
    if (chosen === STORE.value) {
      const message = "How is the password kept?";
      const initial = this.store()?.value;
      return this.takePassword(await this.ask.select({ message, options: [...STORES], initial }));
    }
    if (chosen === "IPCHECK_SMTP_USER") {
      await this.chooseServer(true);
      const isOther = this.get(chosen) !== undefined && this.get(chosen) !== user;
      return isOther ? this.takePassword(this.store()?.value ?? "vigenere") : undefined;
    }
    this.answers[chosen] = await this.prompt(chosen as Name, this.get(chosen));
    const security = this.get("IPCHECK_SMTP_SECURITY");
    if (chosen === "IPCHECK_SMTP_PORT" && security !== "none") {
      this.answers["IPCHECK_SMTP_SECURITY"] = usualSecurity(this.answers[chosen]);
    }
  }

  private get ask(): TerminalPrompter {
    if (!this.prompter) throw new Error("nobody can be asked");
    return this.prompter;
  }

  /** A switch answers its question once: put again, it is for the person to answer. */
  private take<K extends keyof InitOptions>(option: K): InitOptions[K] {
    const given = this.options[option];
    delete this.options[option];
    return given;
  }

  private get(name: string): string | undefined {
    const value = name in this.answers ? this.answers[name] : (this.existing[name] ?? this.settled.get(name as Name));
    return value || undefined;
  }

  private describe(name: Name): string {
    const value = this.get(name) ?? "";
    const { label, choices }: Question = QUESTIONS[name];
    return `${label}: ${choices?.find((choice) => choice.value === value)?.label ?? quote(value)}`;
  }

  /**
   * The switch's value, else a person's answer, for which `suggestion` stands there. Nobody is asked what is `sure`; what
   * is to be kept is not even written where it is a default so far.
   */
  private async settle(
    name: Name,
    suggestion: string | undefined,
    how: "ask" | "sure" | "keep" = "ask",
  ): Promise<string> {
    const given = this.take(QUESTIONS[name].option);
    let value = given ?? suggestion;
    if (this.prompter && given === undefined && (how === "ask" || suggestion === undefined)) {
      value = await this.prompt(name, suggestion);
    } else if (value !== undefined) {
      this.settled.set(name, value);
    }
    if (value === undefined) throw missing(QUESTIONS[name].label, flagOf(name));
    if (how === "keep" && given === undefined) return value;
    this.answers[name] = this.requireValid(name, name === "IPCHECK_SSH" ? readSshAnswer(value) : value);
    return value;
  }

  private async prompt(name: Name, suggestion: string | undefined, mayBeEmpty = false): Promise<string> {
    const { message, choices }: Question = QUESTIONS[name];
    if (choices) return this.ask.select({ message, options: choices, initial: suggestion });
    const isSsh = name === "IPCHECK_SSH";
    const read = isSsh ? readSshAnswer : (text: string) => text.trim();
    const answer = await this.ask.text({
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

  private async chooseServer(isAnew = false): Promise<void> {
    const { existing, options, answers, prompter } = this;
    const before = isAnew ? this.get("IPCHECK_SMTP_USER") : existing["IPCHECK_SMTP_USER"];
    const isRelay = before === undefined && existing["IPCHECK_SMTP_HOST"] !== undefined;
    let user = this.take("relay") ? "" : this.take("user");
    if (user === undefined && prompter) user = await this.prompt("IPCHECK_SMTP_USER", before, true);
    user ??= before ?? (isRelay ? "" : undefined);
    if (user === undefined) throw missing(QUESTIONS.IPCHECK_SMTP_USER.label, "--user");
    if (user === "") return this.chooseRelay(isRelay);
    answers["IPCHECK_SMTP_USER"] = this.requireValid("IPCHECK_SMTP_USER", user);

    const isSame = user === before;
    const provider = findProvider(user);
    if (provider?.note && !isSame) await this.note(provider.note);
    if (provider?.isUnusable && !isSame && prompter && !(await prompter.confirm("Go on with it all the same?"))) {
      throw new StoppedError();
    }
    // Without a server in the file it is the default.
    const usual = isSame ? (this.get("IPCHECK_SMTP_HOST") ?? "smtp.gmail.com") : provider?.host;
    const found =
      usual === undefined && options.smtpHost === undefined && prompter ? await this.search(user) : undefined;
    const host = await this.settle("IPCHECK_SMTP_HOST", usual ?? found?.host, isSame ? "keep" : usual ? "sure" : "ask");
    const isSameServer = isSame && host === usual;
    const known = [found, provider].find((server) => server?.host === host);
    const usualPort = isSameServer ? (this.get("IPCHECK_SMTP_PORT") ?? "587") : known && String(known.port);
    const guess = options.smtpSecurity === "tls" ? "465" : "587";
    const port = await this.settle(
      "IPCHECK_SMTP_PORT",
      usualPort ?? guess,
      isSameServer ? "keep" : usualPort ? "sure" : "ask",
    );
    const isKept = isSameServer && port === usualPort;
    const kept = isKept ? this.get("IPCHECK_SMTP_SECURITY") : undefined;
    await this.settle("IPCHECK_SMTP_SECURITY", kept ?? usualSecurity(port), isKept ? "keep" : "sure");
    if (options.from !== undefined || findProblem("IPCHECK_FROM", user) !== undefined) {
      await this.settle("IPCHECK_FROM", existing["IPCHECK_FROM"]);
    } else if (!isSame) {
      answers["IPCHECK_FROM"] = undefined;
    }
  }

  private async chooseRelay(isSame: boolean): Promise<void> {
    const { existing, answers } = this;
    answers["IPCHECK_SMTP_USER"] = undefined;
    this.keepPassword({});
    const usual = (name: Name, fallback: string) => (isSame ? existing[name] : undefined) ?? fallback;
    await this.settle("IPCHECK_SMTP_HOST", usual("IPCHECK_SMTP_HOST", "localhost"), isSame ? "keep" : "sure");
    await this.settle("IPCHECK_SMTP_PORT", usual("IPCHECK_SMTP_PORT", "25"), isSame ? "keep" : "sure");
    await this.settle("IPCHECK_SMTP_SECURITY", usual("IPCHECK_SMTP_SECURITY", "none"), isSame ? "keep" : "sure");
    await this.settle("IPCHECK_FROM", existing["IPCHECK_FROM"] ?? answers["IPCHECK_TO"]?.split(",")[0]?.trim());
  }

  /** The best of the servers that answer where those of the login's domain usually are. */
  private async search(user: string): Promise<{ host: string; port: string } | undefined> {
    const domain = user.slice(user.lastIndexOf("@") + 1);
    if (!user.includes("@") || findProblem("IPCHECK_SMTP_HOST", domain) !== undefined) return undefined;
    await this.note(`looking for the mail server of ${domain} …`);
    const found = await this.dependencies.findMailServers(domain);
    const places = found.map(({ host, port }) => `${host}:${port}`).join(", ");
    await this.note(places ? `these answer: ${places}` : "no server answers where one would be expected");
    return found[0];
  }

  /** How the password is kept; undefined where there is none, or more than one. */
  private store(): (typeof STORES)[number] | undefined {
    const [store, ...others] = STORES.filter(({ names }) => names.some((name) => this.get(name) !== undefined));
    return others.length === 0 && store?.names.every((name) => this.get(name) !== undefined) ? store : undefined;
  }

  private async choosePassword(): Promise<void> {
    const { options, existing, answers } = this;
    const isSame = answers["IPCHECK_SMTP_USER"] === existing["IPCHECK_SMTP_USER"];
    const before = this.store()?.value;
    const store = this.take("store") ?? (options.passwordCommand === undefined ? (before ?? "vigenere") : "command");
    if (!STORES.some(({ value }) => value === store))
      throw new IpcheckError("usage", "--store: expected vigenere, clear, file or command");
    await this.takePassword(store, isSame && store === before);
  }

  private async takePassword(store: string, canKeep = false): Promise<void> {
    if (store === "command") return this.takeCommand(canKeep);
    const password = await this.readPassword(canKeep);
    if (password === undefined) return;
    this.output.redactor.secrets.push(password);
    const path = this.existing["IPCHECK_SMTP_PASSWORD_FILE"] ?? this.dependencies.passwordFile;
    if (store === "file") this.keepPassword({ IPCHECK_SMTP_PASSWORD_FILE: path });
    else if (store === "clear") this.keepPassword({ IPCHECK_SMTP_PASSWORD: password });
    else this.keepPassword(encodeWithNewKey(password, (values) => formatEnvLines(values) !== undefined));
    this.passwordFile = store === "file" ? { path, password } : undefined;
  }

  private async takeCommand(canKeep: boolean): Promise<void> {
    const name = "IPCHECK_SMTP_PASSWORD_COMMAND";
    const given = this.take("passwordCommand");
    // The one that is there may hold a secret: it is no suggestion.
    if (given === undefined && canKeep) return;
    const validate = (text: string) => (text ? findProblem(name, text) : NEEDED);
    const message = "Which command prints the password on its first line?";
    const command = given ?? (await this.prompter?.text({ message, validate }));
    if (command === undefined) throw missing("the command that prints the password", "--password-command");
    const problem = validate(command);
    if (problem !== undefined) throw new IpcheckError("usage", `--password-command: ${problem}`);
    this.keepPassword({ [name]: command });
  }

  private async readPassword(canKeep: boolean): Promise<string | undefined> {
    const { prompter, dependencies } = this;
    const isOnStdin = this.take("passwordStdin");
    const given = this.take("password") ?? (isOnStdin ? await dependencies.readPasswordFromStdin() : undefined);
    const { note = "" } = findProvider(this.get("IPCHECK_SMTP_USER") ?? "") ?? {};
    const what = note.includes("app password") ? "App password" : "Password";
    const message = `${what} of ${this.get("IPCHECK_SMTP_USER")}${canKeep ? " (Enter keeps the one that is there)" : ""}`;
    const entered = given ?? (await prompter?.secret(message, { mayBeEmpty: canKeep }));
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

  /** The one source of the password; every other is taken out. */
  private keepPassword(source: Record<string, string>): void {
    for (const name of STORES.flatMap(({ names }) => names)) this.answers[name] = source[name];
  }

  private note(text: string): Promise<void> {
    return this.prompter ? this.prompter.say(text) : this.output.note(text);
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

function usualSecurity(port: string | undefined): string {
  return port === "465" ? "tls" : "starttls";
}

function flagOf(name: Name): string {
  return `--${QUESTIONS[name].option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function missing(what: string, flag: string): IpcheckError {
  return new IpcheckError("usage", `${flag} is needed: ${what}`, { hint: "'ipcheck init --help' lists all switches" });
}
