import type { Family } from "../lookup/address";
import {
  explainLookup,
  isGood,
  type LookupRequest,
  type LookupResult,
  reasonOf,
  seenAddress,
} from "../lookup/lookup-result";
import { mayOverrideCoolDowns, updateCoolDowns } from "../lookup/services";
import { channelsOf, Dispatch, type DispatchDependencies, type DispatchRules } from "../notify/dispatch";
import { prune } from "../state/outbox";
import { clampServedAt, endedOutage, enqueueHeartbeat, recordLookup } from "../state/recording";
import type { AddressEvent, LoadedState, SaveResult, State } from "../state/state";
import type { Store } from "../state/store";

/** What a run came to, as plain data. */
export interface CheckReport extends Pick<Dispatch, "waiting" | "delivered" | "errors" | "muted" | "bugs"> {
  /** When the looks had ended. */
  lookedAt: Date;
  lookupResults: LookupResult[];
  before: State;
  after: State;
  /** When the last good look was, this run's included. */
  lastLookAt: Date | undefined;
  quarantined: string | undefined;
}

/** What `check` needs of the configuration. */
export interface CheckRules extends DispatchRules {
  families: readonly Family[];
  reportOutageMs: number | undefined;
  heartbeatMailMs: number | undefined;
}

/** Everything `check` needs from the world; for a dry run see `withoutEffects`. */
export interface Dependencies extends DispatchDependencies {
  createId(): string;
  look(request: LookupRequest): Promise<LookupResult>;
  /** @throws IpcheckError `state` where the state must not be used: a newer version's, or one in reach of others */
  load(): LoadedState;
  /** Moves a damaged state file away and returns its new path, where that can be done. */
  quarantine(): string | undefined;
  /** Notes a quiet look without writing content. @throws IpcheckError `state` */
  touch(lastLookAt: Date): void;
  /** Prints events that nobody is mailed, as part of a report or alone. @throws IpcheckError `output` */
  announce(events: readonly AddressEvent[], report: CheckReport): Promise<void>;
}

/** The job: look, compare, record, tell. */
export async function check(rules: CheckRules, dependencies: Dependencies): Promise<CheckReport> {
  const loaded = dependencies.load();
  const quarantined = loaded.condition === "damaged" ? dependencies.quarantine() : undefined;
  const bugs: unknown[] = [];
  const lookupResults = await look(rules, dependencies, loaded.state, bugs);
  const now = dependencies.now();
  const state = record(rules, dependencies, loaded, lookupResults, now);

  const lastLookAt = lookupResults.some(isGood) ? now : loaded.lastLookAt;
  const { state: before, stateOnDisk } = loaded;
  const dispatch = new Dispatch(rules, dependencies, { state, before, stateOnDisk, lastLookAt });
  reportLooks(dispatch, rules, loaded.state, lookupResults);
  if (!(isQuiet(loaded, dispatch.state) && tryTouch(dependencies, lastLookAt))) dispatch.save();
  const kept = dispatch.state;
  await dispatch.tell();
  if (dispatch.state !== kept) dispatch.save();

  const report = (after: State): CheckReport => ({
    lookedAt: now,
    lookupResults,
    before,
    after,
    lastLookAt,
    waiting: dispatch.waiting,
    delivered: dispatch.delivered,
    quarantined,
    errors: dispatch.errors,
    muted: dispatch.muted,
    bugs: [...bugs, ...dispatch.bugs],
  });
  const told = dispatch.state;
  await dispatch.announce((events, after) => dependencies.announce(events, report(after)));
  if (dispatch.state !== told) dispatch.save();
  return report(dispatch.state);
}

function look(
  { families }: CheckRules,
  dependencies: Dependencies,
  state: State,
  bugs: unknown[],
): Promise<LookupResult[]> {
  const lookAt = async (family: Family): Promise<LookupResult> => {
    const familyState = state.families[family];
    try {
      return await dependencies.look({
        family,
        recorded: familyState?.recorded?.address,
        candidate: familyState?.candidate,
        isContradicted: familyState?.isContradicted,
        coolDowns: state.coolDowns,
        mayOverrideCoolDowns: mayOverrideCoolDowns(state, dependencies.now()),
      });
    } catch (error) {
      // A bug in one family must not cost the other family's look.
      bugs.push(error);
      const decision = { kind: "silence" as const };
      return { family, decision, responses: [], requests: 0, newCoolDowns: {}, serverDate: undefined };
    }
  };
  return Promise.all(families.map(lookAt));
}

function record(
  rules: CheckRules,
  dependencies: Dependencies,
  loaded: LoadedState,
  lookupResults: LookupResult[],
  now: Date,
): State {
  const { lastLookAt } = loaded;
  const createId = () => dependencies.createId();
  const outage = endedOutage(loaded.state, { ...rules, lastLookAt, now });
  let next = loaded.state;
  for (const result of lookupResults) {
    const outcome = { ...result, reason: reasonOf(result) };
    next = recordLookup(next, outcome, { now, lastLookAt, outage, createId });
  }
  const coolDowns = lookupResults.map(({ newCoolDowns }) => newCoolDowns);
  next = updateCoolDowns(next, coolDowns, now);
  const seen = lookupResults.find(isGood);
  const address = seen && seenAddress(seen);
  if (seen && address !== undefined && rules.heartbeatMailMs !== undefined) {
    const { family } = seen;
    const intervalMs = rules.heartbeatMailMs;
    next = clampServedAt(next, intervalMs, now);
    const { recipients } = rules;
    next = enqueueHeartbeat(next, { family, address, intervalMs, recipients, now, createId });
  }
  return prune(next, channelsOf(rules));
}

function reportLooks(dispatch: Dispatch, { families }: CheckRules, before: State, lookupResults: LookupResult[]): void {
  for (const family of families) {
    const result = lookupResults.find((one) => one.family === family);
    if (!result || isGood(result)) dispatch.clear(`look ${family}`);
    else dispatch.addError(`look ${family}`, explainLookup(result, before.families[family]?.recorded?.address));
  }
}

function isQuiet({ state, stateOnDisk, condition }: LoadedState, next: State): boolean {
  return next === state && condition === "sound" && stateOnDisk === undefined;
}

function tryTouch(dependencies: Dependencies, lastLookAt: Date | undefined): boolean {
  try {
    if (lastLookAt) dependencies.touch(lastLookAt);
    return true;
  } catch {
    // The caller then saves the state, which reports the reason and falls back to the runtime folder.
    return false;
  }
}

/**
 * The same dependencies without effects: looks and reads are real, every effect becomes a line in
 * `plan`. The store tells without writing what would become of the state and the history.
 */
export function withoutEffects(
  dependencies: Dependencies,
  { previewSave, findHistoryObstacle }: Pick<Store, "previewSave" | "findHistoryObstacle">,
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
      const foreseen = previewSave();
      say(KEPT_IN[foreseen.place]);
      return foreseen;
    },
    touch: () => {
      const foreseen = previewSave();
      if (foreseen.place !== "state file") throw foreseen.error;
      say("note the time of this look on the state file");
    },
    appendHistory: (events) => {
      const foreseen = previewSave();
      const obstacle = foreseen.place === "state file" ? findHistoryObstacle() : foreseen.error;
      if (obstacle) throw obstacle;
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

const KEPT_IN: Record<SaveResult["place"], string> = {
  "state file": "write the state file",
  "runtime folder": "keep the state in the runtime folder until the state file can be written",
  nowhere: "keep the state nowhere: every run would tell the same again",
};
