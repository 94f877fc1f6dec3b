import { scryptSync, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { IpcheckError, systemCode } from "../base/errors";
import { quote, suggest } from "../base/text";
import { readTrusted } from "../base/trusted-file";
import { isLoopbackHost } from "../lookup/address";
import type { DeliverySettings, PasswordSource } from "../notify/deliver";
import { type EnvFile, type Environment, readEnvFile, reasonOf } from "./env-file";
import { type Issues, resolvePassword } from "./password";
import { findInvisible } from "./readers";
import { isSecret, mayRepeat, secretsIn } from "./secrets";
import {
  defaultOf,
  type GetText,
  OTHER_NAMES,
  RENAMED,
  VARIABLE_NAMES,
  type Values,
  type VariableName,
  variable,
} from "./variables";

/** The whole configuration, checked: nothing after this point looks at a variable. */
export interface Settings extends ReturnType<typeof build> {
  envFile: EnvFile | undefined;
  warnings: string[];
  origins: Origins;
}

/**
 * Reads, checks and builds the configuration. What must never be printed is added to `secrets` as
 * it is found, so that it is known even when the configuration turns out to be unusable.
 * @throws ConfigError naming every problem at once
 */
export function loadSettings(envFileFlag: string | undefined, environment: Environment, secrets: string[]): Settings {
  const issues: Issues = { problems: [], warnings: [], secrets };
  const { problems, warnings } = issues;
  const envFile = readEnvFile(envFileFlag, environment, problems);
  const origins = findOrigins(envFile, environment);
  const get: GetText = (name) => origins.get(name)?.value;
  for (const [name, { value, line }] of origins) checkText(name, value, line, issues);
  checkNames(envFile, environment, issues);
  const values = readValues(environment, get, problems);
  const password = resolvePassword(values, environment, issues);
  const extraCa = readCaFile(values.IPCHECK_CA_FILE, environment, problems);
  const settings = { ...build(values, password, extraCa), envFile, warnings, origins };
  checkTogether(settings, get, problems);
  if (problems.length > 0) throw new ConfigError(problems, findPlace(problems, envFile, environment));
  return settings;
}

/** The settings that the variables make; `extraCa` is PEM, trusted besides the usual certificate authorities. */
function build(values: Values, password: PasswordSource | undefined, extraCa: string | undefined) {
  const from = values.IPCHECK_FROM ?? "";
  const smtp = {
    host: values.IPCHECK_SMTP_HOST,
    port: values.IPCHECK_SMTP_PORT,
    security: values.IPCHECK_SMTP_SECURITY,
    user: values.IPCHECK_SMTP_USER,
    password,
  };
  let hash: string | undefined;
  return {
    recipients: values.IPCHECK_TO,
    from,
    smtp,
    machineName: values.IPCHECK_NAME,
    sshLine: values.IPCHECK_SSH,
    language: values.IPCHECK_LANG,
    families: values.IPCHECK_FAMILY,
    ipv6PrefixLength: values.IPCHECK_IPV6_PREFIX,
    serviceUrls: values.IPCHECK_SERVICES,
    acceptRanges: values.IPCHECK_ACCEPT_RANGES,
    timeoutMs: values.IPCHECK_TIMEOUT,
    deadlineMs: values.IPCHECK_DEADLINE,
    stateFile: values.IPCHECK_STATE_FILE ?? "",
    mailIntervalMs: values.IPCHECK_MAIL_INTERVAL,
    reportOutageMs: values.IPCHECK_REPORT_OUTAGE,
    heartbeatMailMs: values.IPCHECK_HEARTBEAT_MAIL,
    heartbeatUrl: values.IPCHECK_HEARTBEAT_URL,
    reachPort: values.IPCHECK_REACH_PORT,
    reachUrl: values.IPCHECK_REACH_URL,
    onChange: values.IPCHECK_ON_CHANGE,
    hasHook: values.IPCHECK_ON_CHANGE !== undefined,
    extraCa,
    /** A hash of the mail settings: changed ones are tried at once after a refusal. Slow to compute on purpose. */
    configHash: () => {
      hash ??= hashMailSettings(smtp, from, extraCa);
      return hash;
    },
  };
}

/** Whether nothing at all has been set: a new installation, or another user's. */
export function isUnconfigured({ envFile, origins }: Settings): boolean {
  return envFile === undefined && origins.size === 0;
}

/** Where each variable that is set came from. */
type Origins = Map<VariableName, Origin>;

interface Origin {
  value: string;
  place: "environment" | "env file";
  /** Of the env file. */
  line?: number | undefined;
}

/** The variables that are set, the environment before the env file. */
function findOrigins(envFile: EnvFile | undefined, { env }: Environment): Origins {
  const origins: Origins = new Map();
  for (const name of VARIABLE_NAMES) {
    // Empty is unset: 'IPCHECK_TO=' is how people switch a line off.
    const [ours, filed] = [env[name], envFile?.values[name]];
    if (ours) origins.set(name, { value: ours, place: "environment" });
    else if (filed) origins.set(name, { value: filed, place: "env file", line: envFile?.lines[name] });
  }
  return origins;
}

/** Finds texts that are wrong in any variable: placeholders, control characters, invisible characters. */
function checkText(name: VariableName, value: string, line: number | undefined, { problems, secrets }: Issues): void {
  const { placeholder, isProse } = variable(name);
  secrets.push(...secretsIn(name, value));
  if (value === placeholder) {
    problems.push(`${name}: still has the placeholder of .env.example, put your own value there`);
  } else if (isSecret(name) ? /[\r\n\0]/.test(value) : /\p{Cc}/u.test(value)) {
    problems.push(`${name}: holds a control character or a line break, expected one line of text`);
  }
  const unseen = isProse ? undefined : findInvisible(value);
  if (unseen) problems.push(`${name}: ${unseen}${line === undefined ? "" : ` on line ${line}`}, type it anew`);
}

/** Finds names that were meant to be ours, and secrets in a file that others can read. */
function checkNames(envFile: EnvFile | undefined, { env }: Environment, { problems, warnings }: Issues): void {
  const isOurs = (name: string) => /^ipcheck_/i.test(name);
  const fileNames = Object.keys(envFile?.values ?? {});
  const names = [
    ...Object.keys(env).filter(isOurs),
    // In our own file anything that looks like one of our names was meant to be one.
    ...fileNames.filter((name) => isOurs(name) || suggest(name, VARIABLE_NAMES) !== undefined),
  ];
  const known: readonly string[] = [...VARIABLE_NAMES, ...OTHER_NAMES];
  for (const name of new Set(names)) {
    if (known.includes(name)) continue;
    const now = RENAMED[name];
    const meant = suggest(name.toUpperCase(), known);
    const question = meant ? `, did you mean ${meant}?` : "";
    problems.push(now ? `${name}: is called ${now} now` : `${quote(name)}: no such variable${question}`);
  }
  if (envFile?.values["IPCHECK_CONFIG"]) {
    problems.push("IPCHECK_CONFIG: has no effect inside an env file, remove it there");
  }
  if (envFile?.isReadableByOthers && VARIABLE_NAMES.some((name) => isSecret(name) && envFile.values[name])) {
    const path = quote(envFile.path);
    warnings.push(`${path} holds a secret and can be read by other users: run chmod 600 ${path}`);
  }
}

function readValues(environment: Environment, get: GetText, problems: string[]): Values {
  const values: Partial<Record<VariableName, unknown>> = {};
  for (const name of VARIABLE_NAMES) {
    const { read, placeholder } = variable(name);
    const fallback = defaultOf(name, environment, get);
    const text = get(name) ?? fallback;
    if (text === undefined) continue;
    let result = read(text, environment);
    if ("expected" in result) {
      // A placeholder has been reported already.
      const given = mayRepeat(name, text) ? `, not '${quote(text, 60)}'` : "";
      if (text !== placeholder) problems.push(`${name}: expected ${result.expected}${given}`);
      // What else is wrong is found as if this were unset.
      result = read(fallback ?? "", environment);
    }
    if ("value" in result) values[name] = result.value;
  }
  return values as Values;
}

/** Finds what is wrong with variables together. */
function checkTogether({ smtp, from, recipients, stateFile }: Settings, get: GetText, problems: string[]): void {
  const { user, password, security, host } = smtp;
  const hasPassword = VARIABLE_NAMES.some((name) => name.startsWith("IPCHECK_SMTP_PASSWORD") && get(name));
  if (user !== undefined && !password && !hasPassword) {
    problems.push("IPCHECK_SMTP_USER: is set, but no password is: see IPCHECK_SMTP_PASSWORD_VIGENERE");
  }
  if (user === undefined && password) problems.push(`IPCHECK_SMTP_USER: is not set, but ${password.origin} is`);
  if (security === "none" && password && !isLoopbackHost(host)) {
    problems.push(
      "IPCHECK_SMTP_SECURITY: with none the password would cross the network in clear, expected tls or starttls",
    );
  }
  if (from === "" && recipients.length > 0 && get("IPCHECK_FROM") === undefined) {
    problems.push("IPCHECK_FROM: expected the sender's mail address, because IPCHECK_SMTP_USER is none");
  }
  if (stateFile === "" && get("IPCHECK_STATE_FILE") === undefined) {
    problems.push("IPCHECK_STATE_FILE: expected an absolute path, because no home folder is known");
  }
}

function readCaFile(path: string | undefined, environment: Environment, problems: string[]): string | undefined {
  if (path === undefined) return undefined;
  try {
    const { text } = readTrusted(path, environment);
    const certificates = text.match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs);
    if (!certificates) throw new Error("holds no certificate, expected PEM: -----BEGIN CERTIFICATE-----");
    for (const certificate of certificates) new X509Certificate(certificate);
    return [...certificates, readExtraCas(environment)].join("\n");
  } catch (error) {
    const isDamaged = systemCode(error).startsWith("ERR_OSSL");
    problems.push(`IPCHECK_CA_FILE: ${quote(path)} ${isDamaged ? "holds a damaged certificate" : reasonOf(error)}`);
    return undefined;
  }
}

