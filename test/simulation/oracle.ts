import { isDeepStrictEqual } from "node:util";
import { exitCodeFor, type IpcheckError } from "../../src/base/errors";
import type { Family } from "../../src/lookup/address";
import type { Notice } from "../../src/notify/dispatch";
import { type AddressEvent, HISTORY, HOOK, STDOUT, type State } from "../../src/state/state";
import { DAY_MS, HOUR_MS, type Run, type Saying } from "./world";

/** A promise was broken, in the run of that hour. */
export class BrokenPromise extends Error {
  constructor(
    message: string,
    readonly hour: number,
  ) {
    super(message);
  }
}

/** What cron, timers and the order of effects may be late by. */
const SLACK_MS = 60_000;

/** What the world knows of one recipient; the program's own notes are not asked. */
const newRecipient = () => ({
  /** The server has told the program so. */
  granted: new Set<string>(),
  /**
   * What the server has, by event, and whether it may be told again: its outcome is unknown, the run was killed, or what
   * it did could not be kept.
   */
  taken: new Map<string, { mayRepeat: boolean }>(),
  /** The address that the recipient knows of. */
  knows: {} as Partial<Record<Family, string>>,
  /** When mails were sent by a clock that has been set since: what the program noted may count when that time comes. */
  misdated: [] as number[],
  copies: new Map<string, Mail[]>(),
  ...newTimes(),
});

const newTimes = () => ({
  changes: [] as Mail[],
  outages: [] as Mail[],
  /** May have been taken, nobody knows. */
  unknowns: [] as Mail[],
  lastTaken: undefined as Mail | undefined,
  lastAttempt: undefined as { at: number; isDeferring: boolean; ids: ReadonlySet<string> } | undefined,
});

type Recipient = ReturnType<typeof newRecipient>;

interface Mail {
  at: number;
  noticeId: string;
  isAcknowledged: boolean;
  /** The program could not remember it: the run was killed, or the state could not be written. */
  isForgotten: boolean;
}

/**
 * Knows the truth and looks at every run. It asks the world for what happened, never the program: of the
 * program's own notes it reads the state that was kept, to see whether they are justified.
 *
 * Times are the machine's, as the program's are. Where its clock was set, or its memory taken away, what was promised
 * for a time begins anew; that everybody is told in the end does not.
 */
export class Oracle {
  private readonly recipients = new Map<string, Recipient>();
  private readonly names = new Map<string, string>();
  private readonly grantedByHook = new Set<string>();
  private readonly everHooked = new Set<string>();
  private readonly announced = new Set<string>();
  /** Reminders that a channel needs no word of: event and channel. */
  private readonly spared = new Set<string>();
  private hookKnows: Partial<Record<Family, string>> = {};
  private readonly spoken = new Map<string, { at: number; about: string }>();
  /** Since which hour one voice has been heard, and in how many runs; a clock that was set may make two hours of less. */
  private readonly streaks: Partial<
    Record<Family, { address: string; runs: number; hour: number; isClockSet: boolean }>
  > = {};
  /** What the program remembers of one voice is from another time: a backup. */
  private readonly unknownCandidates = new Set<Family>();
  private readonly lastBusy: number[] = [];
  private lastRequest: Partial<Record<Family, number>> = {};
  private historyLength = 0;
  private readonly written = new Set<string>();
  private historyKnows: Partial<Record<Family, string>> = {};
  /** Until then a pause may be one that nobody remembers the reason of. */
  private excusedUntil = -1;
  private revision = "";
  private run!: Run;

  constructor(private readonly history: readonly AddressEvent[]) {}

  /** @throws BrokenPromise */
  judge(run: Run): void {
    this.run = run;
    if (run.isClockSet) this.forgetTimes();
    if (run.rules.configHash() !== this.revision) for (const one of this.recipients.values()) one.copies.clear();
    this.revision = run.rules.configHash();
    if (run.isMemoryLost) {
      this.forgetMemory();
      for (const family of run.rules.families) this.unknownCandidates.add(family);
    }
    // Whoever is taken from the configuration is forgotten.
    for (const [name, recipient] of this.recipients) {
      if (run.rules.recipients.includes(name)) continue;
      this.forgetTimesOf(recipient);
      recipient.knows = {};
    }
    for (const event of run.toldTooEarly) this.fail(`told before it was kept: ${inWords(event)}`);
    this.judgeMails();
    this.judgeHook();
    for (const event of run.announced) this.announced.add(event.id);
    this.judgeHistory();
    this.judgeKept();
    if (run.report) this.judgeReport(run.report);
    else this.forgetRun();
    // What was not kept is told again.
    if (run.kept.some(({ place }) => place === "nowhere")) this.forgetMemory();
    this.noteLook();
  }

