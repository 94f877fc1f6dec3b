import { IpcheckError } from "../../src/base/errors";
import { type CheckReport, type CheckRules, check, type Dependencies } from "../../src/commands/check-run";
import { type Family, parseCidr } from "../../src/lookup/address";
import type { RawAnswer } from "../../src/lookup/answer";
import { look } from "../../src/lookup/lookup";
import type { Notice } from "../../src/notify/dispatch";
import type { Outcome } from "../../src/state/outbox";
import type { AddressEvent, State } from "../../src/state/state";
import { storeOver } from "../../src/state/store";
import { openMemoryFile } from "../support/memory-file";
import type { Episode, Story, What } from "./story";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export const RECIPIENTS = ["a@example.net", "b@example.net", "c@example.net"];

/** What an operator does when it is asked. */
export type Saying = { address: string } | "unreachable" | "page" | "429";

/** What happened to one recipient of one message. */
export interface Attempt {
  recipient: string;
  notice: Notice;
  /** The server has the message. */
  isTaken: boolean;
  outcome: Outcome | undefined;
}

/** One run as the world sees it, before it begins. */
const newRun = (given: {
  /** Hours since the beginning. */
  hour: number;
  /** What the machine's clock shows. */
  now: Date;
  rules: CheckRules;
  truth: Record<Family, string>;
  says: Partial<Record<Family, Saying[]>>;
  /** The clock was set since the run before. */
  isClockSet: boolean;
  /** The program's memory was taken away since the run before: restored, damaged, lost with the machine's restart. */
  isMemoryLost: boolean;
}) => ({
  ...given,
  effects: [] as string[],
  requests: {} as Partial<Record<Family, number>>,
  attempts: [] as Attempt[],
  hooked: [] as { event: AddressEvent; isOk: boolean }[],
  announced: [] as AddressEvent[],
  /** What was told, or was to be, before it was kept that it is owed. */
  toldTooEarly: [] as AddressEvent[],
  isAnnounceBroken: false,
  /** What was kept, after each save, and where. */
  kept: [] as { state: State; place: string }[],
  /** Nothing happened and nothing is wrong. */
  isQuiet: false,
  /** An effect on the disk failed. */
  hasDiskFailed: false,
  /** Undefined for a run that was killed. */
  report: undefined as CheckReport | undefined,
});

export type Run = ReturnType<typeof newRun>;

class PowerCut extends Error {}

const ACCEPT_RANGES = ["203.0.113.0/24", "2001:db8::/32"].flatMap((cidr) => parseCidr(cidr) ?? []);

export function addressOf(family: Family, number: number, host = 1): string {
  return family === 4 ? `203.0.113.${number + 1}` : `2001:db8:0:${(number + 1).toString(16)}::${host + 1}`;
}

const RETRY_AFTER = [undefined, "120", "3600", "86400", "31536000", "-5", "soon", "99999999999999999999"];

/** A home, its line, its operators, its mail server, its disk and its clock, as a story tells them. */
export class World {
  private readonly states = openMemoryFile((deed) => {
    const code = this.obstacle(deed);
    if (code) throw diskError(`cannot ${deed} the state file (${code})`, code);
  });
  private readonly copy = openMemoryFile();
  private readonly started = new Set<Episode>();
  private active: Episode[] = [];
  private home = 0;
  private homeBefore = 0;
  private interfaceId = 1;
  private revision = 1;
  private clockErrorMs = 0;
  private backups = new Map<Episode, string | undefined>();
  private ids = 0;
  private random: number;
  private runs = 0;
  private isOff = false;
  private cutAt: number | undefined;
  /** What happened since the run before. */
  private since = { isClockSet: false, isMemoryLost: false };
  private current!: Run;
  /** The lines of history.jsonl. */
  readonly history: AddressEvent[] = [];
  private readonly boot: number;
  private readonly signal = new AbortController().signal;

  constructor(private readonly story: Story) {
    this.random = story.episodes.reduce((sum, { at, n, m }) => (sum * 31 + at * 7 + n * 3 + m) % 2147483647, 1);
    this.boot = Date.parse("2026-06-01T12:00:00Z");
    // Until the time is set by NTP, five hours later.
    if (story.settings.startsIn1970) this.clockErrorMs = -this.boot;
  }

