import { scryptSync, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { posix, win32 } from "node:path";
import { IpcheckError, systemCode } from "../base/errors";
import { quote, suggest } from "../base/text";
import { readGuarded } from "../base/trusted-file";
import { type Cidr, type Family, isLoopbackHost } from "../lookup/address";
import type { PasswordSource } from "../notify/deliver";
import { LANGUAGES, type Language } from "../notify/message/languages";
import { type EnvFile, type Environment, readEnvFile, reasonOf } from "./env-file";
import { type Findings, resolvePassword } from "./password";
import * as read from "./readers";
import { findUnseen } from "./readers";
import { commandSecrets, urlSecrets } from "./secrets";
import { isProse, OTHER_NAMES, RENAMED, VARIABLE_NAMES, type VariableName, variable } from "./variables";

export type SmtpSecurity = "tls" | "starttls" | "none";

export interface SmtpSettings {
  host: string;
  port: number;
  security: SmtpSecurity;
  user: string | undefined;
  password: PasswordSource | undefined;
}

/** The whole configuration, checked: nothing after this point looks at a variable. */
export interface Settings {
  envFile: EnvFile | undefined;
  recipients: string[];
  from: string;
  smtp: SmtpSettings;
  machineName: string;
  /** The line to paste, with `{ip}` in it. */
  sshLine: string;
  language: Language;
  families: Family[];
  ipv6PrefixLength: number;
  /** Instead of the built-in panel. */
  serviceUrls: URL[] | undefined;
  acceptRanges: Cidr[];
  timeoutMs: number;
  deadlineMs: number;
  stateFile: string;
  mailIntervalMs: number;
  reportOutageMs: number | undefined;
  heartbeatMailMs: number | undefined;
  heartbeatUrl: URL | undefined;
  onChange: string | undefined;
  /** The port of which a mail about a change says whether it answers from outside. */
  reachPort: number | undefined;
  /** Who is asked that, with `{port}` in it. */
  reachUrl: string;
  /** Certificate authorities (PEM) that are trusted besides the usual ones. */
  extraCa: string | undefined;
  /** Names this configuration of the mail path; another one is tried at once after a refusal. Takes a moment. */
  revision: () => string;
  warnings: string[];
  origins: Origins;
}

/**
 * Reads, checks and builds the configuration. What must never be printed is added to `secrets` as
 * it is found, so that it is known even when the configuration turns out to be unusable.
 * @throws IpcheckError `config` naming every problem at once
 */
export function loadSettings(envFileFlag: string | undefined, environment: Environment, secrets: string[]): Settings {
  const findings: Findings = { problems: [], warnings: [], secrets };
  const { problems } = findings;
  const envFile = readEnvFile(envFileFlag, environment, problems);
  const { values, origins } = mergeValues(envFile, environment, findings);
  const get = (name: VariableName) => values.get(name);
  const reader = new read.Reader(get, problems);

  const password = resolvePassword(get, environment, findings);
  const user = get("IPCHECK_SMTP_USER");
  const port = reader.read("IPCHECK_SMTP_PORT", "587", read.port) ?? 587;
  const security = reader.read("IPCHECK_SMTP_SECURITY", port === 465 ? "tls" : "starttls", read.security);
  const smtp: SmtpSettings = {
    host: reader.read("IPCHECK_SMTP_HOST", "smtp.gmail.com", read.host) ?? "",
    port,
    security: security ?? "starttls",
    user,
    password,
  };
  checkLogin(smtp, values, problems);
  const recipients = reader.read("IPCHECK_TO", "", read.mailAddresses) ?? [];
  const family = reader.read("IPCHECK_FAMILY", "4", read.families);

  let revision: string | undefined;
  const settings: Settings = {
    envFile,
    recipients,
    from: readFrom(reader, user, recipients),
    smtp,
    machineName: reader.read("IPCHECK_NAME", environment.hostName, read.anyText) ?? "",
    sshLine: reader.read("IPCHECK_SSH", defaultSshLine(environment), read.sshLine) ?? "",
    language: reader.read("IPCHECK_LANG", localeLanguage(environment.env), read.language) ?? "en",
    families: family ?? [4],
    ipv6PrefixLength: reader.read("IPCHECK_IPV6_PREFIX", "64", read.prefixLength) ?? 64,
    serviceUrls: reader.readOptional("IPCHECK_SERVICES", read.serviceUrls),
    acceptRanges: reader.read("IPCHECK_ACCEPT_RANGES", "", read.cidrs) ?? [],
    timeoutMs: reader.read("IPCHECK_TIMEOUT", "5s", read.durationWithin(1000, 300_000)) ?? 5000,
    deadlineMs: reader.read("IPCHECK_DEADLINE", "2m", read.durationWithin(1000, 3_600_000)) ?? 120_000,
    stateFile: reader.read("IPCHECK_STATE_FILE", defaultStateFile(environment), read.path(environment)) ?? "",
    mailIntervalMs: reader.read("IPCHECK_MAIL_INTERVAL", "15m", read.duration) ?? 0,
    reportOutageMs: reader.readSwitchable("IPCHECK_REPORT_OUTAGE", "1h"),
    heartbeatMailMs: reader.readSwitchable("IPCHECK_HEARTBEAT_MAIL", "off"),
    heartbeatUrl: reader.readOptional("IPCHECK_HEARTBEAT_URL", read.webUrl),
    onChange: reader.readOptional("IPCHECK_ON_CHANGE", read.anyText),
    reachPort: reader.readOptional("IPCHECK_REACH_PORT", read.port),
    reachUrl: reader.read("IPCHECK_REACH_URL", "https://ifconfig.co/port/{port}", read.reachUrl) ?? "",
    extraCa: readCaFile(reader, environment),
    revision: () => {
      revision ??= revisionOf(settings);
      return revision;
    },
    warnings: findings.warnings,
    origins,
  };
  if (settings.stateFile === "" && !reader.isSet("IPCHECK_STATE_FILE")) {
    reader.problem("IPCHECK_STATE_FILE", "expected an absolute path, because no home folder is known");
  }
  collectSecrets(settings, secrets);
  if (problems.length > 0) throw configError(problems, envFile);
  return settings;
}

/** Whether nothing at all has been set: a new installation, or another user's. */
export function isUnconfigured({ envFile, origins }: Settings): boolean {
  return envFile === undefined && origins.size === 0;
}

function collectSecrets({ serviceUrls, reachUrl, heartbeatUrl, onChange, smtp }: Settings, secrets: string[]): void {
  for (const url of serviceUrls ?? []) secrets.push(...urlSecrets(url));
  if (URL.canParse(reachUrl)) secrets.push(...urlSecrets(new URL(reachUrl)));
  // The whole of a monitor's path is its password.
  if (heartbeatUrl)
    secrets.push(...urlSecrets(heartbeatUrl), ...heartbeatUrl.pathname.split("/"), heartbeatUrl.pathname.slice(1));
  if (onChange !== undefined) secrets.push(...commandSecrets(onChange));
  if (smtp.password?.kind === "command") secrets.push(...commandSecrets(smtp.password.command));
}

/** systemd takes the users of DynamicUser= from here; nobody logs in as one of them. */
const isDynamicUser = (uid: number | undefined) => uid !== undefined && uid >= 61_184 && uid <= 65_519;

/** The machine's timer, and root, act for the user who ran sudo. */
function defaultSshLine({ env, uid, userName }: Environment): string {
  const login = uid === 0 || isDynamicUser(uid) ? (env["SUDO_USER"] ?? "") : "";
  const user = /^[\w.][\w.-]*$/.test(login) ? login : isDynamicUser(uid) ? "" : userName;
  return `ssh ${user && `${user}@`}{ip}`;
}

/** The default state file, or an empty string where no home folder is known. */
export function defaultStateFile({ env, platform, home }: Environment): string {
  const { join, isAbsolute } = platform === "win32" ? win32 : posix;
  const stateDirectory = env["STATE_DIRECTORY"]?.split(":")[0];
  if (stateDirectory) return join(stateDirectory, "state.json");
  if (platform === "win32") {
    const base = env["LOCALAPPDATA"] ?? (home && join(home, "AppData", "Local"));
    return base ? join(base, "ipcheck", "state.json") : "";
  }
  const xdg = env["XDG_STATE_HOME"];
  const base = xdg && isAbsolute(xdg) ? xdg : home && join(home, ".local", "state");
  return base ? join(base, "ipcheck", "state.json") : "";
}

function checkLogin(smtp: SmtpSettings, values: ReadonlyMap<VariableName, string>, problems: string[]): void {
  const hasPassword = [...values.keys()].some((name) => name.startsWith("IPCHECK_SMTP_PASSWORD"));
  if (smtp.user !== undefined && !smtp.password && !hasPassword) {
    problems.push("IPCHECK_SMTP_USER: is set, but no password is: see IPCHECK_SMTP_PASSWORD_VIGENERE");
  }
  if (smtp.user === undefined && smtp.password) {
    problems.push(`IPCHECK_SMTP_USER: is not set, but ${smtp.password.origin} is`);
  }
  if (smtp.security === "none" && smtp.password && !isLoopbackHost(smtp.host)) {
    problems.push(
      "IPCHECK_SMTP_SECURITY: with none the password would cross the network in clear, expected tls or starttls",
    );
  }
}

function readFrom(reader: read.Reader, user: string | undefined, recipients: string[]): string {
  const fromUser = user !== undefined && read.isMailAddress(user) ? user : "";
  const from = reader.read("IPCHECK_FROM", fromUser, read.mailAddress);
  if (from === undefined && recipients.length > 0 && !reader.isSet("IPCHECK_FROM")) {
    reader.problem("IPCHECK_FROM", "expected the sender's mail address, because IPCHECK_SMTP_USER is none");
  }
  return from ?? "";
}

function readCaFile(reader: read.Reader, environment: Environment): string | undefined {
  const path = reader.readOptional("IPCHECK_CA_FILE", read.path(environment));
  if (path === undefined) return undefined;
  try {
    const { text } = readGuarded(path, environment);
    const certificates = text.match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs);
    if (!certificates) throw new Error("holds no certificate, expected PEM: -----BEGIN CERTIFICATE-----");
    for (const certificate of certificates) new X509Certificate(certificate);
    return [...certificates, readExtraCas(environment)].join("\n");
  } catch (error) {
    const isDamaged = systemCode(error).startsWith("ERR_OSSL");
    reader.problem("IPCHECK_CA_FILE", `${quote(path)} ${isDamaged ? "holds a damaged certificate" : reasonOf(error)}`);
    return undefined;
  }
}

