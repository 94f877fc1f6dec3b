"use strict";
// Preloaded into a run: the name dual.test has both loopback addresses, whatever this machine's resolver knows.
const dns = require("node:dns");

const ADDRESSES = [
  { address: "127.0.0.1", family: 4 },
  { address: "::1", family: 6 },
];
const { lookup } = dns;

dns.lookup = (name, ...rest) => {
  if (name !== "dual.test") return lookup(name, ...rest);
  const done = rest.at(-1);
  const { family = 0, all = false } = rest.length > 1 ? rest[0] : {};
  const found = ADDRESSES.filter((entry) => !family || entry.family === family);
  process.nextTick(() => (all ? done(null, found) : done(null, found[0].address, found[0].family)));
};
