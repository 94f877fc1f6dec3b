import { createHash } from "node:crypto";
import { systemCode } from "../base/errors";
import type { Redact } from "../base/redaction";
import { compareTexts } from "../base/text";
import { type Cidr, type Family, hasSamePrefix } from "./address";
import { readAnswer } from "./answer";
import { ask } from "./client";
import { failureOfConnection } from "./failures";
import type { LookupRequest, LookupResult, ServiceResponse } from "./lookup-result";
import { type Decision, decide, type Vote } from "./quorum";
import { coolDownUntil, type EchoService, isCoolingDown, servicesFor } from "./services";
import { findSources } from "./source-address";

export interface LookupOptions {
  serviceUrls: readonly URL[] | undefined;
  acceptRanges: readonly Cidr[];
  ipv6PrefixLength: number;
  timeoutMs: number;
  userAgent: string;
  /** Takes secrets out of what is quoted from an answer; the answer itself is read as it came. */
  redact: Redact;
  /** With the time it decides who is asked first, so that machines and hours spread over the panel. */
  seed: string;
  now: () => Date;
  /** A clock that no NTP sets, in ms; what it counts from does not matter. */
  monotonicMs: () => number;
  /** For how long the machine has been running. @default for ever */
  uptimeMs?: () => number;
  /** The end of the time for looking. */
  signal: AbortSignal;
  /** @default over the network */
  ask?: typeof ask;
  /** Spread into the options of each HTTPS request. */
  tls?: object | undefined;
  /** Told which service is asked next. */
  onAsk?: ((service: string) => void) | undefined;
  /** Addresses of this machine to ask from over IPv6, the best first. @default those that last */
  findSources?: typeof findSources;
}

/** One source address, or the system's choice. */
interface SourceOptions extends LookupOptions {
  localAddress?: string | undefined;
}

/** Looks in one family: one service when it says what is recorded, others until the decision stands. */
export const look = fromStableAddress(lookFrom);

/** Asks every service once, side by side, cooling ones too: for a person who wants to see each answer. */
export const lookAtAll = fromStableAddress(lookAtAllFrom);

/**
 * Over IPv6 from an address that lasts: the services see the one they are asked from, and a temporary one (RFC 8981)
 * is gone within a day. Where nobody can be reached from it, from the system's choice.
 */
function fromStableAddress(lookFromOne: typeof lookFrom) {
  return async (request: LookupRequest, options: LookupOptions): Promise<LookupResult> => {
    const sources = request.family === 6 ? await (options.findSources ?? findSources)(request.recorded, options) : [];
    let requests = 0;
    for (const localAddress of sources) {
      const result = await lookFromOne(request, { ...options, localAddress });
      requests += result.requests;
      if (!isDeadSource(result.responses, 1)) return { ...result, requests, askedFrom: localAddress };
    }
    const result = await lookFromOne(request, options);
    return { ...result, requests: requests + result.requests };
  };
}

/** How every request fails from a source address that the network does not know (any more). */
const SOURCE_FAILURES: readonly string[] = ["no-ipv6", "no-network", "timeout", "refused", "reset"];

/** Whether `count` services were tried from an address and none could be reached. */
function isDeadSource(responses: readonly ServiceResponse[], count: number): boolean {
  const kinds = responses
    .map(({ vote }) => ("address" in vote ? "address" : vote.kind))
    // A name that has no address, or a service that cools down, says nothing about it.
    .filter((kind) => kind !== "dns" && kind !== "rate-limit");
  return kinds.length >= count && kinds.every((kind) => SOURCE_FAILURES.includes(kind));
}

/** After two failures from one address another is tried: that needs the time. */
const TRIES_FROM_A_SOURCE = 2;

