import fc from "fast-check";
import { expect, test } from "vitest";
import { IpcheckError } from "../../src/base/errors";
import { wrap } from "../../src/base/output";
import { captureOutput } from "../reading/support";

test.for([
  ["one two three", undefined, 0, "one two three"],
  ["one two three", 80, 0, "one two three"],
  ["one two three", 7, 0, "one two\nthree"],
  ["one two three", 9, 2, "one two\n  three"],
  ["  hint: one two", 12, 4, "  hint: one\n   two"],
  ["see https://example.net/a/long/path now", 12, 1, "see\n https://example.net/a/long/path\n now"],
  ["first line\nsecond one", 8, 0, "first\nline\nsecond\none"],
  ["été à Orléans", 7, 0, "été à\nOrléans"],
  [
    "SERVICES=https://a.example/,https://b.example/ (here)",
    30,
    2,
    "SERVICES=https://a.example/,\n  https://b.example/ (here)",
  ],
  ["a,b", 2, 0, "a,\nb"],
  ["", 10, 2, ""],
] as const)("%j in %s columns", ([text, columns, indent, expected]) => {
  expect(wrap(text, columns, indent)).toBe(expected);
});

test("every word stays, whole and in order, and no line is too long that could be shorter", () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[^\s,]{1,12}$/)), fc.integer({ min: 1, max: 60 }), (words, columns) => {
      const lines = wrap(words.join(" "), columns, 2).split("\n");
      expect(lines.join(" ").split(/\s+/).filter(Boolean)).toEqual(words.filter(Boolean));
      for (const line of lines) if (line.trim().includes(" ")) expect([...line].length).toBeLessThanOrEqual(columns);
    }),
  );
});

test("a terminal gets wrapped lines, a pipe gets what stands there", async () => {
  const error = new IpcheckError("state", "cannot write the state file", { hint: "the disk is full: make room" });
  for (const [isTTY, stdout, stderr] of [
    [
      true,
      "one two\n  three\n",
      "ipcheck: error: cannot\n     write the state\n     file\nipcheck: hint: the\n     disk is full:\n     make room\n",
    ],
    [false, "one two three\n", `ipcheck: error: ${error.message}\nipcheck: hint: ${error.hint}\n`],
  ] as const) {
    const { said, output } = captureOutput({ isTTY, columns: 22 });
    await output.fail(error);
    expect(said.stderr).toBe(stderr);
    const narrow = captureOutput({ isTTY, columns: 9 });
    await narrow.output.printText("one two three");
    expect(narrow.said.stdout).toBe(stdout);
  }
});
