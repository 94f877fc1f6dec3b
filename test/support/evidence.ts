// What the test servers of this process really said and took, by port: what the oracle judges runs by.

import { domainToASCII } from "node:url";

/** One recipient of a message that the server answered with 250 after the final dot. */
export interface Acceptance {
  recipient: string;
  /** The subject and text of the mail; undefined where the server does not parse it. */
  text: string | undefined;
  at: number;
  /** It has already served as evidence: one message tells one home once. */
  isUsed: boolean;
}

export interface EchoEvidence {
  /** When it was asked, answered or not. */
  asked: number[];
  answers: { status: number; body: string; at: number }[];
  isClosed: boolean;
}

const mailServers = new Map<number, Acceptance[]>();
const echoServers = new Map<number, EchoEvidence>();

/** What the server on this port took; undefined where no server of the tests was started there. */
export const acceptancesAt = (port: number) => mailServers.get(port);
export const answersAt = (port: number) => echoServers.get(port);

/** Registers a mail server; the result is called for each message that it takes, before it answers with 250. */
export function witnessMail(port: number): (recipients: readonly string[], text?: string) => void {
  const taken = mailServers.get(port) ?? [];
  mailServers.set(port, taken);
  return (recipients, text) => {
    const at = performance.now();
    taken.push(...recipients.map((one) => ({ recipient: normalise(one), text, at, isUsed: false })));
  };
}

/** Registers an echo service. */
export function witnessEcho(port: number) {
  const evidence = echoServers.get(port) ?? { asked: [], answers: [], isClosed: false };
  echoServers.set(port, Object.assign(evidence, { isClosed: false }));
  return {
    asked: () => void evidence.asked.push(performance.now()),
    answered: (status: number, body: string) => void evidence.answers.push({ status, body, at: performance.now() }),
    closed: () => {
      evidence.isClosed = true;
    },
  };
}

/** A mail address in one spelling: servers, libraries and people write domains and quotes in several (RFC 5321, 5890). */
export function normalise(address: string): string {
  const at = address.lastIndexOf("@");
  if (at < 0) return address;
  const local = address
    .slice(0, at)
    .replace(/^"(.*)"$/, "$1")
    .replace(/\\(.)/g, "$1");
  return `${local}@${domainToASCII(address.slice(at + 1)).toLowerCase()}`;
}
