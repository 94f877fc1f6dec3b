import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "dotenv";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editEnvText, formatEnvLine, formatEnvLines } from "../../src/config/env-edit";
import { readEnvText } from "../../src/config/env-text";

describe("a line that says nothing is named, never repeated", () => {
  test.each([
    ["IPCHECK_TO me@example.net", ["line 1: expected IPCHECK_TO=value, a comment or a blank line"]],
    ["A=1\n\n# c\nexport IPCHECK_TO\nB=2", ["line 4: expected IPCHECK_TO=value, a comment or a blank line"]],
    ["hunter22", ["line 1: expected NAME=value, a comment or a blank line"]],
    ["A=1\n=2", ["line 2: expected NAME=value, a comment or a blank line"]],
    ["IPCHECK_TO\u200b=x", ["line 1: expected IPCHECK_TO=value, a comment or a blank line"]],
    ["A B=x", ["line 1: expected NAME=value, a comment or a blank line"]],
    ["[mail]\nA=1", ["line 1: expected NAME=value, a comment or a blank line"]],
    // dotenv would join them.
    ["A\n=1", [expect.stringMatching("^line 1: "), expect.stringMatching("^line 2: ")]],
    ["A=\n'b'", [expect.stringMatching("^line 2: ")]],
    ["export\nA=1", [expect.stringMatching("^line 1: ")]],
    ["A=1\r\nhunter22\r\nB=2", [expect.stringMatching("^line 2: ")]],
    ["A='1\n\n2'\nhunter22", [expect.stringMatching("^line 4: ")]],
    ["A='hunter22\nB=2\nC=3", ["line 1: the quote (') in front of the value is never closed"]],
    ['A=1\nB="hunter22\nC="3"', ['line 2: the quote (") in front of the value is never closed']],
    ["A=hunter#22", ["line 1: the value would end at the # in it, put the whole value between quotes"]],
    ["A=#hunter22\nB=2", [expect.stringMatching("^line 1: the value would end at the #")]],
    ["A='hunter'22#3", [expect.stringMatching("^line 1: the value would end at the #")]],
    [
      "A='1\nIPCHECK_TO=me@example.net\nB='",
      ["line 1: the value goes on over a line that sets another variable, close its quote (')"],
    ],
    ["A=1\nB=“hunter22”", ["line 2: the quotes around the value are typographic ones, type ' or \" instead"]],
    ["A= ‘hunter #22’ \nB=2", [expect.stringMatching("^line 1: the quotes around the value are typographic")]],
    ["A=1\nA=2", ["A: has two values, on line 1 and on line 2: keep one of them"]],
    ["A=1\nB=\nexport A='2'", ["A: has two values, on line 1 and on line 3: keep one of them"]],
    ["A=1\nA=1\nA=2", ["A: has two values, on line 1 and on line 3: keep one of them"]],
    ["A=1\nA=", ["A: has two values, on line 1 and on line 2: keep one of them"]],
    ["constructor=1\ntoString=2", []],
  ])("%j", (text, problems) => expect(readEnvText(text).problems).toEqual(problems));

  test.each([
    ["A=1\nA=1", { A: "1" }],
    ["\ufeffA=1\r\nB=2\rC=3", { A: "1", B: "2", C: "3" }],
    ["  export A=1 # c\n\t\n \nB = 2", { A: "1", B: "2" }],
    ["A: 1", { A: "1" }],
    ["A='1\n# no comment\nno assignment\n2' # c\nB=2", { A: "1\n# no comment\nno assignment\n2", B: "2" }],
    ['A="a\\nb"', { A: "a\nb" }],
    ["A='a'b\nB='", { A: "'a'b" }],
    ["A=1 #2#3\nB= # c\nC='#'", { A: "1", B: "", C: "#" }],
    ["A=it's", { A: "it's" }],
    ["A='“1”'\nB=it’s\nC=“1” 2\nD=“", { A: "“1”", B: "it’s", C: "“1” 2", D: "“" }],
    ["A='it\\'s'", { A: "it\\'s" }],
    ["A=\u00a01", { A: "1" }],
    ["# c\u2028A=1", { A: "1" }],
    ["", {}],
  ])("%j is read", (text, values) => expect(readEnvText(text).values).toEqual(values));

  test(".env.example has no problem, switched on and off", () => {
    const example = readFileSync(join(__dirname, "../../.env.example"), "utf8");
    for (const text of [example, example.replace(/^#(?=IPCHECK_)/gm, "")]) {
      expect(readEnvText(text)).toMatchObject({ values: parse(text), problems: [] });
    }
  });
});

describe("a file that is not UTF-8", () => {
  const text = "# café\nIPCHECK_TO=me@example.net\n";
  test.each([
    ["UTF-16", Buffer.from(`\ufeff${text}`, "utf16le"), 1],
    ["UTF-16 without its mark", Buffer.from(text, "utf16le"), 1],
    ["UTF-16, the other way round", Buffer.from(text, "utf16le").swap16(), 1],
    ["latin-1", Buffer.from(`A=1\n${text}`, "latin1"), 2],
    ["NUL bytes", Buffer.from("A=1\nB=2\0\n"), 2],
  ])("%s", (_, bytes, line) => {
    const problems = [`line ${line}: is not UTF-8 text, save the file as UTF-8`];
    expect(readEnvText(bytes.toString("utf8"))).toEqual({ values: {}, lines: {}, statements: [], problems });
  });
});

test("what dotenv reads of the whole is what is read, or a problem is named", () => {
  const piece = fc.constantFrom(...`AB=: '"\`\\#\n\rx\u2028`, "export ");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
      const text = pieces.join("");
      const { values, problems } = readEnvText(text);
      // It takes this one for a line end, too, and keeps it in a value.
      if (problems.length === 0) expect(values).toEqual(parse(text.replaceAll(/\r\n?|\u2028/g, "\n")));
    }),
    { numRuns: 20_000 },
  );
});

