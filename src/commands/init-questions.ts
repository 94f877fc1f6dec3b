import { IpcheckError, StoppedError } from "../base/errors";
import type { Output } from "../base/output";
import { encodeWithNewKey } from "../config/new-key";
import { CATALOGS, LANGUAGES } from "../notify/message/languages";
import type { MailProvider } from "../notify/providers";

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
  family?: string;
  lang?: string;
  send?: boolean;
  schedule?: boolean;
  yes?: boolean;
}

/** How questions are put; every method throws IpcheckError `usage` when the person stops. */
export interface Prompter {
  text(question: {
    message: string;
    initial?: string;
    validate?: (text: string) => string | undefined;
  }): Promise<string>;
  secret(message: string): Promise<string>;
  select(question: { message: string; options: Choice[]; initial?: string }): Promise<string>;
  confirm(message: string): Promise<boolean>;
}

export interface Choice {
  value: string;
  label: string;
  hint?: string;
}

export interface InitTools {
  /** Undefined where nobody can be asked. */
  prompter: Prompter | undefined;
  envFile: string;
  envFileExists: boolean;
  hostName: string;
  /** What the locale suggests. */
  language: string;
  detectIpv6(): Promise<boolean>;
  findProvider(address: string): MailProvider | undefined;
  /** What is wrong with a variable's text, or undefined. */
  findProblem(name: string, text: string): string | undefined;
  readPasswordFromStdin(): Promise<string | undefined>;
  /** An env file's text; undefined where no quoting can carry a value. */
  renderEnvFile(values: Record<string, string>): string | undefined;
  /** Writes the env file, and the password file where there is one; resolves to the backup's path. */
  write(text: string, passwordFile: { path: string; password: string } | undefined): Promise<string | undefined>;
  /** Sends the test mail; resolves to the exit code, having said how it went. */
  sendTest(): Promise<number>;
  installSchedule(): Promise<number>;
}

type Answers = Record<string, string>;

/** Puts the questions that no switch answers, and collects the env file's values. */
export class Interview {
  private readonly answers: Answers = {};
  password: string | undefined;
  passwordFile: { path: string; password: string } | undefined;

  constructor(
    private readonly options: InitOptions,
    private readonly prompter: Prompter | undefined,
    private readonly tools: InitTools,
    private readonly output: Output,
  ) {}

  async hold(): Promise<Answers> {
    const { options, tools, answers } = this;
    const to = await this.ask("IPCHECK_TO", options.to, "--to", "Who is told? (mail address, several with commas)");
    answers["IPCHECK_TO"] = to;
    await this.askServer(to);
    if (answers["IPCHECK_SMTP_USER"] !== undefined) await this.askPassword();
    await this.put("IPCHECK_NAME", options.name, "--name", "How is this machine called in mails?", tools.hostName);
    await this.askFamily();
    await this.askLanguage();
    return answers;
  }

  private async askServer(to: string): Promise<void> {
    const { options, answers, tools } = this;
    if (await this.usesRelay()) {
      Object.assign(answers, {
        IPCHECK_SMTP_HOST: options.smtpHost ?? "localhost",
        IPCHECK_SMTP_PORT: options.smtpPort ?? "25",
        IPCHECK_SMTP_SECURITY: options.smtpSecurity ?? "none",
      });
      for (const name of ["IPCHECK_SMTP_HOST", "IPCHECK_SMTP_PORT", "IPCHECK_SMTP_SECURITY"]) this.insist(name);
      const from = options.from ?? to.split(",")[0]?.trim();
      answers["IPCHECK_FROM"] = await this.ask("IPCHECK_FROM", options.from, "--from", "Sender's address?", from);
      return;
    }
    const message = "Which mailbox sends? (its login, usually its address; give your home one of its own)";
    const user = await this.ask("IPCHECK_SMTP_USER", options.user, "--user", message);
    answers["IPCHECK_SMTP_USER"] = user;
    const provider = tools.findProvider(user);
    if (provider?.note) await this.output.note(provider.note);
    if (provider?.isUnusable && this.prompter && !(await this.prompter.confirm("Go on with it all the same?"))) {
      throw new StoppedError();
    }
    const host = provider?.host;
    const security = provider?.security ?? (options.smtpPort === "465" ? "tls" : "starttls");
    const isKnown = provider !== undefined;
    await this.put("IPCHECK_SMTP_HOST", options.smtpHost, "--smtp-host", "Mail server?", host, isKnown);
    const port = String(provider?.port ?? (options.smtpSecurity === "tls" ? 465 : 587));
    await this.put("IPCHECK_SMTP_PORT", options.smtpPort, "--smtp-port", "Its port?", port, isKnown);
    answers["IPCHECK_SMTP_SECURITY"] =
      options.smtpSecurity ?? (answers["IPCHECK_SMTP_PORT"] === "465" ? "tls" : security);
    this.insist("IPCHECK_SMTP_SECURITY");
    if (options.from !== undefined || tools.findProblem("IPCHECK_FROM", user) !== undefined) {
      answers["IPCHECK_FROM"] = await this.ask("IPCHECK_FROM", options.from, "--from", "Sender's address?");
    }
  }

  private async usesRelay(): Promise<boolean> {
    const { options, prompter } = this;
    if (options.relay || options.user !== undefined || !prompter) return options.relay ?? false;
    const options_ = [
      { value: "mailbox", label: "through a mailbox at a provider", hint: "Gmail, Orange, Free, your own server …" },
      { value: "relay", label: "through a relay on this machine, without login", hint: "postfix, msmtpd, dma …" },
    ];
    return (await prompter.select({ message: "How is mail sent?", options: options_ })) === "relay";
  }

