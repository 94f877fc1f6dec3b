import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Family } from "./address";
import type { RawAnswer } from "./answer";

/** Longer bodies are no address; not read any further. */
const MAX_BODY_BYTES = 4096;

export interface AskOptions {
  /** 0 for whichever the name resolves to. */
  family: Family | 0;
  timeoutMs: number;
  userAgent: string;
  /** Aborts the request; it then rejects like one that timed out. */
  signal: AbortSignal;
  /** Spread into the options of an HTTPS request. */
  tls?: object;
  /** Asked from this address. */
  localAddress?: string;
}

/**
 * Asks one URL over a socket of one family and returns the answer unjudged.
 * @throws Error with a `code`: a system, TLS or HTTP parser code, `ETIMEDOUT`, `EMSGSIZE`
 */
export function ask(url: URL, options: AskOptions): Promise<RawAnswer> {
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  // A request that is destroyed before anybody listens to it takes the process down.
  if (options.signal.aborted) return Promise.reject(coded("ETIMEDOUT"));
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = request(url, {
      // `family` pins the socket, whatever the name resolves to; no agent, so nothing is kept alive.
      family: options.family,
      ...(options.localAddress && { localAddress: options.localAddress }),
      ...options.tls,
      agent: false,
      headers: { "User-Agent": options.userAgent, Accept: "text/plain", "Accept-Encoding": "identity" },
    });
    // The whole exchange is timed: a byte a second keeps every idle time-out waiting for ever.
    const timer = setTimeout(() => fail(coded("ETIMEDOUT")), options.timeoutMs);
    const onAbort = () => fail(coded("ETIMEDOUT"));
    const finish = () => {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", onAbort);
      // Always: an open socket keeps the process alive long after the work is done.
      outgoing.destroy();
    };
    const fail = (error: Error) => {
      finish();
      reject(error);
    };

    options.signal.addEventListener("abort", onAbort, { once: true });
    outgoing.on("error", fail);
    outgoing.on("response", (incoming) => {
      collect(incoming, fail, (answer) => {
        finish();
        resolve(answer);
      });
    });
    outgoing.end();
  });
}

function collect(incoming: IncomingMessage, fail: (error: Error) => void, done: (answer: RawAnswer) => void): void {
  const status = incoming.statusCode ?? 0;
  const { headers } = incoming;
  // Only a 200 has a body worth reading.
  if (status !== 200) {
    done({ status, headers, body: "" });
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  incoming.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_BODY_BYTES) fail(coded("EMSGSIZE"));
  });
  incoming.on("error", fail);
  incoming.on("end", () => {
    const body = Buffer.concat(chunks).toString("latin1");
    // The parser complains of bytes beyond the announced length a moment after the end: let it.
    setImmediate(() => done({ status, headers, body }));
  });
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}
