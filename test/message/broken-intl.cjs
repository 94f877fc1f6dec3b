"use strict";
// Preloaded: a Node.js that was built without Intl, or whose ICU data are missing.
delete globalThis.Intl;
