import fc from "fast-check";

const PIECES = [
  "\r\nBcc: evil@example.net",
  "\nSubject: other",
  "\r\n\r\n<h1>body</h1>",
  "\r.\r\n",
  "<script>alert(1)</script>",
  "</style><img src=x onerror=alert(1)>",
  '"><a href="https://example.net/">',
  "' onload='x",
  "&lt;&amp;&nbsp;",
  "\u202eesrever\u202c",
  "\u200f\u2066",
  "\u2028\u2029\u0085\u000b",
  "=?utf-8?q?Evil?=",
  "evil@example.net, <other@example.net>",
  "\u0000\u001b[31m\u007f",
  "\ud800",
  "Grünwald ☕ 家",
  "{ip}",
  "$&$1$`",
  "x".repeat(300),
];

/** Names that somebody else chose: header injection, markup, control and direction characters, anything. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: "binary", maxLength: 12 }), fc.string()), {
    minLength: 1,
    maxLength: 4,
  })
  .map((pieces) => pieces.join(""));
