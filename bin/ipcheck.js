#!/usr/bin/env node
"use strict";
require("../dist/main.js")
  .main()
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