// Node.js 20 forgets what NODE_EXTRA_CA_CERTS names as soon as another authority is added.
function readExtraCas({ env }: Environment): string {
  try {
    return readFileSync(env["NODE_EXTRA_CA_CERTS"] ?? "", "utf8");
  } catch {
    // Node.js has said so.
    return "";
  }
}

/** The language of the mails that the locale asks for, `en` where it asks for neither. */
export function localeLanguage(env: NodeJS.ProcessEnv): Language {
  const locale = env["LC_ALL"] || env["LC_MESSAGES"] || env["LANG"] || "";
  return LANGUAGES.find((language) => locale.toLowerCase().split(/[_.@-]/)[0] === language) ?? "en";
}

/**
 * By content, because systemd writes a credential anew at each start. It is kept in the state file, and must be no
 * way to try passwords on: so it is slow to compute, and computed only where a pause is set or looked at.
 */
function revisionOf({ smtp, from, extraCa }: Settings): string {
  const { host, port, security, user, password } = smtp;
  const source = password?.kind === "value" ? password.value : password?.command;
  const parts = [host, port, security, user, from, source, extraCa];
  return scryptSync(JSON.stringify(parts), "ipcheck mail settings", 9).toString("base64url");
}

function configError(problems: string[], envFile: EnvFile | undefined): IpcheckError {
  const where = envFile ? ` (env file ${quote(envFile.path)})` : "";
  const [first = ""] = problems;
  const hint = cureOf(problems);
  return problems.length === 1
    ? new IpcheckError("config", `${first}${where}`, { hint })
    : new IpcheckError("config", `${problems.length} problems in the configuration${where}`, {
        details: problems,
        hint,
      });
}

