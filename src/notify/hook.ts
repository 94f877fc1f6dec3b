import { runCommand } from "../base/command";
import type { Outcome } from "../state/outbox";
import type { AddressEvent } from "../state/state";

/** A hook that takes longer is killed and tried again in the next run. */
const HOOK_TIMEOUT_MS = 30_000;

/** Runs the user's command for one change, told about it through its environment. Never rejects. */
export async function runHook(
  command: string,
  event: AddressEvent,
  { env, signal, redact }: { env: NodeJS.ProcessEnv; signal: AbortSignal; redact: (text: string) => string },
): Promise<Outcome> {
  // Nothing of our configuration goes with it: it holds the password.
  const inherited = Object.entries(env).filter(([name]) => !/^(IPCHECK_|CREDENTIALS_DIRECTORY$)/i.test(name));
  const { failure } = await runCommand(command, {
    env: {
      ...Object.fromEntries(inherited),
      IPCHECK_EVENT: event.kind,
      IPCHECK_OLD: event.old ?? "",
      IPCHECK_NEW: event.address,
      IPCHECK_FAMILY: String(event.family),
    },
    timeoutMs: HOOK_TIMEOUT_MS,
    signal,
  });
  if (failure === undefined) return { ok: true };
  return {
    ok: false,
    isPermanent: false,
    reason: `it ${redact(failure)}`,
    hint: "the next run calls it again; try it by hand with IPCHECK_EVENT, IPCHECK_OLD, IPCHECK_NEW and IPCHECK_FAMILY set",
  };
}
