import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { buildProgram } from "../../src/cli";
import type { Host } from "../../src/commands/host";
import { VARIABLE_NAMES } from "../../src/config/variables";

const PAGE = join(__dirname, "..", "..", "dist", "ipcheck.1");
const program = buildProgram({ version: "1.0.0" } as Host, () => undefined);
const visibleOptions = (command: typeof program) => command.createHelp().visibleOptions(command);
const COMMANDS = program.commands.map((command) => ({ command, name: command.name() }));

function isInstalled(tool: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", tool]).status === 0;
}

describe("the man page", () => {
  const source = readFileSync(PAGE, "utf8");
  const text = source.replaceAll("\\-", "-").replaceAll("\\e", "\\");
  const section = (heading: string, level: "SH" | "SS") => {
    const after = text.split(`.${level} ${heading}\n`)[1] ?? "";
    return after.split(new RegExp(level === "SH" ? "^\\.SH " : "^\\.S[HS] ", "m"))[0] ?? "";
  };

  test.each(COMMANDS)("tells $name and its options", ({ command, name }) => {
    expect(section("SYNOPSIS", "SH")).toContain(`\n${name} `);
    const told = section(name, "SS");
    expect(told).toContain(`${command.description()}.`);
    for (const { flags, description } of visibleOptions(command))
      expect(told).toContain(`.B ${flags}\n${description}\n`);
  });

  test("tells the global options", () => {
    for (const { flags, description } of visibleOptions(program)) {
      expect(section("OPTIONS", "SH")).toContain(`.B ${flags}\n${description}\n`);
    }
  });

  test.each(VARIABLE_NAMES)("tells %s", (name) => {
    const pattern = new RegExp(`^\\.T[PQ]\\n\\.BR? ${name}(?: =\\S+)?\\n(?:\\.TQ\\n.+\\n)*(.+)$`, "m");
    const [, meaning = ""] = pattern.exec(section("ENVIRONMENT", "SH")) ?? [];
    // A whole sentence, and nothing that only makes sense in the env file.
    expect(meaning).toMatch(/^[A-Z][^#]*\.$/);
    expect(meaning).not.toMatch(/of these:|\[/);
  });

  test("shows defaults, and no example as one", () => {
    const variables = section("ENVIRONMENT", "SH");
    expect(variables).toContain("\n.TP\n.BR IPCHECK_SMTP_HOST =smtp.gmail.com\n.TQ\n.BR IPCHECK_SMTP_PORT =587\n");
    for (const word of ["pass show", "/home/pi", "'your ", "invalid"]) expect(variables).not.toContain(word);
  });

  test("has examples that name commands and options there are", () => {
    const commands = [...section("EXAMPLES", "SH").matchAll(/^\.B ipcheck (\w+)(.*)$/gm)];
    expect(commands.length).toBeGreaterThan(5);
    for (const [, name, rest = ""] of commands) {
      const command = program.commands.find((one) => one.name() === name);
      const known = command?.options.flatMap(({ short, long }) => [short, long]) ?? [];
      for (const [option] of rest.matchAll(/ (--?[a-z-]+)/g)) expect(known, rest).toContain(option?.trim());
    }
    expect(section("EXAMPLES", "SH")).toContain("IPCHECK_ON_CHANGE=\\(aqcurl");
  });

  test("tells every exit code, and where the files are", () => {
    for (let code = 0; code <= 6; code++) expect(section("EXIT STATUS", "SH")).toContain(`.B ${code}\n`);
    expect(section("EXIT STATUS", "SH")).toMatch(/\.B 1\n.*standard output/);
    expect(section("FILES", "SH")).toContain("IPCHECK_CONFIG");
    for (const file of [".env", "state.json", "history.jsonl"]) expect(section("FILES", "SH")).toContain(`${file}\n`);
  });

  test("is roff without fault", ({ skip }) => {
    if (!isInstalled("groff")) return skip("groff is not installed: the page was not set");
    const { status, stderr } = spawnSync("groff", ["-Kutf8", "-man", "-ww", "-z", PAGE], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  // The '…' of --every: groff without -K warns of an invalid input character.
  test("is ASCII", () => expect(source).toMatch(/^[\x20-\x7e\n]*$/));

  test("can be shown", ({ skip }) => {
    if (!isInstalled("man")) return skip("man is not installed: the page was not shown");
    const { stdout, stderr } = spawnSync("man", ["--warnings", "-l", PAGE], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8", MANWIDTH: "80", MAN_KEEP_FORMATTING: "" },
    });
    expect(stderr).toBe("");
    for (const words of ["IPCHECK(1)", "--dry-run", "IPCHECK_SMTP_PASSWORD_VIGENERE", "EXIT STATUS"]) {
      expect(stdout).toContain(words);
    }
  });
});
