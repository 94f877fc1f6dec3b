// The promises, checked after every run of the program against what the servers of the tests know. A run whose
// servers are not theirs is not judged by what only these could tell. Its own reading of the state and the
// configuration is plain on purpose: it must not share the program's mistakes.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse } from "dotenv";
import { parseDuration } from "../../src/base/time";
import { decodeVigenere } from "../../src/config/vigenere";
import { hasSamePrefix, parseAddress } from "../../src/lookup/address";
import { acceptancesAt, answersAt, normalise } from "./evidence";

export type PromiseName = keyof typeof PROMISES;

/** Why a test breaks a promise, or hides the evidence for it, on purpose. */
export type Unwatched = Partial<Record<PromiseName, string>>;

export interface WatchedRun {
  /** What stands after `ipcheck`. */
  args?: readonly string[] | undefined;
  env: Readonly<Record<string, string | undefined>>;
  /** The wall clock the run begins with, where it is set. */
  now?: Date | string | undefined;
  unwatched?: Unwatched | undefined;
}

export interface End {
  exitCode: number | null;
  /** Both streams, as far as they were caught; undefined where they were not. */
  stdout?: string | undefined;
  stderr?: string | undefined;
  /** It was killed by the harness, which waited for so long. */
  isStuck?: boolean;
}

/** Called before a run is started; the result is called after its end and throws when a promise was broken. */
export function watch(run: WatchedRun): (end: End) => void {
  const env = readConfiguration(run);
  const stateFile = stateFileOf(env);
  const runs = homes.get(stateFile) ?? [];
  homes.set(stateFile, runs);
  const before = readState(stateFile);
  const secrets = secretsOf(env);
  const own: Interval = { from: performance.now(), to: Number.POSITIVE_INFINITY, exitCode: null };
  runs.push(own);
  return (end) => {
    Object.assign(own, { to: performance.now(), exitCode: end.exitCode });
    const others = runs.filter((other) => other !== own && other.to > own.from);
    const seen: Seen = {
      ...run,
      ...end,
      args: run.args ?? [],
      env,
      before,
      after: readState(stateFile),
      stateFile,
      // A file that init wrote during the run holds secrets too.
      secrets: [...new Set([...secrets, ...secretsOf(readConfiguration(run))])],
      from: Math.min(unsavedSince(runs, own), ...others.map(({ from }) => from)),
      ms: own.to - own.from,
      isAlone: others.length === 0,
    };
    for (const [name, find] of Object.entries(PROMISES) as [PromiseName, (seen: Seen) => string | undefined][]) {
      const broken = run.unwatched?.[name] === undefined ? find(seen) : undefined;
      if (broken) throw new Error(describe(name, broken, seen));
    }
  };
}

interface Interval {
  from: number;
  to: number;
  exitCode: number | null;
}

/** The runs on each state file. */
const homes = new Map<string, Interval[]>();

/** Recipient and time of every telling that was proven, for runs that overlap see the same. */
const proven = new Set<string>();

interface Seen extends Omit<WatchedRun, "unwatched">, End {
  args: readonly string[];
  before: StateFile | undefined;
  after: StateFile | undefined;
  stateFile: string;
  secrets: readonly string[];
  /** What the servers did since then may be what this run's state is about. */
  from: number;
  ms: number;
  /** No other run on the same state ran at the same time. */
  isAlone: boolean;
}