  private async askPassword(): Promise<void> {
    const { options, answers, tools } = this;
    const store = await this.askStore();
    if (store === "command") {
      const message = "Which command prints the password on its first line?";
      const name = "IPCHECK_SMTP_PASSWORD_COMMAND";
      answers[name] = await this.ask(name, options.passwordCommand, "--password-command", message);
      return;
    }
    const given = options.password ?? (options.passwordStdin ? await tools.readPasswordFromStdin() : undefined);
    const entered = given ?? (await this.prompter?.secret("Password (with Gmail: the app password)"));
    if (!entered) throw missing("the password", "--password-stdin");
    // Google shows an app password in four groups; the spaces, of whatever kind, are no part of it.
    const isInGroups = /^([a-z]{4}\p{Zs}){3}[a-z]{4}$/u.test(entered.trim());
    const password = isInGroups ? entered.replaceAll(/\s/g, "") : entered;
    const problem = tools.findProblem("IPCHECK_SMTP_PASSWORD", password);
    if (problem !== undefined) {
      throw new IpcheckError("usage", `the password cannot be used: ${problem}`, {
        hint: "look at what was pasted: there is a line break or something invisible in it",
      });
    }
    this.password = password;
    if (store === "file") {
      const path = tools.envFile.replace(/[^/\\]*$/, "smtp-password");
      this.passwordFile = { path, password };
      answers["IPCHECK_SMTP_PASSWORD_FILE"] = path;
    } else if (store === "clear") {
      answers["IPCHECK_SMTP_PASSWORD"] = password;
    } else {
      Object.assign(
        answers,
        encodeWithNewKey(password, (values) => tools.renderEnvFile(values) !== undefined),
      );
      this.output.redactor.secrets.push(
        answers["IPCHECK_SMTP_PASSWORD_VIGENERE"] ?? "",
        answers["IPCHECK_VIGENERE_KEY"] ?? "",
      );
    }
  }

  private async askStore(): Promise<string> {
    const { options, prompter } = this;
    if (options.store !== undefined) {
      if (["vigenere", "clear", "file", "command"].includes(options.store)) return options.store;
      throw new IpcheckError("usage", "--store: expected vigenere, clear, file or command");
    }
    if (options.passwordCommand !== undefined) return "command";
    if (!prompter) return "vigenere";
    return prompter.select({
      message: "How is the password kept?",
      options: [
        { value: "vigenere", label: "encoded in the env file", hint: "hides it from a glance, and from nobody else" },
        { value: "clear", label: "in clear in the env file", hint: "whoever reads the file has it; so with encoding" },
        {
          value: "file",
          label: "in a file of its own",
          hint: "as readable as the env file, but easier to keep out of backups",
        },
        { value: "command", label: "printed by a command", hint: "such as pass; it must work without you being there" },
      ],
    });
  }

  private async askFamily(): Promise<void> {
    const { options, prompter, answers, tools } = this;
    if (options.family === undefined && !prompter) return;
    const suggested = options.family ?? ((await tools.detectIpv6()) ? "both" : "4");
    answers["IPCHECK_FAMILY"] =
      options.family ??
      (await prompter?.select({
        message:
          suggested === "both" ? "Which addresses? (IPv6 works here)" : "Which addresses? (no working IPv6 here)",
        initial: suggested,
        options: [
          { value: "4", label: "IPv4" },
          { value: "6", label: "IPv6" },
          { value: "both", label: "both" },
        ],
      })) ??
      suggested;
    this.insist("IPCHECK_FAMILY");
  }

  private async askLanguage(): Promise<void> {
    const { options, prompter, answers, tools } = this;
    const choices = LANGUAGES.map((value) => ({ value, label: CATALOGS[value].name }));
    const message = "Language of the mails?";
    answers["IPCHECK_LANG"] =
      options.lang ??
      (await prompter?.select({ message, options: choices, initial: tools.language })) ??
      tools.language;
    this.insist("IPCHECK_LANG");
  }

  /** Asks for an optional variable with a suggestion; with `isSettled` the suggestion is taken unasked. */
  private async put(
    name: string,
    given: string | undefined,
    flag: string,
    message: string,
    suggestion?: string,
    isSettled = false,
  ): Promise<void> {
    const value = given ?? (isSettled ? suggestion : undefined);
    this.answers[name] = await this.ask(name, value, flag, message, suggestion);
  }

  private async ask(
    name: string,
    given: string | undefined,
    flag: string,
    message: string,
    suggestion?: string,
  ): Promise<string> {
    const validate = (text: string) => (text ? this.tools.findProblem(name, text) : "something is needed here");
    if (given === undefined && this.prompter) {
      return this.prompter.text({ message, validate, ...(suggestion !== undefined && { initial: suggestion }) });
    }
    const value = given ?? suggestion;
    if (value === undefined) throw missing(message.replace(/\s*\(.*|\?$/g, ""), flag);
    const problem = validate(value);
    if (problem !== undefined) throw new IpcheckError("usage", `${flag}: ${problem}`);
    return value;
  }

  private insist(name: string): void {
    const problem = this.tools.findProblem(name, this.answers[name] ?? "");
    if (problem !== undefined) throw new IpcheckError("usage", `${name}: ${problem}`);
  }
}

function missing(what: string, flag: string): IpcheckError {
  return new IpcheckError("usage", `${flag} is needed: ${what}`, { hint: "'ipcheck init --help' lists all switches" });
}