  /** The end of the story: all faults are over for days. */
  judgeEnd(): void {
    const { report, truth, rules } = this.run;
    if (!report) this.fail("the last run was killed");
    if (report.errors.length > 0) this.fail(`trouble that never ends: ${report.errors[0]?.message}`);
    if (report.after.outbox.length > 0) this.fail("something stays owed");
    for (const family of rules.families) {
      const recorded = report.after.families[family]?.recorded?.address;
      if (!recorded || !hasSamePrefix(recorded, truth[family])) this.fail(`IPv${family} is ${recorded}`);
      for (const recipient of rules.recipients) {
        const known = this.of(recipient).knows[family];
        if (known !== undefined && !hasSamePrefix(known, truth[family])) this.fail(`${recipient} believes in ${known}`);
      }
    }
  }

  private fail(what: string): never {
    const { hour, now } = this.run;
    throw new BrokenPromise(`hour ${hour} (${now.toISOString()}): ${what}`, hour);
  }

  private of(recipient: string): Recipient {
    const found = this.recipients.get(recipient) ?? newRecipient();
    this.recipients.set(recipient, found);
    return found;
  }

  private forgetTimes(): void {
    this.excusedUntil = this.run.hour + 25;
    this.spoken.clear();
    for (const recipient of this.recipients.values()) this.forgetTimesOf(recipient);
    this.lastBusy.fill(this.run.hour);
    this.lastRequest = {};
  }

  /** The program does not know any more what it did. */
  private forgetMemory(): void {
    this.forgetTimes();
    for (const recipient of this.recipients.values()) {
      for (const taken of recipient.taken.values()) taken.mayRepeat = true;
      recipient.knows = {};
    }
    this.grantedByHook.clear();
    this.hookKnows = {};
    this.historyKnows = {};
  }

  private forgetTimesOf(recipient: Recipient): void {
    const { changes, outages, unknowns, misdated } = recipient;
    misdated.push(...[...changes, ...outages, ...unknowns].map(({ at }) => at));
    recipient.copies.clear();
    Object.assign(recipient, newTimes());
  }

  /** A killed run does not know what it did last. */
  private forgetRun(): void {
    this.spoken.clear();
    for (const { recipient, notice } of this.run.attempts) {
      const one = this.of(recipient);
      for (const { id } of notice.events) {
        const taken = one.taken.get(id);
        if (taken) taken.mayRepeat = true;
      }
      for (const mail of [...one.changes, ...one.outages, ...[...one.copies.values()].flat()]) mail.isForgotten = true;
      one.lastAttempt = undefined;
      one.lastTaken = undefined;
    }
    for (const { event } of this.run.hooked) this.grantedByHook.delete(event.id);
  }

  private judgeMails(): void {
    const { run } = this;
    const now = run.now.getTime();
    for (const { recipient, notice, isTaken, outcome } of run.attempts) {
      const one = this.of(recipient);
      if (!run.rules.recipients.includes(recipient)) this.fail(`${recipient} is mailed and was not configured`);
      for (const event of notice.events) this.judgeEvent(event);
      this.judgeName(`notice ${notice.events.map(({ id }) => id).join()}`, notice.id, "Message-ID");
      const isDeferring = outcome?.ok === false && (outcome.isPermanent || outcome.isUnknown === true);
      const mayBeCopy = isTaken || (outcome?.ok === false && outcome.isUnknown === true);
      if (mayBeCopy) {
        const isForgotten = notice.stateError !== undefined;
        const mail: Mail = { at: now, noticeId: notice.id, isAcknowledged: outcome?.ok === true, isForgotten };
        this.judgeRate(recipient, one, mail, notice.events);
        if (notice.events.some(({ kind }) => kind === "change")) one.changes = [...one.changes.slice(-5), mail];
        if (!isTaken || !outcome?.ok) one.unknowns = [...one.unknowns.slice(-5), mail];
        if (outcome?.ok && notice.events.some(({ kind }) => kind === "back"))
          one.outages = [...one.outages.slice(-5), mail];
        one.copies.set(notice.id, [...(one.copies.get(notice.id) ?? []).slice(-5), mail]);
      }
      const isReminder = notice.stateError !== undefined;
      if (isTaken)
        this.judgeTaken(recipient, one, notice, { isSettled: outcome?.ok === true && !isReminder, isReminder });
      if (outcome?.ok) {
        one.lastTaken = { at: now, noticeId: notice.id, isAcknowledged: true, isForgotten: false };
        for (const { id } of notice.events) one.granted.add(id);
      }
      const ids = new Set(notice.events.map(({ id }) => id));
      const before = one.lastAttempt;
      // Without an answer to wait for, the pause of before goes on.
      const isKept =
        outcome?.ok === false && !isDeferring && before?.isDeferring && one.unknowns.some(({ at }) => at === before.at);
      one.lastAttempt = isKept ? before : { at: now, isDeferring, ids };
    }
  }