const PROMISES = {
  /** Nobody is marked as told whom the server did not accept. */
  told({ env, before, after, stateFile, from, stdout = "" }: Seen): string | undefined {
    if (!after) return undefined;
    const recipients = recipientsOf(env);
    if (recipients.length === 0) {
      const address = newlySaid(before, after).find((one) => !stdout.includes(one));
      return address && `${address} counts as told, but was not printed`;
    }
    const taken = acceptancesAt(Number(env["IPCHECK_SMTP_PORT"] ?? 587));
    for (const recipient of taken ? recipients : []) {
      const servedAt = after.channels[recipient]?.servedAt;
      const struckOff = (before?.outbox ?? []).filter(
        ({ id, told }) =>
          !told.includes(recipient) &&
          (after.outbox.find((event) => event.id === id) ?? { told: [recipient] }).told.includes(recipient),
      );
      const key = `${stateFile} ${recipient} ${servedAt}`;
      const isNew = servedAt !== before?.channels[recipient]?.servedAt || struckOff.length > 0;
      if (!isNew || proven.has(key)) continue;
      const proof = taken?.find((one) => !one.isUsed && one.at >= from && one.recipient === normalise(recipient));
      if (!proof) return `${recipient} counts as told, but the mail server accepted nothing for it`;
      proof.isUsed = true;
      proven.add(key);
      const unsaid = struckOff.find(({ address }) => proof.text !== undefined && !proof.text.includes(address));
      if (unsaid) return `${recipient} counts as told of ${unsaid.address}, but its mail does not name it`;
    }
    return undefined;
  },

  /** Exit 0 means that nothing is owed, changes that are being grouped apart. */
  owed({ args, env, after, exitCode, now, isAlone }: Seen): string | undefined {
    if (!after || exitCode !== 0 || !isAlone || !isCheck(args)) return undefined;
    const recipients = recipientsOf(env);
    const channels = [
      "(history)",
      ...(recipients.length > 0 ? recipients : ["(stdout)"]),
      ...(env["IPCHECK_ON_CHANGE"] ? ["(command)"] : []),
    ];
    const clock = new Date(now ?? Date.now()).getTime();
    const owing = channels.flatMap((channel) => {
      const events = after.outbox.filter(
        ({ told, kind }) =>
          !told.includes(channel) &&
          (kind === "first" || kind === "change" || !["(history)", "(command)"].includes(channel)),
      );
      return events.length > 0 && !isGrouping(channel, events, after, env, clock) ? [channel] : [];
    });
    return owing.length > 0 ? `exit code 0, but ${owing.join(", ")} has not been told` : undefined;
  },

  /** What is recorded was said by enough operators. */
  recorded({ env, before, after, from, now }: Seen): string | undefined {
    const services = list(env["IPCHECK_SERVICES"]).filter((url) => URL.canParse(url));
    for (const [family, { recorded }] of Object.entries(after?.families ?? {})) {
      const known = before?.families[family];
      if (!after || !recorded || recorded.address === known?.recorded?.address) continue;
      // A literal address is asked in its own family only.
      const isOther = (url: string) => {
        const literal = parseAddress(new URL(url).hostname.replace(/^\[|\]$/g, ""));
        return literal !== undefined && String(literal.family) !== family;
      };
      const ports = [...new Set(services.filter((url) => !isOther(url)).map((url) => Number(new URL(url).port)))];
      const evidence = ports.flatMap((port) => answersAt(port) ?? []);
      if (ports.length === 0 || evidence.length < ports.length) continue;
      const prefixLength = Number(env["IPCHECK_IPV6_PREFIX"] || 64);
      const says = evidence.map(({ asked, answers, isClosed }) => {
        const said = answers.filter(({ at, status }) => at >= from && status === 200);
        const addresses = said.flatMap(({ body }) => body.split(/\s+/).flatMap((word) => parseAddress(word) ?? []));
        const ofFamily = addresses.filter((one) => String(one.family) === family);
        return {
          isFor: ofFamily.some(({ address }) => hasSamePrefix(address, recorded.address, prefixLength)),
          isAgainst: ofFamily.length > 0,
          isOut: isClosed || asked.some((at) => at >= from),
        };
      });
      const votes = says.filter(({ isFor }) => isFor).length;
      const answered = says.filter(({ isFor, isAgainst }) => isFor || isAgainst).length;
      // Fewer are enough only where nobody else could be asked.
      const isEveryoneOut = says.every(({ isFor, isOut }) => isFor || isOut) || Object.keys(after.rests).length > 0;
      const hasMajority = votes * 2 > ports.length || (votes >= 2 && votes * 2 > answered && isEveryoneOut);
      const candidate = known?.candidate;
      const ageMs = new Date(now ?? Date.now()).getTime() - new Date(candidate?.since ?? "").getTime();
      const isOld = candidate !== undefined && candidate.runs >= 2 && ageMs >= 7_000_000;
      const isAllowed = hasMajority ? ports.length === 1 || votes >= 2 : recorded.isUnconfirmed && votes >= 1 && isOld;
      if (!isAllowed) {
        return `${recorded.address} is recorded${recorded.isUnconfirmed ? " as unconfirmed" : ""}, but ${votes} of ${ports.length} services said so, and ${answered - votes} said something else`;
      }
    }
    return undefined;
  },

  /** No output holds a secret of the configuration. */
  secret({ stdout = "", stderr = "", secrets, args, env }: Seen): string | undefined {
    // What it is for is to print one.
    const output = args.includes("vigenere") ? stderr : stdout + stderr;
    // One that looks like an address that was measured, or like a recipient, is told as that.
    const isPublic = (secret: string) => parseAddress(secret) !== undefined || list(env["IPCHECK_TO"]).includes(secret);
    const shown = secrets.find((secret) => !isPublic(secret) && formsOf(secret).some((form) => output.includes(form)));
    return shown && `the output holds the secret ${JSON.stringify(shown)} or a form of it`;
  },

  /** The run ended within its deadline and what is documented to come after it. */
  deadline({ args, env, ms, isStuck }: Seen): string | undefined {
    const deadlineMs = parseDuration(env["IPCHECK_DEADLINE"] || "2m");
    // A mail may take twice as long; the command of the configuration has thirty seconds, the heartbeat ten.
    const limitMs = (deadlineMs ?? 0) * 2 + (env["IPCHECK_ON_CHANGE"] ? 30_000 : 0) + BUSY_MACHINE_MS;
    const isOver = isCheck(args) && deadlineMs !== undefined && ms > limitMs;
    return isStuck || isOver ? `it took ${Math.round(ms)} ms` : undefined;
  },
} satisfies Record<string, (seen: Seen) => string | undefined>;