test("64 KiB of anything take no time", () => {
  const lines = ["\n", "\r", "\u2028", " \n", "#\n", "A\n", "A=\n", "A='\n", "A='x\n", "A=''x\n", "'\n", "A='\n'\n"];
  for (const part of [...lines, "=", " ", "A='", "A='\\'", 'A="\\"', "A=\u00a0", "export "]) {
    const start = performance.now();
    readEnvText(part.repeat(65_536 / part.length));
    expect(performance.now() - start, JSON.stringify(part)).toBeLessThan(1000);
  }
});

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
  test("pasted between other lines it reads back and leaves them alone, or is not written at all", () => {
    const line = fc.constantFrom("", "# it's a comment", 'A="a"', "A='a'", "A=`a`", "A=a # it's", "A=");
    fc.assert(
      fc.property(value, value, line, line, (key, password, before, after) => {
        const values = { IPCHECK_SMTP_PASSWORD_VIGENERE: password, IPCHECK_VIGENERE_KEY: key };
        const lines = formatEnvLines(values);
        if (lines === undefined) return;
        expect(lines.split("\n")).toHaveLength(2);
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
    const file = fc.dictionary(fc.stringMatching(/^IPCHECK_[A-Z]{1,8}$/), value, { noNullPrototype: true });
    fc.assert(
      fc.property(file, (values) => {
        const text = editEnvText("", values);
        if (text !== undefined) expect(parse(text)).toEqual(values);
      }),
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
    ["__proto__=1\nB=2\n", {}, "# __proto__=1\nB=2\n"],
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
    const simple = [
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
    ];
    const line = fc.oneof(
      fc.constantFrom(...simple),
      nasty.map((text) => `B=${text}`),
    );
    const file = fc.tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom("\n", "\r\n"));
    const edits = fc.record({ A: fc.option(value, { nil: undefined }), E: value }, { noNullPrototype: true });
    fc.assert(
      fc.property(file, edits, ([lines, end], values) => {
        const text = lines.join(end);
        const edited = editEnvText(text, values);
        if (edited === undefined) return;
        const after = readEnvText(edited);
        expect(after.problems).toEqual([]);
        expect(after.values).toMatchObject(JSON.parse(JSON.stringify(values)));
        const before = readEnvText(text);
        const { A: _, E: __, ...others } = before.values;
        if (before.problems.length === 0) expect(after.values).toMatchObject(others);
      }),
      { numRuns: 2000 },
    );
  });
});
