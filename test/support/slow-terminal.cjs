"use strict";
// Preloaded into a run: after each write to the terminal the program is held up, as on a busy small
// board, so that whoever answers a question at once is faster than the program's next step.
const { write } = process.stderr;

process.stderr.write = function (...args) {
  const result = write.apply(this, args);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  return result;
};
