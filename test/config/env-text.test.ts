import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "dotenv";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
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
    ["A=1\nA=", ["A: has two values, on line 1 and on line 2: keep one of them"]],
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
    expect(readEnvText(bytes.toString("utf8"))).toEqual({
      values: {},
      lines: {},
      statements: [],
      problems: [`line ${line}: is not UTF-8 text, save the file as UTF-8`],
    });
  });
});

test("what dotenv reads of the whole is what is read, or a problem is named", () => {
  const piece = fc.constantFrom(
    "A",
    "B",
    "=",
    ":",
    " ",
    "'",
    '"',
    "`",
    "\\",
    "#",
    "\n",
    "\r",
    "export ",
    "x",
    "\u2028",
  );
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
  const hostile = [
    "\n",
    "\r",
    " \n",
    "#\n",
    "A=\n",
    "A='",
    "A='\n",
    "A='\\'",
    "A='x\n",
    "A=''x\n",
    "\u2028",
    "A\n",
    'A="\\"',
    "=",
    " ",
  ];
  for (const part of [...hostile, "A=\u00a0", "'\n", "A='\n'\n", "export "]) {
    const start = performance.now();
    readEnvText(part.repeat(65_536 / part.length));
    expect(performance.now() - start, JSON.stringify(part)).toBeLessThan(1000);
  }
});
