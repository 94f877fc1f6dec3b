import type { Redact } from "../base/redaction";
import type { Family } from "../lookup/address";
import { isGood, type LookupResult } from "../lookup/lookup-result";
import type { FailedOutcome, Outcome } from "../state/outbox";
import type { State } from "../state/state";
import { type DeliveryContext, type DeliverySettings, deliver } from "./deliver";
import type { Notice } from "./dispatch";
import { explainSmtp } from "./smtp-errors";
import { type SessionSettings, SmtpSession } from "./smtp-session";

/** How far a conversation with the mail server went; nothing is sent. */
interface MailProbe {
  isConnected: boolean;
  /** Absent on a connection in clear. */
  tls?: { version: string; issuer: string; expiresAt: Date };
  isLoggedIn: boolean;
  failure?: FailedOutcome;
}

/** Connects, encrypts and logs in as for a mail, then hangs up. Never rejects. */
export async function probeMail(settings: SessionSettings, redact: Redact): Promise<MailProbe> {
  const probe: MailProbe = { isConnected: false, isLoggedIn: false };
  const session = new SmtpSession(settings);
  try {
    await session.connect();
    probe.isConnected = true;
    const tls = readTls(session);
    if (tls) probe.tls = tls;
    await session.logIn();
    probe.isLoggedIn = settings.login !== undefined;
  } catch (error) {
    probe.failure = explainSmtp(error, { server: settings.server, redact });
  } finally {
    session.close();
  }
  return probe;
}

function readTls({ tlsSocket }: SmtpSession): MailProbe["tls"] {
  if (!tlsSocket) return undefined;
  const { issuer, valid_to } = tlsSocket.getPeerCertificate();
  const name = issuer?.O ?? issuer?.CN ?? "unknown";
  return {
    version: tlsSocket.getProtocol() ?? "TLS",
    issuer: Array.isArray(name) ? name.join(", ") : name,
    expiresAt: new Date(valid_to),
  };
}

/**
 * Sends the very mail that a change would produce, marked as a test, and writes no state: each recipient with its
 * outcome. @throws what kept the mail from being written in full, after it was sent plainly
 */
export async function* sendTestMail(
  settings: DeliverySettings & { families: readonly Family[]; recipients: readonly string[] },
  { state, lookupResults }: { state: State | undefined; lookupResults: readonly LookupResult[] },
  context: Omit<DeliveryContext, "onBug">,
): AsyncGenerator<[recipient: string, outcome: Outcome]> {
  const bugs: unknown[] = [];
  const notice = testNotice(settings, state, lookupResults, new Date());
  yield* await deliver(notice, settings, { ...context, onBug: (bug) => bugs.push(bug) });
  if (bugs.length > 0) throw bugs[0];
}

/** A notice as of a change to the address believed now, marked as a test; for any address where none was seen. */
export function testNotice(
  { families, recipients }: { families: readonly Family[]; recipients: readonly string[] },
  state: State | undefined,
  lookupResults: readonly LookupResult[],
  now: Date,
): Notice {
  const lookupResult = lookupResults.find(isGood);
  const family = lookupResult?.family ?? families[0] ?? 4;
  const recorded = state?.families[family]?.recorded;
  // Where nothing could be seen the mail path can still be tried.
  const placeholder = family === 4 ? "192.0.2.1" : "2001:db8::1";
  // As a mail about a change has it: over IPv6 another address of the same prefix is none.
  const believed = lookupResult && "address" in lookupResult.decision ? lookupResult.decision.address : undefined;
  const address = believed ?? recorded?.address ?? placeholder;
  return {
    id: `test-${now.getTime().toString(36)}`,
    recipients,
    events: [
      {
        id: "test",
        kind: "test",
        family,
        at: now.toISOString(),
        address,
        ...(recorded && recorded.address !== address && { old: recorded.address }),
        ...(recorded?.since && { oldSince: recorded.since }),
        confirmedBy:
          lookupResult?.responses.flatMap(({ operator, vote }) => ("address" in vote ? [operator] : [])) ?? [],
        told: [],
      },
    ],
  };
}
