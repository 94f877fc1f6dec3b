import { expect, test } from "vitest";
import { isLoopbackAddress, isLoopbackHost } from "../../src/lookup/address";

test.each([
  ["localhost", true],
  ["LocalHost", true],
  ["localhost.", true],
  ["mail.localhost", true],
  ["ip6-localhost", true],
  ["localhost.localdomain", true],
  ["localhost6.localdomain6", true],
  ["localhost4", true],
  ["127.0.0.1", true],
  ["127.255.0.9", true],
  ["::1", true],
  ["0:0:0:0:0:0:0:1", true],
  ["localhost.example.net", false],
  ["notlocalhost", false],
  ["localhost.localdomain.example.net", false],
  ["127.0.0.1.example.net", false],
  ["127.999.0.1", false],
  ["128.0.0.1", false],
  ["10.0.0.1", false],
  ["::2", false],
  ["", false],
])("this very machine, %s: %s", (name, expected) => expect(isLoopbackHost(name)).toBe(expected));

test.each([
  ["127.0.0.1", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["192.0.2.1", false],
  ["::ffff:192.0.2.1", false],
  ["localhost", false],
])("an address of this very machine, %s: %s", (address, expected) => expect(isLoopbackAddress(address)).toBe(expected));
