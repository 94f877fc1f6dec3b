import { createHash } from "node:crypto";
import { systemCode } from "../base/errors";
import type { Cidr, Family } from "./address";
import { type RawAnswer, readAnswer } from "./answer";
import { ask } from "./client";
import { coolDownUntil, isCoolingDown } from "./cool-down";
import { failureOfConnection } from "./failures";
import type { LookRequest, LookupResult, ServiceResponse } from "./lookup-result";
import { decide, type Vote } from "./quorum";
import { type EchoService, servicesFor } from "./services";

export interface LookupOptions {
  serviceUrls: readonly URL[] | undefined;
  acceptRanges: readonly Cidr[];
  ipv6PrefixLength: number;
  timeoutMs: number;
  userAgent: string;
  /** Takes secrets out of what a service said. */
  redact: (text: string) => string;
  /** With the time it decides who is asked first, so that homes and hours spread over the panel. */
  hostName: string;
  now: () => Date;
  /** A clock that no NTP sets, in ms; what it counts from does not matter. */
  monotonicMs: () => number;
  /** The end of the time for looking. */
  signal: AbortSignal;
}

/** Looks in one family: one service when it says what is recorded, others until the decision stands. */
export async function look(request: LookRequest, options: LookupOptions): Promise<LookupResult> {
  const { family, coolDowns } = request;
  const services = servicesFor(family, options.serviceUrls);
  const inquiry = new Inquiry(family, options);
  const queue: EchoService[] = [];
  for (const service of shuffle(services, options)) {
    const until = coolDowns[service.name];
    if (until && isCoolingDown(until, options.now())) inquiry.noteCoolDown(service, until);
    else queue.push(service);
  }
  const decision = await inquiry.hold(request, queue, services.length === 1);
  return { family, decision, ...inquiry.result(services) };
}

/** Asks every service once, side by side, resting ones too: for a person who wants to see each answer. */
export async function lookAtAll(request: LookRequest, options: LookupOptions): Promise<LookupResult> {
  const services = servicesFor(request.family, options.serviceUrls);
  const inquiry = new Inquiry(request.family, options);
  const decision = await inquiry.holdAll(request, services);
  return { family: request.family, decision, ...inquiry.result(services) };
}

// A hash spreads evenly over any panel and any schedule; rotating by the hour would not: every
// sixth hour is the same service for a panel of six.
function shuffle(services: EchoService[], { hostName, now }: LookupOptions): EchoService[] {
  const seed = `${hostName} ${now().toISOString()}`;
  const rank = (service: EchoService) => createHash("sha256").update(`${seed} ${service.url.href}`).digest("hex");
  return services
    .map((service) => ({ service, rank: rank(service) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ service }) => service);
}

/** One family's questions and answers. */
class Inquiry {
  private readonly responses: ServiceResponse[] = [];
  private readonly votes = new Map<string, Vote>();
  private readonly newCoolDowns: Record<string, string> = {};
  private readonly losers = new AbortController();
  private requests = 0;
  private serverDate: Date | undefined;

  constructor(
    private readonly family: Family,
    private readonly options: LookupOptions,
  ) {}

  /** Asks as many services side by side as the decision needs, and more as they fail or disagree. */
  async hold(request: LookRequest, queue: EchoService[], isSoleService: boolean): Promise<LookupResult["decision"]> {
    const underWay = new Map<EchoService, Promise<EchoService>>();
    try {
      for (;;) {
        const waiting = new Set([...queue, ...underWay.keys()].map(({ operator }) => operator));
        for (const operator of this.votes.keys()) if (this.hasAnswered(operator)) waiting.delete(operator);
        const votes = new Map([...this.votes].filter(([operator]) => !waiting.has(operator)));
        const decision = decide({
          ...request,
          votes,
          remaining: waiting.size,
          isSoleService,
          ipv6PrefixLength: this.options.ipv6PrefixLength,
        });
        if (decision.kind !== "ask") return decision;
        // Nothing to compare the first answer with: a second vote is needed anyway.
        const count = decision.count === 1 && request.recorded === undefined && waiting.size > 1 ? 2 : decision.count;
        while (underWay.size < count) {
          const next = this.takeNext(queue, new Set([...underWay.keys()].map(({ operator }) => operator)));
          if (!next) break;
          underWay.set(next, this.hear(next));
        }
        const heard = await Promise.race(underWay.values());
        underWay.delete(heard);
      }
    } finally {
      this.losers.abort();
      await Promise.allSettled(underWay.values());
    }
  }

