// Run before the build, whose tools end with a stack on an old Node.js. In the words of old versions, like bin/ipcheck.js.
var wanted = require("./package.json").engines.node.match(/\d+/g).map(Number);
var version = process.versions.node.split(".").map(Number);
if (version[0] < wanted[0] || (version[0] === wanted[0] && version[1] < wanted[1])) {
  process.stderr.write(
    "ipcheck: error: this is Node.js " +
      process.versions.node +
      ", and building ipcheck needs " +
      wanted.join(".") +
      " or newer\n",
  );
  process.exitCode = 1;
}
