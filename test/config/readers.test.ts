import { expect, test } from "vitest";
import * as read from "../../src/config/readers";
import { parseCidr } from "../../src/lookup/address";

type Row = [what: string, reader: read.Read<unknown>, accepted: Record<string, unknown>, refused: string[]];

const asGiven = (...texts: string[]) => Object.fromEntries(texts.map((text) => [text, text]));
const durationWithin = read.durationWithin(1000, 300_000);

test.each<Row>([
  [
    "a port",
    read.port,
    { 1: 1, 587: 587, 65535: 65_535 },
    ["0", "65536", "100000", "-1", "587.0", "0x24b", "5e2", " 587", "smtp", ""],
  ],
  ["a prefix length", read.prefixLength, { 1: 1, 64: 64, 128: 128 }, ["0", "129", "/64", "64.5"]],
  ["a duration from 1s to 5m", durationWithin, { "1s": 1000, "5m": 300_000 }, ["0s", "301s", "5"]],
  ["a duration or off", read.durationOrOff, { off: undefined, "3h": 10_800_000 }, ["no", "0", "Off"]],
  // What every object has is no list of families.
  ["families", read.families, { 4: [4], 6: [6], both: [4, 6] }, ["46", "Both", "constructor", "__proto__"]],
  ["security", read.security, asGiven("tls", "starttls", "none"), ["", "TLS", "ssl", "tls "]],
  ["a language", read.language, asGiven("en", "fr"), ["", "FR", "xx"]],
  [
    "a host",
    read.host,
    asGiven(..."smtp.gmail.com smtp.gmail.com. localhost my_nas.local 127.0.0.1 ::1 2001:db8::25".split(" ")),
    [
      ..."smtp.gmail.com:587 [::1] smtps://smtp.gmail.com -smtp.example.net smtp..example.net .".split(" "),
      ...["", "smtp gmail", "smtp.gmail.com\n", "a".repeat(254)],
    ],
  ],
  [
    "a mail address",
    read.mailAddress,
    {
      ...asGiven(..."a@example.net first.last+tag@sub.example.co.uk o'neill@example.net root@localhost".split(" ")),
      "rosé@Exämple.fr": "rosé@xn--exmple-cua.fr",
      "dad@ＯＲＡＮＧＥ.example": "dad@orange.example",
      "dad@faß.example": "dad@xn--fa-hia.example",
      "dad@例え.テスト": "dad@xn--r8jz45g.xn--zckzah",
      "root@123": "root@123",
    },
    [
      ..."a @example.net a@ a@b@example.net <a@example.net> a@example.net,b@example.net a@-example.net".split(" "),
      ...["a@example.net.", "a b@example.net", "A <a@example.net>", "a@example.net\r\nBcc: b@example.net"],
      ...[`${"a".repeat(65)}@example.net`, '"a b"@example.net'],
    ],
  ],
  [
    "mail addresses",
    read.mailAddresses,
    {
      "": [],
      " a@example.net ,b@example.net, ": ["a@example.net", "b@example.net"],
      "Me@Example.NET,me@example.net,Me@example.net": ["Me@example.net", "me@example.net"],
      "dad@münchen.example,dad@MÜNCHEN.example,dad@xn--mnchen-3ya.example": ["dad@xn--mnchen-3ya.example"],
    },
    ["a@example.net;b@example.net", "a@example.net b@example.net", "a@example.net, b"],
  ],
  [
    "address ranges",
    read.cidrs,
    {
      "": [],
      "192.0.2.0/24, 2001:db8::/32,10.0.0.1": ["192.0.2.0/24", "2001:db8::/32", "10.0.0.1"].map(parseCidr),
    },
    ["192.0.2.0/33", "192.0.2.0/24 10.0.0.1", "home"],
  ],
  [
    "services",
    read.serviceUrls,
    {
      "https://a.example, http://b.example/ip?x=1": ["https://a.example/", "http://b.example/ip?x=1"].map(toUrl),
      "https://[2001:db8::1]:8443/": [toUrl("https://[2001:db8::1]:8443/")],
    },
    [
      ..."a.example ftp://a.example file:///etc/passwd javascript:alert(1) https:// https://a.example,b.example".split(
        " ",
      ),
      ...["", ","],
    ],
  ],
  [
    "a web address",
    read.webUrl,
    { "https://hc.example/uuid": toUrl("https://hc.example/uuid") },
    ["hc.example/uuid", "mailto:a@example.net", ""],
  ],
  [
    "a URL to be reached by",
    read.reachUrl,
    asGiven("https://probe.example.net/port/{port}"),
    ["https://probe.example.net/port/22", "https://probe.example.net:{port}/", "ftp://probe.example.net/{port}"],
  ],
  [
    "an ssh line",
    read.sshLine,
    asGiven("ssh pi@{ip}", "ssh -p 2222 pi@{ip} # home"),
    ["ssh pi@home", "ssh pi@{IP}", ""],
  ],
])("%s", (_, reader, accepted, refused) => {
  const environment = { platform: "linux", home: "/home/pi" } as const;
  for (const [text, value] of Object.entries(accepted)) expect(reader(text, environment), text).toEqual({ value });
  for (const text of refused) {
    expect(reader(text, environment), text).toEqual({ expected: expect.stringMatching(/^.*[^.\s]$/) });
  }
});

function toUrl(text: string): URL {
  return new URL(text);
}

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
])("path with the home %s: %j is %s", (home, text, value) => {
  const platform = home.startsWith("C:") ? "win32" : "linux";
  expect(read.path(text, { platform, home })).toEqual(value ? { value } : { expected: "an absolute path" });
});

test.each([
  ["plain, with spaces and ünïcödé", undefined],
  ["a no-break space: \u00a0", "a space that is no plain one (U+00A0)"],
  ["a narrow one: \u202f", "a space that is no plain one (U+202F)"],
  ["an ideographic one: \u3000", "a space that is no plain one (U+3000)"],
  ["a zero-width space: \u200b", "an invisible character (U+200B)"],
  ["a variation selector: \ufe0f", "an invisible character (U+FE0F)"],
  ["a combining grapheme joiner: \u034f", "an invisible character (U+034F)"],
  ["a joiner: \u200d", "an invisible character (U+200D)"],
  ["a soft hyphen: \u00ad", "an invisible character (U+00AD)"],
  ["a direction: \u202e", "an invisible character (U+202E)"],
  ["a byte order mark: \ufeff", "an invisible character (U+FEFF)"],
])("%j holds %s", (text, found) => expect(read.findInvisible(text)).toBe(found && `holds ${found}`));