  /** Whatever is told keeps its name. */
  private judgeEvent(event: AddressEvent): void {
    if (event.kind !== "change" || event.folded) return;
    this.judgeName([event.family, event.old, event.oldSince, event.address].join(" "), event.id, "name");
  }

  private judgeName(facts: string, name: string, what: string): void {
    const known = this.names.get(facts);
    if (known !== undefined && known !== name) this.fail(`another ${what} for the same: ${facts}`);
    this.names.set(facts, name);
  }

  private judgeRate(recipient: string, one: Recipient, mail: Mail, events: readonly AddressEvent[]): void {
    const { rules } = this.run;
    const since = (mails: readonly Mail[]) => mails.filter(({ isForgotten }) => !isForgotten);
    const isSooner = (mails: readonly Mail[], ms: number) => since(mails).some(({ at }) => mail.at - at < ms);
    const isChange = events.some(({ kind }) => kind === "change");
    if (isChange && !mail.isForgotten && isSooner(one.changes, rules.mailIntervalMs)) {
      this.fail(`${recipient} gets two mails about changes within the mail interval`);
    }
    const outages = one.outages.filter(({ noticeId }) => noticeId !== mail.noticeId);
    if (events.every(({ kind }) => kind === "back") && isSooner(outages, DAY_MS)) {
      this.fail(`${recipient} gets two mails about outages in a day`);
    }
    const copies = since(one.copies.get(mail.noticeId) ?? []).filter(({ at }) => mail.at - at < DAY_MS - HOUR_MS);
    if (!rules.isInteractive && !mail.isForgotten && copies.length >= 3) {
      this.fail(`${recipient} gets a fourth copy in a day`);
    }
    if (!rules.isInteractive && mail.isForgotten && rules.recipients.length > 0)
      this.judgeReminder(recipient, one, mail);
    const isHeartbeat = events.every(({ kind }) => kind === "heartbeat");
    if (isHeartbeat && rules.heartbeatMailMs && one.lastTaken && mail.at - one.lastTaken.at < rules.heartbeatMailMs) {
      this.fail(`${recipient} gets a sign of life ${(mail.at - one.lastTaken.at) / HOUR_MS} hours after a mail`);
    }
  }

  private judgeReminder(recipient: string, one: Recipient, mail: Mail): void {
    const isKept = this.run.kept.every(({ place }) => place !== "nowhere");
    const before = one.copies.get(mail.noticeId)?.filter(({ at }) => mail.at - at < DAY_MS) ?? [];
    // One that the server was long in taking is no copy of the next day's.
    const latest = before.slice(before.findLastIndex(({ isAcknowledged }) => isAcknowledged) + 1);
    const acknowledged = before.filter(({ isAcknowledged }) => isAcknowledged);
    if (isKept && (latest.length >= 3 || acknowledged.length >= 3))
      this.fail(`${recipient} is reminded again and again`);
  }

  private judgeTaken(
    recipient: string,
    one: Recipient,
    { events }: Notice,
    { isSettled, isReminder }: { isSettled: boolean; isReminder: boolean },
  ): void {
    for (const event of events) {
      const before = one.taken.get(event.id);
      if (before && !before.mayRepeat) this.fail(`${recipient} is told twice: ${inWords(event)}`);
      if (isMove(event) && !before && !isReminder) {
        const known = one.knows[event.family];
        if (known !== undefined && event.old !== known) {
          this.fail(`${recipient} knows of ${known} and is told: ${inWords(event)}`);
        }
      }
      // Where it does not know what the recipient knows, it may begin further back.
      if (isMove(event) && isSettled) one.knows[event.family] = event.address;
      else if (isMove(event)) delete one.knows[event.family];
      one.taken.set(event.id, { mayRepeat: !isSettled });
    }
  }

