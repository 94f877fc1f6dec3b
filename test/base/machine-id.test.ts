import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { machineSeed } from "../../src/commands/host";
import { makeScratch } from "../support/scratch";

const ID = "0123456789abcdef0123456789abcdef";
const card = (mac: string, internal = false) => ({ mac, internal }) as never;
const NO_CARDS = () => ({});

function fileWith(text: string): string {
  const path = join(makeScratch(), "machine-id");
  writeFileSync(path, text);
  return path;
}

test("two machines of one name differ by their machine id", () => {
  const [one, other] = [ID, ID.replace("0", "f")].map((id) => machineSeed("raspberrypi", [fileWith(`${id}\n`)]));
  expect(one).not.toBe(other);
  expect(one).not.toBe(machineSeed("attic", [fileWith(ID)]));
});

test("the second file stands in for the first", () => {
  expect(machineSeed("pi", ["/nowhere/machine-id", fileWith(ID)])).toBe(machineSeed("pi", [fileWith(ID)]));
});

// An image prepared for copying has this word in place of an id.
test.for(["", "uninitialized\n"])("'%s' is no machine id: a hardware address stands in", (text) => {
  const cards = { lo: [card("00:00:00:00:00:00", true)], eth0: [card("b8:27:eb:00:00:01")] };
  expect(machineSeed("pi", [fileWith(text)], () => cards)).toBe("pi b8:27:eb:00:00:01");
});

test("a container's bridge does not move a machine", () => {
  const cards = { eth0: [card("b8:27:eb:00:00:01")] };
  const withBridge = { docker0: [card("02:42:00:00:00:01")], ...cards };
  expect(machineSeed("pi", [], () => withBridge)).toBe(machineSeed("pi", [], () => cards));
});

test("with neither the host name has to do", () => {
  expect(machineSeed("pi", [], NO_CARDS)).toBe("pi");
});