  /** Lets time pass until `hour` and runs `check` once, where the machine is on. */
  async live(hour: number): Promise<Run | undefined> {
    const { settings } = this.story;
    this.passTime(hour);
    if (this.is("the machine is off")) {
      this.copy.content = undefined;
      this.since.isMemoryLost = true;
      return undefined;
    }
    this.runs++;
    const recipients = this.episodesOf("the recipients are").at(-1)?.n ?? settings.recipients;
    const rules: CheckRules = {
      families: settings.families,
      recipients: bits(recipients, RECIPIENTS),
      hasHook: settings.hasHook,
      mailIntervalMs: settings.mailIntervalMinutes * MINUTE_MS,
      reportOutageMs: settings.reportOutageMinutes && settings.reportOutageMinutes * MINUTE_MS,
      heartbeatMailMs: settings.heartbeatDays && settings.heartbeatDays * DAY_MS,
      configHash: () => String(this.revision),
      isInteractive: this.is("a person runs it"),
    };
    const truth = this.truth();
    const run = newRun({
      hour,
      // A millisecond later with each run: a clock that was set back never shows the same one twice.
      now: new Date(this.boot + hour * HOUR_MS + this.clockErrorMs + this.runs),
      rules,
      truth,
      says: Object.fromEntries(settings.families.map((family) => [family, this.sayings(family, truth[family])])),
      ...this.since,
    });
    this.since = { isClockSet: false, isMemoryLost: false };
    this.current = run;
    this.isOff = false;
    this.cutAt = this.killAt(hour);
    try {
      const report = await check(rules, this.open());
      if (!this.isOff) run.report = report;
    } catch (error) {
      if (!this.isOff) throw error;
    }
    run.isQuiet = this.active.length === 0 && run.effects.join() === "touch";
    return run;
  }

  private passTime(hour: number): void {
    const { settings, episodes } = this.story;
    if (settings.startsIn1970 && this.clockErrorMs === -this.boot && hour >= 5) this.moveClock(this.boot);
    for (const episode of episodes) {
      if (episode.at > hour) break;
      if (this.started.has(episode)) continue;
      this.started.add(episode);
      this.begin(episode);
      this.active.push(episode);
    }
    for (const episode of this.active) {
      if (hour < episode.at + episode.hours) continue;
      this.end(episode);
      this.active = this.active.filter((one) => one !== episode);
    }
  }

  private begin(episode: Episode): void {
    const { what, n } = episode;
    const loseCopy = () => {
      this.since.isMemoryLost ||= this.copy.isThere;
      this.copy.content = undefined;
    };
    const doAtOnce: Partial<Record<What, () => void>> = {
      "the home moves": () => {
        this.homeBefore = this.home;
        this.home = n % 12;
      },
      "the IPv6 address gets another interface identifier": () => {
        this.interfaceId = n;
      },
      "the machine restarts": loseCopy,
      "the runtime folder is away": loseCopy,
      "the disk cannot be read": () => {
        this.since.isMemoryLost = true;
      },
      "the state file is damaged": () => {
        if (!this.states.isThere) return;
        this.states.content = this.states.content?.slice(0, -20 - n);
        this.since.isMemoryLost = true;
      },
      "the clock goes wrong": () => this.moveClock(clockErrorOf(episode)),
      "the mail settings change": () => void this.revision++,
      "the state file of the beginning is restored at the end": () => {
        this.backups.set(episode, this.states.content);
      },
    };
    doAtOnce[what]?.();
  }

  private end(episode: Episode): void {
    if (episode.what === "the clock goes wrong") this.moveClock(-clockErrorOf(episode));
    if (episode.what === "the disk cannot be read") this.since.isMemoryLost = true;
    if (this.backups.has(episode) && !this.obstacle("write")) {
      this.states.content = this.backups.get(episode);
      this.since.isMemoryLost = true;
    }
  }

  private moveClock(ms: number): void {
    this.clockErrorMs += ms;
    this.since.isClockSet = true;
  }

  private episodesOf(what: What): Episode[] {
    return this.active.filter((episode) => episode.what === what);
  }

