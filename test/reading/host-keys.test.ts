import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readHostKeys } from "../../src/notify/message-facts";
import { makeScratch } from "../support/scratch";

// GitHub's, whose fingerprint it publishes.
const KNOWN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const KNOWN_FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";

function folderWith(files: Record<string, string>): string {
  const folder = makeScratch();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

test.each<[string, string]>([
  ["with a comment", `${KNOWN} root@raspberrypi\n`],
  ["without one", KNOWN],
  ["with Windows line ends", `${KNOWN}\r\n`],
])("a published fingerprint: %s", async (_, text) => {
  const keys = await readHostKeys(folderWith({ "ssh_host_ed25519_key.pub": text }));
  expect(keys).toEqual([{ type: "ED25519", fingerprint: KNOWN_FINGERPRINT }]);
});

test("as ssh-keygen shows them, the newest kind first", async ({ skip }) => {
  const folder = makeScratch();
  const sizes = { rsa: "2048", ecdsa: "256", ed25519: "256" };
  for (const [type, bits] of Object.entries(sizes)) {
    const file = join(folder, `ssh_host_${type}_key`);
    const { error } = spawnSync("ssh-keygen", ["-q", "-t", type, "-b", bits, "-N", "", "-C", "a comment", "-f", file]);
    if (error) return skip("ssh-keygen is not installed: only the published fingerprint was compared");
  }
  const shown = ["ed25519", "ecdsa", "rsa"].map((type) => {
    const file = join(folder, `ssh_host_${type}_key.pub`);
    // 256 SHA256:… a comment (ED25519)
    const { stdout } = spawnSync("ssh-keygen", ["-lf", file], { encoding: "utf8" });
    const [, fingerprint, kind] = /^\d+ (\S+) .*\((\w+)\)\n$/.exec(stdout) ?? [];
    return { type: kind, fingerprint };
  });
  expect(await readHostKeys(folder)).toEqual(shown);
});

test("what is no public host key is passed over", async () => {
  const folder = folderWith({
    "ssh_host_ed25519_key.pub": KNOWN,
    "ssh_host_rsa_key.pub": "",
    "ssh_host_ecdsa_key.pub": "ecdsa-sha2-nistp256 \u001b[31m<script>",
    "ssh_host_dsa_key.pub": `ssh-dss ${KNOWN.split(" ")[1]}`,
    ssh_host_ed25519_key: "-----BEGIN OPENSSH PRIVATE KEY-----",
    "id_ed25519.pub": KNOWN,
    moduli: "x",
  });
  mkdirSync(join(folder, "ssh_host_folder_key.pub"));
  expect(readdirSync(folder)).toHaveLength(8);
  expect(await readHostKeys(folder)).toEqual([{ type: "ED25519", fingerprint: KNOWN_FINGERPRINT }]);
});

test("no folder, no keys", async () => {
  expect(await readHostKeys(join(makeScratch(), "nowhere"))).toEqual([]);
});

test("a pipe, a huge file and a crowd of files hold nothing up", async () => {
  const folder = folderWith({ "ssh_host_ed25519_key.pub": KNOWN });
  execFileSync("mkfifo", [join(folder, "ssh_host_rsa_key.pub")]);
  writeFileSync(join(folder, "ssh_host_ecdsa_key.pub"), KNOWN.padEnd(1_000_000, "A"));
  expect(await readHostKeys(folder)).toEqual([{ type: "ED25519", fingerprint: KNOWN_FINGERPRINT }]);
  for (let i = 0; i < 300; i++) writeFileSync(join(folder, `ssh_host_x${i}_key.pub`), KNOWN);
  expect((await readHostKeys(folder)).length).toBeLessThanOrEqual(10);
});
