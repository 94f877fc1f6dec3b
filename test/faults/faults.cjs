"use strict";
// Preloaded into a run: counts the sections where it touches the state or the network. FAULT_LOG receives
// their names, one a line; FAULT_ONLY (a pattern) narrows them down. At the FAULT_AT-th, FAULT_CODE=KILL
// kills the process before or after it (FAULT_WHEN); PEER runs the program a second time meanwhile; a
// system error's code makes a file operation fail with it. With FAULT_STAYS it goes on from there.
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const { basename } = require("node:path");

const { appendFileSync, writeSync } = fs;
const { FAULT_LOG: log, FAULT_ONLY: only = "", FAULT_CODE: code, FAULT_WHEN: when, FAULT_STAYS: stays } = process.env;
const place = Number(process.env.FAULT_AT);
const pattern = new RegExp(only);
const names = new Map();
let count = 0;

const die = () => process.kill(process.pid, "SIGKILL");

function at(name, call, tear) {
  if (!pattern.test(name)) return call();
  if (log) appendFileSync(log, `${name}\n`);
  count++;
  if (!(count === place || (stays && count > place))) return call();
  if (code === "PEER") spawnSync(process.execPath, [process.argv[1]]);
  if (code === "PEER") return call();
  if (code !== "KILL") return fail(name, tear);
  if (when === "before") die();
  try {
    call();
  } finally {
    die();
  }
}

function fail(name, tear) {
  // A disk that fills up takes a part of what is written.
  if (code === "ENOSPC") tear?.();
  throw Object.assign(new Error(`${code}: injected, ${name}`), { code });
}

function wrap(owner, name, nameOf, tear) {
  const deed = name === "native" ? "realpath" : name.replace("Sync", "");
  const original = owner[name];
  owner[name] = (...args) => {
    const what = nameOf(...args);
    if (what === undefined) return original(...args);
    return at(`${deed} ${what}`, () => original(...args), tear && (() => tear(...args)));
  };
}

// What belongs to the state, by path; the configuration and the program itself are read by path too.
const pathName = (path) => (basename(path) === ".env" ? undefined : basename(path));
for (const name of ["renameSync", "unlinkSync", "utimesSync", "mkdirSync", "statSync"]) wrap(fs, name, pathName);
wrap(fs.realpathSync, "native", pathName);

// What is done to an open file goes by the name under which it was opened.
const { openSync } = fs;
fs.openSync = (path, flags, ...rest) => {
  const how = typeof flags !== "number" ? flags : flags & fs.constants.O_APPEND ? "a" : "r";
  const what = pathName(path);
  if (what === undefined) return openSync(path, flags, ...rest);
  const file = at(`open ${how} ${what}`, () => openSync(path, flags, ...rest));
  names.set(file, basename(path));
  return file;
};
const fileName = (file) => names.get(file);
for (const name of ["fstatSync", "readSync", "readFileSync", "futimesSync", "fsyncSync", "closeSync"]) {
  wrap(fs, name, fileName);
}
wrap(fs, "writeFileSync", fileName, (file, text) => writeSync(file, text.slice(0, text.length / 2)));

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const [options] = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
  names.set(this, options.port);
  return at(`connect ${options.port}`, () => connect.apply(this, args));
};

const { write } = net.Socket.prototype;
net.Socket.prototype.write = function (...args) {
  return at(`send ${names.get(this)}`, () => write.apply(this, args));
};

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (...args) {
  return at("listen", () => listen.apply(this, args));
};