  private is(what: What): boolean {
    return this.active.some((episode) => episode.what === what);
  }

  private bitsOf(what: What): number {
    return this.episodesOf(what).reduce((all, { n }) => all | n, 0);
  }

  private truth(): Record<Family, string> {
    const flap = this.episodesOf("the address flaps").at(-1);
    const number = flap && this.runs % 2 === 1 ? flap.n % 12 : this.home;
    return { 4: addressOf(4, number), 6: addressOf(6, number, this.interfaceId) };
  }

  private sayings(family: Family, truth: string): Saying[] {
    const isDown = this.is("the line is down");
    const unreachable = this.bitsOf("operators are unreachable");
    const pages = this.bitsOf("operators answer with a page");
    const busy = this.bitsOf("operators answer 429");
    const stale = this.bitsOf("operators say the address before");
    const lies = this.episodesOf("operators say another address");
    return Array.from({ length: this.story.settings.services }, (_, index): Saying => {
      const bit = 1 << index;
      if (isDown || unreachable & bit) return "unreachable";
      if (busy & bit) return "429";
      if (pages & bit) return "page";
      const lie = lies.find(({ n }) => n & bit);
      if (lie) return { address: addressOf(family, 20 + lie.m) };
      return { address: stale & bit ? addressOf(family, this.homeBefore) : truth };
    });
  }

  private obstacle(deed: "read" | "write" | "touch"): string | undefined {
    if (this.is("the disk cannot be read")) return "EIO";
    if (deed === "read") return undefined;
    if (this.is("the disk is read-only")) return "EROFS";
    return deed === "write" && this.is("the disk is full") ? "ENOSPC" : undefined;
  }

  private killAt(hour: number): number | undefined {
    const intervalHours = this.story.settings.intervalMinutes / 60;
    return this.episodesOf("the run is killed").find(({ at }) => hour < at + intervalHours)?.n;
  }

  /** A process of its own: what `check` may do to this world. */
  private open(): Dependencies {
    const run = this.current;
    const { now } = run;
    const hasRuntimeFolder = this.story.settings.hasRuntimeFolder && !this.is("the runtime folder is away");
    const store = storeOver(this.states, () => (hasRuntimeFolder ? this.copy : undefined));
    return {
      now: () => now,
      random: () => {
        this.random = (this.random * 48271) % 2147483647;
        return this.random / 2147483647;
      },
      createId: () => `id-${++this.ids}`,
      look: async (request) => {
        const { family } = request;
        run.requests[family] = 0;
        return look(request, this.lookOptions(family));
      },
      load: () => store.load(),
      quarantine: () => this.act("quarantine", () => store.quarantine(now)),
      save: (state, lastLookAt) =>
        this.act("save", () => {
          const keeping = store.save(state, lastLookAt);
          run.hasDiskFailed ||= keeping.place !== "state file";
          run.kept.push({ state, place: keeping.place });
          return keeping;
        }),
      touch: (lastLookAt) => this.act("touch", () => store.touch(lastLookAt)),
      appendHistory: (events) => this.act("appendHistory", () => this.append(events)),
      mail: async (notice) => {
        this.noteOrder(notice.events);
        return this.act("mail", () => this.deliver(notice));
      },
      runHook: async (event) =>
        this.act("runHook", () => {
          this.noteOrder([event]);
          const isOk = !this.is("the command fails");
          run.hooked.push({ event, isOk });
          return isOk ? OK : failed("it ended with exit code 1", false);
        }),
      announce: async (events) =>
        this.act("announce", () => {
          this.noteOrder(events);
          run.isAnnounceBroken = this.is("standard output cannot be written");
          if (run.isAnnounceBroken) throw new IpcheckError("undelivered", "standard output cannot be written");
          run.announced.push(...events);
        }),
    };
  }

  private lookOptions(family: Family): Parameters<typeof look>[1] {
    const run = this.current;
    return {
      serviceUrls: SERVICE_URLS.slice(0, this.story.settings.services),
      acceptRanges: ACCEPT_RANGES,
      ipv6PrefixLength: 64,
      timeoutMs: 5000,
      userAgent: "ipcheck",
      redact: (text: string) => text,
      seed: "home",
      now: () => run.now,
      monotonicMs: () => run.hour * HOUR_MS,
      signal: this.signal,
      findSources: async () => [],
      ask: (url: URL) => {
        run.requests[family] = (run.requests[family] ?? 0) + 1;
        return this.answer(family, SERVICE_URLS.indexOf(url));
      },
    };
  }

