import { systemCode } from "../base/errors";
import { ask } from "../lookup/client";

/** A monitor that does not answer by then is not waited for: the run is done. */
const PING_TIMEOUT_MS = 5000;

/**
 * Pings a monitor by Healthchecks' convention: the URL after success, `/fail` appended after failure.
 * Resolves to why it was not heard, or undefined. Never rejects.
 */
export async function pingHeartbeat(url: URL, isSuccess: boolean, userAgent: string): Promise<string | undefined> {
  const target = new URL(url);
  if (!isSuccess) target.pathname = `${target.pathname.replace(/\/$/, "")}/fail`;
  const { signal } = new AbortController();
  try {
    const { status } = await ask(target, { family: 0, timeoutMs: PING_TIMEOUT_MS, userAgent, signal });
    return status < 300 ? undefined : `status ${status}`;
  } catch (error) {
    return systemCode(error) || "unknown error";
  }
}
