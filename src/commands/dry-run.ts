import type { World } from "../notify/ports";

/** The same world with its hands tied: looks and reads are real, every effect becomes a line in `plan`. */
export function withoutEffects(world: World, plan: string[]): World {
  const say = (line: string) => {
    if (!plan.includes(line)) plan.push(line);
  };
  return {
    ...world,
    keepAside: () => {
      say("keep the unreadable state file aside under a dated name");
      return "(not moved: dry run)";
    },
    remember: () => say("write the state file"),
    touch: () => say("note the time of this look on the state file"),
    appendHistory: (occurrences) => say(`append ${occurrences.length} to history.jsonl`),
    mail: async ({ recipients, occurrences }) => {
      const addresses = occurrences.map(({ address }) => address).join(", ");
      say(`mail ${addresses} to ${recipients.join(", ")}`);
      return new Map(recipients.map((recipient) => [recipient, { ok: true }]));
    },
    runHook: async ({ address }) => {
      say(`run the command in IPCHECK_ON_CHANGE for ${address}`);
      return { ok: true };
    },
    announce: async ({ address }) => say(`print ${address} on stdout`),
  };
}
