"use strict";
// The least a Node.js program can do: one HTTPS request, the answer read to its end.
require("node:https").get(process.argv[2], { agent: false, family: 4 }, (response) => response.resume());
