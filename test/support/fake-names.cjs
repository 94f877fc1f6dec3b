"use strict";
// Preloaded into a run: the names in FAKE_NAMES (JSON, name to addresses) are looked up there, as if /etc/hosts or a
// DNS server said so.
const dns = require("node:dns");
const { isIP } = require("node:net");

const names = JSON.parse(process.env.FAKE_NAMES ?? "{}");
const { lookup } = dns;
const lookupPromise = dns.promises.lookup;

function find(name, { family = 0 }) {
  return names[name]
    .map((address) => ({ address, family: isIP(address) }))
    .filter((entry) => !family || entry.family === family);
}

dns.lookup = (name, ...rest) => {
  if (!(name in names)) return lookup(name, ...rest);
  const done = rest.at(-1);
  const options = rest.length > 1 ? rest[0] : {};
  const found = find(name, options);
  process.nextTick(() => (options.all ? done(null, found) : done(null, found[0].address, found[0].family)));
};
dns.promises.lookup = async (name, options = {}) => {
  if (!(name in names)) return lookupPromise(name, options);
  return options.all ? find(name, options) : find(name, options)[0];
};
