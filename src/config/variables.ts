import { posix, win32 } from "node:path";
import { LANGUAGES, type Language } from "../notify/message/languages";
import type { Environment } from "./env-file";
import * as read from "./readers";

/** The text of a variable that is set; undefined where it is unset. */
export type GetText = (name: VariableName) => string | undefined;

/** What the program knows of a variable; what it means is told in `.env.example`, and from there in the man page. */
interface Variable {
  read: read.Read<unknown>;
  /** The text that a user could have written with the same effect. */
  default?: string | ((environment: Environment, get: GetText) => string | undefined);
  /** The value in `.env.example` that must be replaced, and is refused. */
  placeholder?: string;
  /**
   * What of it must never be shown: all of it; everything of a URL but its host (`path`); of URLs only what a server
   * takes for a login (`login`); all of a command but its program.
   */
  secret?: "all" | "path" | "login" | "arguments";
  /** Free text, in which a no-break space or the like does no harm. */
  isProse?: true;
}

/** Every variable a user may set; settings, the typo guard, `.env.example`, `init` and `doctor` go by this table. */
export const VARIABLES = {
  IPCHECK_TO: { read: read.mailAddresses, default: "", placeholder: "your-phone@mail.invalid" },
  IPCHECK_FROM: { read: read.mailAddress, default: defaultSender },
  IPCHECK_SMTP_HOST: { read: read.host, default: "smtp.gmail.com" },
  IPCHECK_SMTP_PORT: { read: read.port, default: "587" },
  IPCHECK_SMTP_SECURITY: { read: read.security, default: defaultSecurity },
  IPCHECK_SMTP_USER: { read: read.anyText, placeholder: "your-homes-mailbox@gmail.invalid" },
  IPCHECK_SMTP_PASSWORD: { read: read.anyText, placeholder: "your app password", secret: "all" },
  IPCHECK_SMTP_PASSWORD_VIGENERE: { read: read.anyText, placeholder: "your encoded password", secret: "all" },
  IPCHECK_VIGENERE_KEY: { read: read.anyText, placeholder: "your key", secret: "all" },
  IPCHECK_SMTP_PASSWORD_FILE: { read: read.path, isProse: true },
  IPCHECK_SMTP_PASSWORD_COMMAND: { read: read.anyText, secret: "arguments", isProse: true },
  IPCHECK_NAME: { read: read.anyText, default: ({ hostName }) => hostName, isProse: true },
  IPCHECK_SSH: { read: read.sshLine, default: defaultSshLine },
  IPCHECK_LANG: { read: read.language, default: ({ env }) => localeLanguage(env) },
  IPCHECK_FAMILY: { read: read.families, default: "4" },
  IPCHECK_IPV6_PREFIX: { read: read.prefixLength, default: "64" },
  IPCHECK_SERVICES: { read: read.serviceUrls, secret: "login" },
  IPCHECK_ACCEPT_RANGES: { read: read.cidrs, default: "" },
  IPCHECK_TIMEOUT: { read: read.durationWithin(1000, 300_000), default: "5s" },
  IPCHECK_DEADLINE: { read: read.durationWithin(1000, 3_600_000), default: "2m" },
  IPCHECK_STATE_FILE: { read: read.path, default: defaultStateFile, isProse: true },
  IPCHECK_MAIL_INTERVAL: { read: read.duration, default: "15m" },
  IPCHECK_REPORT_OUTAGE: { read: read.durationOrOff, default: "1h" },
  IPCHECK_HEARTBEAT_MAIL: { read: read.durationOrOff, default: "off" },
  IPCHECK_HEARTBEAT_URL: { read: read.webUrl, secret: "path" },
  IPCHECK_REACH_PORT: { read: read.port },
  IPCHECK_REACH_URL: { read: read.reachUrl, default: "https://ifconfig.co/port/{port}", secret: "login" },
  IPCHECK_ON_CHANGE: { read: read.anyText, secret: "arguments", isProse: true },
  IPCHECK_CA_FILE: { read: read.path, isProse: true },
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof VARIABLES;

export const VARIABLE_NAMES = Object.keys(VARIABLES) as VariableName[];

/** The value of each variable, its default's where it is unset. */
export type Values = { [Name in VariableName]: ValueOf<(typeof VARIABLES)[Name]> };

type ValueOf<Row> = Row extends { read: read.Read<infer Value> }
  ? Row extends { default: string | ((...args: never[]) => string) }
    ? Value
    : Value | undefined
  : never;

/** One row of the table, with the optional columns visible. */
export function variable(name: VariableName): Variable {
  return VARIABLES[name];
}

/** The text that stands for a variable that is unset; undefined where there is none. `get` gives the other variables. */
export function defaultOf(name: VariableName, environment: Environment, get: GetText): string | undefined {
  const { default: usual } = variable(name);
  return typeof usual === "function" ? usual(environment, get) : usual;
}

/** Names of ours that are no settings: where the file is, and what a hook finds in its environment. */
export const OTHER_NAMES: readonly string[] = [
  "IPCHECK_CONFIG",
  "IPCHECK_EVENT",
  "IPCHECK_OLD",
  "IPCHECK_NEW",
  "IPCHECK_COUNT",
  "IPCHECK_UNCONFIRMED",
  "IPCHECK_SUBJECT",
  "IPCHECK_TEXT",
];

/** Variables that earlier versions called otherwise, and what they are called now. */
export const RENAMED: Readonly<Record<string, string>> = { IPCHECK_ENV_FILE: "IPCHECK_CONFIG" };

/** What is wrong with a variable's text, as a sentence for the person who typed it; undefined when nothing is. */
export function findProblem(name: VariableName, text: string): string | undefined {
  if (/\p{Cc}/u.test(text)) return "expected one line of text without control characters";
  const unseen = variable(name).isProse ? undefined : read.findInvisible(text);
  if (unseen !== undefined) return `it ${unseen}, type it anew`;
  // A path is one wherever the home folder is.
  const result = variable(name).read(text, { platform: process.platform, home: "/" });
  return "expected" in result ? `expected ${result.expected}` : undefined;
}

function defaultSender(_: Environment, get: GetText): string | undefined {
  const user = get("IPCHECK_SMTP_USER");
  return user !== undefined && read.isMailAddress(user) ? user : undefined;
}

function defaultSecurity(_: Environment, get: GetText): string {
  return Number(get("IPCHECK_SMTP_PORT")) === 465 ? "tls" : "starttls";
}

/** systemd takes the users of DynamicUser= from here; nobody logs in as one of them. */
const isDynamicUser = (uid: number | undefined) => uid !== undefined && uid >= 61_184 && uid <= 65_519;

/** The machine's timer, and root, act for the user who ran sudo. */
function defaultSshLine({ env, uid, userName }: Environment): string {
  const login = uid === 0 || isDynamicUser(uid) ? (env["SUDO_USER"] ?? "") : "";
  const user = /^[\w.][\w.-]*$/.test(login) ? login : isDynamicUser(uid) ? "" : userName;
  return `ssh ${user && `${user}@`}{ip}`;
}

/** The language of the mails that the locale asks for, `en` where it asks for none that we have. */
export function localeLanguage(env: NodeJS.ProcessEnv): Language {
  const locale = env["LC_ALL"] || env["LC_MESSAGES"] || env["LANG"] || "";
  return LANGUAGES.find((language) => locale.toLowerCase().split(/[_.@-]/)[0] === language) ?? "en";
}

/** The default state file; undefined where no home folder is known. */
export function defaultStateFile({ env, platform, home }: Environment): string | undefined {
  const { join, isAbsolute } = platform === "win32" ? win32 : posix;
  const stateDirectory = env["STATE_DIRECTORY"]?.split(":")[0];
  if (stateDirectory) return join(stateDirectory, "state.json");
  const named = platform === "win32" ? env["LOCALAPPDATA"] : env["XDG_STATE_HOME"];
  const usual = platform === "win32" ? ["AppData", "Local"] : [".local", "state"];
  // The XDG specification: a relative path is to be ignored.
  const base = named && isAbsolute(named) ? named : home && join(home, ...usual);
  return base ? join(base, "ipcheck", "state.json") : undefined;
}
