import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Deadline } from "../../src/base/deadline";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("the time for looking ends before the run's, and what is left is never negative", () => {
  let now = 5000;
  const deadline = new Deadline(10_000, () => now);
  const at = (ms: number) => {
    vi.advanceTimersByTime(ms - (now - 5000));
    now = 5000 + ms;
    return [deadline.lookSignal.aborted, deadline.signal.aborted, deadline.remainingMs()];
  };
  expect(at(0)).toEqual([false, false, 10_000]);
  expect(at(5999)).toEqual([false, false, 4001]);
  expect(at(6000)).toEqual([true, false, 4000]);
  expect(at(10_000)).toEqual([true, true, 0]);
  expect(at(90_000)).toEqual([true, true, 0]);
});

test("a run that goes on long after its deadline is ended, one that is over is not", () => {
  const onOverrun = vi.fn();
  const over = new Deadline(10_000, () => 0, onOverrun);
  over.clear();
  vi.advanceTimersByTime(1_000_000);
  expect(onOverrun).not.toHaveBeenCalled();
  new Deadline(10_000, () => 0, onOverrun);
  vi.advanceTimersByTime(79_999);
  expect(onOverrun).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(onOverrun).toHaveBeenCalledTimes(1);
});
