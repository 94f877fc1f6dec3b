import { isDue } from "../base/duration";
import type { IpcheckError } from "../base/errors";
import { explainView, isGood, reasonOf } from "../lookup/explanation";
import type { View } from "../lookup/lookup-result";
import { channelsOf, Telling } from "../notify/dispatch";
import type { World } from "../notify/ports";
import type { CheckRules } from "../notify/rules";
import { owe, tidy, type Waiting } from "../state/outbox";
import { isSpoken, recordFinding } from "../state/recording";
import type { Recollection, State } from "../state/state";

/** What a run came to, as plain data. */
export interface CheckReport {
  startedAt: Date;
  views: View[];
  before: State;
  after: State;
  waiting: Waiting[];
  keptAside: string | undefined;
  /** In the order they are printed; the exit code is taken from them. */
  errors: IpcheckError[];
  /** Errors that count for the exit code but were said less than a day ago. */
  muted: ReadonlySet<IpcheckError>;
}

/** The job: look, compare, record, tell. */
export async function check(rules: CheckRules, world: World): Promise<CheckReport> {
  const recollection = world.recall();
  const keptAside = recollection.condition === "damaged" ? world.keepAside() : undefined;
  const views = await look(rules, world, recollection.state);
  const now = world.now();
  const recorded = record(rules, world, recollection, views, now);

  const run = new Telling(rules, world, recorded, views.some(isGood) ? now : recollection.lastLookAt);
  run.report(lookErrors(rules, recollection.state, views, now));
  const isQuiet = recorded === recollection.state && recollection.condition === "sound";
  if (run.save(isQuiet)) await run.tell();
  return {
    startedAt: now,
    views,
    before: recollection.state,
    after: run.state,
    waiting: run.waiting,
    keptAside,
    errors: run.errors,
    muted: run.muted,
  };
}

function look({ families }: CheckRules, world: World, state: State): Promise<View[]> {
  return Promise.all(
    families.map((family) => {
      const slot = state.families[family];
      return world.look({
        family,
        recorded: slot?.recorded?.address,
        candidate: slot?.candidate,
        rests: state.rests,
      });
    }),
  );
}

function record(rules: CheckRules, world: World, { state, lastLookAt }: Recollection, views: View[], now: Date): State {
  // A home that could be seen in one family was not blind.
  const wasBlind = rules.families.every((family) => state.families[family]?.blind);
  const reportOutageMs = wasBlind ? rules.reportOutageMs : undefined;
  const context = { ...rules, reportOutageMs, now, lastLookAt, createId: () => world.createId() };
  let next = state;
  for (const view of views) next = recordFinding(next, { ...view, reason: reasonOf(view) }, context);
  const newRests = Object.assign({}, ...views.map((view) => view.newRests));
  if (Object.keys(newRests).length > 0) next = { ...next, rests: { ...unexpired(next.rests, now), ...newRests } };
  next = oweHeartbeat(next, rules, world, views, now);
  return tidy(next, channelsOf(rules));
}

function unexpired(rests: State["rests"], now: Date): State["rests"] {
  return Object.fromEntries(Object.entries(rests).filter(([, until]) => new Date(until) > now));
}

// Only with an address that was seen just now: a sign of life must not tell what may be over.
function oweHeartbeat(state: State, rules: CheckRules, world: World, views: View[], now: Date): State {
  const { heartbeatMailMs, recipients } = rules;
  const family = views.find(isGood)?.family;
  const recorded = family && state.families[family]?.recorded;
  if (heartbeatMailMs === undefined || recipients.length === 0 || state.outbox.length > 0 || !recorded) return state;
  const served = recipients.map((channel) => state.channels[channel]?.servedAt ?? recorded.since ?? "");
  const last = served.sort().at(-1) || undefined;
  if (!isDue(last, heartbeatMailMs, now)) return state;
  return owe(state, {
    id: world.createId(),
    kind: "heartbeat",
    family,
    at: now.toISOString(),
    address: recorded.address,
    ...(recorded.since && { oldSince: recorded.since }),
    confirmedBy: recorded.confirmedBy,
    told: [],
  });
}

function lookErrors(rules: CheckRules, before: State, views: View[], now: Date): [IpcheckError, boolean][] {
  return views
    .filter((view) => !isGood(view))
    .map((view) => [
      explainView(view, before.families[view.family]?.recorded?.address),
      isSpoken(before.families[view.family]?.blind, { now, isLoud: rules.isLoud }),
    ]);
}
