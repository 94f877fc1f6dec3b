"use strict";
// Preloaded: the call to the system that BROKEN_CALL names throws, as in containers and hardened units.
const [module_, name] = process.env.BROKEN_CALL.split(".");
require(module_)[name] = () => {
  throw Object.assign(new Error(`${name} is broken`), { code: "ERR_SYSTEM_ERROR" });
};
