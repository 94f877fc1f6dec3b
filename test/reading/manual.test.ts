import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Actions, buildProgram } from "../../src/cli";
import { renderCompletion, type Shell } from "../../src/commands/completion";
import { visibleOptions } from "../../src/commands/manual";
import { VARIABLE_NAMES } from "../../src/config/variables";
import { makeScratch } from "../support/scratch";

const PAGE = join(__dirname, "..", "..", "dist", "ipcheck.1");
const program = buildProgram("1.0.0", {} as Actions, () => undefined);
const COMMANDS = program.commands.map((command) => ({ command, name: command.name() }));

function isInstalled(tool: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", tool]).status === 0;
}

/** Long options as the user types them, hidden ones left out. */
function longOptions(command: (typeof COMMANDS)[number]["command"]): string[] {
  return visibleOptions(command).flatMap(({ long }) => long ?? []);
}

describe("the man page", () => {
  const source = readFileSync(PAGE, "utf8");
  const text = source.replaceAll("\\-", "-").replaceAll("\\e", "\\");
  const section = (heading: string, level: "SH" | "SS") => {
    const after = text.split(`.${level} ${heading}\n`)[1] ?? "";
    return after.split(new RegExp(level === "SH" ? "^\\.SH " : "^\\.S[HS] ", "m"))[0] ?? "";
  };

  test.each(COMMANDS.filter(({ name }) => name !== "completion"))(
    "tells $name and its options",
    ({ command, name }) => {
      expect(section("SYNOPSIS", "SH")).toContain(`\n${name} `);
      const told = section(name, "SS");
      expect(told).toContain(`${command.description()}.`);
      for (const { flags, description } of visibleOptions(command))
        expect(told).toContain(`.B ${flags}\n${description}\n`);
    },
  );

  // It is left out of the page, and --help has it.
  test("tells completion", () => expect(section("completion", "SS")).toContain("completion script"));

  test("tells the global options", () => {
    for (const { flags, description } of visibleOptions(program)) {
      expect(section("OPTIONS", "SH")).toContain(`.B ${flags}\n${description}\n`);
    }
  });

  test.each(VARIABLE_NAMES)("tells %s", (name) => {
    const [, meaning] = new RegExp(`^\\.TP\\n\\.B ${name}\\n(.+)$`, "m").exec(section("ENVIRONMENT", "SH")) ?? [];
    expect(meaning).toMatch(/^\S/);
  });

  test("tells every exit code, and where the files are", () => {
    for (let code = 0; code <= 6; code++) expect(section("EXIT STATUS", "SH")).toContain(`.B ${code}\n`);
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

describe.each<Shell>(["bash", "zsh", "fish"])("the completion for %s", (shell) => {
  const script = renderCompletion(program, shell);

  test("is what the program prints", () => {
    const bin = join(__dirname, "..", "..", "bin", "ipcheck.js");
    expect(execFileSync(process.execPath, [bin, "completion", shell], { encoding: "utf8" })).toBe(`${script}\n`);
  });

  test.each(COMMANDS)("has $name and its options", ({ command, name }) => {
    // The lines that are about the command.
    const own = script.split("\n").filter((line) => new RegExp(`^ +${name}\\)|_from ${name}'`).test(line));
    const marks = {
      bash: (long: string) => `${long}`,
      zsh: (long: string) => `'${long}[`,
      fish: (long: string) => `-l ${long.slice(2)}`,
    };
    expect(script).toMatch(new RegExp(`\\b${name}\\b`));
    for (const long of longOptions(command)) {
      const mark = marks[shell](long).replace(/[[\]]/g, "\\$&");
      expect(own.join("\n")).toMatch(new RegExp(`(^|[ "])${mark}($|[ "]|(?<=\\[))`, "m"));
    }
    for (const word of command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices)) {
      expect(own.join("\n")).toMatch(new RegExp(`\\b${word}\\b`));
    }
  });

  test("is a script without fault", ({ skip }) => {
    if (!isInstalled(shell)) return skip(`${shell} is not installed: its script was not checked`);
    const file = join(makeScratch(), "completion");
    writeFileSync(file, script);
    const { status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});

const OFFERS: [string, string[]][] = [
  ["st", ["status"]],
  ["s", ["status", "schedule"]],
  ["", [...COMMANDS.map(({ name }) => name), ...longOptions(program)]],
  ["--env", ["--env-file"]],
  ["status --p", ["--prometheus"]],
  ["status --m", ["--max-age"]],
  ["--env-file x history --c", ["--csv"]],
  [
    "schedule ",
    ["install", "remove", "show", ...longOptions(program.commands[6] ?? program), "--version", "--env-file"],
  ],
  ["schedule in", ["install"]],
  ["schedule install --s", ["--systemd", "--system"]],
  ["completion z", ["zsh"]],
  ["check --dry-run --j", ["--json"]],
  ["status --env-file /etc/passw", ["/etc/passwd", "/etc/passwd-"]],
  ["nonsense --x", []],
];

test("bash offers these words", ({ skip }) => {
  if (!isInstalled("bash")) return skip("bash is not installed: nothing was completed");
  const quoted = (word: string) => `'${word}'`;
  const trials = OFFERS.map(([typed]) => {
    const words = ["ipcheck", ...typed.split(" ")];
    return `COMP_WORDS=(${words.map(quoted).join(" ")}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _ipcheck; echo "\${COMPREPLY[*]}"`;
  });
  const { stdout, stderr } = spawnSync("bash", ["--norc", "-eu"], {
    encoding: "utf8",
    input: `${renderCompletion(program, "bash")}\nset +eu\n${trials.join("\n")}\n`,
  });
  expect(stderr).toBe("");
  const offered = stdout.trimEnd().split("\n");
  const got = OFFERS.map(([typed], i) => [typed, offered[i]?.split(" ").filter(Boolean).sort() ?? []]);
  const files = got.find(([typed]) => String(typed).includes("passw"));
  expect(files?.[1]).toContain("/etc/passwd");
  const others = (rows: unknown[][]) => rows.filter(([typed]) => !String(typed).includes("passw"));
  expect(others(got)).toEqual(others(OFFERS.map(([typed, words]) => [typed, [...words].sort()])));
});
