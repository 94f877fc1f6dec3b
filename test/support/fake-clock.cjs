"use strict";
// Preloaded into a run: its wall clock begins at FAKE_CLOCK_NOW and goes on from there.
// Timers and performance.now stay real, as they do when NTP sets the time.
const RealDate = Date;
const offset = RealDate.parse(process.env.FAKE_CLOCK_NOW) - RealDate.now();

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + offset);
    else super(...args);
  }

  static now() {
    return RealDate.now() + offset;
  }
};