/** What 'init' asks for; a file that is missing or a variable of another kind is not its to mend. */
const ASKED =
  /^IPCHECK_(TO|FROM|SMTP_(HOST|PORT|SECURITY|USER|PASSWORD|PASSWORD_VIGENERE)|VIGENERE_KEY|NAME|SSH|LANG|FAMILY)\b/;

function cureOf(problems: readonly string[]): string {
  if (problems.every((problem) => ASKED.test(problem))) {
    return "'ipcheck init' asks for it again and keeps the rest; every variable is described in .env.example";
  }
  if (problems.some((problem) => /^(--config|IPCHECK_CONFIG): .* does not exist$/.test(problem))) {
    return "name a file that exists, or let 'ipcheck init' write one; every variable is described in .env.example";
  }
  return "correct it there; every variable is described in .env.example";
}

/** Where each variable that is set came from. */
export type Origins = Map<VariableName, { place: "environment" | "env file"; value: string }>;

/** The variables that are set, the environment before the env file; names and values nobody can have meant are found. */
export function mergeValues(envFile: EnvFile | undefined, { env }: Environment, findings: Findings) {
  const values = new Map<VariableName, string>();
  const origins: Origins = new Map();
  const fileValues = envFile?.values ?? {};
  for (const name of VARIABLE_NAMES) {
    // Empty is unset: 'IPCHECK_TO=' is how people switch a line off.
    const value = env[name] || fileValues[name];
    if (!value) continue;
    const { placeholder, isSecret } = variable(name);
    values.set(name, value);
    const line = env[name] ? undefined : envFile?.lines[name];
    origins.set(name, { place: env[name] ? "environment" : "env file", value });
    if (isSecret) findings.secrets.push(value);
    if (value === placeholder) {
      findings.problems.push(`${name}: still has the placeholder of .env.example, put your own value there`);
    } else if (isSecret ? /[\r\n\0]/.test(value) : /\p{Cc}/u.test(value)) {
      findings.problems.push(`${name}: holds a control character or a line break, expected one line of text`);
    }
    const unseen = isProse(name) ? undefined : findUnseen(value);
    if (unseen)
      findings.problems.push(`${name}: ${unseen}${line === undefined ? "" : ` on line ${line}`}, type it anew`);
  }
  guardTypos(Object.keys(env), findings.problems, (name) => /^ipcheck_/i.test(name));
  // In our own file anything that looks like one of our names was meant to be one.
  guardTypos(Object.keys(fileValues), findings.problems, (name) => {
    return /^ipcheck_/i.test(name) || suggest(name, VARIABLE_NAMES) !== undefined;
  });
  if (fileValues["IPCHECK_CONFIG"]) {
    findings.problems.push("IPCHECK_CONFIG: has no effect inside an env file, remove it there");
  }
  const holdsSecret = VARIABLE_NAMES.some((name) => variable(name).isSecret && fileValues[name]);
  if (envFile?.isReadableByOthers && holdsSecret) {
    const path = quote(envFile.path);
    findings.warnings.push(`${path} holds a secret and can be read by other users: run chmod 600 ${path}`);
  }
  return { values, origins };
}

function guardTypos(names: string[], problems: string[], isOurs: (name: string) => boolean): void {
  const known = new Set<string>([...VARIABLE_NAMES, ...OTHER_NAMES]);
  for (const name of names) {
    if (known.has(name) || !isOurs(name)) continue;
    const renamed = RENAMED[name];
    const meant = suggest(name.toUpperCase(), known);
    const problem = renamed
      ? `${name}: is called ${renamed} now`
      : `${quote(name)}: no such variable${meant ? `, did you mean ${meant}?` : ""}`;
    if (!problems.includes(problem)) problems.push(problem);
  }
}
