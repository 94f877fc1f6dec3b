"use strict";
// Preloaded into a run: files that it creates take no byte, as on a disk without room.
const fs = require("node:fs/promises");
const { open } = fs;
const refuse = () => Promise.reject(Object.assign(new Error("no space left on device"), { code: "ENOSPC" }));

fs.open = async (path, flags, ...rest) => {
  const file = await open(path, flags, ...rest);
  if (flags !== "r") Object.assign(file, { write: refuse, writeFile: refuse, appendFile: refuse, sync: refuse });
  return file;
};
