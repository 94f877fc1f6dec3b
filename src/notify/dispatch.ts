import { isDue } from "../base/duration";
import { IpcheckError } from "../base/errors";
import { noticeId, type Outcome, owedTo, planMails, settle, strikeOff, tidy, type Waiting } from "../state/outbox";
import { REPEAT_AFTER_MS } from "../state/recording";
import { HISTORY, HOOK, STDOUT, type State } from "../state/state";
import type { World } from "./ports";
import type { CheckRules } from "./rules";

/** Everybody who is owed word of a change. Without recipients, cron's own mail stands in for ours. */
export function channelsOf({ recipients, hasHook }: CheckRules): string[] {
  return [HISTORY, ...(recipients.length > 0 ? recipients : [STDOUT]), ...(hasHook ? [HOOK] : [])];
}

/** The second half of a run: the state as it develops while people are told. */
export class Telling {
  readonly errors: IpcheckError[] = [];
  readonly muted = new Set<IpcheckError>();
  waiting: Waiting[] = [];
  private historyError: IpcheckError | undefined;
  /** The state has been written in this run: it can be. */
  private isSaved = false;

  constructor(
    private readonly rules: CheckRules,
    private readonly world: World,
    public state: State,
    private readonly lastLookAt: Date | undefined,
  ) {}

  report(errors: [IpcheckError, boolean][]): void {
    for (const [error, isSpokenNow] of errors) {
      this.errors.push(error);
      if (!isSpokenNow) this.muted.add(error);
    }
  }

  /** Writes the state; where nothing changed only the time of the look. False when it could not. */
  save(isQuiet = false): boolean {
    try {
      if (!isQuiet) {
        this.world.remember(this.state, this.lastLookAt);
        this.isSaved = true;
      } else if (this.lastLookAt) this.world.touch(this.lastLookAt);
      return true;
    } catch (error) {
      return this.fail(error);
    }
  }

  /** What cannot be struck off afterwards would be told again every hour: a full disk shows here. */
  private canStrikeOff(): boolean {
    return this.isSaved || this.save();
  }

  async tell(): Promise<void> {
    if (this.state.outbox.length === 0) return;
    const before = this.state;
    this.tellHistory();
    if (!(await this.tellPeople())) return;
    if (!(await this.tellHook())) return;
    this.complain();
    this.state = tidy(this.state, channelsOf(this.rules));
    if (this.state !== before) this.save();
  }

  private tellHistory(): void {
    const owed = owedTo(this.state, HISTORY);
    if (owed.length === 0) return;
    try {
      this.world.appendHistory(owed);
      this.state = strikeOff(this.state, HISTORY, new Set(owed.map(({ id }) => id)));
    } catch (error) {
      // It stays owed; people come first.
      if (!(error instanceof IpcheckError)) throw error;
      this.historyError = error;
    }
  }

  private async tellPeople(): Promise<boolean> {
    const { rules, world } = this;
    if (rules.recipients.length === 0) {
      const owed = owedTo(this.state, STDOUT);
      if (owed.length > 0 && !this.canStrikeOff()) return false;
      for (const occurrence of owed) await world.announce(occurrence);
      this.state = strikeOff(this.state, STDOUT, new Set(owed.map(({ id }) => id)));
      return true;
    }
    const plan = planMails(this.state, rules.recipients, {
      ...rules,
      now: world.now(),
      ignorePauses: rules.isLoud,
    });
    this.waiting = plan.waiting;
    if (plan.errands.length > 0 && !this.canStrikeOff()) return false;
    for (const { channels, occurrences } of plan.errands) {
      const notice = { id: noticeId(occurrences), recipients: channels, occurrences };
      const outcomes = await world.mail(notice);
      for (const channel of channels) this.settle(channel, occurrences, outcomes.get(channel) ?? NO_OUTCOME);
      if (!this.save()) return false;
    }
    return true;
  }

  private async tellHook(): Promise<boolean> {
    if (!this.rules.hasHook) return true;
    const owed = owedTo(this.state, HOOK);
    if (owed.length > 0 && !this.canStrikeOff()) return false;
    for (const occurrence of owed) {
      const outcome = await this.world.runHook(occurrence);
      this.settle(HOOK, [occurrence], outcome);
      if (!this.save()) return false;
      if (!outcome.ok) break; // In order: a later change must not be undone by an earlier one tried again.
    }
    return true;
  }

  private settle(channel: string, occurrences: Parameters<typeof settle>[2], outcome: Outcome): void {
    this.state = settle(this.state, channel, occurrences, outcome, {
      ...this.rules,
      now: this.world.now(),
      random: () => this.world.random(),
    });
  }

  /** Reports what is still owed, except where the only reason is that changes are being gathered. */
  private complain(): void {
    const gathering = new Set(this.waiting.filter(({ why }) => why === "gathering").map(({ channel }) => channel));
    const channels = channelsOf(this.rules).filter(
      (channel) => channel !== HISTORY && !gathering.has(channel) && owedTo(this.state, channel).length > 0,
    );
    const errors = [...(this.historyError ? [this.historyError] : []), ...this.undelivered(channels)];
    const { complaint, ...rest } = this.state;
    if (errors.length === 0) {
      if (complaint) this.state = rest;
      return;
    }
    const now = this.world.now();
    // Who is concerned, not why: a server finds other words, and other reasons, every hour.
    const about = [...channels, ...(this.historyError ? [HISTORY] : [])].join(" ");
    const speaks = this.rules.isLoud || complaint?.about !== about || isDue(complaint.at, REPEAT_AFTER_MS, now);
    if (speaks) this.state = { ...this.state, complaint: { at: now.toISOString(), about } };
    this.report(errors.map((error) => [error, speaks]));
  }

  private undelivered(channels: readonly string[]): IpcheckError[] {
    if (channels.length === 0) return [];
    const owing = channels.map((channel) => `${nameOf(channel)} has not been told yet: ${this.reasonFor(channel)}`);
    const hint = channels.map((channel) => this.state.channels[channel]?.hint).find((text) => text !== undefined);
    const what = owing.length === 1 ? owing[0] : `${owing.length} have not been told yet`;
    return [
      new IpcheckError("undelivered", `the address is recorded, but ${what}`, {
        hint: hint ?? "the next run tries again; nothing is lost",
        details: owing.length === 1 ? [] : owing,
      }),
    ];
  }

  private reasonFor(channel: string): string {
    const record = this.state.channels[channel];
    const paused = this.waiting.find((wait) => wait.channel === channel);
    const reason = record?.reason ?? "not tried yet";
    return paused ? `${reason} (next try after ${paused.until.slice(0, 16)}Z)` : reason;
  }

  private fail(error: unknown): false {
    if (!(error instanceof IpcheckError)) throw error;
    this.errors.push(error);
    return false;
  }
}

const NO_OUTCOME: Outcome = {
  ok: false,
  isPermanent: false,
  reason: "the mail server said nothing of this recipient",
};

function nameOf(channel: string): string {
  return channel === HOOK ? "the command in IPCHECK_ON_CHANGE" : channel;
}
