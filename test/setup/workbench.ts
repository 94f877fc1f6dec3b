import { execFile, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll } from "vitest";
import { type Authority, makeAuthority } from "../support/certificates";
import { type EchoServer, startEchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import { type MailServer, type MailServerOptions, startMailServer } from "../support/mail-server";
import { runHere } from "../support/run-here";
import { makeScratch } from "../support/scratch";

export const ADDRESS = "203.0.113.7";
export const USER = "pi@home.example";
export { ERROR_AND_HINT, SILENCE } from "../support/run-ipcheck";

const closers: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

export async function startEcho(
  answer: EchoServer["answer"] = ADDRESS,
  options?: Parameters<typeof startEchoServer>[1],
): Promise<EchoServer> {
  const echo = await startEchoServer(answer, options);
  closers.push(echo.close);
  return echo;
}

export async function startMail(options: MailServerOptions = {}): Promise<MailServer> {
  const mail = await startMailServer(options);
  closers.push(mail.close);
  return mail;
}

/** What the homes of the tests trust. */
export const authority = makeAuthority(makeScratch());

/** A mail server as providers have them: STARTTLS with a certificate of the tests' authority, and a login. */
export async function startProvider(password: string, options: MailServerOptions = {}): Promise<MailServer> {
  const certificate = options.certificate ?? (await issue());
  return startMail({ security: "starttls", login: { user: USER, password }, ...options, certificate });
}

export async function issue(options?: Parameters<Authority["issue"]>[0]) {
  return (await authority).issue(options);
}

/** A home that asks these services, trusts the tests' authority, and has a crontab program of its own. */
export function makeHome(...services: { url: string }[]): Promise<BenchHome> {
  return furnish(new Home(), "NODE_EXTRA_CA_CERTS", services);
}

/** The same, whose runs take place in the process of the test. */
export function makeHomeHere(...services: { url: string }[]): Promise<BenchHome> {
  return furnish(new Home(runHere), "IPCHECK_CA_FILE", services);
}

type BenchHome = Home & { crontab: FakeCrontab };

async function furnish(home: Home, trust: string, services: { url: string }[]): Promise<BenchHome> {
  home.useServices(...(services.length > 0 ? services : [await startEcho(), await startEcho()]));
  const crontab = new FakeCrontab(home.path);
  home.env[trust] = (await authority).caFile;
  home.env["PATH"] = crontab.searchPath;
  home.env["CRONTAB_FILE"] = crontab.file;
  return Object.assign(home, { crontab });
}

/** A cron daemon until the tests of this file are over, as far as doctor looks: it goes by the name of a process. */
export function startCronDaemon(): void {
  const program = join(makeScratch(), "cron");
  copyFileSync("/bin/sleep", program);
  const daemon = spawn(program, ["600"], { stdio: "ignore" });
  afterAll(() => daemon.kill());
}

/** The env file where `init` puts it. */
export const envFileOf = (home: Home) => join(home.path, ".config", "ipcheck", ".env");

export function writePrivate(path: string, text: string, mode = 0o600): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** A shell script in `folder`, to be found first when `folder` heads the PATH. */
export function writeScript(folder: string, name: string, ...lines: string[]): string {
  return writePrivate(join(folder, name), ["#!/bin/sh", ...lines, ""].join("\n"), 0o755);
}

/** A `crontab` with Debian's manners: refuses a table whose last line has no end, exits with 1 where there is none. */
class FakeCrontab {
  readonly file: string;
  readonly folder: string;

  constructor(home: string) {
    this.folder = join(home, "bin");
    this.file = join(home, "table");
    writeScript(
      this.folder,
      "crontab",
      `echo "$*" >> "$CRONTAB_FILE.calls"`,
      `[ -z "$CRONTAB_REFUSES" ] || { echo "$CRONTAB_REFUSES" >&2; exit 1; }`,
      'case "$1" in',
      '-l) [ -e "$CRONTAB_FILE" ] || { echo "no crontab for x" >&2; exit 1; }; exec cat "$CRONTAB_FILE" ;;',
      '-r) exec rm "$CRONTAB_FILE" ;;',
      '-) cat > "$CRONTAB_FILE.new"',
      '[ -n "$CRONTAB_IS_LENIENT" ] || [ -z "$(tail -c 1 "$CRONTAB_FILE.new")" ] ||',
      '{ echo "new crontab file is missing newline before EOF, can\'t install." >&2; exit 1; }',
      'mv "$CRONTAB_FILE.new" "$CRONTAB_FILE" ;;',
      "*) exit 2 ;;",
      "esac",
    );
  }

  get searchPath(): string {
    return `${this.folder}:${process.env["PATH"]}`;
  }

  /** The table as latin-1; undefined where there is none. */
  get table(): string | undefined {
    return existsSync(this.file) ? readFileSync(this.file, "latin1") : undefined;
  }

  set table(text: string | undefined) {
    if (text !== undefined) writeFileSync(this.file, text, "latin1");
  }

  /** The switches it was called with. */
  get calls(): string[] {
    const log = `${this.file}.calls`;
    return existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  }
}

/** Every file and folder below a path with its mode, and each file with its time and content. */
export function listTree(path: string): string[] {
  if (!existsSync(path)) return [];
  const { mode, mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return [`${path} ${mode} ${mtimeMs} ${readFileSync(path, "base64")}`];
  const below = readdirSync(path).toSorted();
  return [`${path} ${mode}`, ...below.flatMap((name) => listTree(join(path, name)))];
}

/** A secret in the forms in which servers, logs and libraries repeat it. */
export function formsOf(secret: string): string[] {
  const login = Buffer.from(`\0${USER}\0${secret}`).toString("base64");
  const base64 = Buffer.from(secret).toString("base64");
  const forms = [secret, base64, base64.replace(/=+$/, ""), login, encodeURIComponent(secret)];
  return [...forms, Buffer.from(secret).toString("hex"), JSON.stringify(secret).slice(1, -1)];
}

export const python = (...args: string[]) => promisify(execFile)("python3", args, { timeout: 12_000 });

/** Why nothing can be typed here, or undefined. */
export async function whyNoTerminal(): Promise<string | undefined> {
  const probe = python("-c", "import os, pty; os.waitstatus_to_exitcode, pty.fork");
  return probe.then(
    () => undefined,
    () => "python3 with its pty module is not installed",
  );
}
