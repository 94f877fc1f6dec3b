import { createHash } from "node:crypto";
import { systemCode } from "../base/errors";
import { type Cidr, type Family, isSamePlace } from "./address";
import { readAnswer } from "./answer";
import { ask } from "./client";
import { coolDownUntil, isCoolingDown } from "./cool-down";
import { failureOfConnection } from "./failures";
import type { LookRequest, LookupResult, ServiceResponse } from "./lookup-result";
import { type Decision, decide, type Vote } from "./quorum";
import { type EchoService, servicesFor } from "./services";

export interface LookupOptions {
  serviceUrls: readonly URL[] | undefined;
  acceptRanges: readonly Cidr[];
  ipv6PrefixLength: number;
  timeoutMs: number;
  userAgent: string;
  /** Takes secrets out of what is quoted from an answer; the answer itself is read as it came. */
  redact: (text: string) => string;
  /** With the time it decides who is asked first, so that machines and hours spread over the panel. */
  seed: string;
  now: () => Date;
  /** A clock that no NTP sets, in ms; what it counts from does not matter. */
  monotonicMs: () => number;
  /** The end of the time for looking. */
  signal: AbortSignal;
  /** Spread into the options of each HTTPS request. */
  tls?: object | undefined;
  /** Asked from this address; only in its own family. */
  localAddress?: string | undefined;
}

/** One exchange with one service. */
interface Exchange {
  service: EchoService;
  response: ServiceResponse;
  /** It asked to be left alone until then. */
  until?: Date;
  serverDate?: Date;
}

/** Looks in one family: one service when it says what is recorded, others until the decision stands. */
export async function look(request: LookRequest, options: LookupOptions): Promise<LookupResult> {
  const { family, recorded, isContradicted, coolDowns } = request;
  const now = options.now();
  const services = servicesFor(family, options.serviceUrls);
  const isResting = ({ name }: EchoService) => isCoolingDown(coolDowns[name], now);
  const ordered = shuffle(services, options.seed, now);
  const queue = ordered.filter((service) => !isResting(service));
  const resting = ordered.filter(isResting).sort((a, b) => (until(a) < until(b) ? -1 : 1));
  const exchanges: Exchange[] = [];
  const underWay = new Map<EchoService, Promise<Exchange>>();
  const losers = new AbortController();
  const signal = AbortSignal.any([options.signal, losers.signal]);
  let mayOverride = request.mayOverrideCoolDowns === true;

  function until({ name }: EchoService): string {
    return coolDowns[name] ?? "";
  }

  // A change, or a contradiction, is worth a question to those that cool down: after all others.
  function isInDoubt(): boolean {
    const isOther = ({ response: { vote } }: Exchange) =>
      "address" in vote && recorded !== undefined && !isSamePlace(vote.address, recorded, options.ipv6PrefixLength);
    return isContradicted === true || exchanges.some(isOther);
  }

  function decideNow(): Decision {
    const votes = votesOf([...exchanges.map(({ response }) => response), ...resting.map(refusalOf)]);
    // An operator is still open while one of its services may give an address.
    const open = new Set([...queue, ...underWay.keys()].map(({ operator }) => operator));
    for (const [operator, vote] of votes) {
      if ("address" in vote) open.delete(operator);
      else if (open.has(operator)) votes.delete(operator);
    }
    const { ipv6PrefixLength } = options;
    return decide({
      ...request,
      votes,
      remaining: open.size,
      isSoleService: services.length === 1,
      ipv6PrefixLength,
      now,
    });
  }

  // Not two services of one operator at once, and none of an operator that gave an address.
  function takeNext(): EchoService | undefined {
    const done = new Set([...underWay.keys()].map(({ operator }) => operator));
    for (const { service, response } of exchanges) if ("address" in response.vote) done.add(service.operator);
    const index = queue.findIndex(({ operator }) => !done.has(operator));
    return index < 0 ? undefined : queue.splice(index, 1)[0];
  }

  function refusalOf(service: EchoService): ServiceResponse {
    const detail = `asked to be left alone until ${until(service).slice(0, 16)}Z`;
    return responseOf(service, { kind: "rate-limit", detail }, 0);
  }

  function result(decision: LookupResult["decision"]): LookupResult {
    const responses = [...exchanges.map(({ response }) => response), ...resting.map(refusalOf)];
    return {
      family,
      decision,
      // In the order they were configured, not in the order chance gave them.
      responses: inOrder(responses, services),
      requests: exchanges.length + underWay.size,
      newCoolDowns: coolDownsOf(exchanges, coolDowns, isResting),
      serverDate: lastDate(exchanges),
    };
  }

  try {
    for (;;) {
      if (mayOverride && isInDoubt()) queue.push(...resting.splice(0));
      const decision = decideNow();
      if (decision.kind === "silence" && mayOverride && resting.length > 0) {
        // Cool-downs never make us blind: the one that is due soonest is asked all the same.
        queue.push(...resting.splice(0, 1));
        mayOverride = false;
        continue;
      }
      if (decision.kind !== "ask") return result(decision);
      while (underWay.size < decision.count) {
        const next = takeNext();
        if (!next) break;
        underWay.set(
          next,
          exchange(next, family, { ...options, signal }, () => lastDate(exchanges)),
        );
      }
      const done = await Promise.race(underWay.values());
      underWay.delete(done.service);
      exchanges.push(done);
    }
  } finally {
    losers.abort();
    await Promise.allSettled(underWay.values());
  }
}

