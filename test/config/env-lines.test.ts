import { parse } from "dotenv";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editEnvText, formatEnvLine, formatEnvLines, readEnvText } from "../../src/config/env-text";

test.each([
  ["abcd efgh ijkl mnop", "NAME=abcd efgh ijkl mnop"],
  ["simple", "NAME=simple"],
  ["", "NAME="],
  ["a#b", "NAME='a#b'"],
  [" leading", "NAME=' leading'"],
  ["trailing ", "NAME='trailing '"],
  ['"quoted"', `NAME='"quoted"'`],
  ["“quoted”", "NAME='“quoted”'"],
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
          const text = editEnvText("", values);
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

describe("an env file is edited line by line", () => {
  test.each<[string, Record<string, string | undefined>, string]>([
    ["", { A: "1", B: "x #" }, "A=1\nB='x #'\n"],
    ["# mine\nA=1\n\nB=2", { A: "3" }, "# mine\nA=3\n\nB=2"],
    ["A=1\nB=2", { C: "3" }, "A=1\nB=2\nC=3\n"],
    ["A=1\nB=2\nC=3\n", { B: undefined }, "A=1\nC=3\n"],
    ["A=1\nA=1\nB=2\n", { A: undefined }, "B=2\n"],
    ["export A=1 # why\n", { A: "2" }, "export A=2 # why\n"],
    ["A='1 # 2'   # it's\n", { A: "2" }, "A=2   # it's\n"],
    // Behind a value that has none of its kind, the comment's quote would end the value.
    ["A=1 # 'it'\n", { A: "x#" }, "A='x#' # 'it'\n"],
    ["A='1\n\n2' # c\nB=2\n", { A: "3" }, "A=3 # c\nB=2\n"],
    ["A='it\\'s # 1\n2'\nB=2\n", { A: "3" }, "A=3\nB=2\n"],
    ["A=1\r\n# mine\r\nB=2\r\n", { B: "3", C: "4" }, "A=1\r\n# mine\r\nB=3\r\nC=4\r\n"],
    ["\ufeffA=1\nB=2\n", { B: "3" }, "\ufeffA=1\nB=3\n"],
    ["A=\nB=2\n", { A: "1" }, "A=1\nB=2\n"],
    ["A: 1\n", { A: "2" }, "A=2\n"],
    ["A = 1\n", { A: "1" }, "A = 1\n"],
    ["# B is\n#B=x\n\n# C is\n#C=y\n", { B: "1", A: "2" }, "# B is\n#B=x\nB=1\n\n# C is\n#C=y\nA=2\n"],
    // What no run would accept becomes a comment.
    ["A=1\nIPCHECK_TO me\nB=2\n", { A: "3" }, "A=3\n# IPCHECK_TO me\nB=2\n"],
    ["A=1\nB='x\nC=2\n", {}, "A=1\n# B='x\nC=2\n"],
    ["A=“1”\nB=2\n", { B: "3" }, "# A=“1”\nB=3\n"],
    ["B=1\nA=1\nB=2\n", {}, "# B=1\nA=1\nB=2\n"],
    ["B='1\n2'\nA=1\nB=2\n", { B: "3" }, "# B='1\n# 2'\nA=1\nB=3\n"],
  ])("%j with %j", (text, values, edited) => expect(editEnvText(text, values)).toBe(edited));

  test("a value that no quoting carries", () => {
    expect(editEnvText("B=1\n", { A: `# ' " \`` })).toBeUndefined();
  });

  test("a file in another encoding is refused, not mangled", () => {
    expect(() => editEnvText("A=1\nB=\ufffd\n", { A: "2" })).toThrow(/cannot be edited: line 2: is not UTF-8/);
  });

  test("whatever the file holds, the values are as asked for and every other one stays", () => {
    const line = fc.oneof(
      fc.constantFrom(
        "",
        "# c",
        "A=1",
        "export A='x' # it's",
        "B=2",
        "B='a\nb'",
        'C="c" # c',
        "D=it's",
        "nonsense",
        "A=3",
      ),
      nasty.map((text) => `B=${text}`),
    );
    const file = fc.tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom("\n", "\r\n"));
    fc.assert(
      fc.property(
        file,
        fc.record({ A: fc.option(value, { nil: undefined }), E: value }, { noNullPrototype: true }),
        ([lines, end], values) => {
          const text = lines.join(end);
          const edited = editEnvText(text, values);
          if (edited === undefined) return;
          const after = readEnvText(edited);
          expect(after.problems).toEqual([]);
          expect(after.values).toMatchObject(JSON.parse(JSON.stringify(values)));
          const before = readEnvText(text);
          const { A: _, E: __, ...others } = before.values;
          if (before.problems.length === 0) expect(after.values).toMatchObject(others);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
