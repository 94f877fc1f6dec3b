"use strict";
// Preloaded into a run: writes what it loaded to LIST_MODULES_TO: files, and Node's own public modules.
const { writeFileSync } = require("node:fs");
const { builtinModules } = require("node:module");

process.on("exit", () => {
  const files = Object.keys(require.cache).filter((path) => !path.includes("/test/"));
  const loaded = new Set(process.moduleLoadList.map((name) => name.replace(/^NativeModule /, "")));
  const builtins = builtinModules.filter((name) => loaded.has(name) && !name.startsWith("_"));
  writeFileSync(process.env.LIST_MODULES_TO, JSON.stringify({ files, builtins }));
});
