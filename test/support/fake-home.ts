import type { IpcheckError } from "../../src/base/errors";
import { type CheckReport, type CheckRules, check, type Dependencies } from "../../src/commands/check-run";
import type { Family } from "../../src/lookup/address";
import type { FailureKind } from "../../src/lookup/failures";
import type { LookupRequest, LookupResult } from "../../src/lookup/lookup-result";
import { decide, type Vote } from "../../src/lookup/quorum";
import type { Notice } from "../../src/notify/dispatch";
import type { FailedOutcome, Outcome } from "../../src/state/outbox";
import type { AddressEvent, State } from "../../src/state/state";
import { type Store, storeOver } from "../../src/state/store";
import { openMemoryFile } from "./memory-file";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

export const RULES: CheckRules = {
  families: [4],
  recipients: ["a@example.net"],
  hasHook: false,
  mailIntervalMs: 15 * MINUTE_MS,
  reportOutageMs: HOUR_MS,
  heartbeatMailMs: undefined,
  configHash: () => "first",
  isInteractive: false,
};

export const OK: Outcome = { ok: true };
export const GREYLISTED: FailedOutcome = { ok: false, isPermanent: false, reason: "later, please" };
export const REFUSED: FailedOutcome = { ok: false, isPermanent: true, reason: "no such user" };

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
  /** Throws this from an effect, by name. */
  failures: Partial<Record<keyof Dependencies, Error>> = {};
  /** The state file cannot be written, for this reason. */
  unwritable: IpcheckError | undefined;
  hasRuntimeFolder = true;

  /** The effects of the last run, in order. */
  effects: string[] = [];
  mails: (Notice & { at: Date })[] = [];
  history: AddressEvent[] = [];
  hooked: AddressEvent[] = [];
  announced: AddressEvent[] = [];
  private ids = 0;
  private readonly file = openMemoryFile((deed) => {
    if (this.unwritable && deed !== "read") throw this.unwritable;
  });
  private readonly standIn = openMemoryFile();
  private store = this.openStore();

  readonly dependencies: Dependencies = {
    now: () => this.now,
    random: () => 0,
    createId: () => `id-${++this.ids}`,
    look: async (request) => this.look(request),
    load: () => this.store.load(),
    quarantine: () => this.act("quarantine", () => this.store.quarantine(this.now)),
    save: (state, lastLookAt) => this.act("save", () => this.store.save(state, lastLookAt)),
    touch: (lastLookAt) => this.act("touch", () => this.store.touch(lastLookAt)),
    appendHistory: (events) => this.act("appendHistory", () => void this.history.push(...events)),
    mail: async (notice) =>
      this.act("mail", () => {
        const outcomes = new Map(notice.recipients.map((recipient) => [recipient, this.answer(recipient, notice)]));
        const recipients = notice.recipients.filter((recipient) => outcomes.get(recipient)?.ok);
        if (recipients.length > 0) this.mails.push({ ...notice, recipients, at: this.now });
        return outcomes;
      }),
    runHook: async (event) =>
      this.act("runHook", () => {
        if (this.hookOutcome.ok) this.hooked.push(event);
        return this.hookOutcome;
      }),
    announce: async (events) => this.act("announce", () => void this.announced.push(...events)),
  };

  /** The text of the state file. */
  get stored(): string | undefined {
    return this.file.content;
  }

  set stored(text: string | undefined) {
    this.file.content = text;
  }

  /** What the runtime folder holds instead. */
  get copy(): string | undefined {
    return this.standIn.content;
  }

  get state(): State {
    return this.file.load().state;
  }

  get lastLookAt(): Date | undefined {
    return this.file.load().lastLookAt;
  }

  /** Runs once, `minutes` after the run before, hearing `says` over IPv4. */
  run(minutes: number, says = this.says[4] ?? "", rules: Partial<CheckRules> = {}): Promise<CheckReport> {
    this.now = new Date(this.now.getTime() + minutes * MINUTE_MS);
    this.says = { ...this.says, 4: says };
    this.effects = [];
    this.store = this.openStore();
    return check({ ...RULES, ...rules }, this.dependencies);
  }

  private openStore(): Store {
    return storeOver(this.file, () => (this.hasRuntimeFolder ? this.standIn : undefined));
  }

  /** What each mail told: `first 1`, `change 1>2, change 2>1`. */
  get told(): string[] {
    return this.mails.map(({ events }) => events.map(inWords).join(", "));
  }

  private act<T>(name: keyof Dependencies, work: () => T): T {
    this.effects.push(name);
    const failure = this.failures[name];
    if (failure) throw failure;
    return work();
  }

  private look(request: LookupRequest): LookupResult {
    const { family } = request;
    const votes = new Map(
      [...(this.says[family] ?? "")].map((mark, index): [string, Vote] => {
        const kind = FAILURES[mark];
        const vote = kind ? { kind, detail: `failed: ${kind}` } : { address: addressOf(mark, family) };
        return ["abcdefg"[index] ?? "", vote];
      }),
    );
    const rules = { remaining: 0, isSoleService: false, ipv6PrefixLength: 64, now: this.now };
    const decision = decide({ ...request, votes, ...rules });
    if (decision.kind === "ask") throw new RangeError("nobody is left to be asked");
    const responses = [...votes].map(([operator, vote]) => ({ service: operator, operator, vote, ms: 1 }));
    return { family, decision, responses, requests: responses.length, newCoolDowns: {}, serverDate: undefined };
  }
}

/** `change 1>2`: the digits of the addresses. */
export function inWords({ kind, old, address }: AddressEvent): string {
  const digit = (text: string) => (text.includes(":") ? `v6/${text.split(":")[3]}` : text.replace("81.2.69.", ""));
  return `${kind} ${kind === "change" ? `${digit(old ?? "?")}>` : ""}${digit(address)}`;
}

/** The errors that stderr shows. */
export function spoken({ errors, muted }: CheckReport): string[] {
  return errors.filter((error) => !muted.has(error)).map(({ code }) => code);
}
