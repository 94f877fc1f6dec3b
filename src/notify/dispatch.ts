import { isDue } from "../base/duration";
import { IpcheckError } from "../base/errors";
import {
  acknowledge,
  type Deferred,
  noticeId,
  type Outcome,
  owedTo,
  planMails,
  prune,
  recordOutcome,
} from "../state/outbox";
import { REPEAT_AFTER_MS } from "../state/recording";
import { HISTORY, HOOK, STDOUT, type State } from "../state/state";
import type { Dependencies } from "./ports";
import type { CheckRules } from "./rules";

/** Everybody who is owed word of a change. Without recipients, cron's own mail stands in for ours. */
export function channelsOf({ recipients, hasHook }: CheckRules): string[] {
  return [HISTORY, ...(recipients.length > 0 ? recipients : [STDOUT]), ...(hasHook ? [HOOK] : [])];
}

/** The second half of a run: the state as it develops while people are told. */
export class Telling {
  readonly errors: IpcheckError[] = [];
  readonly muted = new Set<IpcheckError>();
  waiting: Deferred[] = [];
  private historyError: IpcheckError | undefined;
  /** The state has been written in this run: it can be. */
  private isSaved = false;

  constructor(
    private readonly rules: CheckRules,
    private readonly dependencies: Dependencies,
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
        this.dependencies.save(this.state, this.lastLookAt);
        this.isSaved = true;
      } else if (this.lastLookAt) this.dependencies.touch(this.lastLookAt);
      return true;
    } catch (error) {
      return this.fail(error);
    }
  }

  /** What cannot be struck off afterwards would be told again every hour: a full disk shows here. */
  private canAcknowledge(): boolean {
    return this.isSaved || this.save();
  }

  async tell(): Promise<void> {
    if (this.state.outbox.length === 0) return;
    const before = this.state;
    this.appendOwedHistory();
    if (!(await this.notifyRecipients())) return;
    if (!(await this.notifyHook())) return;
    this.reportUndelivered();
    this.state = prune(this.state, channelsOf(this.rules));
    if (this.state !== before) this.save();
  }

  private appendOwedHistory(): void {
    const owed = owedTo(this.state, HISTORY);
    if (owed.length === 0) return;
    try {
      this.dependencies.appendHistory(owed);
      this.state = acknowledge(this.state, HISTORY, new Set(owed.map(({ id }) => id)));
    } catch (error) {
      // It stays owed; people come first.
      if (!(error instanceof IpcheckError)) throw error;
      this.historyError = error;
    }
  }

  private async notifyRecipients(): Promise<boolean> {
    const { rules, dependencies } = this;
    if (rules.recipients.length === 0) {
      const owed = owedTo(this.state, STDOUT);
      if (owed.length > 0 && !this.canAcknowledge()) return false;
      for (const event of owed) await dependencies.announce(event);
      this.state = acknowledge(this.state, STDOUT, new Set(owed.map(({ id }) => id)));
      return true;
    }
    const plan = planMails(this.state, rules.recipients, {
      ...rules,
      now: dependencies.now(),
      ignoreDeferral: rules.isInteractive,
    });
    this.waiting = plan.waiting;
    if (plan.deliveries.length > 0 && !this.canAcknowledge()) return false;
    for (const { channels, events } of plan.deliveries) {
      const notice = { id: noticeId(events), recipients: channels, events };
      const outcomes = await dependencies.mail(notice);
      for (const channel of channels) this.recordOutcome(channel, events, outcomes.get(channel) ?? NO_OUTCOME);
      if (!this.save()) return false;
    }
    return true;
  }

  private async notifyHook(): Promise<boolean> {
    if (!this.rules.hasHook) return true;
    const owed = owedTo(this.state, HOOK);
    if (owed.length > 0 && !this.canAcknowledge()) return false;
    for (const event of owed) {
      const outcome = await this.dependencies.runHook(event);
      this.recordOutcome(HOOK, [event], outcome);
      if (!this.save()) return false;
      if (!outcome.ok) break; // In order: a later change must not be undone by an earlier one tried again.
    }
    return true;
  }

  private recordOutcome(channel: string, events: Parameters<typeof recordOutcome>[2], outcome: Outcome): void {
    this.state = recordOutcome(this.state, channel, events, outcome, {
      ...this.rules,
      now: this.dependencies.now(),
      random: () => this.dependencies.random(),
    });
  }

  /** Reports what is still owed, except where the only reason is that changes are being gathered. */
  private reportUndelivered(): void {
    const grouping = new Set(this.waiting.filter(({ why }) => why === "grouping").map(({ channel }) => channel));
    const channels = channelsOf(this.rules).filter(
      (channel) => channel !== HISTORY && !grouping.has(channel) && owedTo(this.state, channel).length > 0,
    );
    const errors = [...(this.historyError ? [this.historyError] : []), ...this.undelivered(channels)];
    const { complaint, ...rest } = this.state;
    if (errors.length === 0) {
      if (complaint) this.state = rest;
      return;
    }
    const now = this.dependencies.now();
    // Who is concerned, not why: a server finds other words, and other reasons, every hour.
    const about = [...channels, ...(this.historyError ? [HISTORY] : [])].join(" ");
    const speaks = this.rules.isInteractive || complaint?.about !== about || isDue(complaint.at, REPEAT_AFTER_MS, now);
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
    const deferred = this.waiting.find((wait) => wait.channel === channel);
    const reason = record?.reason ?? "not tried yet";
    return deferred ? `${reason} (next try after ${deferred.until.slice(0, 16)}Z)` : reason;
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
