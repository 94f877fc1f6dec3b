// What a quiet hour costs, as ratios against programs run in turn with it on this machine:
// a bare Node.js process that makes one request (the floor), and the script of 2013.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeAuthority } from "../support/certificates";
import { startEchoServer } from "../support/echo-server";
import { startMailServer } from "../support/mail-server";
import { makeScratch } from "../support/scratch";

const ROOT = join(__dirname, "..", "..");
const BIN = join(ROOT, "bin", "ipcheck.js");
const BENCH = join(ROOT, "test", "bench");
const RUNS = Number(process.env["BENCH_RUNS"] ?? 21);

interface Sample {
  wall: number;
  cpu: number;
  /** KiB. */
  peak: number;
}

type Contender = { name: string; command: string[]; samples: Sample[] };

async function main(): Promise<void> {
  if (spawnSync("python3", ["-V"]).status !== 0) throw new Error("python3 is needed to read the kernel's figures");
  const scratch = makeScratch();
  const authority = await makeAuthority(scratch);
  const tls = await authority.issue();
  const echoes = [await startEchoServer("203.0.113.7\n", { tls }), await startEchoServer("203.0.113.7\n", { tls })];
  const [echo] = echoes;
  if (!echo) throw new Error("no echo service");
  const mail = await startMailServer();
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: scratch,
    NODE_EXTRA_CA_CERTS: authority.caFile,
    SSL_CERT_FILE: authority.caFile,
  };
  const configFolder = join(scratch, ".config", "ipcheck");
  mkdirSync(configFolder, { recursive: true });
  writeFileSync(
    join(configFolder, ".env"),
    `IPCHECK_TO=owner@example.net
IPCHECK_FROM=pi@example.net
IPCHECK_SMTP_HOST=127.0.0.1
IPCHECK_SMTP_PORT=${mail.port}
IPCHECK_SMTP_SECURITY=none
IPCHECK_SERVICES=${echoes.map(({ url }) => url).join(",")}
IPCHECK_ACCEPT_RANGES=203.0.113.0/24,198.51.100.0/24
`,
    { mode: 0o600 },
  );
  const check = [process.execPath, BIN, "check"];
  await measure(check, env); // The first look: recorded and mailed.

  const contenders: Contender[] = [
    { name: "ipcheck check, quiet", command: check, samples: [] },
    { name: "bare Node.js, one request", command: [process.execPath, join(BENCH, "floor.cjs"), echo.url], samples: [] },
    {
      name: "script of 2013 (Python)",
      command: ["python3", join(BENCH, "script-2013.py"), echo.url, join(scratch, "ip.txt"), String(mail.port)],
      samples: [],
    },
    ...others(echo.url, scratch),
  ];
  writeFileSync(join(scratch, "ip.txt"), "203.0.113.7");
  const asked = echoes.reduce((sum, { requests }) => sum + requests.length, 0);
  const before = fingerprint(join(scratch, ".local"));
  await interleave(contenders, env);
  const requests = echoes.reduce((sum, one) => sum + one.requests.length, 0) - asked;
  const written = fingerprint(join(scratch, ".local")) === before ? "none" : "some";

  const growth = await measureGrowth(check, env, scratch);
  const report = {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    python: execFileSync("python3", ["-V"], { encoding: "utf8" }).trim(),
    runs: RUNS,
    requestsInAll: requests,
    stateContentWritten: written,
    contenders: contenders.map(({ name, samples }) => ({ name, ...summarize(samples) })),
    ratios: contenders.slice(1).map((other) => ({ against: other.name, ...ratios(contenders[0], other) })),
    growth,
  };
  print(report);
  const file = join(ROOT, "build", "bench.json");
  mkdirSync(join(ROOT, "build"), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(`\nwritten to build/bench.json\n`);
  await Promise.all([...echoes.map((one) => one.close()), mail.close()]);
}