  private async answer(family: Family, operator: number): Promise<RawAnswer> {
    const saying = this.current.says[family]?.[operator];
    if (saying === undefined || saying === "unreachable") throw Object.assign(new Error(), { code: "ETIMEDOUT" });
    if (saying === "page") return { status: 200, headers: { "content-type": "text/html" }, body: "<html>" };
    if (saying === "429") {
      const retryAfter = RETRY_AFTER[this.episodesOf("operators answer 429").at(-1)?.m ?? 0];
      return { status: 429, headers: { "retry-after": retryAfter }, body: "" };
    }
    return { status: 200, headers: {}, body: `${saying.address}\n` };
  }

  private noteOrder(events: readonly AddressEvent[]): void {
    const owed = new Set(this.current.kept.at(-1)?.state.outbox.map(({ id }) => id));
    this.current.toldTooEarly.push(...events.filter(({ id }) => !owed.has(id)));
  }

  private append(events: readonly AddressEvent[]): void {
    if (this.is("the history cannot be written") || this.obstacle("write")) {
      this.current.hasDiskFailed = true;
      throw diskError("cannot append to the history", "EROFS");
    }
    // As the real one: a line that is there already is not written again.
    const known = new Set(this.history.slice(-60).map(({ id }) => id));
    this.history.push(...events.filter(({ id }) => !known.has(id)));
  }

  private deliver(notice: Notice): ReadonlyMap<string, Outcome> {
    const outcomes = new Map<string, Outcome>();
    for (const recipient of notice.recipients) {
      const { outcome, isTaken } = this.serve(1 << RECIPIENTS.indexOf(recipient));
      this.current.attempts.push({ recipient, notice, isTaken, outcome });
      if (outcome) outcomes.set(recipient, outcome);
    }
    return outcomes;
  }

  private serve(bit: number): { outcome: Outcome | undefined; isTaken: boolean } {
    const is = (what: What) => (this.bitsOf(what) & bit) !== 0;
    const refused = (reason: string, isPermanent = false) => ({ outcome: failed(reason, isPermanent), isTaken: false });
    if (this.is("the line is down")) return refused("no network");
    if (is("the mail server refuses some for now")) return refused("450 later");
    if (is("the mail server refuses some for good")) return refused("550 never", true);
    if (is("the mail server forgets to answer for some")) return { outcome: undefined, isTaken: false };
    const isLost = is("the mail server takes the mail and its answer is lost");
    if (isLost || is("the mail server hangs after the final dot")) {
      return { outcome: { ok: false, isPermanent: false, isUnknown: true, reason: "no answer" }, isTaken: isLost };
    }
    return { outcome: OK, isTaken: true };
  }

  private act<T>(name: string, work: () => T): T {
    if (this.isOff) throw new PowerCut();
    const number = 2 * this.current.effects.push(name) - 2;
    this.isOff = this.cutAt === number;
    if (this.isOff) throw new PowerCut();
    const result = work();
    this.isOff = this.cutAt === number + 1;
    if (this.isOff) throw new PowerCut();
    return result;
  }
}

function clockErrorOf({ n, m }: Episode): number {
  const unit = [HOUR_MS, HOUR_MS, DAY_MS, 365 * DAY_MS][m % 4] ?? 0;
  return unit * (n - 31);
}

const OK: Outcome = { ok: true };

const SERVICE_URLS = Array.from({ length: 6 }, (_, index) => new URL(`https://operator-${index}.example.net/`));

function failed(reason: string, isPermanent: boolean): Outcome {
  return { ok: false, isPermanent, reason };
}

function diskError(message: string, code: string): IpcheckError {
  return new IpcheckError("state", message, { cause: Object.assign(new Error(code), { code }) });
}

function bits<T>(number: number, items: readonly T[]): T[] {
  return items.filter((_, index) => number & (1 << index));
}
