"use strict";
// Preloaded into a run: connections fail as on a host without a network, or without one family of it.
// FAIL_CONNECT_CODE is the error; FAIL_CONNECT_FAMILY (4 or 6) and FAIL_CONNECT_PORT narrow it down.
const net = require("node:net");

const { FAIL_CONNECT_CODE: code, FAIL_CONNECT_FAMILY: family, FAIL_CONNECT_PORT: port } = process.env;
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...args) {
  const [options] = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
  const host = String(options.host ?? "").replace(/^\[|\]$/g, "");
  const isMeant =
    options.path === undefined || options.port !== undefined
      ? (!family || String(net.isIP(host) || options.family) === family) && (!port || String(options.port) === port)
      : false;
  if (!isMeant) return connect.apply(this, args);
  const error = Object.assign(new Error(`connect ${code}`), { code, syscall: "connect" });
  const fail = () => this.destroy(error);
  // The system refuses as soon as the address is known: with a name, inside the answer to its look-up.
  if (options.lookup && !net.isIP(host)) options.lookup(host, { all: true }, fail);
  else process.nextTick(fail);
  return this;
};
