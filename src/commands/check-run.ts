import { isDue } from "../base/duration";
import type { IpcheckError } from "../base/errors";
import { mayOverrideCoolDowns, updateCoolDowns } from "../lookup/cool-down";
import { explainLookup, isGood, reasonOf } from "../lookup/explanation";
import type { LookupResult } from "../lookup/lookup-result";
import { channelsOf, Telling } from "../notify/dispatch";
import type { Dependencies } from "../notify/ports";
import type { CheckRules } from "../notify/rules";
import { type Deferred, enqueue, prune } from "../state/outbox";
import { isSpoken, recordLookup } from "../state/recording";
import type { LoadedState, State } from "../state/state";

/** What a run came to, as plain data. */
export interface CheckReport {
  startedAt: Date;
  lookupResults: LookupResult[];
  before: State;
  after: State;
  waiting: Deferred[];
  quarantined: string | undefined;
  /** In the order they are printed; the exit code is taken from them. */
  errors: IpcheckError[];
  /** Errors that count for the exit code but were said less than a day ago. */
  muted: ReadonlySet<IpcheckError>;
}

/** The job: look, compare, record, tell. */
export async function check(rules: CheckRules, dependencies: Dependencies): Promise<CheckReport> {
  const loaded = dependencies.load();
  const quarantined = loaded.condition === "damaged" ? dependencies.quarantine() : undefined;
  const lookupResults = await look(rules, dependencies, loaded.state);
  const now = dependencies.now();
  const recorded = record(rules, dependencies, loaded, lookupResults, now);

  const run = new Telling(rules, dependencies, recorded, lookupResults.some(isGood) ? now : loaded.lastLookAt);
  run.report(lookErrors(rules, loaded.state, lookupResults, now));
  const isQuiet = recorded === loaded.state && loaded.condition === "sound";
  if (run.save(isQuiet)) await run.tell();
  return {
    startedAt: now,
    lookupResults,
    before: loaded.state,
    after: run.state,
    waiting: run.waiting,
    quarantined,
    errors: run.errors,
    muted: run.muted,
  };
}

function look({ families }: CheckRules, dependencies: Dependencies, state: State): Promise<LookupResult[]> {
  return Promise.all(
    families.map((family) => {
      const familyState = state.families[family];
      return dependencies.look({
        family,
        recorded: familyState?.recorded?.address,
        candidate: familyState?.candidate,
        isContradicted: familyState?.isContradicted,
        coolDowns: state.coolDowns,
        mayOverrideCoolDowns: mayOverrideCoolDowns(state, dependencies.now()),
      });
    }),
  );
}

function record(
  rules: CheckRules,
  dependencies: Dependencies,
  { state, lastLookAt }: LoadedState,
  lookupResults: LookupResult[],
  now: Date,
): State {
  // An outage is a time in which no family could be seen.
  const wasOut = rules.families.every((family) => state.families[family]?.outage);
  const reportOutageMs = wasOut ? rules.reportOutageMs : undefined;
  const context = { ...rules, reportOutageMs, now, lastLookAt, createId: () => dependencies.createId() };
  let next = state;
  for (const lookupResult of lookupResults)
    next = recordLookup(next, { ...lookupResult, reason: reasonOf(lookupResult) }, context);
  next = updateCoolDowns(
    next,
    lookupResults.map(({ newCoolDowns }) => newCoolDowns),
    now,
  );
  next = enqueueHeartbeat(next, rules, dependencies, lookupResults, now);
  return prune(next, channelsOf(rules));
}

// Only with an address that was seen just now: a sign of life must not tell what may be over.
function enqueueHeartbeat(
  state: State,
  rules: CheckRules,
  dependencies: Dependencies,
  lookupResults: LookupResult[],
  now: Date,
): State {
  const { heartbeatMailMs, recipients } = rules;
  const family = lookupResults.find(isGood)?.family;
  const recorded = family && state.families[family]?.recorded;
  if (heartbeatMailMs === undefined || recipients.length === 0 || state.outbox.length > 0 || !recorded) return state;
  const served = recipients.map((channel) => state.channels[channel]?.servedAt ?? recorded.since ?? "");
  const last = served.sort().at(-1) || undefined;
  if (!isDue(last, heartbeatMailMs, now)) return state;
  return enqueue(state, {
    id: dependencies.createId(),
    kind: "heartbeat",
    family,
    at: now.toISOString(),
    address: recorded.address,
    ...(recorded.since && { oldSince: recorded.since }),
    confirmedBy: recorded.confirmedBy,
    told: [],
  });
}

function lookErrors(
  rules: CheckRules,
  before: State,
  lookupResults: LookupResult[],
  now: Date,
): [IpcheckError, boolean][] {
  return lookupResults
    .filter((lookupResult) => !isGood(lookupResult))
    .map((lookupResult) => [
      explainLookup(lookupResult, before.families[lookupResult.family]?.recorded?.address),
      isSpoken(before.families[lookupResult.family]?.outage, { now, isInteractive: rules.isInteractive }),
    ]);
}