async function lookFrom(request: LookupRequest, options: SourceOptions): Promise<LookupResult> {
  const { family, recorded, coolDowns } = request;
  const now = options.now();
  const services = servicesFor(family, options.serviceUrls);
  const ordered = shuffle(services, options.seed, now);
  const isCooling = ({ name }: EchoService) => isCoolingDown(coolDowns[name], now);
  const queue = ordered.filter((service) => !isCooling(service));
  const cooling = ordered.filter(isCooling).sort((a, b) => compareTexts(coolDowns[a.name], coolDowns[b.name]));
  const ended: ServiceResponse[] = [];
  const underWay = new Map<EchoService, Promise<void>>();
  const losers = new AbortController();
  const signal = AbortSignal.any([options.signal, losers.signal]);
  const mayOverride = request.mayOverrideCoolDowns === true;
  let isOverriding = false;

  // Where there may be a change or a contradiction, services that cool down are asked too, after all others.
  const isInDoubt = () =>
    request.isContradicted === true ||
    ended.some(({ vote }) => {
      if (!("address" in vote) || recorded === undefined) return false;
      return !hasSamePrefix(vote.address, recorded, options.ipv6PrefixLength);
    });

  try {
    for (;;) {
      if (mayOverride && isInDoubt()) queue.push(...cooling.splice(0));
      const responses = [...ended, ...cooling.map(({ name, operator }) => refusalOf(name, operator, coolDowns[name]))];
      const isGivenUp = options.localAddress !== undefined && isDeadSource(responses, TRIES_FROM_A_SOURCE);
      const decision: Decision = isGivenUp
        ? { kind: "silence" }
        : decideOn(request, options, services, responses, [...queue, ...underWay.keys()], now);
      if (decision.kind === "silence" && !isGivenUp && mayOverride && !isOverriding && cooling.length > 0) {
        // Cool-downs must not leave us without any answer: the service that is due soonest is asked all the same, and
        // where it reports a change the others are, too.
        queue.push(...cooling.splice(0, 1));
        isOverriding = true;
        continue;
      }
      if (decision.kind !== "ask") {
        const requests = ended.length + underWay.size;
        return { ...resultOf(request, services, responses, ended, now), decision, requests };
      }
      while (underWay.size < decision.count) {
        const next = takeNext(queue, [...underWay.keys()], responses);
        if (!next) break;
        const asking = exchange(next, family, { ...options, signal }, ended).then((response) => {
          underWay.delete(next);
          ended.push(response);
        });
        underWay.set(next, asking);
      }
      await Promise.race(underWay.values());
    }
  } finally {
    losers.abort();
    await Promise.allSettled(underWay.values());
  }
}

async function lookAtAllFrom(request: LookupRequest, options: SourceOptions): Promise<LookupResult> {
  const services = servicesFor(request.family, options.serviceUrls);
  const ended: ServiceResponse[] = [];
  await Promise.all(
    services.map(async (service) => ended.push(await exchange(service, request.family, options, ended))),
  );
  const now = options.now();
  const decision = decideOn(request, options, services, ended, [], now);
  return {
    ...resultOf(request, services, ended, ended, now),
    decision: decision.kind === "ask" ? { kind: "silence" } : decision,
    requests: ended.length,
  };
}

/** The decision on what was heard, while `open` services are being asked or may be. */
function decideOn(
  request: LookupRequest,
  { ipv6PrefixLength, uptimeMs }: LookupOptions,
  services: readonly EchoService[],
  responses: readonly ServiceResponse[],
  open: readonly EchoService[],
  now: Date,
): Decision {
  const remaining = new Set(open.map(({ operator }) => operator));
  const votes = new Map<string, Vote>();
  for (const { operator, vote } of responses) {
    // An operator's answer outweighs the failure of its other service.
    if ("address" in vote) remaining.delete(operator);
    else if (remaining.has(operator) || votes.has(operator)) continue;
    votes.set(operator, vote);
  }
  const isSoleService = services.length === 1;
  const tally = { ...request, votes, remaining: remaining.size, isSoleService, ipv6PrefixLength, now };
  return decide({ ...tally, uptimeMs: uptimeMs?.() });
}

