"use strict";
// Preloaded into a run: writes the files it loaded to LIST_MODULES_TO, one a line.
const { writeFileSync } = require("node:fs");
process.on("exit", () => {
  const loaded = Object.keys(require.cache).filter((path) => !path.includes("/test/support/"));
  const builtin = process.moduleLoadList.filter((name) =>
    /^NativeModule (internal\/deps\/undici|sqlite|inspector)/.test(name),
  );
  writeFileSync(process.env.LIST_MODULES_TO, [...loaded, ...builtin].join("\n"));
});
