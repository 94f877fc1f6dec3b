/** What is left for telling after a look that took as long as it may. */
const TELLING_SHARE = 0.4;

/** The end of a run and of its first part, by timers: they follow the monotonic clock, not NTP. */
export class Deadline {
  private readonly looking = new AbortController();
  private readonly all = new AbortController();
  private readonly timers: NodeJS.Timeout[];
  /** Aborted when the time for looking is over, so that some is left for telling. */
  readonly lookSignal = this.looking.signal;
  /** Aborted at the end. */
  readonly signal = this.all.signal;
  private readonly endsAt: number;

  constructor(deadlineMs: number) {
    this.endsAt = monotonicMs() + deadlineMs;
    this.timers = [
      setTimeout(() => this.looking.abort(), deadlineMs * (1 - TELLING_SHARE)),
      setTimeout(() => this.all.abort(), deadlineMs),
    ];
  }

  /** What is left until the end. */
  remainingMs = (): number => Math.max(0, this.endsAt - monotonicMs());

  /** Lets the process end. */
  clear(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }
}

// The global `performance` would load a module of its own in every quiet run.
function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
