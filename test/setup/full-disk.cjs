"use strict";
// Preloaded into a run: files that it creates take no byte, as on a disk without room.
const fs = require("node:fs");
const refuse = () => {
  throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
};

const { openSync, writeFileSync } = fs;
const created = new Set();
fs.openSync = (path, flags, ...rest) => {
  const file = openSync(path, flags, ...rest);
  if (flags === "wx") created.add(file);
  else created.delete(file);
  return file;
};
fs.writeFileSync = (file, ...rest) => (created.has(file) ? refuse() : writeFileSync(file, ...rest));
