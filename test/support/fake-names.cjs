"use strict";
// Preloaded into a run: the names in FAKE_NAMES (JSON, name to addresses) are looked up there, after FAKE_NAMES_MS, as
// if /etc/hosts or a DNS server said so. A name without addresses is never answered, or given up after SILENCE_MS.
// SLOW_ADDRESSES (JSON, address to ms) delays connections; 0 is for ever. The machine is called FAKE_HOSTNAME.
const dns = require("node:dns");
const net = require("node:net");
const os = require("node:os");

const names = JSON.parse(process.env.FAKE_NAMES ?? "{}");
const slow = JSON.parse(process.env.SLOW_ADDRESSES ?? "{}");
const { FAKE_HOSTNAME, FAKE_NAMES_MS = "0", SILENCE_MS } = process.env;
const { lookup } = dns;
const lookupPromise = dns.promises.lookup;
const { connect } = net.Socket.prototype;

function find(name, { family = 0, all = false }, done) {
  const fail = (code) => done(Object.assign(new Error(code), { code }));
  if (names[name].length === 0) return SILENCE_MS && setTimeout(fail, Number(SILENCE_MS), "EAI_AGAIN");
  const found = names[name]
    .map((address) => ({ address, family: net.isIP(address) }))
    .filter((entry) => !family || entry.family === family);
  if (found.length === 0) return fail("ENOTFOUND");
  return all ? done(null, found) : done(null, found[0].address, found[0].family);
}

dns.lookup = (name, ...rest) => {
  if (!(name in names)) return lookup(name, ...rest);
  setTimeout(find, Number(FAKE_NAMES_MS), name, rest.length > 1 ? rest[0] : {}, rest.at(-1));
};
dns.promises.lookup = async (name, options = {}) => {
  if (!(name in names)) return lookupPromise(name, options);
  return new Promise((resolve, reject) => {
    find(name, options, (error, found, family) => {
      if (error) reject(error);
      else resolve(options.all ? found : { address: found, family });
    });
  });
};

net.Socket.prototype.connect = function (...args) {
  const [options] = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
  let address = options.host;
  if (slow[address] === undefined) {
    options.lookup?.(address, {}, (_error, found) => {
      address = found;
    });
  }
  const delay = slow[address];
  if (delay === undefined) return connect.apply(this, args);
  this.connecting = true;
  if (delay > 0) setTimeout(() => this.destroyed || connect.apply(this, args), delay);
  return this;
};

if (FAKE_HOSTNAME) os.hostname = () => FAKE_HOSTNAME;