  private judgeHook(): void {
    const failed = this.run.hooked.findIndex(({ isOk }) => !isOk);
    if (failed >= 0 && failed < this.run.hooked.length - 1) this.fail("the command is called after one that failed");
    for (const { event, isOk } of this.run.hooked) {
      if (!isMove(event)) this.fail(`the command is called for ${inWords(event)}`);
      if (this.grantedByHook.has(event.id)) this.fail(`the command is called twice for ${inWords(event)}`);
      const known = this.hookKnows[event.family];
      const isReminder = this.everHooked.has(event.id) || this.run.report?.after.unsaved !== undefined;
      if (known !== undefined && event.old !== known && !event.folded && !isReminder) {
        this.fail(`the command knows of ${known} and is told: ${inWords(event)}`);
      }
      if (!isOk) continue;
      this.everHooked.add(event.id);
      this.hookKnows[event.family] = event.address;
      if (this.run.kept.every(({ place }) => place === "state file")) this.grantedByHook.add(event.id);
    }
  }

  private judgeHistory(): void {
    for (const event of this.history.slice(this.historyLength)) {
      const known = this.historyKnows[event.family];
      if (known !== undefined && event.old !== known) this.fail(`the history has ${known} and then ${inWords(event)}`);
      this.historyKnows[event.family] = event.address;
      this.written.add(event.id);
    }
    this.historyLength = this.history.length;
  }

  /** Nothing is struck off before it was acknowledged; nothing is forgotten; nothing false is recorded. */
  private judgeKept(): void {
    const { run } = this;
    let before: State | undefined = run.report?.before;
    for (const { state, place } of run.kept) {
      if (state.outbox.length > 100) this.fail(`the outbox has ${state.outbox.length} entries`);
      for (const event of state.outbox) {
        for (const channel of event.told) this.judgeMark(state, event, channel);
        // A reminder repeats changes whose own lines are in the history, or owed to it.
        if (state.unsaved && event.told.includes(HISTORY) && !before?.outbox.some(({ id }) => id === event.id)) {
          this.written.add(event.id);
        }
      }
      if (before && place === "state file" && !before.unsaved) this.judgeStep(before, state);
      before = state;
    }
  }

  private judgeMark(state: State, event: AddressEvent, channel: string): void {
    if (channel === HISTORY || event.kind === "heartbeat" || this.hasHeard(event, channel)) return;
    const mark = `${event.id} ${channel}`;
    // What a reminder repeats is still owed in its own words.
    const owed = owedTo(state, channel).findLast((one) => one.family === event.family && isMove(one));
    if (state.unsaved && owed?.address === event.address) this.spared.add(mark);
    if (this.spared.has(mark)) return;
    this.fail(`${channel} is noted as told: ${inWords(event)}`);
  }

  private hasHeard({ id }: AddressEvent, channel: string): boolean {
    if (channel === STDOUT) return this.announced.has(id);
    if (channel === HOOK) return this.everHooked.has(id);
    return this.of(channel).granted.has(id);
  }

  private hasJustHeard({ id }: AddressEvent, channel: string): boolean {
    const { announced, attempts, hooked } = this.run;
    if (channel === STDOUT) return announced.some((event) => event.id === id);
    if (channel === HOOK) return hooked.some(({ event, isOk }) => isOk && event.id === id);
    return attempts.some(
      ({ recipient, notice, outcome }) =>
        recipient === channel && outcome?.ok && notice.events.some((event) => event.id === id),
    );
  }

