// The whole job, for real: the built program runs as a child against an echo service and a mail
// server on loopback, through a day in the life of a home. Nothing leaves this machine.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type EchoServer, startEchoServer } from "../support/echo-server";
import { type MailServer, startMailServer } from "../support/mail-server";

// From build/demo, where this runs, to the folder of package.json.
// npm runs scripts there.
const ROOT = process.cwd();
const BIN = join(ROOT, "bin", "ipcheck.js");
// Lets each run believe that it is later than it is; see the file.
const FAKE_CLOCK = join(ROOT, "test", "support", "fake-clock.cjs");
const HOUR_MS = 3_600_000;
const EXIT_CODES: Record<number, string> = { 0: "all is well", 5: "recorded, not mailed yet" };

async function main(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "ipcheck-demo-"));
  const echoes = [await startEchoServer("203.0.113.7\n"), await startEchoServer("203.0.113.7\n")];
  let mail = await startMailServer();
  try {
    const { port } = mail;
    const envFile = join(home, ".env");
    writeFileSync(envFile, envFileText(home, echoes, port), { mode: 0o600 });
    say(`An echo service and a mail server run on this machine, and an env file says so:\n`);
    say(indent(envFileText(home, echoes, port)));

    const step = (hours: number, title: string, exitCode = 0) => liveThrough({ hours, title, exitCode, envFile, mail });
    await step(0, "First look: the address is recorded, and a mail proves that mail works.");
    await step(1, "An hour later nothing has changed. Cron would hear nothing: not a byte.");
    moveTo(echoes, "203.0.113.99");
    await step(40 * 24, "Forty days later, after a power cut: the provider hands out 203.0.113.99.");
    await mail.close();
    moveTo(echoes, "198.51.100.23");
    await step(71 * 24 + 2, "The address changes again, while the mail server is down.", 5);
    mail = await startMailServer({ port });
    await step(71 * 24 + 5, "The mail server is back: nothing was lost.");
    await step(71 * 24 + 6, "And quiet again.");
    say("That was the whole job. README.md says how to set it up for your home.");
  } finally {
    await Promise.all([...echoes.map((echo) => echo.close()), mail.close()]);
    rmSync(home, { recursive: true, force: true });
  }
}

/** The story is over today. */
const START = new Date(Date.now() - (71 * 24 + 6) * HOUR_MS);

let steps = 0;

interface Step {
  hours: number;
  title: string;
  exitCode: number;
  envFile: string;
  mail: MailServer;
}

async function liveThrough({ hours, title, exitCode: expected, envFile, mail }: Step): Promise<void> {
  const before = mail.arrived.length;
  const now = new Date(START.getTime() + hours * HOUR_MS);
  say(`\n${++steps}. ${now.toISOString().slice(0, 16).replace("T", " ")} UTC. ${title}\n`);
  say("   $ ipcheck check");
  const { exitCode, printed } = await run(now, ["check", "--config", envFile]);
  if (printed) say(indent(printed));
  say(`   (exit code ${exitCode}: ${EXIT_CODES[exitCode] ?? "unexpected"})`);
  for (const { mail: message } of mail.arrived.slice(before)) {
    say(`\n   A mail arrived:\n`);
    say(indent(`From: ${message.from?.text}\nSubject: ${message.subject}\n\n${message.text?.trim()}`, "   | "));
  }
  if (exitCode !== expected) throw new Error(`expected exit code ${expected}, got ${exitCode}`);
}

async function run(now: Date, args: string[]): Promise<{ exitCode: number; printed: string }> {
  const { PATH = "", TZ } = process.env;
  const env = { PATH, FAKE_CLOCK_NOW: now.toISOString(), ...(TZ && { TZ }) };
  const command = ["--require", FAKE_CLOCK, BIN, ...args];
  const child = spawn(process.execPath, command, { env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [exitCode] = await once(child, "close");
  return { exitCode, printed: `${await stdout}${await stderr}`.trim() };
}

function moveTo(echoes: EchoServer[], address: string): void {
  for (const echo of echoes) echo.answer = `${address}\n`;
}

function envFileText(home: string, echoes: EchoServer[], port: number): string {
  return `IPCHECK_TO=you@example.net
IPCHECK_FROM=pi@example.net
IPCHECK_NAME=home
IPCHECK_SSH='ssh pi@{ip}'
IPCHECK_SMTP_HOST=127.0.0.1
IPCHECK_SMTP_PORT=${port}
IPCHECK_SMTP_SECURITY=none
IPCHECK_SERVICES=${echoes.map(({ url }) => url).join(",")}
IPCHECK_ACCEPT_RANGES=203.0.113.0/24,198.51.100.0/24
IPCHECK_STATE_FILE=${join(home, "state.json")}
`;
}

function indent(lines: string, prefix = "   "): string {
  return lines.replace(/^/gm, prefix);
}

function say(words: string): void {
  process.stdout.write(`${words}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
