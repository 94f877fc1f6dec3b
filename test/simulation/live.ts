import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { BrokenPromise, Oracle } from "./oracle";
import { anyStory, describeStory, type Episode, RUNS_A_YEAR, type Story, simplerSettings } from "./story";
import { World } from "./world";

/** How long after the last trouble everybody must have been told. */
const SETTLING_HOURS = 12 * 24;

/** Lives a story, run by run, to its end or to an hour. @throws BrokenPromise */
export async function live(story: Story, until = Number.POSITIVE_INFINITY): Promise<void> {
  const world = new World(story);
  const oracle = new Oracle(world.history);
  const intervalHours = story.settings.intervalMinutes / 60;
  const lastHour = Math.max(5, ...story.episodes.map(({ at, hours }) => at + hours));
  const troubles = [5, ...story.episodes.flatMap(({ at, hours }) => [at, at + hours])].sort((a, b) => a - b);
  let lived = 0;
  for (let run = 0; run < RUNS_A_YEAR; run++) {
    const hour = run * intervalHours;
    if (hour > until) return;
    const seen = await world.live(hour).catch((error) => {
      throw new BrokenPromise(`hour ${hour}: check threw ${error instanceof Error ? error.stack : error}`, hour);
    });
    if (seen) oracle.judge(seen);
    // After a quiet run those up to the next trouble would be the same again: one a day is enough of them.
    if (seen?.isQuiet) {
      const next = Math.min(hour + 24, troubles.find((at) => at > hour) ?? hour + 24);
      run = Math.max(run, Math.ceil(next / intervalHours) - 1);
    }
    if (hour >= lastHour + Math.max(SETTLING_HOURS, 3 * intervalHours)) return oracle.judgeEnd();
    // Abort signals are let go of between tasks only.
    if (lived++ % 100 === 0) await setImmediate();
  }
}

/** Lives years, each from a seed of its own. @throws Error with the seed and the shortest story that breaks a promise */
export async function liveYears(years: number, seed: number): Promise<void> {
  const year = fc.asyncProperty(anyStory, (story) => live(story));
  const { failed, counterexample, errorInstance, numRuns } = await fc.check(year, {
    numRuns: years,
    seed,
    endOnFailure: true,
  });
  const story = counterexample?.[0];
  if (!failed || !story) return;
  const isBroken = errorInstance instanceof BrokenPromise;
  const shortest = isBroken ? await shorten({ story, error: errorInstance }) : { story, error: errorInstance };
  throw new Error(`seed ${seed}, year ${numRuns}: ${shortest.error}\n${describeStory(shortest.story)}`);
}

interface Failure {
  story: Story;
  error: BrokenPromise;
}

/** A year that fails late takes long to shorten; then a longer story has to do. */
const SHORTENING_MS = 20_000;

// fast-check would live every year anew to its end; nothing after the failure matters.
async function shorten(failure: Failure, end = performance.now() + SHORTENING_MS): Promise<Failure> {
  for (const candidate of shorterStories(failure.story, failure.error.hour)) {
    if (performance.now() > end) break;
    const shorter = await findFailure(candidate, failure.error.hour);
    if (shorter) return shorten(shorter, end);
  }
  return failure;
}

async function findFailure(story: Story, until: number): Promise<Failure | undefined> {
  try {
    await live(story, until);
    return undefined;
  } catch (error) {
    return error instanceof BrokenPromise && error.hour <= until ? { story, error } : undefined;
  }
}

function* shorterStories({ settings, episodes }: Story, hour: number): Generator<Story> {
  const early = episodes.filter(({ at }) => at <= hour);
  if (early.length < episodes.length) yield { settings, episodes: early };
  for (let size = Math.ceil(episodes.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let first = 0; first < episodes.length; first += size) {
      yield { settings, episodes: episodes.filter((_, index) => index < first || index >= first + size) };
    }
  }
  for (const simpler of simplerSettings(settings)) yield { settings: simpler, episodes };
  for (const [index, episode] of episodes.entries()) {
    for (const shorter of shorterEpisodes(episode)) {
      yield { settings, episodes: episodes.with(index, shorter).sort((a, b) => a.at - b.at) };
    }
  }
}

function* shorterEpisodes(episode: Episode): Generator<Episode> {
  const { at, hours, n, m } = episode;
  for (const smaller of [1, Math.floor(hours / 2), hours - 1])
    if (smaller >= 1 && smaller < hours) yield { ...episode, hours: smaller };
  for (const smaller of [0, Math.floor(at / 2), at - 24, at - 1])
    if (smaller >= 0 && smaller < at) yield { ...episode, at: smaller };
  for (const smaller of [0, Math.floor(n / 2), n - 1])
    if (smaller >= 0 && smaller < n) yield { ...episode, n: smaller };
  if (m > 0) yield { ...episode, m: m - 1 };
}
