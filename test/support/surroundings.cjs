"use strict";
// Preloaded into a run: the machine is called FAKE_HOSTNAME, and the names in NAMES (JSON: name to addresses) are
// looked up there, after NAMES_MS; where a name has none, the system gives up after SILENT_MS.
const dns = require("node:dns");
const os = require("node:os");
const { isIP } = require("node:net");

const names = JSON.parse(process.env.NAMES ?? "{}");
const { lookup } = dns;
const { hostname } = os;

os.hostname = () => process.env.FAKE_HOSTNAME ?? hostname();

dns.lookup = (name, options, done) => {
  if (!names[name]) return lookup(name, options, done);
  if (names[name].length === 0) {
    const silence = Object.assign(new Error("EAI_AGAIN"), { code: "EAI_AGAIN" });
    return setTimeout(done, Number(process.env.SILENT_MS), silence);
  }
  const found = names[name]
    .map((address) => ({ address, family: isIP(address) }))
    .filter(({ family }) => !options.family || family === options.family);
  return setTimeout(done, Number(process.env.NAMES_MS ?? 0), null, found);
};
