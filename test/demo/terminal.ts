// Run by hand: npm run pictures
// Draws what a terminal of 80 columns shows of the built program, in a home whose months are lived first. Every host it
// asks is a server on loopback.

import { execFile, spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeAuthority } from "../support/certificates";
import { startEchoServer } from "../support/echo-server";
import { startMailServer } from "../support/mail-server";

// npm runs scripts in the folder of package.json.
const ROOT = process.cwd();
const BIN = join(ROOT, "bin", "ipcheck.js");
const PRELOADED = ["support/fake-clock.cjs", "support/fake-names.cjs", "setup/moved-ports.cjs"].map((path) =>
  join(ROOT, "test", path),
);
const HOSTS = [
  ..."api.ipify.org ipv4.icanhazip.com checkip.amazonaws.com checkipv4.dedyn.io v4.ident.me ip4.nnev.de".split(" "),
  ..."hc-ping.com smtp.gmail.com".split(" "),
];
const PASSWORD = "abcdefghijklmnop";
const NOW = Date.parse("2026-06-14T08:17:00Z");
const DAY_MS = 86_400_000;

/** Where the home was, and since how many days ago. */
const MOVES: [daysAgo: number, address: string][] = [
  [121, "203.0.113.7"],
  [80, "203.0.113.99"],
  [42, "198.51.100.23"],
  [41.2, "203.0.113.140"],
  [9, "198.51.100.77"],
];

/** Copies what a command prints on a terminal of 80 columns, colours and all. */
const TERMINAL = `
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
try:
    while shown := os.read(terminal, 4096): sys.stdout.buffer.write(shown)
except OSError: pass
os.waitpid(pid, 0)
`;

async function main(picture: string): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "pi-"));
  const authority = await makeAuthority(home, "Example CA");
  const certificate = await authority.issue({ names: HOSTS });
  let now = NOW;
  let address = "";
  const echo = await startEchoServer(
    (_request, response) => {
      response.setHeader("Date", new Date(now).toUTCString());
      response.end(`${address}\n`);
    },
    { tls: certificate },
  );
  const login = { user: "home.pi@gmail.com", password: PASSWORD };
  const mail = await startMailServer({ security: "starttls", certificate, login });
  prepareHome(home, authority.caFile);
  const cron = spawn(join(home, "bin", "cron"), ["60"], { stdio: "ignore" });
  try {
    const run = async (at: number, command: string) => {
      now = at;
      const ports = JSON.stringify({ 443: echo.port, 587: mail.port });
      const shown = await runOnTerminal(command, home, { at, ports });
      return shown.replaceAll(home, "/home/pi").replaceAll(ROOT, "/opt/ipcheck");
    };
    for (const [daysAgo, moved] of MOVES) {
      address = moved;
      await run(NOW - daysAgo * DAY_MS, "check");
    }
    await run(NOW - 20 * 60_000, "check");
    const history = await run(NOW, "history");
    login.password = "revoked";
    const screen = `$ ipcheck history\n${history}\n$ ipcheck doctor\n${await run(NOW, "doctor")}`;
    writeFileSync(picture, draw(screen.replaceAll("\r", "").trimEnd().split("\n")));
    process.stdout.write(`${picture}\n`);
  } finally {
    cron.kill();
    await Promise.all([echo.close(), mail.close()]);
    rmSync(home, { recursive: true, force: true });
  }
}

function prepareHome(home: string, caFile: string): void {
  const config = join(home, ".config", "ipcheck");
  mkdirSync(config, { recursive: true, mode: 0o700 });
  const lines = [
    "IPCHECK_TO=you@example.net",
    "IPCHECK_SMTP_USER=home.pi@gmail.com",
    `IPCHECK_SMTP_PASSWORD=${PASSWORD}`,
    "IPCHECK_SMTP_HOST=smtp.gmail.com",
    "IPCHECK_HEARTBEAT_URL=https://hc-ping.com/your-check",
    `IPCHECK_CA_FILE=${caFile}`,
    "IPCHECK_ACCEPT_RANGES=203.0.113.0/24,198.51.100.0/24",
  ];
  writeFileSync(join(config, ".env"), lines.join("\n"), { mode: 0o600 });
  const bin = join(home, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "crontab"), `#!/bin/sh\necho '17 * * * * ${process.execPath} ${BIN} check'\n`);
  chmodSync(join(bin, "crontab"), 0o755);
  // A daemon to be found; this machine may have none.
  copyFileSync("/bin/sleep", join(bin, "cron"));
}

async function runOnTerminal(
  command: string,
  home: string,
  { at, ports }: { at: number; ports: string },
): Promise<string> {
  const words = [process.execPath, ...PRELOADED.flatMap((path) => ["--require", path]), BIN, command];
  const env = {
    PATH: `${join(home, "bin")}:${process.env["PATH"]}`,
    HOME: home,
    TZ: "Europe/Berlin",
    LANG: "C.UTF-8",
    FAKE_CLOCK_NOW: new Date(at).toISOString(),
    FAKE_NAMES: JSON.stringify(Object.fromEntries(HOSTS.map((name) => [name, ["127.0.0.1"]]))),
    MOVED_PORTS: ports,
  };
  return (await promisify(execFile)("python3", ["-c", TERMINAL, ...words], { env })).stdout;
}

const COLUMN = 8.4;
const LINE = 18;
const MARGIN = 16;

/** An SVG of these lines. Of the escape sequences, the two that `history` prints are drawn: bold and cyan. */
function draw(lines: readonly string[]): string {
  const [width, height] = [80 * COLUMN + 2 * MARGIN, lines.length * LINE + 2 * MARGIN];
  const rows = lines.map((line, index) => {
    const text = line
      .replace(/&/g, "&amp;")
      .replace(/</g, "&lt;")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a terminal is told
      .replace(/\u001b\[(\d+)m/g, (_, code: string) => TAGS[code] ?? "");
    const kind = /^\$ /.test(line) ? ' class="typed"' : /^(ERROR|error)/.test(line) ? ' class="error"' : "";
    return `<text x="${MARGIN}" y="${MARGIN + LINE * (index + 0.75)}"${kind}>${text}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>ipcheck history and ipcheck doctor on a terminal</title>
<style>text{font:14px/1 ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d5dae0;white-space:pre}
.typed{fill:#8fd694}.error{fill:#ff8f87}.b{font-weight:bold;fill:#fff}.c{fill:#5fc7d6}</style>
<rect width="100%" height="100%" rx="8" fill="#1c2128"/>
${rows.join("\n")}
</svg>
`;
}

const TAGS: Record<string, string> = {
  1: '<tspan class="b">',
  22: "</tspan>",
  36: '<tspan class="c">',
  39: "</tspan>",
};

main(process.argv[2] ?? "test/demo/terminal.svg").catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
