import { createHash } from "node:crypto";
import { constants, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { HostKey } from "./message/compose";

/** What newer clients ask for comes first. */
const PREFERENCE = ["ED25519", "ECDSA", "RSA"];

/** A machine has three or four of them, each of one short line. */
const MAX_FILES = 10;
const MAX_BYTES = 16 * 1024;

/** The machine's own ssh fingerprints, from the public host keys; empty where none can be read. Never rejects. */
export async function readHostKeys(folder = "/etc/ssh"): Promise<HostKey[]> {
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => /^ssh_host_\w+_key\.pub$/.test(name)).slice(0, MAX_FILES);
  const keys = await Promise.all(files.map((name) => readKey(join(folder, name)).catch(() => undefined)));
  return keys
    .filter((key) => key !== undefined)
    .sort((a, b) => PREFERENCE.indexOf(a.type) - PREFERENCE.indexOf(b.type));
}

async function readKey(path: string): Promise<HostKey | undefined> {
  // Non-blocking, so that a pipe in the file's place cannot hold a mail up.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = await file.stat();
    return stats.isFile() && stats.size <= MAX_BYTES ? parse(await file.readFile("utf8")) : undefined;
  } finally {
    await file.close();
  }
}

// RFC 4253, 6.6: 'type base64 comment'; ssh shows the unpadded SHA-256 of the decoded middle.
function parse(text: string): HostKey | undefined {
  const [, type = "", blob = ""] = /^(?:ssh-|ecdsa-sha2-)(ed25519|rsa|nistp\d+) ([A-Za-z0-9+/]+=*)/.exec(text) ?? [];
  if (!blob) return undefined;
  const digest = createHash("sha256").update(Buffer.from(blob, "base64")).digest("base64");
  return {
    type: type.startsWith("nistp") ? "ECDSA" : type.toUpperCase(),
    fingerprint: `SHA256:${digest.replace(/=+$/, "")}`,
  };
}
