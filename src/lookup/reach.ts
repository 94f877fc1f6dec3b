// Whether a port answers at an address, asked from outside: the one thing that cannot be seen from here.
import { systemCode } from "../base/errors";
import { type Family, parseAddress } from "./address";
import type { RawAnswer } from "./answer";
import { type AskOptions, ask } from "./client";
import { failureOfConnection } from "./failures";

/** What the service said, or why it did not, as the end of a sentence that begins with its name. */
type ReachAnswer = { address: string; isReachable: boolean } | { failure: string };

type RequestOptions = Pick<AskOptions, "userAgent" | "tls" | "signal" | "timeoutMs">;

/** What a service that connects back is given; it waits a while for a port that swallows packets. */
export const REACH_TIMEOUT_MS = 10_000;

/**
 * Asks a service that speaks echoip's `/port/N` to connect to its asker. `from` is the address in question: where this
 * machine has it, the question comes from it. Never rejects.
 */
export async function askReach(
  template: string,
  port: number,
  { from, family, ...common }: RequestOptions & { family: Family; from: string | undefined },
): Promise<ReachAnswer> {
  const options = { ...common, family };
  try {
    const url = new URL(template.replaceAll("{port}", String(port)));
    const literal = parseAddress(url.hostname.replace(/^\[(.*)\]$/, "$1"));
    if (literal && literal.family !== family) return { failure: `cannot be asked over IPv${family}` };
    // An IPv4 home's address is its router's.
    const localAddress = family === 6 ? from : undefined;
    const answer = ask(url, { ...options, localAddress }).catch((error) => {
      if (localAddress === undefined || systemCode(error) === "ETIMEDOUT") throw error;
      return ask(url, options);
    });
    return readReachAnswer(await answer, port);
  } catch (error) {
    return { failure: failureOf(error, family) };
  }
}

/** The service's host, to be named to people. */
export function reachHost(template: string): string {
  return new URL(template).host;
}

/** Only the very answer counts: an address, the port that was asked for, and yes or no. */
function readReachAnswer({ status, headers, body }: RawAnswer, port: number): ReachAnswer {
  if (status === 403) return { failure: "refused (403)" };
  if (status === 429) return { failure: "asked to come back later (429)" };
  if (status !== 200) return { failure: `answered with status ${status}` };
  if (/html/i.test(String(headers["content-type"])) || /^\s*</.test(body))
    return { failure: "answered with a web page" };
  const answer = parseObject(body);
  const address = parseAddress(String(answer["ip"]).replace(/^::ffff:(?=\d+\.)/i, ""))?.address;
  if (address === undefined || answer["port"] !== port || typeof answer["reachable"] !== "boolean") {
    return { failure: `answered something else than whether port ${port} answers` };
  }
  return { address, isReachable: answer["reachable"] };
}

const GLOBALPING_URL = "https://api.globalping.io";

const POLL_MS = 500;
/** In different networks, because one may have trouble of its own. */
const PROBES = 3;
/** A result with the words of every probe. */
const MAX_RESULT_BYTES = 100_000;

/**
 * Has Globalping's probes connect to a port (a TCP ping). Whoever knows the measurement's id can read its result for a
 * while. Never rejects.
 */
export async function askGlobalping(
  target: string,
  port: number,
  { baseUrl = GLOBALPING_URL, ...common }: RequestOptions & { baseUrl?: string | undefined },
): Promise<{ isReachable: boolean } | { failure: string }> {
  const measurements = `${baseUrl}/v1/measurements`;
  const options = { ...common, family: 0 as const, maxBytes: MAX_RESULT_BYTES };
  const measurementOptions = { protocol: "TCP", port, packets: 3 };
  try {
    const order = await ask(new URL(measurements), {
      ...options,
      contentType: "application/json",
      body: JSON.stringify({ type: "ping", target, limit: PROBES, measurementOptions }),
    });
    const id = parseObject(order.body)["id"];
    if (order.status !== 202 || typeof id !== "string") return { failure: `answered with status ${order.status}` };
    for (;;) {
      const { status, body } = await ask(new URL(`${measurements}/${encodeURIComponent(id)}`), options);
      if (status !== 200) return { failure: `answered with status ${status}` };
      const result = parseObject(body);
      if (result["status"] !== "in-progress") return readProbes(result);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      if (common.signal.aborted) return { failure: "had no result in time" };
    }
  } catch (error) {
    return { failure: failureOf(error, 4) };
  }
}

/** One probe that gets through is proof; that none does counts only where one of them has tried. */
function readProbes({ results }: Record<string, unknown>): { isReachable: boolean } | { failure: string } {
  const received = (Array.isArray(results) ? results : [])
    .map((one) => one?.result?.stats?.rcv)
    .filter((count) => typeof count === "number");
  if (received.length === 0) return { failure: "had no probe that could try" };
  return { isReachable: received.some((count) => count > 0) };
}

function failureOf(error: unknown, family: Family): string {
  const code = systemCode(error);
  if (code === "EMSGSIZE") return "answered with a web page";
  return failureOfConnection(code, { family, now: new Date() }).detail;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
