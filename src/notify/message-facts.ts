// What a mail says besides the event itself: read here, each of it such that a failure costs no mail.
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { trustOptions } from "../base/network";
import { elapsedMs } from "../base/time";
import { askReach } from "../lookup/reach";
import { readRecentHistory } from "../state/history";
import type { AddressEvent } from "../state/state";
import type { Notice } from "./dispatch";
import type { HostKey, MessageFacts } from "./message/compose";
import type { Language, Unwritable } from "./message/languages";

/** What the configuration says for a mail's text. */
export interface FactSettings {
  machineName: string;
  sshLine: string;
  language: Language;
  extraCa: string | undefined;
  /** The port of which a mail about a change says whether it answers from outside. */
  reachPort: number | undefined;
  reachUrl: string;
}

export interface FactContext {
  version: string;
  hostName: string;
  userAgent: string;
  /** Beside the state file; the last changes are drawn from it. */
  historyFile: string;
  /** What is left of the run's deadline: a delivery may use all of it. */
  remainingMs(): number;
  /** For how long the machine has been running. */
  uptimeMs(): number;
}

/** The facts for the mail about `notice`. Never rejects. */
export async function gatherFacts(notice: Notice, settings: FactSettings, context: FactContext): Promise<MessageFacts> {
  const { language, machineName, sshLine } = settings;
  const { hostName, version, historyFile, uptimeMs } = context;
  return {
    language,
    machineName,
    sshLine,
    hostName,
    version,
    now: new Date(),
    hostKeys: await readHostKeys(),
    history: readRecentHistory(historyFile),
    unwritable: notice.stateError === undefined ? undefined : (STATE_ERRORS[notice.stateError] ?? "other"),
    lateReason: notice.lateReason,
    reach: await reachOf(notice, settings, context).catch(() => undefined),
    restartedMinutesAgo: restartedBefore(notice.events, uptimeMs()),
  };
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
  { reachPort: port, reachUrl, extraCa }: FactSettings,
  { userAgent, remainingMs }: FactContext,
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