  /** From one state to the next: what is gone was told to everybody, or is counted in what it was folded into. */
  private judgeStep(before: State, after: State): void {
    if (before.outbox === after.outbox && before.families === after.families) return;
    const kept = new Set(after.outbox.map(({ id }) => id));
    const channels = [HISTORY, ...this.channels()];
    const isTold = (event: AddressEvent) =>
      channels.every((channel) => {
        if (channel === HISTORY) return !isMove(event) || this.written.has(event.id);
        if (channel === HOOK && !isMove(event)) return true;
        return event.told.includes(channel) || this.hasJustHeard(event, channel);
      });
    const settled = before.outbox.filter((event) => !kept.has(event.id) && isTold(event));
    for (const kind of ["first", "change"] as const) {
      const changes = ([4, 6] as const).filter((family) => {
        const [old, now] = [before, after].map(({ families }) => families[family]?.recorded);
        return now && old?.address !== now.address && (old ? kind === "change" : kind === "first");
      }).length;
      const [owedBefore, owedAfter, gone] = [before.outbox, after.outbox, settled].map((events) =>
        events.reduce((sum, event) => sum + (event.kind === kind ? 1 + (event.folded ?? 0) : 0), 0),
      ) as [number, number, number];
      if (owedAfter !== owedBefore + changes - gone) {
        this.fail(
          `of kind ${kind} ${owedBefore} were owed, ${changes} are new, ${gone} told, and ${owedAfter} are owed`,
        );
      }
    }
  }

  private judgeReport(report: NonNullable<Run["report"]>): void {
    const { run } = this;
    if (report.bugs.length > 0)
      this.fail(`a bug: ${report.bugs.map((bug) => (bug instanceof Error ? bug.stack : bug))}`);
    for (const family of run.rules.families) this.judgeLook(family, report.before, report.after);
    this.judgeExit(report.errors, report.after);
    this.judgeSpeech(report.errors, report.muted);
    this.judgeCost(report.before);
    this.judgeOwed(report.after);
    this.judgeHeartbeat(report.before, report.after, report.errors);
    const last = run.kept.at(-1);
    const memory = ({ families, outbox, channels, coolDowns }: State) => ({ families, outbox, channels, coolDowns });
    if (last && last.place !== "nowhere" && !isDeepStrictEqual(memory(last.state), memory(report.after))) {
      this.fail("the last state was not kept");
    }
    if (!last && report.after !== report.before) this.fail("what happened was not kept");
  }

  private judgeLook(family: Family, before: State, after: State): void {
    const { run } = this;
    const says = run.says[family] ?? [];
    const truth = run.truth[family];
    const old = before.families[family]?.recorded;
    const recorded = after.families[family]?.recorded;
    if (recorded && recorded.address !== old?.address) this.judgeBelief(family, says, recorded);
    if (old && !recorded) this.fail(`the IPv${family} address is forgotten`);
    // Who asked to be left alone may not be asked, and whoever says what is recorded may be the only one asked.
    const isHonest = (saying: Saying, index: number) =>
      isAddress(saying) && hasSamePrefix(saying.address, truth) && !this.isResting(index);
    const honest = says.filter(isHonest).length;
    const isHidden = says.some(
      (saying) =>
        old && isAddress(saying) && hasSamePrefix(saying.address, old.address) && !hasSamePrefix(saying.address, truth),
    );
    const isShown = !isHidden && honest * 2 > says.length && (honest >= 2 || says.length === 1);
    if (isShown && !(recorded && hasSamePrefix(recorded.address, truth))) {
      this.fail(`${honest} of ${says.length} operators say ${truth}, and ${recorded?.address} is recorded`);
    }
  }

  private isResting(operator: number): boolean {
    return this.run.hour - (this.lastBusy[operator] ?? Number.NEGATIVE_INFINITY) <= 24;
  }

  private judgeBelief(
    family: Family,
    says: readonly Saying[],
    recorded: { address: string; isUnconfirmed?: true },
  ): void {
    const { address } = recorded;
    const by = says.filter((saying) => isAddress(saying) && hasSamePrefix(saying.address, address)).length;
    if (by * 2 > says.length) return;
    const others = says.filter((saying) => isAddress(saying) && !hasSamePrefix(saying.address, address)).length;
    const pages = says.filter((saying) => saying === "page").length;
    // A strict majority of those that could be heard, where everybody was asked.
    const resting = says.filter((saying, index) => isAddress(saying) && this.isResting(index)).length;
    if (by >= 2 && by > others + pages - resting) return;
    const streak = this.streaks[family];
    const isLasting =
      streak !== undefined &&
      hasSamePrefix(streak.address, address) &&
      streak.runs >= 2 &&
      (streak.isClockSet || this.run.isClockSet || this.run.hour - streak.hour >= 2);
    if (by >= 1 && recorded.isUnconfirmed && (isLasting || this.unknownCandidates.has(family))) return;
    this.fail(`${address} is recorded, which ${by} of ${says.length} operators say`);
  }

