import { EXIT_BUG, EXIT_MEANINGS, systemCode } from "../base/errors";
import type { Redact } from "../base/redaction";
import { quote } from "../base/text";
import { localTime } from "../base/time";
import type { RawAnswer } from "../lookup/answer";
import { ask } from "../lookup/client";
import { failureOfConnection } from "../lookup/failures";
import { owedTo } from "../state/outbox";
import type { State } from "../state/state";

/** A monitor that does not answer by then is not waited for: the run is done. */
const PING_TIMEOUT_MS = 10_000;

export interface Ping {
  isSuccess: boolean;
  /** What is known, for the monitor to show: sent by POST; Uptime Kuma gets it as its message, in one line. */
  body: string;
  userAgent: string;
  /** Further TLS options, such as authorities that are trusted. */
  tls?: object | undefined;
  /** Takes the URL's secrets out of what the monitor said. */
  redact: Redact;
}

/**
 * Pings a monitor once. Resolves to why it was not heard, as the end of a sentence that begins with the
 * monitor, or to undefined. Never rejects.
 */
export async function pingHeartbeat(url: URL, ping: Ping): Promise<string | undefined> {
  const isKuma = isKumaPush(url);
  try {
    const answer = await ask(isKuma ? kumaTarget(url, ping) : healthchecksTarget(url, ping), {
      family: 0,
      timeoutMs: PING_TIMEOUT_MS,
      userAgent: ping.userAgent,
      signal: AbortSignal.timeout(2 * PING_TIMEOUT_MS),
      tls: ping.tls,
      body: isKuma ? undefined : ping.body,
    });
    return whyUnheard(answer, isKuma, ping.redact);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EMSGSIZE") return A_PAGE;
    return failureOfConnection(code, { family: 4, now: new Date() }).detail;
  }
}

/**
 * What a monitor is told: a second place to find the address when the mailbox is what failed. No mail address and
 * no server's words, for it is shown to more people than a mail.
 */
export function describeRun(
  exitCode: number,
  { machineName, recipients }: { machineName: string; recipients: readonly string[] },
  state: State | undefined,
): string {
  const recorded = ([4, 6] as const).flatMap((family) => {
    const known = state?.families[family]?.recorded;
    return known ? [{ ...known, family: `IPv${family}` }] : [];
  });
  const since = recorded.map((one) => `${one.since === undefined ? "unknown" : localTime(one.since)} (${one.family})`);
  const owing = recipients.filter((recipient) => state && owedTo(state, recipient).length > 0).length;
  const people = owing === 1 ? "1 recipient has" : `${owing} recipients have`;
  return [
    `name: ${quote(machineName)}`,
    `address: ${recorded.map(({ address, isUnconfirmed }) => `${address}${isUnconfirmed ? " (unconfirmed)" : ""}`).join(", ") || "none yet"}`,
    `since: ${since.join(", ") || "never"}`,
    `owed: ${owing === 0 ? "nothing" : `${people} not been told yet`}`,
    `run: ${EXIT_MEANINGS[exitCode] ?? EXIT_MEANINGS[EXIT_BUG]}`,
  ].join("\n");
}

/** Uptime Kuma's push URL, at the server's root or below a path. */
function isKumaPush({ pathname }: URL): boolean {
  return /\/api\/push\/[^/]+\/?$/.test(pathname);
}

/** The state of things goes in the query; what the copied URL says of it (`status=up&msg=OK&ping=`) is replaced. */
function kumaTarget(url: URL, { isSuccess, body }: Ping): URL {
  const target = new URL(url);
  target.searchParams.set("status", isSuccess ? "up" : "down");
  target.searchParams.set("msg", quote(body.trim().replaceAll("\n", "; ")));
  target.searchParams.set("ping", "");
  return target;
}

/** Healthchecks' convention, which others follow: the URL after success, `/fail` behind its path after failure. */
function healthchecksTarget(url: URL, { isSuccess }: Ping): URL {
  const target = new URL(url);
  if (!isSuccess) target.pathname = `${target.pathname.replace(/\/+$/, "")}/fail`;
  return target;
}

const A_PAGE = "answered with a web page, not as a monitor does";

function whyUnheard({ status, headers, body }: RawAnswer, isKuma: boolean, redact: Redact): string | undefined {
  if (status >= 300 && status < 400) return `redirects elsewhere (${status})`;
  if (status === 404 || status === 410) return `does not know this URL (${status})`;
  if (status < 200 || status >= 300) return `answered with status ${status}`;
  const isOk = readOk(body);
  if (isKuma) return isOk ? undefined : "did not answer as Uptime Kuma does";
  if (isOk === false) return `answered '${quote(redact(body.trim()))}'`;
  if (/html/i.test(String(headers["content-type"])) || /^\s*</.test(body)) return A_PAGE;
  // Healthchecks answers so with status 200 to pings of checks that do not exist, or that come too often.
  const refusal = /^OK \((.+)\)/.exec(body)?.[1];
  return refusal && `answered '${quote(redact(refusal))}'`;
}

/** What a monitor that speaks JSON says of the ping; undefined where it says nothing of the kind. */
function readOk(body: string): boolean | undefined {
  try {
    const ok: unknown = JSON.parse(body)?.ok;
    return typeof ok === "boolean" ? ok : undefined;
  } catch {
    return undefined;
  }
}
