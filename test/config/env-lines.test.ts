import { parse } from "dotenv";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatEnvLine, formatEnvLines, renderEnvFile } from "../../src/config/env-lines";

test.each([
  ["abcd efgh ijkl mnop", "NAME=abcd efgh ijkl mnop"],
  ["simple", "NAME=simple"],
  ["", "NAME="],
  ["a#b", "NAME='a#b'"],
  [" leading", "NAME=' leading'"],
  ["trailing ", "NAME='trailing '"],
  ['"quoted"', `NAME='"quoted"'`],
  ["it's # 1", `NAME="it's # 1"`],
  [`'a' "b" #`, `NAME=\`'a' "b" #\``],
  ["a\\nb", "NAME=a\\nb"],
  ["# '\\n", "NAME=`# '\\n`"],
  ["$HOME $(ls)", "NAME=$HOME $(ls)"],
  ["a=b", "NAME=a=b"],
  [`# ' " \``, undefined],
])("%j is written as %s", (value, line) => expect(formatEnvLine("NAME", value)).toBe(line));

const printable = fc.string({ unit: "grapheme-ascii", maxLength: 30 });
/** Values of what makes trouble, far more often than chance would have it. */
const nasty = fc
  .array(fc.constantFrom("'", '"', "`", "#", "\\", "\\n", "\\r", " ", "=", "$", "a", "export ", ":"))
  .map((parts) => parts.join(""));
const value = fc.oneof(printable, nasty);

describe("for any key and password", () => {
  test("what is written reads back with dotenv, or is not written at all", () => {
    fc.assert(
      fc.property(value, value, (key, password) => {
        const values = { IPCHECK_SMTP_PASSWORD_VIGENERE: password, IPCHECK_VIGENERE_KEY: key };
        const lines = formatEnvLines(values);
        if (lines === undefined) return;
        expect(lines.split("\n")).toHaveLength(2);
        expect(parse(lines)).toEqual(values);
      }),
      { numRuns: 3000 },
    );
  });

  test("pasted between other lines it leaves them alone, and they it", () => {
    const line = fc.constantFrom("", "# it's a comment", 'A="a"', "A='a'", "A=`a`", "A=a # it's", "A=");
    fc.assert(
      fc.property(value, value, line, line, (key, password, before, after) => {
        const values = { IPCHECK_SMTP_PASSWORD_VIGENERE: password, IPCHECK_VIGENERE_KEY: key };
        const lines = formatEnvLines(values);
        if (lines === undefined) return;
        const others = parse(`${before}\n${after.replace("A", "B")}\n`);
        expect(parse(`${before}\n${lines}\n${after.replace("A", "B")}\n`)).toEqual({ ...others, ...values });
      }),
      { numRuns: 3000 },
    );
  });

  test("without a backslash, only a value with every kind of quote is given up", () => {
    fc.assert(
      fc.property(value, (text) => {
        const isHard = ["'", '"', "`"].every((quote) => text.includes(quote)) || text.includes("\\");
        if (!isHard) expect(formatEnvLine("NAME", text)).toBeDefined();
      }),
      { numRuns: 2000 },
    );
  });

  test("a whole file reads back too", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^IPCHECK_[A-Z]{1,8}$/), value, { noNullPrototype: true }),
        (values) => {
          const text = renderEnvFile(values);
          if (text !== undefined) expect(parse(text)).toEqual(values);
        },
      ),
    );
  });
});

test("a line break is never smuggled in", () => {
  fc.assert(
    fc.property(fc.tuple(value, fc.constantFrom("\n", "\r", "\r\n"), value), (parts) => {
      const line = formatEnvLine("NAME", parts.join(""));
      if (line !== undefined) expect(parse(line)).toEqual({ NAME: parts.join("") });
    }),
  );
});
