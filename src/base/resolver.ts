import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

export interface ResolvedAddress {
  address: string;
  family: 4 | 6;
}

/** Looks a name up as the rest of the system does (getaddrinfo). Rejects with an Error that has a `code`. */
export async function resolveHost(
  host: string,
  { family = 0, signal }: { family?: 0 | 4 | 6; signal: AbortSignal },
): Promise<ResolvedAddress[]> {
  const literal = isIP(host);
  if (literal !== 0) return [{ address: host, family: literal === 4 ? 4 : 6 }];
  const aborted = new Promise<never>((_, reject) => {
    const abort = () => reject(Object.assign(new Error("aborted"), { code: "EABORT" }));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  const found = await Promise.race([aborted, lookup(host, { family, all: true })]);
  return found.map((one) => ({ address: one.address, family: one.family === 4 ? 4 : 6 }));
}
