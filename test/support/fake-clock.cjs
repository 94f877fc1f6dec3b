"use strict";
// Preloaded into a run: its wall clock begins at FAKE_CLOCK_NOW and goes on from there, or stands still with
// FAKE_CLOCK_STANDS: seconds that are printed must not depend on how busy the machine is.
// Timers and performance.now stay real, as they do when NTP sets the time. The machine has been running for a month, or
// for FAKE_UPTIME seconds.
const os = require("node:os");

os.uptime = () => Number(process.env.FAKE_UPTIME ?? 30 * 86_400);

const RealDate = Date;
const start = RealDate.now();
const begin = RealDate.parse(process.env.FAKE_CLOCK_NOW);
const now = () => (process.env.FAKE_CLOCK_STANDS ? begin : begin + RealDate.now() - start);

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(now());
    else super(...args);
  }

  static now() {
    return now();
  }
};