/** What a start, a heartbeat and the end take on a machine that does something else at the same time. */
const BUSY_MACHINE_MS = 15_000;

function describe(name: PromiseName, broken: string, seen: Seen): string {
  const { args, exitCode, stdout, stderr, after } = seen;
  const facts = { args, exitCode, stdout, stderr, outbox: after?.outbox, families: after?.families };
  return `broken promise '${name}': ${broken}\n${JSON.stringify(facts, null, 1)}`;
}

/** A run that could not write the state file leaves what it knows to the next one. */
function unsavedSince(runs: readonly Interval[], own: Interval): number {
  const earlier = runs.filter(({ to }) => to <= own.from);
  const lastSaved = earlier.findLastIndex(({ exitCode }) => exitCode !== 4);
  return earlier[lastSaved + 1]?.from ?? own.from;
}

/** The addresses that were owed to standard output before, or are new, and no longer are. */
function newlySaid(before: StateFile | undefined, after: StateFile): string[] {
  const isOwed = (address: string) =>
    after.outbox.some((event) => event.address === address && !event.told.includes("(stdout)"));
  const owedBefore = (before?.outbox ?? []).filter(({ told }) => !told.includes("(stdout)"));
  const found = Object.entries(after.families).flatMap(([family, { recorded }]) =>
    recorded && recorded.address !== before?.families[family]?.recorded?.address ? [recorded.address] : [],
  );
  return [...owedBefore.map(({ address }) => address), ...found].filter((address) => !isOwed(address));
}

function isGrouping(
  channel: string,
  events: readonly StateEvent[],
  { channels }: StateFile,
  env: Seen["env"],
  now: number,
): boolean {
  const { changeServedAt, outageServedAt, unknowns, triedAt } = channels[channel] ?? {};
  const isWithin = (last: string | undefined, ms: number) => {
    const ageMs = now - new Date(last ?? "").getTime();
    // The run wrote it a little after it began; further ahead is a clock that jumped, and nothing to wait for.
    return ageMs >= -60_000 && ageMs < ms;
  };
  const intervalMs = parseDuration(env["IPCHECK_MAIL_INTERVAL"] || "15m") ?? 0;
  if (channel.startsWith("(")) return false;
  return events.some(({ kind }) => kind === "change")
    ? isWithin(unknowns ? triedAt : changeServedAt, intervalMs)
    : events.every(({ kind }) => kind === "back") && isWithin(outageServedAt, Math.max(intervalMs, 86_400_000));
}

const isCheck = (args: readonly string[]) =>
  !args.some((arg) => ["-n", "--dry-run", "-h", "--help", "-V", "--version"].includes(arg)) &&
  (args.includes("check") || !args.some((arg) => /^[a-z]+$/.test(arg)));

function list(text: string | undefined): string[] {
  return (text ?? "").split(",").flatMap((part) => part.trim() || []);
}

/** As they are called in the state: domains in small letters and ASCII. */
function recipientsOf(env: Seen["env"]): string[] {
  return [...new Set(list(env["IPCHECK_TO"]).map(normalise))];
}

/** The environment of the run over its env file. */
function readConfiguration({ env, args = [] }: WatchedRun): Record<string, string | undefined> {
  const flag = args.findIndex((arg) => arg === "-c" || arg === "--config");
  const base = env["XDG_CONFIG_HOME"] || join(env["HOME"] ?? "", ".config");
  const path =
    args[flag + 1 || args.length] ??
    args.find((arg) => arg.startsWith("--config="))?.slice("--config=".length) ??
    (env["IPCHECK_CONFIG"] || join(base, "ipcheck", ".env"));
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value));
  return { ...parse(readRegularFile(path, MAX_ENV_FILE) ?? ""), ...given };
}

