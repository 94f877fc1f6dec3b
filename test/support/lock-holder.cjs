"use strict";
// Takes the lock of a state with the code bundled at argv[2], says how that went, and keeps it until stdin ends.
// With `rounds` it takes it again and again instead, and says how often it was alone and how often it was not.
const { closeSync, mkdirSync, openSync, renameSync, rmSync, unlinkSync } = require("node:fs");
const { createServer } = require("node:net");
const { join } = require("node:path");

const [, , bundle, path, platform, deadlineMs, rounds] = process.argv;
const { takeLock } = require(bundle);
const options = { uid: process.getuid(), platform, deadlineMs: Number(deadlineMs) };

async function hold() {
  const { release, problem } = await takeLock(path, options);
  console.log(JSON.stringify({ problem }));
  process.stdin.resume().on("end", release);
}

async function compete() {
  let alone = 0;
  let together = 0;
  for (let round = 0; round < Number(rounds); round++) {
    const lock = await takeLock(path, options).catch((error) => {
      if (error.code !== "locked") throw error;
    });
    if (!lock) continue;
    try {
      closeSync(openSync(`${path}.critical`, "wx"));
      await new Promise(setImmediate);
      unlinkSync(`${path}.critical`);
      alone++;
    } catch {
      together++;
    }
    await lock.release();
    if (round % 2 === 0) await leaveDead(`${path}.lock`);
  }
  console.log(JSON.stringify({ alone, together }));
}

/** What a holder that is killed leaves behind: its folder, with a socket that nobody listens on. */
async function leaveDead(folder) {
  const own = `${folder}-dead${process.pid}`;
  mkdirSync(own);
  const server = createServer();
  await new Promise((resolve) => server.listen(join(own, "a"), resolve));
  renameSync(join(own, "a"), join(own, `b${process.pid}`));
  server.close();
  try {
    renameSync(own, folder);
  } catch {
    rmSync(own, { recursive: true });
  }
}

(rounds ? compete() : hold()).catch((error) => {
  console.log(JSON.stringify({ error: error.message, hint: error.hint, code: error.code }));
});
