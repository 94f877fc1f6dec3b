import { runCommand } from "../base/command";
import type { Redact } from "../base/redaction";
import type { Outcome } from "../state/outbox";
import type { AddressEvent } from "../state/state";
import { composeMessage, type MessageFacts } from "./message/compose";

/** Not part of the run's deadline. A hook that takes longer is killed and tried again in the next run. */
const HOOK_TIMEOUT_MS = 30_000;

/** A push service takes about as much (ntfy: 4096 bytes), and the kernel bounds what a command gets (E2BIG). */
const MAX_TEXT_BYTES = 3500;

interface HookContext {
  env: NodeJS.ProcessEnv;
  redact: Redact;
  /** For the subject and text of the mail about this change, without what makes it long. */
  facts: Omit<MessageFacts, "hostKeys" | "history">;
  /** Told why the text had to be written plainly. */
  onBug: (bug: unknown) => void;
}

/** Runs the user's command for one change, told about it through its environment. Never rejects. */
export async function runHook(command: string, event: AddressEvent, context: HookContext): Promise<Outcome> {
  // Nothing of our configuration goes with it: it holds the password.
  const inherited = Object.entries(context.env).filter(([name]) => !/^(IPCHECK_|CREDENTIALS_DIRECTORY$)/i.test(name));
  const message = composeMessage([event], { ...context.facts, hostKeys: [], history: [] }, context.onBug);
  const { failure } = await runCommand(command, {
    env: {
      ...Object.fromEntries(inherited),
      IPCHECK_EVENT: event.kind,
      IPCHECK_OLD: event.old ?? "",
      IPCHECK_NEW: event.address,
      IPCHECK_FAMILY: String(event.family),
      // The change and those that were folded into it.
      IPCHECK_COUNT: String(1 + (event.folded ?? 0)),
      IPCHECK_SUBJECT: cut(message.subject),
      IPCHECK_TEXT: cut(message.text),
      ...(event.isUnconfirmed && { IPCHECK_UNCONFIRMED: "1" }),
    },
    timeoutMs: HOOK_TIMEOUT_MS,
  });
  if (failure === undefined) return { ok: true };
  return {
    ok: false,
    isPermanent: false,
    reason: `it ${context.redact(failure)}`,
    hint: "the next run calls it again; try it by hand with IPCHECK_EVENT, IPCHECK_OLD, IPCHECK_NEW and IPCHECK_FAMILY set",
  };
}

function cut(text: string): string {
  const bytes = Buffer.from(text.trim());
  if (bytes.length <= MAX_TEXT_BYTES) return text.trim();
  const start = bytes.subarray(0, MAX_TEXT_BYTES).toString();
  // The last character may have been cut in two.
  return `${start.replace(/\uFFFD+$/, "")}…`;
}
