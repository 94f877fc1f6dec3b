import { composeMessage, type MailMessage, type MessageFacts } from "../../src/notify/message/compose";
import { LANGUAGES, type Language } from "../../src/notify/message/languages";
import type { AddressEvent } from "../../src/state/state";

const [HOME, MOVED, OTHER] = ["203.0.113.7", "203.0.113.99", "198.51.100.23"] as const;
const SIX = "2001:db8:1234:5678:90ab:cdef:1234:5678";
/** The night of the examples, and the end of July in Paris, when the address before was new. */
const NOW = "2026-09-09T03:12:00.000Z";
const JULY = "2026-07-31T00:00:00.000Z";

function event(kind: AddressEvent["kind"], address: string, rest: Partial<AddressEvent>): AddressEvent {
  const id = [kind, rest.family ?? 4, rest.at ?? NOW].join(" ");
  return { id, kind, family: 4, at: NOW, address, confirmedBy: ["ipify", "deSEC", "nnev.de"], told: [], ...rest };
}

const CHANGE = { old: HOME, oldSince: JULY };
const BACK = event("back", HOME, { ...CHANGE, outageSince: "2026-09-08T00:00:00.000Z" });

/** One mail of every kind: the events that it tells. */
export const KINDS: Readonly<Record<string, AddressEvent[]>> = {
  first: [event("first", HOME, { at: "2026-09-09T03:00:00.000Z" })],
  change: [event("change", MOVED, CHANGE)],
  several: [
    event("change", MOVED, { ...CHANGE, at: "2026-08-30T03:12:00.000Z" }),
    event("change", OTHER, { at: "2026-09-04T03:12:00.000Z", old: MOVED, folded: 4 }),
    event("change", SIX, {
      family: 6,
      at: "2026-09-05T00:00:00.000Z",
      old: "2001:db8::1",
      oldSince: "2026-06-03T00:00:00.000Z",
    }),
    event("change", MOVED, { old: OTHER, outageSince: "2026-09-09T00:00:00.000Z" }),
  ],
  unconfirmed: [event("change", MOVED, { ...CHANGE, confirmedBy: ["ipify"], isUnconfirmed: true })],
  back: [BACK],
  heartbeat: [event("heartbeat", HOME, { oldSince: JULY })],
  test: [event("test", MOVED, CHANGE)],
  returned: [
    event("change", OTHER, { at: "2026-09-08T22:40:00.000Z", old: MOVED, oldSince: JULY }),
    event("change", MOVED, { old: OTHER, oldSince: "2026-09-08T22:40:00.000Z" }),
  ],
  mixed: [BACK, event("change", SIX, { family: 6, old: "2001:db8:4321:8765:90ab:cdef:1234:5678", oldSince: JULY })],
  interrupted: [
    event("back", HOME, { ...CHANGE, at: "2026-09-06T03:12:00.000Z", outageSince: "2026-09-05T21:12:00.000Z" }),
    event("back", HOME, {
      ...CHANGE,
      at: "2026-09-08T12:12:00.000Z",
      outageSince: "2026-09-08T10:12:00.000Z",
      folded: 3,
    }),
    event("back", HOME, { ...CHANGE, outageSince: "2026-09-09T01:12:00.000Z" }),
  ],
  unwatched: [event("change", MOVED, { ...CHANGE, outageSince: "2026-09-02T03:12:00.000Z", isUnwatched: true })],
};

/** Every kind in every language, for `test.each`. */
export const EACH_MESSAGE = Object.keys(KINDS).flatMap((kind) => LANGUAGES.map((language) => ({ kind, language })));

export function factsIn(language: Language): MessageFacts {
  return {
    language,
    machineName: "grange",
    sshLine: "ssh -p 2222 pi@{ip}",
    hostName: "raspberrypi",
    version: "1.0.0",
    timeZone: "Europe/Paris",
    now: new Date("2026-09-09T03:18:00.000Z"),
    hostKeys: [
      { type: "ED25519", fingerprint: "SHA256:uNiVztksCsDhcc0u9e8BrrD3mAYXPR5KuBuYgpWVDtQ" },
      { type: "RSA", fingerprint: "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM" },
    ],
    history: [
      { family: 4, at: "2026-06-01T00:00:00.000Z", address: "192.0.2.44" },
      { family: 4, at: "2026-07-02T02:00:00.000Z", address: "198.51.100.200" },
      { family: 4, at: JULY, address: HOME },
      { family: 4, at: NOW, address: MOVED },
    ],
  };
}

export function composeExample(kind: string, language: Language, facts: Partial<MessageFacts> = {}): MailMessage {
  return compose(KINDS[kind] ?? [], { ...factsIn(language), ...facts });
}

/** A mail that can be composed, and is: a bug is thrown. */
export function compose(events: readonly AddressEvent[], facts: MessageFacts): MailMessage {
  return composeMessage(events, facts, (bug) => {
    throw bug;
  });
}
