"use strict";
// Preloaded into a run: NAMES (JSON: name to addresses) is what the resolver knows besides the system's; a name
// without addresses is never answered. SLOW (JSON: address to ms) delays connections; 0 is for ever.
const dns = require("node:dns");
const net = require("node:net");

const names = JSON.parse(process.env.NAMES ?? "{}");
const slow = JSON.parse(process.env.SLOW ?? "{}");
const { lookup } = dns;
const { connect } = net.Socket.prototype;

dns.lookup = (name, options, done) => {
  if (!names[name]) return lookup(name, options, done);
  if (names[name].length === 0) return undefined;
  const found = names[name]
    .map((address) => ({ address, family: net.isIP(address) }))
    .filter(({ family }) => !options.family || family === options.family);
  if (found.length > 0) return setImmediate(done, null, found);
  return setImmediate(done, Object.assign(new Error("ENOTFOUND"), { code: "ENOTFOUND" }));
};

net.Socket.prototype.connect = function (...args) {
  const [options] = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
  let address = options.host;
  options.lookup?.(address, {}, (_error, found) => {
    address = found;
  });
  const delay = slow[address];
  if (delay === undefined) return connect.apply(this, args);
  this.connecting = true;
  if (delay > 0) setTimeout(() => this.destroyed || connect.apply(this, args), delay);
  return this;
};
