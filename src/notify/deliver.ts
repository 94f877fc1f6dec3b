import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../base/command";
import { trustOptions } from "../base/network";
import type { Redactor } from "../base/redaction";
import { elapsedMs } from "../base/time";
import { askReach } from "../lookup/reach";
import { readRecentHistory } from "../state/history";
import type { FailedOutcome, Outcome } from "../state/outbox";
import type { AddressEvent } from "../state/state";
import type { Notice } from "./dispatch";
import { sendMail } from "./mail";
import { composeMessage, type HostKey, type MessageFacts } from "./message/compose";
import type { Language, Unwritable } from "./message/languages";
import type { SmtpServer } from "./smtp-errors";

/** Where the SMTP password comes from; a command is run only when a mail is owed. */
export type PasswordSource =
  | { kind: "value"; origin: string; value: string }
  | { kind: "command"; origin: string; command: string };

/** The part of the configuration that mail needs. */
export interface DeliverySettings {
  smtp: SmtpServer & { user: string | undefined; password: PasswordSource | undefined };
  from: string;
  machineName: string;
  sshLine: string;
  language: Language;
  extraCa: string | undefined;
  /** The port of which a mail about a change says whether it answers from outside. */
  reachPort: number | undefined;
  reachUrl: string;
}

export interface DeliveryContext {
  version: string;
  hostName: string;
  /** Beside the state file; the last changes are drawn from it. */
  historyFile: string;
  env: NodeJS.ProcessEnv;
  /** The end of the run. */
  signal: AbortSignal;
  /** What is left of the run's deadline: a delivery may use all of it. */
  remainingMs(): number;
  redactor: Redactor;
  /** Told why a mail had to be written plainly; to be reported after it was sent. */
  onBug: (bug: unknown) => void;
  userAgent: string;
  /** For how long the machine has been running. */
  uptimeMs(): number;
}

/** Such as unlocking a password store over the network. */
const PASSWORD_COMMAND_TIMEOUT_MS = 15_000;

/** Fetches the password, writes the message and hands it over. Rejects only when the message cannot be written. */
export async function deliver(
  notice: Notice,
  settings: DeliverySettings,
  context: DeliveryContext,
): Promise<Map<string, Outcome>> {
  const { smtp: server, from, machineName, extraCa } = settings;
  const { hostName, version, redactor, signal } = context;
  const endsAt = performance.now() + context.remainingMs() * (notice.share ?? 1);
  const remainingMs = () => Math.max(0, endsAt - performance.now());
  const login = await fetchLogin(server, context);
  if ("ok" in login) return new Map(notice.recipients.map((recipient) => [recipient, login]));
  const facts = {
    ...settings,
    hostName,
    version,
    now: new Date(),
    hostKeys: await readHostKeys(),
    history: readRecentHistory(context.historyFile),
    unwritable: notice.stateError === undefined ? undefined : (STATE_ERRORS[notice.stateError] ?? "other"),
    lateReason: notice.lateReason,
    // It may fail without costing the mail.
    reach: await reachOf(notice, settings, { ...context, remainingMs }).catch(() => undefined),
    restartedMinutesAgo: restartedBefore(notice.events, context.uptimeMs()),
  };
  const message = composeMessage(notice.events, facts, context.onBug);
  const { redact } = redactor;
  const isTest = notice.events.some(({ kind }) => kind === "test");
  const options = { server, login: login.value, from, machineName, extraCa, signal, remainingMs, redact, isTest };
  return sendMail(notice, message, options);
}

const STATE_ERRORS: Record<string, Unwritable> = {
  ENOSPC: "full",
  EDQUOT: "full",
  EROFS: "read-only",
  EIO: "unreadable",
};

/** A mail must not wait longer for a sentence that decorates it; where little time is left, less than its share. */
const MAX_REACH_MS = 10_000;
const REACH_SHARE = 0.25;

/** Whether the port answers at the new address. Only with the first try to tell of a change: a retry asks nobody. */
async function reachOf(
  { events, lateReason }: Notice,
  { reachPort: port, reachUrl, extraCa }: DeliverySettings,
  { userAgent, remainingMs }: DeliveryContext,
): Promise<MessageFacts["reach"]> {
  const changed = events.filter(({ kind }) => kind === "change").map(({ family }) => family);
  // IPv4 first, as in the mail.
  const family = changed.includes(4) ? 4 : 6;
  const from = events.findLast((event) => event.family === family)?.address;
  if (port === undefined || changed.length === 0 || from === undefined || lateReason !== undefined) return undefined;
  const timeoutMs = Math.ceil(Math.min(MAX_REACH_MS, remainingMs() * REACH_SHARE));
  // For the name and a second try, too; the run's own end is later.
  const time = { timeoutMs, signal: AbortSignal.timeout(timeoutMs) };
  const answer = await askReach(reachUrl, port, { userAgent, tls: trustOptions(extraCa), ...time, family, from });
  // Seen through a VPN or the like, the port of another place was tried.
  return "address" in answer && answer.address === from ? { port, isReachable: answer.isReachable } : undefined;
}

