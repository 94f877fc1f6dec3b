import { type CheckReport, check } from "../../src/commands/check-run";
import type { Family } from "../../src/lookup/address";
import type { FailureKind } from "../../src/lookup/failures";
import type { LookRequest, View } from "../../src/lookup/lookup-result";
import { judge, type Voice } from "../../src/lookup/quorum";
import type { Notice, World } from "../../src/notify/ports";
import type { CheckRules } from "../../src/notify/rules";
import type { FailedOutcome, Outcome } from "../../src/state/outbox";
import { decodeState, EMPTY_STATE, encodeState, type Occurrence, type State } from "../../src/state/state";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

export const RULES: CheckRules = {
  families: [4],
  recipients: ["a@example.net"],
  hasHook: false,
  mailIntervalMs: 15 * MINUTE_MS,
  reportOutageMs: HOUR_MS,
  heartbeatMailMs: undefined,
  revision: "first",
  isLoud: false,
};

export const OK: Outcome = { ok: true };
export const GREYLISTED: FailedOutcome = { ok: false, isPermanent: false, reason: "later, please" };
export const REFUSED: FailedOutcome = { ok: false, isPermanent: true, reason: "no such user" };

/** The power went off. */
export class PowerCut extends Error {}

const FAILURES: Record<string, FailureKind> = { t: "timeout", p: "portal", g: "garbage", n: "no-ipv6" };

/** The address that a digit stands for. */
export function addressOf(digit: string, family: Family = 4): string {
  return family === 4 ? `81.2.69.${digit}` : `2a02:8109:0:${digit}::1`;
}

/** A home in memory: what happens to it is scripted by its fields, and what it does is noted in them. */
export class FakeHome {
  now = new Date("2026-06-01T12:00:00Z");
  /** What the operators a, b, c, … say: a digit stands for an address, a letter for a failure. */
  says: Partial<Record<Family, string>> = { 4: "111", 6: "111" };
  answer: (recipient: string, notice: Notice) => Outcome = () => OK;
  hookOutcome: Outcome = OK;
  random = 0;
  /** Throws this from an effect, by name. */
  failures: Partial<Record<keyof World, Error>> = {};
  /** Cuts the power before (even) or after (odd) the effect with half this number. */
  cutPowerAt: number | undefined;

  stored: string | undefined;
  lastLookAt: Date | undefined;
  /** The effects of the last run, in order. */
  effects: string[] = [];
  mails: (Notice & { at: Date })[] = [];
  history: Occurrence[] = [];
  hooked: Occurrence[] = [];
  announced: Occurrence[] = [];
  private ids = 0;

  readonly world: World = {
    now: () => this.now,
    random: () => this.random,
    createId: () => `id-${++this.ids}`,
    look: async (request) => this.look(request),
    recall: () => {
      const decoded = this.stored === undefined ? undefined : decodeState(this.stored);
      if (decoded) {
        const condition = decoded.isLegacy ? "legacy" : "sound";
        return { state: decoded.state, lastLookAt: this.lastLookAt, condition };
      }
      const condition = this.stored === undefined ? "absent" : "damaged";
      return { state: EMPTY_STATE, lastLookAt: undefined, condition };
    },
    keepAside: () => this.act("keepAside", () => "state.json.damaged"),
    remember: (state, lastLookAt) =>
      this.act("remember", () => {
        this.stored = encodeState(state);
        this.lastLookAt = lastLookAt;
      }),
    touch: (lastLookAt) =>
      this.act("touch", () => {
        this.lastLookAt = lastLookAt;
      }),
    appendHistory: (occurrences) => this.act("appendHistory", () => void this.history.push(...occurrences)),
    mail: async (notice) =>
      this.act("mail", () => {
        const outcomes = new Map(notice.recipients.map((recipient) => [recipient, this.answer(recipient, notice)]));
        const recipients = notice.recipients.filter((recipient) => outcomes.get(recipient)?.ok);
        if (recipients.length > 0) this.mails.push({ ...notice, recipients, at: this.now });
        return outcomes;
      }),
    runHook: async (occurrence) =>
      this.act("runHook", () => {
        if (this.hookOutcome.ok) this.hooked.push(occurrence);
        return this.hookOutcome;
      }),
    announce: async (occurrence) => this.act("announce", () => void this.announced.push(occurrence)),
  };

  /** The state as it was last written. */
  get state(): State {
    return (this.stored === undefined ? undefined : decodeState(this.stored)?.state) ?? EMPTY_STATE;
  }

  /** Runs once, `minutes` after the run before, hearing `says` over IPv4. */
  run(minutes: number, says = this.says[4] ?? "", rules: Partial<CheckRules> = {}): Promise<CheckReport> {
    this.now = new Date(this.now.getTime() + minutes * MINUTE_MS);
    this.says = { ...this.says, 4: says };
    this.effects = [];
    return check({ ...RULES, ...rules }, this.world);
  }

  /** What each mail told: `first 1`, `change 1>2, change 2>1`. */
  get told(): string[] {
    return this.mails.map(({ occurrences }) => occurrences.map(inWords).join(", "));
  }

  private act<T>(name: keyof World, doIt: () => T): T {
    const failure = this.failures[name];
    const number = 2 * this.effects.push(name) - 2;
    if (this.cutPowerAt === number) throw new PowerCut();
    if (failure) throw failure;
    const result = doIt();
    if (this.cutPowerAt === number + 1) throw new PowerCut();
    return result;
  }

  private look({ family, recorded, candidate }: LookRequest): View {
    const voices = new Map<string, Voice>();
    for (const [index, mark] of [...(this.says[family] ?? "")].entries()) {
      const kind = FAILURES[mark];
      voices.set(
        "abcdefg"[index] ?? "",
        kind ? { kind, detail: `failed: ${kind}` } : { address: addressOf(mark, family) },
      );
    }
    const verdict = judge({ recorded, candidate, voices, unheard: 0, isSoleService: false, ipv6PrefixLength: 64 });
    if (verdict.kind === "ask") throw new RangeError("nobody is left to be asked");
    const hearings = [...voices].map(([operator, voice]) => ({ service: operator, operator, voice, ms: 1 }));
    return { family, verdict, hearings, requests: hearings.length, newRests: {}, serverDate: undefined };
  }
}

/** `change 1>2`: the digits of the addresses. */
export function inWords({ kind, old, address }: Occurrence): string {
  const digit = (text: string) => (text.includes(":") ? `v6/${text.split(":")[3]}` : text.replace("81.2.69.", ""));
  return `${kind} ${kind === "change" ? `${digit(old ?? "?")}>` : ""}${digit(address)}`;
}

/** The errors that stderr shows. */
export function spoken({ errors, muted }: CheckReport): string[] {
  return errors.filter((error) => !muted.has(error)).map(({ code }) => code);
}