  /** Remembers what a later run may build on: who was too busy, and which lone voice lasts. */
  private noteLook(): void {
    const { run } = this;
    for (const family of run.rules.families) {
      const says = run.says[family] ?? [];
      for (const [index, saying] of says.entries()) if (saying === "429") this.lastBusy[index] = run.hour;
      if (!run.report) continue;
      const result = run.report.lookupResults.find((one) => one.family === family);
      const decision = result?.decision;
      const isForgotten = run.kept.length > 0 && run.kept.every(({ place }) => place === "nowhere");
      if (isForgotten) continue;
      if (decision?.kind === "no-quorum" && decision.runs > 0) {
        const before = this.streaks[family];
        this.streaks[family] =
          before && hasSamePrefix(before.address, decision.address)
            ? { ...before, runs: before.runs + 1, isClockSet: before.isClockSet || run.isClockSet }
            : { address: decision.address, runs: 1, hour: run.hour, isClockSet: false };
        // What may not have been kept did not interrupt it.
      } else if (!run.kept.some(({ place }) => place === "nowhere")) {
        delete this.streaks[family];
        this.unknownCandidates.delete(family);
      }
    }
  }

  private judgeExit(errors: readonly IpcheckError[], after: State): void {
    const { run } = this;
    const code = exitCodeFor(errors);
    if (run.hasDiskFailed !== errors.some((error) => error.code === "state")) {
      this.fail(`exit ${code}, and the disk ${run.hasDiskFailed ? "failed" : "did not fail"}`);
    }
    const isBlind = (run.report?.lookupResults ?? []).some(
      ({ decision: { kind } }) => kind === "silence" || kind === "no-quorum" || kind === "contradiction",
    );
    if (isBlind !== errors.some((error) => error.code === "no-address")) this.fail(`exit ${code}, blind: ${isBlind}`);
    const owing = this.channels().filter((channel) => owedTo(after, channel).length > 0);
    const mustSay = owing.filter((channel) => !this.mayWait(channel, owedTo(after, channel)));
    const isSaid = errors.some((error) => error.code === "undelivered");
    if (isSaid ? owing.length === 0 : mustSay.length > 0) {
      this.fail(`exit ${code}, and ${owing.join() || "nobody"} is owed something`);
    }
  }

  /** Waiting for more of its kind is no failure. */
  private mayWait(channel: string, owed: readonly AddressEvent[]): boolean {
    const { changes, outages, unknowns, misdated } = this.of(channel);
    const { mailIntervalMs } = this.run.rules;
    const now = this.run.now.getTime();
    const isRecent = (mails: readonly Mail[], ms: number) => mails.some(({ at }) => at > now - ms);
    if (this.run.hour <= this.excusedUntil) return true;
    if (misdated.some((at) => at <= now && at > now - Math.max(DAY_MS, mailIntervalMs))) return true;
    if (owed.some(({ kind }) => kind === "change")) return isRecent([...changes, ...unknowns], mailIntervalMs);
    return owed.every(({ kind }) => kind === "back") && isRecent(outages, Math.max(DAY_MS, mailIntervalMs));
  }

  private channels(): string[] {
    const { recipients, hasHook } = this.run.rules;
    return [...(recipients.length > 0 ? recipients : [STDOUT]), ...(hasHook ? [HOOK] : [])];
  }

  private judgeSpeech(errors: readonly IpcheckError[], muted: ReadonlySet<IpcheckError>): void {
    const { run } = this;
    const now = run.now.getTime();
    const topics = new Set<string>();
    for (const error of errors) {
      const topic = topicOf(error);
      const about = error.code === "undelivered" ? [error.message, ...error.details].map(whoOf).join() : "";
      topics.add(topic);
      const before = this.spoken.get(topic);
      const isSaid = !muted.has(error);
      if (run.rules.isInteractive) {
        if (!isSaid) this.fail(`a person is not told: ${error.message}`);
        continue;
      }
      if (isSaid && before && before.about === about && now - before.at < DAY_MS) {
        this.fail(`said twice in a day: ${error.message}`);
      }
      if (!isSaid && before && now - before.at > DAY_MS + SLACK_MS) this.fail(`not said for a day: ${error.message}`);
      if (isSaid) this.spoken.set(topic, { at: now, about });
    }
    for (const topic of this.spoken.keys()) if (!topics.has(topic)) this.spoken.delete(topic);
  }

