// What a quiet hour costs, as ratios against programs run in turn with it on this machine: a bare
// Node.js process that makes one request (the floor), a script as people wrote them in 2013, and
// ddclient and inadyn where they are installed. BENCH_NODE is another node to run ours and the floor.
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type AddressEvent, encodeState, type State } from "../../src/state/state";
import { makeAuthority } from "../support/certificates";
import { type EchoServer, startEchoServer } from "../support/echo-server";
import { type MailServer, startMailServer } from "../support/mail-server";
import { makeScratch } from "../support/scratch";

// npm runs scripts there.
const ROOT = process.cwd();
const BENCH = join(ROOT, "test", "bench");
const NODE = process.env["BENCH_NODE"] ?? process.execPath;
const CHECK = [NODE, join(ROOT, "bin", "ipcheck.js"), "check"];
const RUNS = Number(process.env["BENCH_RUNS"] ?? 21);
const ADDRESS = "203.0.113.7";

interface Sample {
  /** Seconds. */
  wall: number;
  cpu: number;
  /** KiB. */
  peak: number;
}

interface Contender {
  name: string;
  command: readonly string[];
  env: NodeJS.ProcessEnv;
  /** What it must end with. */
  exitCode: number;
  samples: Sample[];
}

interface Bench {
  echoes: [EchoServer, ...EchoServer[]];
  /** Takes what updates of a DNS name the other tools send. */
  updates: EchoServer;
  mail: MailServer;
  caFile: string;
}

