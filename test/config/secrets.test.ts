import { expect, test } from "vitest";
import { describeSetting, mayRepeat, secretsIn } from "../../src/config/secrets";
import type { VariableName } from "../../src/config/variables";

test.each<[VariableName, string, string]>([
  ["IPCHECK_TO", "a@example.net", "IPCHECK_TO=a@example.net"],
  ["IPCHECK_NAME", "\u001b[2J", "IPCHECK_NAME=\\u{1b}[2J"],
  ["IPCHECK_SMTP_PASSWORD", "x", "IPCHECK_SMTP_PASSWORD=(not shown)"],
  ["IPCHECK_VIGENERE_KEY", "x", "IPCHECK_VIGENERE_KEY=(not shown)"],
  ["IPCHECK_HEARTBEAT_URL", "https://hc.example/x", "IPCHECK_HEARTBEAT_URL=https://hc.example/…"],
  ["IPCHECK_HEARTBEAT_URL", "https://u@hc.example:8443?x", "IPCHECK_HEARTBEAT_URL=https://…@hc.example:8443/…"],
  ["IPCHECK_SERVICES", "https://a.example/,nonsense", "IPCHECK_SERVICES=https://a.example/,…"],
  [
    "IPCHECK_SERVICES",
    "https://a.example/#x, https://:y@[2001:db8::1]/",
    "IPCHECK_SERVICES=https://a.example/…,https://…@[2001:db8::1]/",
  ],
  ["IPCHECK_ON_CHANGE", "curl -u a:b", "IPCHECK_ON_CHANGE is set: runs curl …"],
  ["IPCHECK_ON_CHANGE", "~/bin/tell.sh", "IPCHECK_ON_CHANGE is set: runs tell.sh …"],
  ["IPCHECK_ON_CHANGE", "A=b C= nice", "IPCHECK_ON_CHANGE is set: runs nice …"],
  ["IPCHECK_ON_CHANGE", "A='b c' d", "IPCHECK_ON_CHANGE is set: runs a command"],
  ["IPCHECK_ON_CHANGE", 'A="b\\" c" d', "IPCHECK_ON_CHANGE is set: runs a command"],
  ["IPCHECK_ON_CHANGE", "A=b", "IPCHECK_ON_CHANGE is set: runs a command"],
  ["IPCHECK_ON_CHANGE", "(secret)", "IPCHECK_ON_CHANGE is set: runs a command"],
  ["IPCHECK_ON_CHANGE", "https://u:p@h/ x", "IPCHECK_ON_CHANGE is set: runs a command"],
  ["IPCHECK_SMTP_PASSWORD_COMMAND", "pass show x", "IPCHECK_SMTP_PASSWORD_COMMAND is set: runs pass …"],
])("%s with %j is shown as %s", (name, value, shown) => expect(describeSetting(name, value)).toBe(shown));

test.each<[VariableName, string, boolean]>([
  ["IPCHECK_TO", "nobody", true],
  ["IPCHECK_TO", "a@b@c", true],
  ["IPCHECK_SMTP_HOST", "mail.example:25", true],
  ["IPCHECK_SMTP_HOST", "smtp://mail.example", false],
  ["IPCHECK_SMTP_HOST", "pi:secret@mail.example", false],
  ["IPCHECK_SMTP_HOST", "mail.example/?key=x", false],
  ["IPCHECK_SERVICES", "x", false],
  ["IPCHECK_SMTP_PASSWORD_COMMAND", "x", false],
  ["IPCHECK_HEARTBEAT_URL", "x", false],
  ["IPCHECK_SMTP_PASSWORD_FILE", "hunter22", false],
])("%s with %j: may be repeated when it is refused, %s", (name, text, expected) => {
  expect(mayRepeat(name, text)).toBe(expected);
});

test.each([
  ["https://a.example/p", []],
  ["https://a.example/p, https://:y@b.example/", ["y"]],
  [
    "https://u:p%40+w@a.example/?k=a%20b&t=c+d&lone&e=#frag",
    ["u:p@+w", "u", "p%40+w", "p@+w", "a%20b", "a b", "c+d", "c d", "lone", "frag"],
  ],
  ["https://u%:p@a.example/?rate=100%25", ["u%:p", "u%", "p", "100%25", "100%"]],
])("%s carries %j", (url, secrets) => {
  expect(secretsIn("IPCHECK_SERVICES", url)).toEqual(expect.arrayContaining(secrets));
});

test("a command carries itself, its tokens and what they assign; its plain words stay readable", () => {
  const command = `curl -fsS -u pi:hunter --data="key=abcdef" https://u:pass@a.example/?t=token1`;
  const secrets = secretsIn("IPCHECK_ON_CHANGE", command);
  expect(secrets).toEqual(
    expect.arrayContaining([command, "pi:hunter", "hunter", "abcdef", "key=abcdef", "pass", "token1"]),
  );
  expect(secretsIn("IPCHECK_ON_CHANGE", "pass show mail/home; echo gpg: locked")).toEqual([
    "pass show mail/home; echo gpg: locked",
  ]);
});

test("of a monitor's URL the path is secret too, and all of it where it is none", () => {
  expect(secretsIn("IPCHECK_HEARTBEAT_URL", "https://hc.example/a/b?k=c")).toEqual(
    expect.arrayContaining(["https://hc.example/a/b?k=c", "a", "b", "a/b", "c"]),
  );
  expect(secretsIn("IPCHECK_HEARTBEAT_URL", "hunter22")).toEqual(["hunter22"]);
  expect(secretsIn("IPCHECK_SMTP_HOST", "mail.example")).toEqual([]);
});

test("a comma in a variable's only URL is a part of it", () => {
  const [heartbeat, reach] = ["https://pi:hun,ter22@hc.example/to,ken/a", "https://a.example/{port}?key=to,ken"];
  expect(secretsIn("IPCHECK_HEARTBEAT_URL", heartbeat)).toEqual(
    expect.arrayContaining([heartbeat, "pi:hun,ter22", "hun,ter22", "to,ken", "to,ken/a"]),
  );
  expect(secretsIn("IPCHECK_REACH_URL", reach)).toContain("to,ken");
});
