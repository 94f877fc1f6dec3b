import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { HostKey } from "./message/compose";

/** What newer clients ask for comes first. */
const PREFERENCE = ["ED25519", "ECDSA", "RSA"];

/** The machine's own ssh fingerprints, from the public host keys; empty where none can be read. */
export async function readHostKeys(folder = "/etc/ssh"): Promise<HostKey[]> {
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => /^ssh_host_\w+_key\.pub$/.test(name));
  const keys = await Promise.all(
    files.map((name) => readFile(join(folder, name), "utf8").then(parse, () => undefined)),
  );
  return keys
    .filter((key) => key !== undefined)
    .sort((a, b) => PREFERENCE.indexOf(a.type) - PREFERENCE.indexOf(b.type));
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
