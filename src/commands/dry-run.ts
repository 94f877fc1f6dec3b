import type { Dependencies } from "../notify/ports";

/** The same dependencies without effects: looks and reads are real, every effect becomes a line in `plan`. */
export function withoutEffects(dependencies: Dependencies, plan: string[]): Dependencies {
  const say = (line: string) => {
    if (!plan.includes(line)) plan.push(line);
  };
  return {
    ...dependencies,
    quarantine: () => {
      say("keep the unreadable state file aside under a dated name");
      return "(not moved: dry run)";
    },
    save: () => say("write the state file"),
    touch: () => say("note the time of this look on the state file"),
    appendHistory: (events) => say(`append ${events.length} to history.jsonl`),
    mail: async ({ recipients, events }) => {
      const addresses = events.map(({ address }) => address).join(", ");
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