  private judgeCost(before: State): void {
    const { run } = this;
    const isWell = run.rules.families.every((family) => {
      const { recorded, ...troubles } = before.families[family] ?? {};
      const truth = run.truth[family];
      return (
        recorded &&
        Object.keys(troubles).length === 0 &&
        hasSamePrefix(recorded.address, truth) &&
        run.says[family]?.every((saying) => isAddress(saying) && hasSamePrefix(saying.address, truth))
      );
    });
    for (const family of run.rules.families) {
      const asked = run.requests[family] ?? 0;
      const last = this.lastRequest[family];
      if (asked > 0) this.lastRequest[family] = run.hour;
      else if (last !== undefined && run.hour - last >= 1) this.fail(`nobody was asked for ${run.hour - last} hours`);
      if (isWell && asked > 1) this.fail(`${asked} requests in a quiet hour`);
    }
    const { outbox, spoken, channels } = before;
    const isQuiet = isWell && outbox.length === 0 && !spoken && Object.keys(channels).length > 0;
    if (isQuiet && run.report?.after === run.report?.before && run.effects.join() !== "touch") {
      this.fail(`a quiet run does ${run.effects.join()}`);
    }
  }

  /** Whoever could be told is told, or there is a reason that ends. */
  private judgeOwed(after: State): void {
    const { run } = this;
    const now = run.now.getTime();
    for (const channel of run.rules.recipients) {
      const owed = owedTo(after, channel);
      const attempt = run.attempts.findLast(({ recipient }) => recipient === channel);
      if (owed.length === 0 || attempt) continue;
      const { lastAttempt } = this.of(channel);
      const change = owed.findLast(({ kind }) => kind === "change");
      const isDeferred =
        !run.rules.isInteractive &&
        lastAttempt?.isDeferring &&
        now - lastAttempt.at < DAY_MS &&
        (!change || lastAttempt.ids.has(change.id));
      if (!isDeferred && !this.mayWait(channel, owed)) {
        this.fail(`${channel} is not told, for no reason: ${owed.map(inWords).join(", ")}`);
      }
    }
    if (run.rules.recipients.length === 0 && !run.isAnnounceBroken && owedTo(after, STDOUT).length > 0) {
      this.fail("nothing is announced");
    }
    if (run.rules.hasHook && owedTo(after, HOOK).length > 0 && !run.hooked.some(({ isOk }) => !isOk)) {
      this.fail("the command is not called");
    }
  }

  /** Silence means something only where it ends in time, for each recipient apart. */
  private judgeHeartbeat(before: State, after: State, errors: readonly IpcheckError[]): void {
    const { run } = this;
    const { heartbeatMailMs, recipients } = run.rules;
    if (heartbeatMailMs === undefined || errors.some(({ code }) => code === "no-address" || code === "state")) return;
    for (const recipient of recipients) {
      const { lastTaken, lastAttempt } = this.of(recipient);
      if (!lastTaken || !lastAttempt || owedTo(after, recipient).length > 0) continue;
      if (!before.channels[recipient]) continue;
      if (run.now.getTime() - lastTaken.at >= heartbeatMailMs) this.fail(`${recipient} gets no sign of life`);
    }
  }
}

export function isAddress(saying: Saying): saying is { address: string } {
  return typeof saying === "object";
}

function isMove({ kind }: AddressEvent): boolean {
  return kind === "first" || kind === "change";
}

function owedTo(state: State, channel: string): AddressEvent[] {
  return state.outbox.filter((event) => !event.told.includes(channel) && (channel !== HOOK || isMove(event)));
}

/** The addresses of the simulated home count as one place where the first 64 bits, or all of IPv4, are equal. */
function hasSamePrefix(a: string, b: string): boolean {
  return a === b || (a.includes(":") && a.split("::")[0] === b.split("::")[0]);
}

function inWords({ kind, family, old, address, folded }: AddressEvent): string {
  return `${kind} IPv${family} ${old ?? "-"} > ${address}${folded ? ` (${folded} folded)` : ""}`;
}

function topicOf({ code, message }: IpcheckError): string {
  if (code === "no-address") return `look ${/IPv[46]/.exec(message)?.[0]}`;
  if (code === "undelivered") return /nobody has been told/.test(message) ? "stdout" : "undelivered";
  return /history/.test(message) ? "history" : `state ${message}`;
}

function whoOf(text: string): string {
  return /(\S+|the command in IPCHECK_ON_CHANGE) has not been told/.exec(text)?.[1] ?? "";
}