/** A power cut is why most addresses change: this long after it the machine, the router and the look are back. */
const RESTART_WINDOW_MINUTES = 60;

/** How many minutes before the change this machine was started; undefined where it had been running. */
function restartedBefore(events: readonly AddressEvent[], uptimeMs: number): number | undefined {
  const change = events.findLast(({ kind }) => kind === "change");
  if (!change) return undefined;
  const minutes = (uptimeMs - elapsedMs(change.at, new Date())) / 60_000;
  return minutes >= 0 && minutes <= RESTART_WINDOW_MINUTES ? minutes : undefined;
}

/** As of a password file. */
const MAX_PASSWORD_LENGTH = 4096;

/** The login to use, or why there is none; secrets become known to the redactor before anybody sees them. */
export async function fetchLogin(
  { user, password }: Pick<DeliverySettings["smtp"], "user" | "password">,
  { env, signal, redactor }: Pick<DeliveryContext, "env" | "signal" | "redactor">,
): Promise<{ value: { user: string; password: string } | undefined } | FailedOutcome> {
  if (user === undefined || password === undefined) return { value: undefined };
  const keepSecret = (secret: string) => redactor.secrets.push(secret, `\0${user}\0${secret}`);
  if (password.kind === "value") {
    keepSecret(password.value);
    return { value: { user, password: password.value } };
  }
  const timeoutMs = PASSWORD_COMMAND_TIMEOUT_MS;
  const { stdout, failure } = await runCommand(password.command, { env, signal, timeoutMs });
  const [secret = ""] = stdout.split(/\r?\n/, 1);
  // Far more is no password, and no pattern for the redactor could be made of it.
  const isPlausible = secret.length <= MAX_PASSWORD_LENGTH;
  if (isPlausible) keepSecret(secret);
  if (failure === undefined && secret !== "" && isPlausible) return { value: { user, password: secret } };
  const problem = isPlausible
    ? (failure ?? "printed no password on its first line")
    : "printed far more than a password on its first line";
  return {
    ok: false,
    isPermanent: false,
    about: "login",
    reason: `the password command ${redactor.redact(problem)}`,
    hint: `run it by hand, as the user that runs ipcheck: see ${password.origin}`,
  };
}

/** What newer clients ask for comes first. */
const PREFERENCE = ["ED25519", "ECDSA", "RSA"];

/** A machine has three or four of them, each of one short line. */
const MAX_FILES = 10;
const MAX_BYTES = 16 * 1024;

/** The machine's own ssh fingerprints, from the public host keys; empty where none can be read. Never rejects. */
export async function readHostKeys(folder = "/etc/ssh"): Promise<HostKey[]> {
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => /^ssh_host_\w+_key\.pub$/.test(name)).slice(0, MAX_FILES);
  const keys = await Promise.all(files.map((name) => readHostKey(join(folder, name)).catch(() => undefined)));
  return keys
    .filter((key) => key !== undefined)
    .sort((a, b) => PREFERENCE.indexOf(a.type) - PREFERENCE.indexOf(b.type));
}

// RFC 4253, 6.6: 'type base64 comment'; ssh shows the unpadded SHA-256 of the decoded middle.
async function readHostKey(path: string): Promise<HostKey | undefined> {
  const stats = await stat(path);
  // A pipe would hold the mail up.
  const text = stats.isFile() && stats.size <= MAX_BYTES ? await readFile(path, "utf8") : "";
  const [, type = "", blob = ""] = /^(?:ssh-|ecdsa-sha2-)(ed25519|rsa|nistp\d+) ([A-Za-z0-9+/]+=*)/.exec(text) ?? [];
  if (!blob) return undefined;
  const digest = createHash("sha256").update(Buffer.from(blob, "base64")).digest("base64");
  return {
    type: type.startsWith("nistp") ? "ECDSA" : type.toUpperCase(),
    fingerprint: `SHA256:${digest.replace(/=+$/, "")}`,
  };
}
