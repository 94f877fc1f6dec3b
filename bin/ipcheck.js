#!/usr/bin/env node
"use strict";
// Only what old versions of Node.js understand: they must run this file to say that they are too old.
var version = process.versions.node.split(".").map(Number);
if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
  process.stderr.write(
    "ipcheck: error: this is Node.js " +
      process.versions.node +
      ", and ipcheck needs 20.19 or newer\n" +
      "ipcheck: hint: install a newer one, or name its path in the schedule's command\n",
  );
  process.exitCode = 1;
} else {
  require("../dist/main.js").start();
}
