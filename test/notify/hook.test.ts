import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { OTHER_NAMES, VARIABLE_NAMES } from "../../src/config/variables";
import { runHook } from "../../src/notify/hook";
import type { AddressEvent } from "../../src/state/state";
import { makeScratch } from "../support/scratch";

const [old, address, at] = ["203.0.113.7", "203.0.113.8", "2026-01-01T00:00:00.000Z"];
const EVENT: AddressEvent = { id: "1", kind: "change", family: 4, at, old, address, confirmedBy: [], told: [] };

const bugs: unknown[] = [];
const context = {
  redact: (text: string) => text,
  onBug: (bug: unknown) => bugs.push(bug),
  facts: {
    language: "fr" as const,
    machineName: "Maison",
    sshLine: "ssh pi@{ip}",
    hostName: "pi",
    version: "1.0.0",
    now: new Date("2026-01-01T00:00:01Z"),
  },
};

test.for([
  [{}, "COUNT=1"],
  [{ folded: 3 }, "COUNT=4"],
  [{ isUnconfirmed: true }, "COUNT=1 UNCONFIRMED=1"],
] as const)("%j: told %s, and names that the typo guard knows", async ([more, expected]) => {
  const file = join(makeScratch(), "env");
  const env = { PATH: process.env["PATH"], IPCHECK_SMTP_PASSWORD: "s3cret", IPCHECK_COUNT: "9" };
  expect(await runHook(`env > '${file}'`, { ...EVENT, ...more }, { ...context, env })).toEqual({ ok: true });
  const told = readFileSync(file, "utf8").match(/^IPCHECK_.*$/gm) ?? [];
  const news = told.map((line) => line.replace("IPCHECK_", "")).filter((line) => /^(COUNT|UNC)/.test(line));
  expect(news.toSorted().join(" ")).toBe(expected);
  const known: readonly string[] = [...OTHER_NAMES, ...VARIABLE_NAMES];
  expect(told.map((line) => line.split("=")[0]).filter((name = "") => !known.includes(name))).toEqual([]);
});

test("it gets subject and text of the mail, in the mail's language and without its end where that is far", async () => {
  const folder = makeScratch();
  const command = `printf %s "$IPCHECK_SUBJECT" > '${folder}/subject'; printf %s "$IPCHECK_TEXT" > '${folder}/text'`;
  const run = async (facts: Partial<typeof context.facts>) => {
    const all = { ...context, facts: { ...context.facts, ...facts }, env: { PATH: process.env["PATH"] } };
    expect(await runHook(command, EVENT, all)).toEqual({ ok: true });
    return ["subject", "text"].map((name) => readFileSync(join(folder, name), "utf8"));
  };
  const [subject, text] = await run({});
  expect(subject).toMatch(/^Maison\P{L}+.*203\.0\.113\.8.*203\.0\.113\.7/u);
  expect(text).toMatch(/203\.0\.113\.7[\s\S]*ssh pi@203\.0\.113\.8/);
  const [, long = ""] = await run({ sshLine: `ssh ${"é".repeat(20_000)}@{ip}` });
  expect(Buffer.byteLength(long)).toBeLessThan(4096);
  expect(long).toMatch(/é…$/);
  expect(bugs).toEqual([]);
});
