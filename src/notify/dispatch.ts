import { IpcheckError, systemCode } from "../base/errors";
import { localTime } from "../base/time";
import {
  type FailedOutcome,
  markTold,
  noticeId,
  type Outcome,
  owedTo,
  planMails,
  prune,
  recordOutcome,
  type Wait,
} from "../state/outbox";
import { speakOnceADay } from "../state/spoken";
import { type AddressEvent, forStateFile, HISTORY, HOOK, type SaveResult, STDOUT, type State } from "../state/state";
import { prepareUnsaved, type StateBefore } from "../state/unsaved";

/** What telling people needs of the configuration. */
export interface DispatchRules {
  recipients: readonly string[];
  hasHook: boolean;
  mailIntervalMs: number;
  /** A hash of the mail settings: a deferral that was set under other settings is over. */
  configHash: () => string;
  /** A person is watching: speak of every failure, and try deferred recipients at once. */
  isInteractive: boolean;
}

/** What telling people needs from the world. */
export interface DispatchDependencies {
  now(): Date;
  random(): number;
  /** Keeps the state where it can; `lastLookAt` becomes the file's mtime. */
  save(state: State, lastLookAt: Date | undefined): SaveResult;
  /** @throws IpcheckError `state` */
  appendHistory(events: readonly AddressEvent[]): void;
  /** Mails one notice; every recipient gets an outcome. */
  mail(notice: Notice): Promise<ReadonlyMap<string, Outcome>>;
  /** Runs the user's command for one change. */
  runHook(event: AddressEvent): Promise<Outcome>;
}

/** One mail to be written: what it tells, and to whom. */
export interface Notice {
  /** Stable for the same events: the Message-ID is made of it. */
  id: string;
  recipients: readonly string[];
  events: readonly AddressEvent[];
  /** How much of the run's time that is left it may take: others wait for theirs. @default 1 */
  share?: number;
  /** The state file cannot be used, so this will be repeated until it is mended: its system error code. */
  stateError?: string | undefined;
  /** Why an earlier try to deliver it failed. */
  lateReason?: string | undefined;
}

/** What is known when telling begins. */
interface DispatchStart extends StateBefore {
  state: State;
  lastLookAt: Date | undefined;
}

/** Events that a channel was told in this run. */
interface Delivered {
  channel: string;
  events: readonly AddressEvent[];
}

/** Every channel that is to be told an event. Without recipients standard output is one: cron mails what it gets. */
export function channelsOf(rules: DispatchRules): string[] {
  return [HISTORY, ...(rules.recipients.length > 0 ? [] : [STDOUT]), ...toldByUs(rules)];
}

function toldByUs({ recipients, hasHook }: DispatchRules): string[] {
  return [...recipients, ...(hasHook ? [HOOK] : [])];
}

/** The second half of a run: tells everybody what they are owed, and keeps the state up to date meanwhile. */
export class Dispatch {
  /** In the order they are printed; the exit code is taken from them. */
  readonly errors: IpcheckError[] = [];
  /** Errors that count for the exit code but were said less than a day ago. */
  readonly muted = new Set<IpcheckError>();
  /** Unexpected exceptions: reported after everybody was told. */
  readonly bugs: unknown[] = [];
  waiting: Wait[] = [];
  readonly delivered: Delivered[] = [];
  state: State;
  private saveResult: SaveResult | undefined;
  private isUnsaved = false;
  private isTelling = false;

  constructor(
    private readonly rules: DispatchRules,
    private readonly dependencies: DispatchDependencies,
    private readonly start: DispatchStart,
  ) {
    this.state = start.state;
  }

  /** Adds an error, under a topic that stderr speaks of once a day; `about` names what would be news. */
  addError(topic: string, error: IpcheckError, about = ""): void {
    this.errors.push(error);
    if (!this.speaks(topic, about)) this.muted.add(error);
  }

  /** The trouble of a topic is over. */
  clear(topic: string): void {
    this.speaks(topic, undefined);
  }

  /** Saves the state, if need be in the runtime folder. */
  save(): SaveResult {
    let result = this.dependencies.save(this.state, this.start.lastLookAt);
    if (result.place === "state file") {
      if (this.state.unsaved) this.state = forStateFile(this.state);
    } else if (!this.isUnsaved) {
      this.isUnsaved = true;
      const { place, error } = result;
      // Notices that are being sent keep their ids.
      if (!this.isTelling) {
        const rules = { place, channels: channelsOf(this.rules), now: this.dependencies.now() };
        this.state = prepareUnsaved(this.state, this.start, rules);
      }
      this.reportUnsaved(place, error);
      result = this.dependencies.save(this.state, this.start.lastLookAt);
    }
    this.saveResult = result;
    return result;
  }

  /** Tells everybody what they are owed, and keeps each outcome before the next is tried. */
  async tell(): Promise<void> {
    if (this.state.outbox.length === 0) {
      this.clear("undelivered");
      return;
    }
    this.isTelling = true;
    this.appendOwedHistory();
    await this.notifyRecipients();
    await this.notifyHook();
    this.reportUndelivered();
    this.state = prune(this.state, channelsOf(this.rules));
  }

  /** Prints what nobody is mailed; `print` is also told the state as it will be then. */
  async announce(print: (events: readonly AddressEvent[], state: State) => Promise<void>): Promise<void> {
    const owed = this.rules.recipients.length > 0 ? [] : owedTo(this.state, STDOUT);
    if (owed.length === 0) {
      this.clear("announcement");
      return;
    }
    this.ensureSaved();
    const told = prune(markTold(this.state, STDOUT, idsOf(owed)), channelsOf(this.rules));
    try {
      await print(owed, told);
      this.state = told;
      this.clear("announcement");
    } catch (cause) {
      if (!(cause instanceof IpcheckError)) this.bugs.push(cause);
      const reason = cause instanceof IpcheckError ? cause.message : "an error in ipcheck";
      const error = new IpcheckError("undelivered", `${this.whatIsKnown}, but nobody has been told: ${reason}`, {
        hint: "the next run prints it again; IPCHECK_TO names who is mailed instead",
      });
      this.addError("announcement", error);
    }
  }

