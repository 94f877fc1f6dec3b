import { expect, test } from "vitest";
import * as read from "../../src/config/readers";

/** The value, or `undefined` with something that was expected instead. */
function valueIn<T>(reader: read.Read<T>, text: string, home: string | undefined = "/home/pi"): T | undefined {
  const platform = home?.startsWith("C:") ? "win32" : "linux";
  const result = reader(text, { platform, home });
  if ("value" in result) return result.value;
  expect(result.expected).toMatch(/^.*[^.\s]$/);
  return undefined;
}

test.each([
  ["1", 1],
  ["587", 587],
  ["65535", 65_535],
  ["0", undefined],
  ["65536", undefined],
  ["100000", undefined],
  ["-1", undefined],
  ["587.0", undefined],
  ["0x24b", undefined],
  ["5e2", undefined],
  [" 587", undefined],
  ["smtp", undefined],
  ["", undefined],
])("port %j: %s", (text, expected) => expect(valueIn(read.port, text)).toBe(expected));

test.each([
  ["1", 1],
  ["64", 64],
  ["128", 128],
  ["0", undefined],
  ["129", undefined],
  ["/64", undefined],
  ["64.5", undefined],
])("prefix length %j: %s", (text, expected) => expect(valueIn(read.prefixLength, text)).toBe(expected));

test.each([
  ["1s", 1000],
  ["5m", 300_000],
  ["0s", undefined],
  ["301s", undefined],
  ["5", undefined],
])("a duration from 1s to 5m, %j: %s", (text, expected) => {
  expect(valueIn(read.durationWithin(1000, 300_000), text)).toBe(expected);
});

test.each([
  ["4", [4]],
  ["6", [6]],
  ["both", [4, 6]],
  ["46", undefined],
  ["Both", undefined],
])("families %j: %j", (text, expected) => expect(valueIn(read.families, text)).toEqual(expected));

// Found on the prototype of the table: IPCHECK_FAMILY=constructor is taken for a list of families.
test("families are not what every object has", () => {
  for (const text of ["constructor", "toString", "__proto__"]) expect(valueIn(read.families, text)).toBeUndefined();
});

test.each(["", "TLS", "FR", "ssl", "tls ", "xx"])("no choice: %j", (text) => {
  expect([valueIn(read.security, text), valueIn(read.language, text)]).toEqual([undefined, undefined]);
});

test.each([
  ["smtp.gmail.com", true],
  ["smtp.gmail.com.", true],
  ["localhost", true],
  ["my_nas.local", true],
  ["127.0.0.1", true],
  ["::1", true],
  ["2001:db8::25", true],
  ["smtp.gmail.com:587", false],
  ["[::1]", false],
  ["smtps://smtp.gmail.com", false],
  ["smtp gmail", false],
  ["-smtp.example.net", false],
  ["smtp..example.net", false],
  [".", false],
  ["", false],
  ["a".repeat(254), false],
  ["smtp.gmail.com\n", false],
])("host %j: %s", (text, isHost) => expect(valueIn(read.host, text)).toBe(isHost ? text : undefined));

test.each([
  ["a@example.net", true],
  ["first.last+tag@sub.example.co.uk", true],
  ["o'neill@example.net", true],
  ["rené@exämple.fr", true],
  ["root@localhost", true],
  ["a", false],
  ["@example.net", false],
  ["a@", false],
  ["a@b@example.net", false],
  ["a b@example.net", false],
  ["<a@example.net>", false],
  ["A <a@example.net>", false],
  ["a@example.net,b@example.net", false],
  ["a@example.net\r\nBcc: b@example.net", false],
  ["a@-example.net", false],
  ["a@example.net.", false],
  [`${"a".repeat(65)}@example.net`, false],
  ['"a b"@example.net', false],
])("mail address %j: %s", (text, expected) => expect(read.isMailAddress(text)).toBe(expected));

test.each([
  ["", []],
  ["a@example.net", ["a@example.net"]],
  [" a@example.net ,b@example.net, ", ["a@example.net", "b@example.net"]],
  ["a@example.net,a@example.net", ["a@example.net"]],
  ["a@example.net;b@example.net", undefined],
  ["a@example.net b@example.net", undefined],
  ["a@example.net, b", undefined],
])("mail addresses %j: %j", (text, expected) => expect(valueIn(read.mailAddresses, text)).toEqual(expected));

test.each([
  ["", 0],
  ["192.0.2.0/24", 1],
  ["192.0.2.0/24, 2001:db8::/32,10.0.0.1", 3],
  ["192.0.2.0/33", undefined],
  ["192.0.2.0/24 10.0.0.1", undefined],
  ["home", undefined],
])("%j are %s ranges", (text, expected) => expect(valueIn(read.cidrs, text)?.length).toBe(expected));

test.each([
  ["https://a.example/", ["https://a.example/"]],
  ["https://a.example, http://b.example/ip?x=1", ["https://a.example/", "http://b.example/ip?x=1"]],
  ["https://[2001:db8::1]:8443/", ["https://[2001:db8::1]:8443/"]],
  ["", undefined],
  [",", undefined],
  ["a.example", undefined],
  ["ftp://a.example", undefined],
  ["file:///etc/passwd", undefined],
  ["javascript:alert(1)", undefined],
  ["https://", undefined],
  ["https://a.example,b.example", undefined],
])("services %j: %j", (text, expected) => {
  expect(valueIn(read.serviceUrls, text)?.map(({ href }) => href)).toEqual(expected);
});

test.each([
  ["https://hc.example/uuid", "https://hc.example/uuid"],
  ["hc.example/uuid", undefined],
  ["mailto:a@example.net", undefined],
  ["", undefined],
])("web address %j: %s", (text, expected) => expect(valueIn(read.webUrl, text)?.href).toBe(expected));

test.each([
  ["ssh pi@{ip}", true],
  ["ssh -p 2222 pi@{ip} # home", true],
  ["ssh pi@home", false],
  ["ssh pi@{IP}", false],
  ["", false],
])("ssh line %j: %s", (text, isLine) => expect(valueIn(read.sshLine, text)).toBe(isLine ? text : undefined));

test.each([
  ["/home/pi", "/var/a", "/var/a"],
  ["/home/pi", "~/a/b", "/home/pi/a/b"],
  ["/home/pi", "a", undefined],
  ["/home/pi", "./a", undefined],
  ["/home/pi", "~", undefined],
  ["/home/pi", "~root/a", undefined],
  ["/home/pi", "C:\\a", undefined],
  ["", "~/a", undefined],
  ["", "/a", "/a"],
  ["C:\\Users\\pi", "D:\\a", "D:\\a"],
  ["C:\\Users\\pi", "~/a", "C:\\Users\\pi\\a"],
  ["C:\\Users\\pi", "a\\b", undefined],
])("path with the home %s: %j is %s", (home, text, expected) => {
  expect(valueIn(read.path, text, home)).toBe(expected);
});

test.each([
  ["off", { value: undefined }],
  ["3h", { value: 10_800_000 }],
  ["no", { expected: "a duration like 90s, 15m, 3h or 30d, or off" }],
])("a duration that can be switched off, %j: %j", (text, expected) => {
  expect(read.durationOrOff(text)).toEqual(expected);
});
