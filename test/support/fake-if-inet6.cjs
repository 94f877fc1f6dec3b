"use strict";
// Preloaded into a run: this machine has the IPv6 addresses of FAKE_IF_INET6 and would ask from FAKE_SOURCE; that the
// first was read is noted in FAKE_IF_INET6_READ.
const { EventEmitter } = require("node:events");
const dgram = require("node:dgram");
const fs = require("node:fs");

const { FAKE_IF_INET6: text, FAKE_SOURCE: source, FAKE_IF_INET6_READ: log } = process.env;
const { appendFileSync, readFileSync } = fs;

fs.readFileSync = (path, ...rest) => {
  if (path !== "/proc/net/if_inet6") return readFileSync(path, ...rest);
  appendFileSync(log, "read\n");
  return text;
};

dgram.createSocket = () => {
  const socket = new EventEmitter();
  return Object.assign(socket, {
    connect: () => process.nextTick(() => socket.emit("connect")),
    address: () => ({ address: source }),
    close: () => undefined,
  });
};
