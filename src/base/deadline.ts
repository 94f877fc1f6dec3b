import { setMaxListeners } from "node:events";

/** The share of the deadline that looking must leave for mails. */
const TELLING_SHARE = 0.4;

/**
 * After the end a mail may wait as long again for the answer to its final dot (RFC 5321 4.5.3.2.6), and a
 * hook and the heartbeat have times of their own; what is still running after these hangs.
 */
const GRACE_MS = 60_000;

/** The end of a run and of its first part, by timers: they follow the monotonic clock, not NTP. */
export class Deadline {
  private readonly looking = new AbortController();
  private readonly all = new AbortController();
  private readonly timers: NodeJS.Timeout[];
  private readonly endsAt: number;
  /** Aborted when the time for looking is over, so that some is left for telling. */
  readonly lookSignal = this.looking.signal;
  /** Aborted at the end. */
  readonly signal = this.all.signal;

  /** `onOverrun` is called when the run goes on long after its end, in spite of the signals. */
  constructor(
    deadlineMs: number,
    private readonly monotonicMs: () => number,
    onOverrun: () => void = () => undefined,
  ) {
    this.endsAt = monotonicMs() + deadlineMs;
    // All services of both families wait for one signal; beyond ten listeners Node.js would warn of a leak.
    setMaxListeners(0, this.lookSignal, this.signal);
    this.timers = [
      setTimeout(() => this.looking.abort(), deadlineMs * (1 - TELLING_SHARE)),
      setTimeout(() => this.all.abort(), deadlineMs),
      setTimeout(onOverrun, deadlineMs * 2 + GRACE_MS).unref(),
    ];
  }

  /** What is left of it, in ms; never negative. */
  readonly remainingMs = (): number => Math.max(0, this.endsAt - this.monotonicMs());

  /** Lets the process end. */
  clear(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }
}