/** Tools of the field, asked for the address once, where they are installed. */
function others(url: string, scratch: string): Contender[] {
  const ddclientConfig = join(scratch, "ddclient.conf");
  writeFileSync(ddclientConfig, "", { mode: 0o600 });
  const candidates: Contender[] = [
    {
      name: "ddclient -query",
      command: ["ddclient", "-file", ddclientConfig, "-query", "-use=web", `-web=${url}`],
      samples: [],
    },
  ];
  return candidates.filter(({ command }) => spawnSync("which", [command[0] ?? ""]).status === 0);
}

async function interleave(contenders: readonly Contender[], env: NodeJS.ProcessEnv): Promise<void> {
  for (let run = -1; run < RUNS; run++) {
    for (const { command, samples } of contenders) {
      const sample = await measure(command, env);
      if (run >= 0) samples.push(sample); // The first round warms the page cache.
    }
  }
}

function measure(command: readonly string[], env: NodeJS.ProcessEnv): Promise<Sample> {
  const child = spawn("python3", [join(BENCH, "measure.py"), ...command], { env, stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once("close", () => {
      const sample = JSON.parse(output.trim().split("\n").at(-1) ?? "{}") as Sample & { status: number };
      if (sample.status === 0) resolve(sample);
      else reject(new Error(`${command.join(" ")} failed with status ${sample.status}`));
    });
  });
}

/** How a quiet check grows with the history behind it. */
async function measureGrowth(check: string[], env: NodeJS.ProcessEnv, scratch: string) {
  const file = join(scratch, ".local", "state", "ipcheck", "history.jsonl");
  const original = readFileSync(file, "utf8");
  const small: Contender = { name: "10 entries", command: check, samples: [] };
  const large: Contender = { name: "200,000 entries", command: check, samples: [] };
  const line = (index: number) =>
    `${JSON.stringify({ id: `id-${index}`, at: new Date(index * 3_600_000).toISOString(), kind: "change", family: 4, address: "198.51.100.7", confirmedBy: ["x"] })}\n`;
  const texts = [10, 200_000].map((count) => Array.from({ length: count }, (_, index) => line(index)).join(""));
  for (let run = 0; run < Math.ceil(RUNS / 2); run++) {
    for (const [index, contender] of [small, large].entries()) {
      writeFileSync(file, texts[index] ?? "");
      contender.samples.push(await measure(check, env));
    }
  }
  writeFileSync(file, original);
  return { history: ratios(large, small) };
}

function fingerprint(folder: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    hash.update(name);
    if (/\.jsonl?$/.test(name)) hash.update(readFileSync(join(folder, name)));
  }
  return hash.digest("hex");
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

function ratios(a: Contender | undefined, b: Contender) {
  const of = (key: keyof Sample) => {
    const pairs = b.samples.map((sample, index) => (a?.samples[index]?.[key] ?? Number.NaN) / sample[key]);
    return Math.round(median(pairs) * 100) / 100;
  };
  return { wall: of("wall"), cpu: of("cpu"), peak: of("peak") };
}

function print(report: {
  contenders: ({ name: string } & ReturnType<typeof summarize>)[];
  ratios: ({ against: string } & ReturnType<typeof ratios>)[];
  [key: string]: unknown;
}): void {
  const { contenders, ratios: ratioRows, ...facts } = report;
  process.stdout.write(`${JSON.stringify(facts)}\n\n`);
  const row = (...cells: (string | number)[]) =>
    process.stdout.write(
      `${cells.map((cell, index) => (index === 0 ? String(cell).padEnd(28) : String(cell).padStart(12))).join("")}\n`,
    );
  row("", "wall ms", "min–max", "CPU ms", "peak MiB");
  for (const { name, wallMs, wallSpreadMs, cpuMs, peakMiB } of contenders) {
    row(name, wallMs, wallSpreadMs.join("–"), cpuMs, peakMiB);
  }
  process.stdout.write("\n");
  row("ipcheck against", "wall", "", "CPU", "peak");
  for (const { against, wall, cpu, peak } of ratioRows) row(against, `${wall}x`, "", `${cpu}x`, `${peak}x`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