function stateFileOf(env: Seen["env"]): string {
  const folder = env["STATE_DIRECTORY"]?.split(":")[0];
  const base = env["XDG_STATE_HOME"] || join(env["HOME"] ?? "", ".local", "state");
  return env["IPCHECK_STATE_FILE"] || join(folder || join(base, "ipcheck"), "state.json");
}

/** What the configuration keeps secret and is long enough not to stand in an innocent sentence. */
function secretsOf(env: Seen["env"]): string[] {
  const credentials = env["CREDENTIALS_DIRECTORY"] && join(env["CREDENTIALS_DIRECTORY"], "smtp-password");
  const files = [env["IPCHECK_SMTP_PASSWORD_FILE"], credentials];
  const [encoded, key] = [env["IPCHECK_SMTP_PASSWORD_VIGENERE"], env["IPCHECK_VIGENERE_KEY"]];
  const urls = [...list(env["IPCHECK_SERVICES"]), env["IPCHECK_HEARTBEAT_URL"] ?? "", env["IPCHECK_REACH_URL"] ?? ""];
  const commands = [env["IPCHECK_ON_CHANGE"], env["IPCHECK_SMTP_PASSWORD_COMMAND"]];
  const secrets = [
    env["IPCHECK_SMTP_PASSWORD"],
    encoded,
    key,
    encoded && key && decoded(encoded, key),
    ...files.map((path) => path && firstLineOf(path)),
    ...urls.filter((url) => URL.canParse(url)).flatMap(secretsOfUrl),
    ...commands.filter((command) => command && /\s/.test(command.trim())),
  ];
  return secrets.flatMap((secret) => (secret && secret.length >= SHORTEST_SECRET ? [secret] : []));
}

/** Shorter ones, and single words, may be anywhere; tests that are about them look for themselves. */
const SHORTEST_SECRET = 8;

function decoded(encoded: string, key: string): string | undefined {
  try {
    return decodeVigenere(encoded, key);
  } catch {
    return undefined;
  }
}

function firstLineOf(path: string): string | undefined {
  const text = readRegularFile(path)?.replace(/^\ufeff/, "");
  return text?.split(/\r?\n/)[0];
}

function secretsOfUrl(url: string): string[] {
  const { username, password, searchParams } = new URL(url);
  return [username, password, ...searchParams.values()];
}

function formsOf(secret: string): string[] {
  const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "");
  return [secret, base64, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
}

interface StateEvent {
  id: string;
  kind: string;
  address: string;
  told: string[];
}

/** What the oracle reads of a state file, by the names on the disk. */
interface StateFile {
  families: Record<
    string,
    {
      recorded?: { address: string; isUnconfirmed?: boolean };
      candidate?: { address: string; runs: number; since?: string };
    }
  >;
  outbox: StateEvent[];
  channels: Record<
    string,
    { servedAt?: string; changeServedAt?: string; outageServedAt?: string; unknowns?: number; triedAt?: string }
  >;
  rests: Record<string, string>;
}

/** Undefined where there is nothing that could be a state; a text of one address is one. */
function readState(path: string): StateFile | undefined {
  const text = readRegularFile(path) ?? "";
  const empty: StateFile = { families: {}, outbox: [], channels: {}, rests: {} };
  const legacy = parseAddress(text.trim());
  if (legacy) return { ...empty, families: { [legacy.family]: { recorded: { address: legacy.address } } } };
  try {
    const parsed = JSON.parse(text);
    const isState = typeof parsed?.families === "object" && Array.isArray(parsed.outbox);
    if (!isState) return undefined;
    const { outbox, channels = {} }: Pick<StateFile, "outbox" | "channels"> = parsed;
    return {
      ...empty,
      ...parsed,
      outbox: outbox.map((event) => ({ ...event, told: event.told.map(normalise) })),
      channels: Object.fromEntries(Object.entries(channels).map(([name, channel]) => [normalise(name), channel])),
    };
  } catch {
    return undefined;
  }
}

/** Larger ones are refused by the program; dotenv takes a minute for 200,000 blank lines. */
const MAX_ENV_FILE = 50_000;

function readRegularFile(path: string, maxBytes = 10_000_000): string | undefined {
  try {
    const { size } = existsSync(path) && statSync(path).isFile() ? statSync(path) : { size: Number.POSITIVE_INFINITY };
    return size < maxBytes ? readFileSync(path, "utf8") : undefined;
  } catch {
    return undefined;
  }
}
