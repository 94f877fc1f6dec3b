import type { MailProvider } from "../core/providers";

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
