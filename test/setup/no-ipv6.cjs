"use strict";
// Preloaded into a run: a machine without IPv6, so that 'init' asks no service on the internet for it.
require("node:os").networkInterfaces = () => ({});