/** Asks every service once, side by side, resting ones too: for a person who wants to see each answer. */
export async function lookAtAll(request: LookRequest, options: LookupOptions): Promise<LookupResult> {
  const { family } = request;
  const services = servicesFor(family, options.serviceUrls);
  const exchanges: Exchange[] = [];
  const ask = async (service: EchoService) => {
    exchanges.push(await exchange(service, family, options, () => lastDate(exchanges)));
  };
  await Promise.all(services.map(ask));
  const responses = exchanges.map(({ response }) => response);
  const decision = decide({
    ...request,
    votes: votesOf(responses),
    remaining: 0,
    isSoleService: services.length === 1,
    ipv6PrefixLength: options.ipv6PrefixLength,
    now: options.now(),
  });
  return {
    family,
    decision: decision.kind === "ask" ? { kind: "silence" } : decision,
    responses: inOrder(responses, services),
    requests: exchanges.length,
    newCoolDowns: coolDownsOf(exchanges, {}, () => false),
    serverDate: lastDate(exchanges),
  };
}

/** One request and what it came to; never rejects. */
async function exchange(
  service: EchoService,
  family: Family,
  options: LookupOptions,
  serverDate: () => Date | undefined,
): Promise<Exchange> {
  const { acceptRanges, localAddress, monotonicMs, now, redact, signal, timeoutMs, tls, userAgent } = options;
  const start = monotonicMs();
  const respond = (vote: Vote) => responseOf(service, vote, Math.round(monotonicMs() - start));
  const isOfFamily = localAddress?.includes(":") === (family === 6);
  try {
    const raw = await ask(service.url, {
      family,
      timeoutMs,
      userAgent,
      signal,
      ...(tls && { tls }),
      ...(localAddress && isOfFamily && { localAddress }),
    });
    const date = new Date(String(raw.headers["date"] ?? ""));
    const isBusy = raw.status === 429 || raw.status === 503;
    return {
      service,
      response: respond(readAnswer(raw, { family, acceptRanges, redact })),
      ...(isBusy && { until: coolDownUntil(raw.headers["retry-after"], now()) }),
      ...(!Number.isNaN(date.getTime()) && { serverDate: date }),
    };
  } catch (error) {
    const code = systemCode(error);
    const vote: Vote =
      code === "EMSGSIZE"
        ? { kind: "garbage", detail: "answered far more than an address" }
        : failureOfConnection(code, { family, now: now(), serverDate: serverDate() });
    return { service, response: respond(vote) };
  }
}

function responseOf({ name, operator }: EchoService, vote: Vote, ms: number): ServiceResponse {
  return { service: name, operator, vote, ms };
}

/** One vote for each operator: its answer outweighs the failure of its other service. */
function votesOf(responses: readonly ServiceResponse[]): Map<string, Vote> {
  const votes = new Map<string, Vote>();
  for (const { operator, vote } of responses) {
    const before = votes.get(operator);
    if (!before || !("address" in before)) votes.set(operator, vote);
  }
  return votes;
}

function coolDownsOf(
  exchanges: readonly Exchange[],
  coolDowns: LookRequest["coolDowns"],
  isResting: (service: EchoService) => boolean,
): LookupResult["newCoolDowns"] {
  return Object.fromEntries(
    exchanges.flatMap(({ service, response, until }) => {
      if (until) return [[service.name, until.toISOString()]];
      if (!isResting(service)) return [];
      // It was asked before its time: in vain, or it answers again.
      return [[service.name, "address" in response.vote ? undefined : coolDowns[service.name]]];
    }),
  );
}

function lastDate(exchanges: readonly Exchange[]): Date | undefined {
  return exchanges.findLast(({ serverDate }) => serverDate)?.serverDate;
}

function inOrder(responses: readonly ServiceResponse[], services: readonly EchoService[]): ServiceResponse[] {
  const place = ({ service }: ServiceResponse) => services.findIndex(({ name }) => name === service);
  return responses.toSorted((a, b) => place(a) - place(b));
}

// A hash spreads evenly over any panel and any schedule; rotating by the hour would not: every
// sixth hour is the same service for a panel of six.
function shuffle(services: readonly EchoService[], seed: string, now: Date): EchoService[] {
  const rank = ({ url }: EchoService) =>
    createHash("sha256").update(`${seed} ${now.toISOString()} ${url.href}`).digest("hex");
  return services
    .map((service) => ({ service, rank: rank(service) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ service }) => service);
}
