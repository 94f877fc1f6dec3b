import type { IpcheckError } from "../base/errors";
import type { Dependencies } from "./check-run";

/**
 * The same dependencies without effects: looks and reads are real, every effect becomes a line in
 * `plan`. `findObstacle` tells without writing why the state could not be kept.
 */
export function withoutEffects(
  dependencies: Dependencies,
  findObstacle: () => IpcheckError | undefined,
  plan: string[],
): Dependencies {
  const say = (line: string) => {
    if (!plan.includes(line)) plan.push(line);
  };
  return {
    ...dependencies,
    quarantine: () => {
      say("keep the unreadable state file aside under a dated name");
      return undefined;
    },
    save: () => {
      const error = findObstacle();
      say(error ? "keep the state in the runtime folder until the state file can be written" : "write the state file");
      return error ? { place: "runtime folder", error } : { place: "state file" };
    },
    touch: () => {
      const error = findObstacle();
      if (error) throw error;
      say("note the time of this look on the state file");
    },
    appendHistory: (events) => {
      const error = findObstacle();
      if (error) throw error;
      say(`append ${events.length} to history.jsonl`);
    },
    mail: async ({ recipients, events }) => {
      const addresses = events.map(({ address }) => address).join(", ");
      say(`mail ${addresses} to ${recipients.join(", ")}`);
      return new Map(recipients.map((recipient) => [recipient, { ok: true }]));
    },
    runHook: async ({ address }) => {
      say(`run the command in IPCHECK_ON_CHANGE for ${address}`);
      return { ok: true };
    },
    announce: async (events) => {
      for (const { address } of events) say(`print ${address} on stdout`);
    },
  };
}
