"use strict";
// Preloaded into a run: counts the places where it touches the state or the network. FAULT_LOG receives
// their names, one a line; FAULT_ONLY (a pattern) narrows them down. At the FAULT_AT-th, FAULT_CODE=KILL
// kills the process before or after it (FAULT_WHEN); PEER runs the program a second time meanwhile; a
// system error's code makes a file operation fail with it. With FAULT_STAYS it goes on from there.
const { spawnSync } = require("node:child_process");
const { appendFileSync, promises } = require("node:fs");
const net = require("node:net");
const { basename } = require("node:path");

const { FAULT_LOG: log, FAULT_ONLY: only = "", FAULT_CODE: code, FAULT_WHEN: when, FAULT_STAYS: stays } = process.env;
const place = Number(process.env.FAULT_AT);
const pattern = new RegExp(only);
const names = new WeakMap();
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
  const result = call();
  if (typeof result?.then !== "function") die();
  return result.finally(die);
}

async function fail(name, tear) {
  // A disk that fills up takes a part of what is written.
  if (code === "ENOSPC") await tear?.();
  throw Object.assign(new Error(`${code}: injected, ${name}`), { code });
}

for (const name of ["rename", "unlink", "utimes", "mkdir", "stat", "realpath", "readFile", "readdir"]) {
  const original = promises[name];
  promises[name] = (...args) => at(`${name} ${basename(String(args[0]))}`, () => original(...args));
}

const { open } = promises;
promises.open = async (path, flags = "r", ...rest) => {
  const isReading = typeof flags === "number" || flags === "r";
  const handle = await at(`open ${isReading ? "r" : flags} ${basename(path)}`, () => open(path, flags, ...rest));
  const { close } = handle;
  handle.close = () => at(`close ${basename(path)}`, () => close.call(handle));
  names.set(handle, basename(path));
  wrapMethods(Object.getPrototypeOf(handle));
  return handle;
};

let areWrapped = false;
function wrapMethods(prototype) {
  if (areWrapped) return;
  areWrapped = true;
  for (const name of ["read", "readFile", "write", "writeFile", "appendFile", "sync", "datasync", "utimes", "stat"]) {
    const original = prototype[name];
    prototype[name] = function (...args) {
      const tear = /^(write|append)/.test(name)
        ? () => original.call(this, args[0].slice(0, args[0].length / 2), ...args.slice(1))
        : undefined;
      return at(`${name} ${names.get(this)}`, () => original.apply(this, args), tear);
    };
  }
}

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
