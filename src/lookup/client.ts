import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { codedError } from "../base/errors";
import { type ResolvedAddress, resolveHost } from "../base/network";
import { type Family, isLoopbackAddress, isLoopbackHost } from "./address";
import type { RawAnswer } from "./answer";

/** A longer body is no address: the rest is not read. */
const MAX_BODY_BYTES = 4096;

/** Of a name with more addresses no more are tried: there would be no time left for a handshake. */
const MAX_ADDRESSES = 4;

export interface AskOptions {
  /** 0 for whichever the name resolves to. */
  family: Family | 0;
  /** For the connection and the answer; the name look-up before them has its own time. */
  timeoutMs: number;
  userAgent: string;
  /** Aborts the request; it then rejects like one that timed out. */
  signal: AbortSignal;
  /** The address to ask from. */
  localAddress?: string | undefined;
  /** Further TLS options, such as authorities that are trusted. */
  tls?: object | undefined;
  /** Sent by POST; without one the request is a GET. */
  body?: string | undefined;
  /** Of the body. @default plain text */
  contentType?: string | undefined;
  /** The longest answer that is read. @default 4096 */
  maxBytes?: number | undefined;
}

/**
 * Asks one URL over a socket of one family, address by address until one can be connected to, and
 * returns the answer unchecked.
 * @throws Error with a `code`: a system, resolver, TLS or HTTP parser code, `ETIMEDOUT`, `EMSGSIZE`, `ENOTLOCAL`
 */
export async function ask(url: URL, options: AskOptions): Promise<RawAnswer> {
  const found = await resolveHost(url.hostname, options);
  // A name server that leads localhost names elsewhere must not be able to pose as several operators, or as the monitor.
  if (isLoopbackHost(url.hostname) && !found.every(({ address }) => isLoopbackAddress(address))) {
    throw codedError("ENOTLOCAL");
  }
  const addresses = bothFamiliesFirst(found).slice(0, MAX_ADDRESSES);
  // The whole of it is timed: a byte a second keeps every idle time-out waiting for ever. With a timer of our own:
  // Node.js 20 collects an AbortSignal.timeout() behind an AbortSignal.any() as garbage, and it never fires.
  const ending = new AbortController();
  const { signal } = ending;
  const end = () => ending.abort();
  const timer = setTimeout(end, options.timeoutMs);
  if (options.signal.aborted) end();
  options.signal.addEventListener("abort", end, { once: true });
  try {
    return await askOneOf(addresses, url, { ...options, signal });
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", end);
  }
}

async function askOneOf(addresses: ResolvedAddress[], url: URL, options: AskOptions): Promise<RawAnswer> {
  const { signal } = options;
  let firstError: unknown;
  for (const [index, address] of addresses.entries()) {
    const isLast = index === addresses.length - 1;
    // Half of what is left, the last address all of it: a slow line's handshake takes seconds.
    const connectMs = isLast ? options.timeoutMs : options.timeoutMs / 2 ** (index + 1);
    let isConnected = false;
    const onConnect = () => {
      isConnected = true;
    };
    try {
      return await exchange(url, address, { ...options, connectMs, onConnect });
    } catch (error) {
      firstError ??= error;
      if (isConnected || signal.aborted) throw error;
    }
  }
  throw firstError;
}

/** Moves the first address of the other family to the second place: where one family has no route, the other may. */
function bothFamiliesFirst(addresses: ResolvedAddress[]): ResolvedAddress[] {
  const other = addresses.find(({ family }) => family !== addresses[0]?.family);
  return other ? [...new Set([...addresses.slice(0, 1), other, ...addresses])] : addresses;
}

interface ExchangeOptions extends AskOptions {
  connectMs: number;
  onConnect: () => void;
}

function exchange(url: URL, { address, family }: ResolvedAddress, options: ExchangeOptions): Promise<RawAnswer> {
  const { signal, body, contentType = "text/plain; charset=utf-8", localAddress } = options;
  const isTls = url.protocol === "https:";
  const request = isTls ? requestHttps : requestHttp;
  // A request that is destroyed before anybody listens to it takes the process down.
  if (signal.aborted) return Promise.reject(codedError("ETIMEDOUT"));
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = request(url, {
      method: body === undefined ? "GET" : "POST",
      // The name stays in the Host header and the certificate's check; the socket goes to this very address.
      // Called back asynchronously, as by a real look-up: where there is no route the socket fails at once, before its
      // error has a listener.
      lookup: (_name, _options, done) => setImmediate(done, null, address, family),
      family,
      ...(localAddress && { localAddress }),
      // No agent, so nothing is kept alive.
      agent: false,
      ...options.tls,
      // Set explicitly: NODE_TLS_REJECT_UNAUTHORIZED=0 would turn it off.
      rejectUnauthorized: true,
      headers: {
        "User-Agent": options.userAgent,
        Accept: "text/plain",
        "Accept-Encoding": "identity",
        ...(body !== undefined && { "Content-Type": contentType }),
      },
    });
    const onAbort = () => fail(codedError("ETIMEDOUT"));
    const connecting = setTimeout(onAbort, options.connectMs);
    const finish = () => {
      clearTimeout(connecting);
      signal.removeEventListener("abort", onAbort);
      // Always: an open socket keeps the process alive long after the work is done.
      outgoing.destroy();
    };
    const fail = (error: Error) => {
      finish();
      reject(error);
    };

    signal.addEventListener("abort", onAbort, { once: true });
    outgoing.on("error", fail);
    outgoing.once("socket", (socket) =>
      socket.once(isTls ? "secureConnect" : "connect", () => {
        clearTimeout(connecting);
        options.onConnect();
      }),
    );
    outgoing.on("response", (incoming) => {
      read(incoming, options.maxBytes ?? MAX_BODY_BYTES)
        .finally(finish)
        .then(resolve, reject);
    });
    outgoing.end(body);
  });
}

function read(incoming: IncomingMessage, maxBytes: number): Promise<RawAnswer> {
  const { statusCode: status = 0, headers } = incoming;
  // Nothing in the body of a redirect or an error page is worth reading.
  if (status < 200 || status >= 300) return Promise.resolve({ status, headers, body: "" });
  const chunks: Buffer[] = [];
  let size = 0;
  // By events: for await costs a hundredth of a quiet run.
  return new Promise((resolve, reject) => {
    incoming.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > maxBytes) reject(codedError("EMSGSIZE"));
    });
    incoming.on("error", reject);
    incoming.on("end", () => {
      const body = Buffer.concat(chunks).toString("latin1");
      // The parser reports bytes beyond Content-Length only after the end: wait for that error.
      setImmediate(() => resolve({ status, headers, body }));
    });
  });
}
