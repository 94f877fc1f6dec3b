// What a quiet hour costs, as ratios against programs run in turn with it on this machine: a bare
// Node.js process that makes one request (the floor), a script as people wrote them in 2013, and
// ddclient and inadyn where they are installed. BENCH_NODE is another node to run ours and the floor.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

  const before = fingerprint(home);
  await interleave(contenders);
  const filesWritten = difference(before, fingerprint(home));
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
    outbox: await measureGrowth([1, 10, 100, 1_000], bench, (folder, count, env) => {
      env["IPCHECK_SMTP_PORT"] = "9";
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
  return { name, command, env, samples: [] };
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
  for (const one of contenders) await measure(one);
  for (let run = 0; run < RUNS; run++) {
    for (const one of contenders) one.samples.push(await measure(one));
  }
}

function measure({ name, command, env }: Contender, expected = 0): Promise<Sample> {
  const child = spawn("python3", [join(BENCH, "measure.py"), ...command], { env, stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once("close", () => {
      const sample = JSON.parse(output.trim().split("\n").at(-1) ?? "{}") as Sample & { status: number };
      if (sample.status >> 8 === expected) resolve(sample);
      else reject(new Error(`${name} ended with status ${sample.status >> 8}`));
    });
  });
}

async function countBytes(one: Contender, { echoes }: Bench) {
  const sum = (key: "bytesIn" | "bytesOut") => echoes.reduce((total, echo) => total + echo[key], 0);
  const requests = () => echoes.reduce((total, echo) => total + echo.requests.length, 0);
  const before = { sent: sum("bytesIn"), received: sum("bytesOut"), requests: requests() };
  await measure(one);
  return {
    requests: requests() - before.requests,
    bytesSent: sum("bytesIn") - before.sent,
    bytesReceived: sum("bytesOut") - before.received,
  };
}

/** A run's cost with more and more behind it, each in a home of its own, as ratios to the smallest. */
async function measureGrowth(
  counts: readonly number[],
  bench: Bench,
  fill: (stateFolder: string, count: number, env: NodeJS.ProcessEnv) => void,
) {
  const rows: Contender[] = [];
  for (const count of counts) {
    const home = makeHome(bench);
    const row = contender(String(count), CHECK, home, bench);
    await measure(row);
    fill(join(home, ".local", "state", "ipcheck"), count, row.env);
    rows.push(row);
  }
  const [smallest] = rows;
  // Written pages reach the disk before anything is timed.
  spawnSync("sync");
  for (let run = -1; run < RUNS; run++) {
    for (const row of rows) {
      const sample = await measure(row, row.env["IPCHECK_SMTP_PORT"] ? 5 : 0);
      if (run >= 0) row.samples.push(sample);
    }
  }
  return rows.map((row) => ({ count: Number(row.name), ...summarize(row.samples), ratios: ratios(row, smallest) }));
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

/** Each file below the state folder: its identity and content. */
function fingerprint(home: string): Map<string, string> {
  const folder = join(home, ".local");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8", withFileTypes: true });
  return new Map(
    files
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name))
      .map((path) => [path, createHash("sha256").update(readFileSync(path)).digest("hex")]),
  );
}

function difference(before: Map<string, string>, after: Map<string, string>): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function summarize(samples: readonly Sample[]) {
  const of = (key: keyof Sample) => median(samples.map((sample) => sample[key]));
  const walls = samples.map(({ wall }) => wall).sort((a, b) => a - b);
  return {
    wallMs: Math.round(of("wall") * 1000),
    wallSpreadMs: [walls[0] ?? 0, walls.at(-1) ?? 0].map((value) => Math.round(value * 1000)),
    cpuMs: Math.round(of("cpu") * 1000),
    peakMiB: Math.round(of("peak") / 102.4) / 10,
  };
}

/** Medians of the ratios of runs made side by side, with the middle half of them for wall time. */
function ratios(one: Contender, other: Contender | undefined) {
  const all = (key: keyof Sample) =>
    one.samples
      .map((sample, index) => sample[key] / (other?.samples[index]?.[key] ?? Number.NaN))
      .sort((a, b) => a - b);
  const round = (value: number | undefined) => Math.round((value ?? Number.NaN) * 100) / 100;
  const walls = all("wall");
  return {
    wall: round(median(walls)),
    wallSpread: [0.25, 0.75].map((part) => round(walls[Math.floor(walls.length * part)])),
    cpu: round(median(all("cpu"))),
    peak: round(median(all("peak"))),
  };
}

type Report = Awaited<ReturnType<typeof measureGrowth>>[number];

function print(report: {
  contenders: ({ name: string } & ReturnType<typeof summarize>)[];
  ratios: ({ against: string } & ReturnType<typeof ratios>)[];
  wire: ({ name: string } & Awaited<ReturnType<typeof countBytes>>)[];
  history: Report[];
  outbox: Report[];
  [fact: string]: unknown;
}): void {
  const { contenders, ratios: ratioRows, wire, history, outbox, ...facts } = report;
  process.stdout.write(`${JSON.stringify(facts)}\n`);
  const row = (first: string, ...cells: (string | number)[]) =>
    process.stdout.write(`${first.padEnd(28)}${cells.map((cell) => String(cell).padStart(13)).join("")}\n`);
  row("\n", "wall ms", "min–max", "CPU ms", "peak MiB");
  for (const one of contenders) row(one.name, one.wallMs, one.wallSpreadMs.join("–"), one.cpuMs, one.peakMiB);
  row("\nipcheck against", "wall", "quartiles", "CPU", "peak");
  for (const one of ratioRows) row(one.against, one.wall, one.wallSpread.join("–"), one.cpu, one.peak);
  row("\non the wire", "requests", "bytes sent", "received");
  for (const one of wire) row(one.name, one.requests, one.bytesSent, one.bytesReceived);
  for (const [title, rows] of Object.entries({ "entries in the history": history, "changes in the outbox": outbox })) {
    row(`\n${title}`, "wall", "quartiles", "CPU", "peak");
    for (const one of rows) {
      row(String(one.count), one.ratios.wall, one.ratios.wallSpread.join("–"), one.ratios.cpu, one.ratios.peak);
    }
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
