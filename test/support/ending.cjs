"use strict";
// Preloaded into a run: ENDING says what keeps it from ending, or what node it is.
//   handle: something that nobody closes holds the event loop;
//   never: what the run waits for never comes, and nothing else does either;
//   overrun: the same, with something that holds the event loop; long timers fire early;
//   old: this is Node.js 18.
const how = process.env.ENDING;
const { setTimeout: setTimer } = globalThis;

if (how === "handle") setInterval(() => undefined, 1000);
if (how === "old") Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.19.1" } });
if (how === "never" || how === "overrun") {
  const http = require("node:http");
  const { EventEmitter } = require("node:events");
  // A request that neither answers nor fails, and that knows no time-out.
  http.request = () => Object.assign(new EventEmitter(), { end: () => undefined, destroy: () => undefined });
  // No other time-out comes.
  globalThis.setTimeout = (call, ms, ...args) =>
    how === "overrun" && ms > 60_000 ? setTimer(call, 500, ...args) : setTimer(() => undefined, 0);
  AbortSignal.timeout = () => new AbortController().signal;
  if (how === "overrun") setInterval(() => undefined, 1000);
}
