import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { PANEL } from "../../src/lookup/services";
import { ADDRESS, issue, makeHome, startCronDaemon, startMail, whyNoTerminal, writeScript } from "../setup/workbench";
import { startEchoServer } from "../support/echo-server";
import { BIN, type Dialogue, typing } from "../support/run-ipcheck";
import { makeScratch } from "../support/scratch";

// Every command that README.md names is run as its reader would run it: word for word, in a shell, one after the other
// in one home. The hosts they lead to are servers on loopback, and `sudo`, `crontab` and `curl` are scripts.

const ROOT = join(__dirname, "..", "..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const run = promisify(execFile);

/** The lines of the blocks for a shell, without comments. */
const LINES = [...README.matchAll(/```sh\n(.*?)```/gs)]
  .flatMap(([, block = ""]) => block.split("\n"))
  .map((line) => line.replace(/(^|\s+)# .*$/, ""))
  .filter((line) => line !== "");
const RECIPES = LINES.filter((line) => line.startsWith("IPCHECK_ON_CHANGE="));
/** Those in sentences begin with a program. */
const IN_SENTENCES = [...README.replace(/```.*?```/gs, "").matchAll(/`([^`]+)`/g)]
  .map(([, text = ""]) => text.replace(/\s+/g, " "))
  .filter((text) => /^(ipcheck|npm|sudo|mkdir|sha256sum) ./.test(text));
const COMMANDS = new Set([...LINES, ...IN_SENTENCES].filter((line) => !RECIPES.includes(line)));

const NOT_RUN: Record<string, string> = {
  "npm ci && npm test": "this is it",
  "npm ci": "every test needs it",
  "npm run bench": "it measures, and a busy machine would fail it",
  "npm run release": "package.test.ts runs what is behind it, and so does this file",
  "npm install -g": "run with the name of the file",
  "sudo apt install nodejs": "Debian's own",
  "sudo tar xzf ipcheck-1.0.0.tgz -C /opt": "it would stay in this machine; the same runs in the home",
  "sudo ipcheck schedule install --system --config /etc/ipcheck/env": "the same; systemd.test.ts runs it in a folder",
};

/** What is typed where a question appears. */
const FIRST_INIT: Dialogue = [
  ["Who is told?", "you@example.net\r"],
  ["Which mailbox sends?", "home@gmail.com\r"],
  ["App password of home@gmail.com", "abcd efgh ijkl mnop\r"],
  ["How do you log in from outside?", "\r"],
  ["Write this?", "\r"],
  ["Send a test mail now?", "\r"],
  ["Your other lines in it stay as they are.", "\r"],
  ["can be reached from outside?", "n"],
];

const SECOND_INIT: Dialogue = [
  ["Who is told?", "\r"],
  ["Which mailbox sends?", "\r"],
  ["Enter keeps the one that is there", "\r"],
  ["How do you log in from outside?", "\r"],
  ["Nothing changes. Go on?", "\r"],
  ["Send a test mail now?", "n"],
  ["can be reached from outside?", "n"],
];

const VIGENERE: Dialogue = [
  ["Key: ", "LEMON\r", "without echo"],
  ["Password: ", "ATTACKATDAWN\r", "without echo"],
];

/** In this order: each command, what its output says, and what is typed at it. */
const STORY: [command: string, says: RegExp, typed?: Dialogue][] = [
  ["sha256sum -c ipcheck-1.0.0.tgz.sha256", /: OK\n$/],
  ["sudo npm install -g ./ipcheck-1.0.0.tgz", /added \d+ package/],
  ["npm uninstall -g ipcheck-mail", /removed \d+ packages/],
  ["npm install -g --prefix ~/.local ./ipcheck-1.0.0.tgz", /added \d+ package/],
  ["ipcheck --version", /^1\.0\.0\n$/],
  // npm links manual pages only when "man" in package.json is an array.
  ["test -e ~/.local/share/man/man1/ipcheck.1", /^$/],
  // What cron starts is the package's own file: a link may lead elsewhere one day.
  [
    "ipcheck schedule install --cron --print",
    / \S+\/\.local\/lib\/node_modules\/ipcheck-mail\/bin\/ipcheck\.js check$/m,
  ],
  ["npm uninstall -g ipcheck-mail --prefix ~/.local", /removed \d+ packages/],
  ["find ~/.local -type f -o -type l", /^$/],
  ["tar xzf ipcheck-1.0.0.tgz", /^$/],
  ["node ipcheck/bin/ipcheck.js init", /crontab/, FIRST_INIT],
  ["node ipcheck/bin/ipcheck.js check -v", new RegExp(ADDRESS)],
  ["mkdir -p ~/.local/bin && ln -s ~/ipcheck/bin/ipcheck.js ~/.local/bin/ipcheck", /^$/],
  ["ipcheck init", /nothing changes/, SECOND_INIT],
  ["ipcheck check", /^$/],
  ["ipcheck check -v", /unchanged/],
  ["ipcheck doctor", /(\d+) of \1 say/],
  // Whether a machine listens for ssh is its own affair.
  ["ipcheck doctor --reach", /listens|answer/],
  ["ipcheck status", new RegExp(ADDRESS)],
  ["sudo ipcheck status", new RegExp(ADDRESS)],
  ["ipcheck status --prometheus", /^ipcheck_last_success_timestamp_seconds /m],
  ["ipcheck history", new RegExp(ADDRESS)],
  ["ipcheck vigenere", /LXFOPVEFRNHR/, VIGENERE],
  ["ipcheck vigenere --env", /IPCHECK_SMTP_PASSWORD_VIGENERE=LXFOPVEFRNHR/, VIGENERE],
  ["ipcheck schedule remove", /crontab/],
  ["ipcheck schedule install", /crontab/, [["?", "y\r"]]],
  ["ipcheck init --yes --to you@example.net --user home@gmail.com --password-stdin --send --schedule < password", /./],
  ["ipcheck schedule remove", /crontab/],
  ["tar czf move.tgz -C ~ .config/ipcheck .local/state/ipcheck", /^$/],
  ["rm -r ~/.config/ipcheck ~/.local/state/ipcheck", /^$/],
  ["tar xzpf move.tgz -C ~", /^$/],
  ["ipcheck doctor --send && ipcheck schedule install", /test mail/, [["Install", "y\r"]]],
  ["ipcheck schedule remove", /crontab/],
  ["rm -r ~/.config/ipcheck ~/.local/state/ipcheck", /^$/],
  ["rm -r ~/ipcheck; rm -f ~/.local/bin/ipcheck", /^$/],
];

/** A machine on which every host of the README's leads to loopback. */
async function makeMachine() {
  const hosts = [...PANEL.map(({ urls }) => new URL(urls[4] ?? "").hostname), "smtp.gmail.com", "ifconfig.co"];
  const certificate = await issue({ names: hosts });
  const echo = await startEchoServer(ADDRESS, { tls: certificate });
  onTestFinished(echo.close);
  const mail = await startMail({
    security: "starttls",
    certificate,
    login: { user: "home@gmail.com", password: "abcdefghijklmnop" },
  });
  const home = await makeHome();
  const { HOME = "", TZ = "", IPCHECK_ACCEPT_RANGES = "", NODE_EXTRA_CA_CERTS = "", CRONTAB_FILE = "" } = home.env;
  const preloads = ["support/fake-names.cjs", "setup/moved-ports.cjs"].map((path) => join(ROOT, "test", path));
  const bin = home.crontab.folder;
  symlinkSync(process.execPath, join(bin, "node"));
  writeScript(bin, "sudo", 'exec "$@"');
  writeScript(bin, "curl", 'printf "%s\\n" "$@" >> ~/curl.log');
  const env = {
    ...{ HOME, TZ, IPCHECK_ACCEPT_RANGES, NODE_EXTRA_CA_CERTS, CRONTAB_FILE },
    PATH: [join(HOME, ".local", "bin"), home.crontab.searchPath].join(":"),
    NODE_OPTIONS: preloads.map((path) => `--require ${path}`).join(" "),
    FAKE_NAMES: JSON.stringify(Object.fromEntries(hosts.map((name) => [name, ["127.0.0.1"]]))),
    MOVED_PORTS: JSON.stringify({ 443: echo.port, 587: mail.port }),
    TERM: "xterm",
    npm_config_prefix: join(HOME, "global"),
    npm_config_offline: "true",
    npm_config_registry: "http://127.0.0.1:9",
    npm_config_cache: makeScratch(),
    npm_config_audit: "false",
  };
  writeFileSync(join(HOME, "password"), "abcd efgh ijkl mnop\n");
  const shell = async (command: string, typed?: Dialogue) => {
    const words = typing(typed ?? [])(["/bin/sh", "-c", command]);
    const [program = "", ...args] = typed ? words : words.slice(3);
    const ending = run(program, args, { env, cwd: HOME, timeout: 25_000 });
    ending.child.stdin?.end();
    const { stdout, stderr } = await ending;
    return stdout + stderr;
  };
  return { home: HOME, echo, mail, shell };
}

describe("the commands of the README", () => {
  beforeEach(async ({ skip }) => {
    const why = await whyNoTerminal();
    if (why) skip(why);
  });

  test("are all run here, or there is a reason", () => {
    const known = ["npm ci && npm run demo", ...STORY.map(([command]) => command), ...Object.keys(NOT_RUN)];
    expect([...COMMANDS].filter((command) => !known.includes(command))).toEqual([]);
    expect(Object.keys(NOT_RUN).filter((command) => !COMMANDS.has(command))).toEqual([]);
  });

  test("set it up, ask it, move it and remove it", { timeout: 120_000 }, async () => {
    const { home, mail, shell } = await makeMachine();
    startCronDaemon();
    await run(process.execPath, [join(ROOT, ".release.mjs"), home]);
    const list = () => readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const before = list().map(({ name }) => name);
    for (const [command, says, typed] of STORY) {
      expect(await shell(command, typed).catch((error) => `${error} ${error.stdout}`), command).toMatch(says);
    }
    // Two tests by init and one by doctor, and the first look's.
    expect(mail.arrived.map(({ mail: { subject } }) => subject)).toHaveLength(4);
    const left = list().map(({ name }) => name);
    expect(left.filter((name) => !before.includes(name)).sort()).toEqual(["move.tgz", "table.calls"]);
  });

  test("show the whole job", { timeout: 60_000 }, async () => {
    const { stdout } = await run("npm", ["run", "demo"], { cwd: ROOT });
    expect(stdout).toMatch(/That was the whole job/);
  });

  test("hand a change over to others", async () => {
    const { home, echo, shell } = await makeMachine();
    const config = join(home, ".config", "ipcheck");
    mkdirSync(config, { recursive: true, mode: 0o700 });
    await shell(`${BIN} check`);
    for (const [index, recipe] of RECIPES.entries()) {
      writeFileSync(join(config, ".env"), `IPCHECK_NAME=home\n${recipe}\n`, { mode: 0o600 });
      echo.answer = `203.0.113.${index}\n`;
      await shell(`${BIN} check`);
    }
    const curl = readFileSync(join(home, "curl.log"), "utf8").split("\n");
    expect(curl).toContain("https://update.dedyn.io/?myipv4=203.0.113.0");
    expect(curl).toContain("Title: home: new address 203.0.113.1 (was 203.0.113.0)");
    expect(curl).toContain("The public address of home has changed.");
    expect(readFileSync(join(home, "address.log"), "utf8")).toMatch(/^\S+ change 203\.0\.113\.1 203\.0\.113\.2\n$/);
  });
});
