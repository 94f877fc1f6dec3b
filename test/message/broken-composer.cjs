"use strict";
// Preloaded: filling in the ssh line fails, for a reason that nobody thought of.
const { replaceAll } = String.prototype;
String.prototype.replaceAll = function (pattern, ...rest) {
  if (pattern === "{ip}") throw new Error("composing is broken");
  return replaceAll.call(this, pattern, ...rest);
};