  private speaks(topic: string, about: string | undefined): boolean {
    const context = { now: this.dependencies.now(), isInteractive: this.rules.isInteractive };
    const { speaks, state } = speakOnceADay(this.state, topic, about, context);
    this.state = state;
    return speaks;
  }

  private reportUnsaved(place: SaveResult["place"], { message, hint, cause }: IpcheckError): void {
    const repeats = `until then a change is told all the same, ${place === "nowhere" ? "by every run" : "once a day"}`;
    const error = new IpcheckError("state", message, { hint: [hint, repeats].filter(Boolean).join("; "), cause });
    this.addError("state", error, systemCode(cause) || message);
  }

  // Saves before the first mail, because only this shows a full disk: the mail then says that it will be repeated.
  private ensureSaved(): SaveResult {
    return this.saveResult ?? this.save();
  }

  private appendOwedHistory(): void {
    const owed = owedTo(this.state, HISTORY);
    try {
      if (owed.length > 0) this.dependencies.appendHistory(owed);
      this.state = markTold(this.state, HISTORY, idsOf(owed));
      this.clear("history");
    } catch (error) {
      // It stays owed, and must not stop the mails.
      if (!(error instanceof IpcheckError)) this.bugs.push(error);
      // That nothing can be written has been reported already.
      else if (!this.isUnsaved) this.addError("history", error);
    }
  }

  private async notifyRecipients(): Promise<void> {
    const { rules, dependencies } = this;
    const { deliveries, waiting } = planMails(this.state, rules.recipients, {
      ...rules,
      now: dependencies.now(),
      ignoreDeferral: rules.isInteractive,
    });
    this.waiting = waiting;
    for (const [index, { channels, events }] of deliveries.entries()) {
      const saved = this.ensureSaved();
      const notice = {
        id: noticeId(events),
        recipients: channels,
        events,
        share: 1 / (deliveries.length - index),
        stateError: "error" in saved ? systemCode(saved.error.cause) || "unknown" : undefined,
        lateReason: channels.map((channel) => this.state.channels[channel]?.reason).find((reason) => reason),
      };
      const outcomes = await this.attempt(() => dependencies.mail(notice));
      for (const channel of channels) {
        this.recordOutcome(channel, events, "ok" in outcomes ? outcomes : (outcomes.get(channel) ?? NO_OUTCOME));
      }
      this.save();
    }
  }

  private async notifyHook(): Promise<void> {
    for (const event of this.rules.hasHook ? owedTo(this.state, HOOK) : []) {
      this.ensureSaved();
      const outcome = await this.attempt(() => this.dependencies.runHook(event));
      this.recordOutcome(HOOK, [event], outcome);
      this.save();
      if (!outcome.ok) break; // In order: a later change must not be undone by an earlier one tried again.
    }
  }

  /** An exception in one channel is that channel's failure, and never the end of the run. */
  private async attempt<T>(work: () => Promise<T>): Promise<T | FailedOutcome> {
    try {
      return await work();
    } catch (error) {
      this.bugs.push(error);
      return { ok: false, isPermanent: false, reason: "an error in ipcheck itself, reported below" };
    }
  }

  private recordOutcome(channel: string, events: readonly AddressEvent[], outcome: Outcome): void {
    const { rules, dependencies } = this;
    const context = { ...rules, now: dependencies.now(), random: () => dependencies.random() };
    this.state = recordOutcome(this.state, channel, events, outcome, context);
    if (outcome.ok) this.delivered.push({ channel, events });
  }

  /** Reports what is still owed, except where the only reason is that changes are being grouped. */
  private reportUndelivered(): void {
    const grouping = this.waiting.filter(({ why }) => why === "grouping").map(({ channel }) => channel);
    const owing = toldByUs(this.rules).filter(
      (channel) => !grouping.includes(channel) && owedTo(this.state, channel).length > 0,
    );
    if (owing.length === 0) {
      this.clear("undelivered");
      return;
    }
    const reasons = owing.map((channel) => {
      const name = channel === HOOK ? "the command in IPCHECK_ON_CHANGE" : channel;
      const reason = this.state.channels[channel]?.reason ?? "not tried yet";
      const deferred = this.waiting.find((wait) => wait.channel === channel);
      const next = deferred ? ` (next try after ${localTime(deferred.until)})` : "";
      return `${name} has not been told yet: ${reason}${next}`;
    });
    const hint = owing.map((channel) => this.state.channels[channel]?.hint).find((text) => text !== undefined);
    const what = reasons.length === 1 ? reasons[0] : `${reasons.length} have not been told yet`;
    const error = new IpcheckError("undelivered", `${this.whatIsKnown}, but ${what}`, {
      hint: hint ?? "the next run tries again; nothing is lost",
      details: reasons.length === 1 ? [] : reasons,
    });
    // Who is concerned, not why: a server finds other words, and other reasons, every hour.
    this.addError("undelivered", error, owing.join(" "));
  }

  private get whatIsKnown(): string {
    return this.isUnsaved ? "an address was seen" : "the address is recorded";
  }
}

const NO_OUTCOME: Outcome = {
  ok: false,
  isPermanent: false,
  reason: "the mail server said nothing of this recipient",
};

function idsOf(events: readonly AddressEvent[]): ReadonlySet<string> {
  return new Set(events.map(({ id }) => id));
}