// Node.js 20 forgets what NODE_EXTRA_CA_CERTS names as soon as another authority is added.
function readExtraCas({ env }: Environment): string {
  try {
    return readFileSync(env["NODE_EXTRA_CA_CERTS"] ?? "", "utf8");
  } catch {
    // Node.js itself warns of a file that it cannot read.
    return "";
  }
}

/**
 * By content, because systemd writes a credential anew at each start. It is kept in the state file, and must be no
 * way to try passwords on: so it is slow to compute, and computed only where a pause is set or looked at.
 */
function hashMailSettings(smtp: DeliverySettings["smtp"], from: string, extraCa: string | undefined): string {
  const { host, port, security, user, password } = smtp;
  const source = password?.kind === "value" ? password.value : password?.command;
  const parts = [host, port, security, user, from, source, extraCa];
  return scryptSync(JSON.stringify(parts), "ipcheck mail settings", 9).toString("base64url");
}

/** A configuration that cannot be used; `where` is the place to look at, in parentheses, empty where there is none. */
export class ConfigError extends IpcheckError {
  constructor(
    readonly problems: readonly string[],
    readonly where: string,
  ) {
    const isOne = problems.length === 1;
    const fact = isOne ? problems[0] : `${problems.length} problems in the configuration`;
    super("config", `${fact}${where}`, { details: isOne ? [] : problems, hint: cureOf(problems) });
  }
}