  async holdAll(request: LookRequest, services: EchoService[]): Promise<LookupResult["decision"]> {
    await Promise.all(services.map((service) => this.hear(service)));
    const { ipv6PrefixLength } = this.options;
    const isSoleService = services.length === 1;
    const decision = decide({ ...request, votes: this.votes, remaining: 0, isSoleService, ipv6PrefixLength });
    return decision.kind === "ask" ? { kind: "silence" } : decision;
  }

  noteCoolDown(service: EchoService, until: string): void {
    const vote: Vote = {
      kind: "rate-limit",
      detail: `asked to be left alone until ${until.slice(0, 16)}Z`,
    };
    this.note(service, vote, 0);
  }

  result(services: EchoService[]): Pick<LookupResult, "responses" | "requests" | "newCoolDowns" | "serverDate"> {
    // In the order they were configured, not in the order chance gave them.
    const responses = services.flatMap(({ name }) => this.responses.filter(({ service }) => service === name));
    return {
      responses: [...new Set(responses)],
      requests: this.requests,
      newCoolDowns: this.newCoolDowns,
      serverDate: this.serverDate,
    };
  }

  // Not two URLs of one operator at once, and none of an operator that has spoken.
  private takeNext(queue: EchoService[], beingAsked: ReadonlySet<string>): EchoService | undefined {
    const index = queue.findIndex(({ operator }) => !beingAsked.has(operator) && !this.hasAnswered(operator));
    return index < 0 ? undefined : queue.splice(index, 1)[0];
  }

  private hasAnswered(operator: string): boolean {
    const vote = this.votes.get(operator);
    return vote !== undefined && "address" in vote;
  }

  private async hear(service: EchoService): Promise<EchoService> {
    this.requests++;
    const { family, options } = this;
    const { timeoutMs, userAgent, now } = options;
    const start = this.options.monotonicMs();
    const signal = AbortSignal.any([options.signal, this.losers.signal]);
    try {
      const raw = await ask(service.url, { family, timeoutMs, userAgent, signal });
      this.noteHeaders(service, raw);
      this.note(service, readAnswer(raw, { ...options, family }), start);
    } catch (error) {
      // A loser was stopped because the decision stood; it failed at nothing.
      if (this.losers.signal.aborted) return service;
      const code = systemCode(error);
      const vote: Vote =
        code === "EMSGSIZE"
          ? { kind: "garbage", detail: "answered far more than an address" }
          : failureOfConnection(code, { family, now: now(), serverDate: this.serverDate });
      this.note(service, vote, start);
    }
    return service;
  }

  private noteHeaders(service: EchoService, { status, headers }: RawAnswer): void {
    const date = new Date(String(headers["date"] ?? ""));
    if (!Number.isNaN(date.getTime())) this.serverDate = date;
    if (status !== 429 && status !== 503) return;
    const retryAfter = headers["retry-after"];
    this.newCoolDowns[service.name] = coolDownUntil(retryAfter, this.options.now()).toISOString();
  }

  private note(service: EchoService, vote: Vote, start: number): void {
    const ms = start === 0 ? 0 : Math.round(this.options.monotonicMs() - start);
    this.responses.push({ service: service.name, operator: service.operator, vote, ms });
    // An operator's answer outweighs the failure of its other URL.
    if (!this.hasAnswered(service.operator)) this.votes.set(service.operator, vote);
  }
}
