import { runCommand } from "../base/command";
import type { Outcome } from "../state/outbox";
import type { AddressEvent } from "../state/state";

/** Whatever is left of the run's deadline; a hook that takes longer is killed and tried again in the next run. */
const HOOK_TIMEOUT_MS = 30_000;

/** Runs the user's command for one change, told about it through its environment. Never rejects. */
export async function runHook(
  command: string,
  event: AddressEvent,
  { env, redact }: { env: NodeJS.ProcessEnv; redact: (text: string) => string },
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
      // The change and those that were folded into it.
      IPCHECK_COUNT: String(1 + (event.folded ?? 0)),
      ...(event.isUnconfirmed && { IPCHECK_UNCONFIRMED: "1" }),
    },
    timeoutMs: HOOK_TIMEOUT_MS,
  });
  if (failure === undefined) return { ok: true };
  return {
    ok: false,
    isPermanent: false,
    reason: `it ${redact(failure)}`,
    hint: "the next run calls it again; try it by hand with IPCHECK_EVENT, IPCHECK_OLD, IPCHECK_NEW and IPCHECK_FAMILY set",
  };
}
