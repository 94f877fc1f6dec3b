"use strict";
// Run as a program of its own inside a network namespace: a DNS server on UDP port 53 of 127.0.0.1 that
// answers every question for an IPv4 address with 127.0.0.1, and others that take questions and say nothing.
const { createSocket } = require("node:dgram");

for (const host of ["127.0.0.2", "127.0.0.3", "127.0.0.4"]) createSocket("udp4").bind(53, host);
const server = createSocket("udp4").bind(53, "127.0.0.1", () => process.stdout.write("ready\n"));
server.on("message", (question, asker) => {
  let end = 12;
  while (question[end] !== 0) end += question[end] + 1;
  const isA = question.readUInt16BE(end + 1) === 1;
  const head = Buffer.from(question.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2); // A response, without error.
  head.writeUInt16BE(isA ? 1 : 0, 6);
  head.writeUInt32BE(0, 8);
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
  const parts = [head, question.subarray(12, end + 5), ...(isA ? [answer] : [])];
  server.send(Buffer.concat(parts), asker.port, asker.address);
});
