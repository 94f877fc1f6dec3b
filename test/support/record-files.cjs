"use strict";
// Preloaded into a run: notes every operation that changes the folder RECORD_BELOW, in order, as lines of JSON in
// RECORD_TO; and when the mail server at RECORD_MAIL_PORT is connected to.
const fs = require("node:fs");
const net = require("node:net");

const { RECORD_BELOW: below, RECORD_TO: log, RECORD_MAIL_PORT: mailPort } = process.env;
const { appendFileSync } = fs;
const note = (operation) => appendFileSync(log, `${JSON.stringify(operation)}\n`);
const isOurs = (path) => typeof path === "string" && (path === below || path.startsWith(`${below}/`));
const open = new Map();

function wrap(name, describe) {
  const original = fs[name];
  fs[name] = (...args) => {
    const result = original(...args);
    const operation = describe(result, ...args);
    if (operation) note(operation);
    return result;
  };
}

const { existsSync } = fs;
const { openSync } = fs;
fs.openSync = (path, flags, ...rest) => {
  const isNew = isOurs(path) && !existsSync(path);
  const file = openSync(path, flags, ...rest);
  if (!isOurs(path)) open.delete(file);
  else open.set(file, path);
  if (isNew) note({ does: "create", path });
  return file;
};
wrap("writeFileSync", (_, file, data) => {
  return open.has(file) && { does: "write", path: open.get(file), data: Buffer.from(data).toString("base64") };
});
wrap("fsyncSync", (_, file) => open.has(file) && { does: "fsync", path: open.get(file) });
wrap("renameSync", (_, from, to) => {
  for (const [file, path] of open) if (path === from) open.set(file, to);
  return isOurs(to) && { does: "rename", from, to };
});
wrap("unlinkSync", (_, path) => isOurs(path) && { does: "unlink", path });
wrap("mkdirSync", (_, path) => isOurs(path) && { does: "mkdir", path });

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const [options] = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
  if (String(options.port) === mailPort) note({ does: "mail" });
  return connect.apply(this, args);
};
