import { lookup } from "node:dns";
import { once } from "node:events";
import { connect, isIP } from "node:net";
import { createSecureContext } from "node:tls";
import { codedError } from "./errors";

export interface ResolvedAddress {
  address: string;
  family: 4 | 6;
}

/** A name that takes longer has no address for us; with the first of three servers down, the answer takes 5 s. */
const NAME_TIMEOUT_MS = 30_000;

/** getaddrinfo cannot be aborted: whoever asks for a name that is being looked up waits for the same answer. */
const underWay = new Map<string, Promise<ResolvedAddress[]>>();

/**
 * The addresses of a host, in the system's order, as the rest of the system finds them: by getaddrinfo, so /etc/hosts,
 * nsswitch and mDNS count. A literal address is returned as it is.
 * @throws Error with a `code`: `ENOTFOUND`, or `EAI_AGAIN` also where it was aborted or took too long
 */
export async function resolveHost(
  host: string,
  { family = 0, signal }: { family?: 0 | 4 | 6; signal: AbortSignal },
): Promise<ResolvedAddress[]> {
  const literal = host.replace(/^\[(.*)\]$/, "$1");
  const version = isIP(literal);
  if (version === 4 || version === 6) return [{ address: literal, family: version }];
  if (signal.aborted) throw codedError("EAI_AGAIN", host);
  const key = `${family} ${host}`;
  let query = underWay.get(key);
  if (!query) {
    query = queryResolver(host, family);
    underWay.set(key, query);
    const forget = () => underWay.delete(key);
    query.then(forget, forget);
  }
  return unlessTooLate(query, host, signal);
}

function queryResolver(host: string, family: 0 | 4 | 6): Promise<ResolvedAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(host, { family, all: true }, (error, found) => {
      if (error) reject(error);
      else if (found.length === 0) reject(codedError("ENOTFOUND", host));
      else resolve(found as ResolvedAddress[]);
    });
  });
}

function unlessTooLate<T>(query: Promise<T>, host: string, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      finish();
      reject(codedError("EAI_AGAIN", host));
    };
    const timer = setTimeout(giveUp, NAME_TIMEOUT_MS);
    signal.addEventListener("abort", giveUp, { once: true });
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    };
    query.finally(finish).then(resolve, reject);
  });
}

/**
 * The value of RES_OPTIONS (resolv.conf(5)) with which glibc gives up inside a run's deadline, which it
 * does not know. By default it asks each server for 5 s, twice, and then all again for the search list:
 * over a minute, in threads that a process cannot leave behind. The user's own options come last and win.
 */
export function resolverOptions(deadlineMs: number, serverCount: number, own = ""): string {
  const budgetSeconds = Math.min(deadlineMs * 0.4, NAME_TIMEOUT_MS) / 1000;
  const servers = Math.max(1, Math.min(serverCount, 3));
  const secondsPerServer = budgetSeconds / (2 * servers);
  const timeout = secondsPerServer >= 4 ? 2 : 1;
  const attempts = Math.max(1, Math.min(Math.floor(secondsPerServer / timeout), 5));
  return `timeout:${timeout} attempts:${attempts} ${own}`.trim();
}

/**
 * Options for `tls.connect`, `https.request` and their kind. Certificates are always verified, whatever
 * NODE_TLS_REJECT_UNAUTHORIZED says. `extraCa` (PEM, one or several certificates) is trusted besides the roots that
 * Node.js would use, those of a system store included.
 */
export function trustOptions(extraCa: string | undefined): object {
  if (extraCa === undefined) return { rejectUnauthorized: true };
  // The option `ca` would replace the default roots, and Node.js 20 has no call that lists a system's.
  const secureContext = createSecureContext();
  secureContext.context.addCACert(extraCa);
  return { rejectUnauthorized: true, secureContext };
}

/** Whether something takes a TCP connection there, within `timeoutMs`. */
export async function takesConnection(host: string, port: number, timeoutMs: number): Promise<boolean> {
  const socket = connect({ host, port, autoSelectFamilyAttemptTimeout: timeoutMs / 4 });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(timeoutMs) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