function findPlace(problems: readonly string[], envFile: EnvFile | undefined, { env }: Environment): string {
  if (envFile === undefined) return "";
  const isOutside = (problem: string) => {
    // The names that it begins with: of two that do not go together one may stand in the file.
    const [subject = ""] = problem.split(":", 1);
    const names = subject.match(/\bIPCHECK_\w+/gi) ?? [];
    const isOfFile = / on line \d|inside an env file/.test(problem);
    return names.length > 0 && !isOfFile && names.every((name) => env[name]);
  };
  return ` (${problems.every(isOutside) ? "environment" : `env file ${quote(envFile.path)}`})`;
}

/** What 'init' asks for; a file that is missing or a variable of another kind is not its to mend. */
const ASKED =
  /^IPCHECK_(TO|FROM|SMTP_(HOST|PORT|SECURITY|USER|PASSWORD|PASSWORD_VIGENERE)|VIGENERE_KEY|NAME|SSH|LANG|FAMILY)\b/;

function cureOf(problems: readonly string[]): string {
  if (problems.every((problem) => ASKED.test(problem))) {
    return "'ipcheck init' asks for it again and keeps the rest; every variable is described in .env.example";
  }
  if (problems.some((problem) => /^(--config|IPCHECK_CONFIG): .* (does not exist|is a directory)$/.test(problem))) {
    return "name a file that exists, or let 'ipcheck init' write one; every variable is described in .env.example";
  }
  if (problems.every((problem) => /: (run chmod|do not run ipcheck as root|use one of your own)\b/.test(problem))) {
    return "whoever can write there could have ipcheck run a command, or send your password elsewhere";
  }
  if (problems.every((problem) => problem.endsWith("cannot be read: permission denied"))) {
    return "'ls -l' shows whose it is: run ipcheck as that user, or give it to the user that runs ipcheck";
  }
  return "correct it there; every variable is described in .env.example";
}