async function main(): Promise<void> {
  if (spawnSync("python3", ["-V"]).status !== 0) throw new Error("python3 is needed to read the kernel's figures");
  const authority = await makeAuthority(makeScratch());
  const tls = await authority.issue();
  const bench: Bench = {
    echoes: [await startEchoServer(`${ADDRESS}\n`, { tls }), await startEchoServer(`${ADDRESS}\n`, { tls })],
    updates: await startEchoServer(`good ${ADDRESS}\n`, { tls }),
    mail: await startMailServer(),
    caFile: authority.caFile,
  };
  const home = makeHome(bench);
  const ours = contender("ipcheck check, quiet", CHECK, home, bench);
  const contenders = [ours, ...others(bench)];
  await measure(ours); // The first look: recorded and mailed.

  const before = readFiles(home);
  await interleave(contenders);
  const filesWritten = Object.entries(readFiles(home)).flatMap(([path, text]) => (before[path] === text ? [] : path));
  const wire = [];
  for (const one of contenders) wire.push({ name: one.name, ...(await countBytes(one, bench)) });

  const report = {
    date: new Date().toISOString().slice(0, 10),
    node: execFileSync(NODE, ["--version"], { encoding: "utf8" }).trim(),
    python: execFileSync("python3", ["-V"], { encoding: "utf8" }).trim(),
    runs: RUNS,
    filesWritten,
    contenders: contenders.map(({ name, samples }) => ({ name, ...summarize(samples) })),
    ratios: contenders.slice(1).map((other) => ({ against: other.name, ...ratios(ours, other) })),
    wire,
    history: await measureGrowth([10, 1_000, 200_000], bench, (folder, count) => {
      writeFileSync(join(folder, "history.jsonl"), makeHistory(count));
    }),
    // A server that refuses every mail for now: each run tries again, with all that is owed.
    outbox: await measureGrowth([1, 10, 100, 1_000], bench, (folder, count, row) => {
      row.env["IPCHECK_SMTP_PORT"] = "9";
      row.exitCode = 5;
      writeFileSync(join(folder, "state.json"), encodeState(makeOwing(count)));
    }),
  };
  print(report);
  mkdirSync(join(ROOT, "build"), { recursive: true });
  writeFileSync(join(ROOT, "build", "bench.json"), `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write("\nwritten to build/bench.json\n");
  await Promise.all([...bench.echoes, bench.updates, bench.mail].map((server) => server.close()));
}

function makeHome({ echoes, mail }: Bench): string {
  const home = makeScratch();
  const folder = join(home, ".config", "ipcheck");
  mkdirSync(folder, { recursive: true });
  const lines = [
    "IPCHECK_TO=owner@example.net",
    "IPCHECK_FROM=pi@example.net",
    "IPCHECK_SMTP_HOST=127.0.0.1",
    `IPCHECK_SMTP_PORT=${mail.port}`,
    "IPCHECK_SMTP_SECURITY=none",
    `IPCHECK_SERVICES=${echoes.map(({ url }) => url).join(",")}`,
    "IPCHECK_ACCEPT_RANGES=203.0.113.0/24,198.51.100.0/24",
  ];
  writeFileSync(join(folder, ".env"), `${lines.join("\n")}\n`, { mode: 0o600 });
  return home;
}

function contender(name: string, command: readonly string[], home: string, { caFile }: Bench): Contender {
  const env = { PATH: process.env["PATH"] ?? "", HOME: home, NODE_EXTRA_CA_CERTS: caFile, SSL_CERT_FILE: caFile };
  return { name, command, env, exitCode: 0, samples: [] };
}

function others(bench: Bench): Contender[] {
  const home = makeScratch();
  const { url } = bench.echoes[0];
  const [echo, updates] = [url, bench.updates.url].map((one) => new URL(one).host);
  const inHome = (name: string, text: string) => {
    writeFileSync(join(home, name), text, { mode: 0o600 });
    return join(home, name);
  };
  const address = inHome("ip.txt", ADDRESS);
  const ddclient = inHome(
    "ddclient.conf",
    `ssl=yes\nssl_ca_file=${bench.caFile}\nuse=web\nweb=${url}\nprotocol=dyndns2\nserver=${updates}\nlogin=home\npassword=home\nhome.example.net\n`,
  );
  const inadyn = inHome(
    "inadyn.conf",
    `ca-trust-file = ${bench.caFile}
custom home {
  ssl = true
  username = home
  password = home
  checkip-server = ${echo}
  checkip-path = /
  checkip-ssl = true
  ddns-server = ${updates}
  ddns-path = "/"
  hostname = home.example.net
}
`,
  );
  const script = join(BENCH, "script-2013.py");
  const commands: [name: string, command: string[]][] = [
    ["bare Node.js, one request", [NODE, join(BENCH, "floor.cjs"), url]],
    ["script of 2013 (Python)", ["python3", script, url, address, String(bench.mail.port)]],
    ["ddclient", ["ddclient", "-daemon=0", "-file", ddclient, "-cache", join(home, "ddclient.cache"), "-quiet"]],
    ["inadyn", ["inadyn", "-n", "-1", "--no-pidfile", "-f", inadyn, "--cache-dir", home, "-l", "none"]],
  ];
  return commands
    .filter(([, [program = ""]]) => program.includes("/") || spawnSync("which", [program]).status === 0)
    .map(([name, command]) => contender(name, command, home, bench));
}

async function interleave(contenders: readonly Contender[]): Promise<void> {
  // The first round warms the page cache, and lets the other tools record the address.
  for (let run = -1; run < RUNS; run++) {
    for (const one of contenders) {
      const sample = await measure(one);
      if (run >= 0) one.samples.push(sample);
    }
  }
}

async function measure({ name, command, env, exitCode }: Contender): Promise<Sample> {
  const { stdout } = await promisify(execFile)("python3", [join(BENCH, "measure.py"), ...command], { env });
  const { status, ...sample } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as Sample & { status: number };
  if (status >> 8 !== exitCode) throw new Error(`${name} ended with status ${status >> 8}`);
  return sample;
}

async function countBytes(one: Contender, { echoes }: Bench) {
  const count = (what: (echo: EchoServer) => number) => echoes.reduce((total, echo) => total + what(echo), 0);
  const read = () => ({
    requests: count(({ requests }) => requests.length),
    bytesSent: count(({ bytesIn }) => bytesIn),
    bytesReceived: count(({ bytesOut }) => bytesOut),
  });
  const before = read();
  await measure(one);
  const after = read();
  return {
    requests: after.requests - before.requests,
    bytesSent: after.bytesSent - before.bytesSent,
    bytesReceived: after.bytesReceived - before.bytesReceived,
  };
}

/** A run's cost with more and more behind it, each in a home of its own, as ratios to the smallest. */
async function measureGrowth(
  counts: readonly number[],
  bench: Bench,
  fill: (stateFolder: string, count: number, row: Contender) => void,
) {
  const rows: Contender[] = [];
  for (const count of counts) {
    const home = makeHome(bench);
    const row = contender(String(count), CHECK, home, bench);
    await measure(row);
    fill(join(home, ".local", "state", "ipcheck"), count, row);
    rows.push(row);
  }
  // Written pages reach the disk before anything is timed.
  spawnSync("sync");
  await interleave(rows);
  return rows.map((row) => ({ count: Number(row.name), ...summarize(row.samples), ratios: ratios(row, rows[0]) }));
}

function makeHistory(count: number): string {
  const line = (index: number) =>
    `${JSON.stringify({ id: `id-${index}`, at: at(index), kind: "change", family: 4, address: ADDRESS, confirmedBy: ["x"] })}\n`;
  return Array.from({ length: count }, (_, index) => line(index)).join("");
}

// Longer than any that ipcheck writes itself: it folds what nobody fetches.
function makeOwing(count: number): State {
  const change = (index: number): AddressEvent => ({
    id: `id-${index}`,
    kind: "change",
    family: 4,
    at: at(index),
    old: `198.51.100.${index % 250}`,
    address: index === count - 1 ? ADDRESS : `198.51.100.${(index + 1) % 250}`,
    confirmedBy: ["x", "y"],
    told: ["(history)"],
  });
  return {
    families: { 4: { recorded: { address: ADDRESS, since: at(count - 1), confirmedBy: ["x", "y"] } } },
    outbox: Array.from({ length: count }, (_, index) => change(index)),
    channels: {},
    coolDowns: {},
  };
}

function at(hour: number): string {
  return new Date(Date.UTC(2003, 0) + hour * 3_600_000).toISOString();
}

/** The content of each file below the state folder. */
function readFiles(home: string): Record<string, string> {
  const files = readdirSync(join(home, ".local"), { recursive: true, withFileTypes: true });
  const paths = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  return Object.fromEntries(paths.map((path) => [path, readFileSync(path, "base64")]));
}

/** Of sorted values: the one at this part of them, rounded. */
function quantile(values: readonly number[], part: number): number {
  return Math.round((values[Math.min(Math.floor(values.length * part), values.length - 1)] ?? Number.NaN) * 100) / 100;
}

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);

function summarize(samples: readonly Sample[]) {
  const all = (key: keyof Sample, factor: number) => sorted(samples.map((sample) => sample[key] * factor));
  const walls = all("wall", 1000);
  return {
    wallMs: Math.round(quantile(walls, 0.5)),
    wallSpreadMs: [0, 1].map((part) => Math.round(quantile(walls, part))),
    cpuMs: Math.round(quantile(all("cpu", 1000), 0.5)),
    peakMiB: quantile(all("peak", 1 / 1024), 0.5),
  };
}

/** Medians of the ratios of runs made side by side, with the middle half of them for wall time. */
function ratios(one: Contender, other: Contender | undefined) {
  const all = (key: keyof Sample) =>
    sorted(one.samples.map((sample, index) => sample[key] / (other?.samples[index]?.[key] ?? Number.NaN)));
  return {
    wall: quantile(all("wall"), 0.5),
    wallSpread: [0.25, 0.75].map((part) => quantile(all("wall"), part)),
    cpu: quantile(all("cpu"), 0.5),
    peak: quantile(all("peak"), 0.5),
  };
}

type Growth = Awaited<ReturnType<typeof measureGrowth>>;

/** Lists of the report as tables, all else in a line. */
function print({ history, outbox, ...report }: { history: Growth; outbox: Growth; [part: string]: unknown }): void {
  const growth = (rows: Growth) => rows.map(({ count, ratios }) => ({ count, ...ratios }));
  const { contenders, ratios, wire, ...facts } = report;
  console.log(JSON.stringify(facts));
  const tables = {
    contenders,
    ratios,
    wire,
    "entries in the history": growth(history),
    "changes owed": growth(outbox),
  };
  for (const [title, rows] of Object.entries(tables)) {
    console.log(`\n${title}`);
    console.table(rows);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
