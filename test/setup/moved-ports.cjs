"use strict";
// Preloaded into a run: connections to the ports in MOVED_PORTS (JSON, port to port) go elsewhere on this machine, for
// ports that only root may listen on.
const net = require("node:net");

const moved = JSON.parse(process.env.MOVED_PORTS ?? "{}");
const { connect } = net.Socket.prototype;

net.Socket.prototype.connect = function (...args) {
  const [options, done] = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
  if (!(options.port in moved)) return connect.apply(this, args);
  return connect.call(this, { ...options, port: moved[options.port] }, done ?? undefined);
};