// Not two services of one operator at once, and none of an operator that gave an address.
function takeNext(
  queue: EchoService[],
  underWay: readonly EchoService[],
  responses: readonly ServiceResponse[],
): EchoService | undefined {
  const answered = responses.filter(({ vote }) => "address" in vote);
  const taken = new Set([...underWay, ...answered].map(({ operator }) => operator));
  const index = queue.findIndex(({ operator }) => !taken.has(operator));
  return index < 0 ? undefined : queue.splice(index, 1)[0];
}

/** One request and what it came to; never rejects. */
async function exchange(
  { name, operator, url }: EchoService,
  family: Family,
  options: SourceOptions,
  /** Those that have ended by then: their Date headers tell a wrong clock from a wrong certificate. */
  others: readonly ServiceResponse[],
): Promise<ServiceResponse> {
  const { acceptRanges, localAddress, monotonicMs, now, redact, signal, timeoutMs, tls, userAgent } = options;
  options.onAsk?.(name);
  const start = monotonicMs();
  const respond = (vote: Vote) => ({ service: name, operator, vote, ms: Math.round(monotonicMs() - start) });
  try {
    const raw = await (options.ask ?? ask)(url, { family, timeoutMs, userAgent, signal, tls, localAddress });
    const date = new Date(String(raw.headers["date"] ?? ""));
    const isBusy = raw.status === 429 || raw.status === 503;
    return {
      ...respond(readAnswer(raw, { family, acceptRanges, redact })),
      ...(isBusy && { until: coolDownUntil(raw.headers["retry-after"], now()) }),
      ...(!Number.isNaN(date.getTime()) && { serverDate: date }),
    };
  } catch (error) {
    const code = systemCode(error);
    if (code === "EMSGSIZE") return respond({ kind: "garbage", detail: "answered far more than an address" });
    return respond(failureOfConnection(code, { family, now: now(), serverDate: lastDate(others) }));
  }
}

function refusalOf(service: string, operator: string, until: string | undefined): ServiceResponse {
  const detail = `asked to be left alone until ${until?.slice(0, 16)}Z`;
  return { service, operator, vote: { kind: "rate-limit", detail }, ms: 0 };
}

function resultOf(
  { family, coolDowns }: LookupRequest,
  services: readonly EchoService[],
  responses: readonly ServiceResponse[],
  ended: readonly ServiceResponse[],
  now: Date,
): Omit<LookupResult, "decision" | "requests"> {
  const place = ({ service }: ServiceResponse) => services.findIndex(({ name }) => name === service);
  const newCoolDowns = ended.flatMap(({ service, vote, until }) => {
    if (until) return [[service, until.toISOString()]];
    if (new Date(coolDowns[service] ?? 0) <= now) return [];
    // It was asked before its time, or a wrong clock set that time: an answer ends the cool-down, a failure does not.
    return [[service, "address" in vote ? undefined : coolDowns[service]]];
  });
  return {
    family,
    // In the order they were configured, not in the order chance gave them.
    responses: responses.toSorted((a, b) => place(a) - place(b)),
    newCoolDowns: Object.fromEntries(newCoolDowns),
    serverDate: lastDate(ended),
  };
}

function lastDate(responses: readonly ServiceResponse[]): Date | undefined {
  return responses.findLast(({ serverDate }) => serverDate)?.serverDate;
}

// A hash spreads evenly over any panel and any schedule; rotating by the hour would not: every
// sixth hour is the same service for a panel of six.
function shuffle(services: readonly EchoService[], seed: string, now: Date): EchoService[] {
  const rank = ({ url }: EchoService) =>
    createHash("sha256").update(`${seed} ${now.toISOString()} ${url.href}`).digest("hex");
  return services
    .map((service) => ({ service, rank: rank(service) }))
    .sort((a, b) => compareTexts(a.rank, b.rank))
    .map(({ service }) => service);
}
