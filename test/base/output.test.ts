import { execFileSync, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IpcheckError } from "../../src/base/errors";
import { openFileStream } from "../../src/base/file-stream";
import { Output, type Stream, wrap } from "../../src/base/output";
import { captureOutput } from "../support/capture";
import { startEchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import { runIpcheck } from "../support/run-ipcheck";
import { makeScratch } from "../support/scratch";

const UNSAID = /^ipcheck: error: cannot write to standard output \(E[A-Z]+\)\nipcheck: hint: [^\n]+\n$/;

function failingOutput(code: string) {
  const failure = Object.assign(new Error(code), { code });
  const stream: Stream = {
    write(_, done) {
      done?.(failure);
      return false;
    },
  };
  return new Output(
    () => stream,
    () => stream,
    false,
  );
}

describe("a result that could not be written", () => {
  test.each(["ENOSPC", "EIO", "EBADF", "EFBIG", "EDQUOT"])("%s rejects, whatever is printed", async (code) => {
    const output = failingOutput(code);
    const expected = { code: "output", message: `cannot write to standard output (${code})` };
    await expect(output.print("x")).rejects.toMatchObject(expected);
    await expect(output.printJson({})).rejects.toMatchObject(expected);
  });

  test.each(["EPIPE", "ERR_STREAM_DESTROYED"])("%s is forgiven, unless the text stands in for a mail", async (code) => {
    const output = failingOutput(code);
    await output.print("x");
    await output.printJson({});
    await expect(output.print("x", { isOwed: true })).rejects.toMatchObject({ code: "output" });
    await expect(output.printJson({}, { isOwed: true })).rejects.toMatchObject({ code: "output" });
  });

  test("a complaint that cannot be written is no failure", async () => {
    const output = failingOutput("ENOSPC");
    await output.note("x");
    await output.warn("x");
    await output.fail(new Error("x"));
  });
});

describe("a file as standard output", () => {
  test("takes what is appended to it, and /dev/full says why not", () => {
    const path = join(makeScratch(), "out");
    const write = (file: string, text: string) => {
      const fd = openSync(file, "a");
      let failure: unknown;
      openFileStream(fd)?.write(text, (error) => {
        failure = error;
      });
      closeSync(fd);
      return failure;
    };
    expect([write(path, "a €\n"), write(path, "b\n")]).toEqual([undefined, undefined]);
    expect(readFileSync(path, "utf8")).toBe("a €\nb\n");
    expect(write("/dev/full", "a\n")).toMatchObject({ code: "ENOSPC" });
  });

  test("that is closed fails, and a pipe is none", async () => {
    const fd = openSync(join(makeScratch(), "out"), "a");
    const stream = openFileStream(fd);
    closeSync(fd);
    let failure: unknown;
    stream?.write("x", (error) => {
      failure = error;
    });
    expect(failure).toMatchObject({ code: "EBADF" });
    const child = spawn("true", { stdio: "pipe" });
    expect(openFileStream((child.stdout as unknown as { _handle: { fd: number } })._handle.fd)).toBeUndefined();
    await new Promise((resolve) => child.once("close", resolve));
  });

  test("on a disk that fills up in the middle of a text fails, for what was taken was not all", async ({ skip }) => {
    const folder = makeScratch();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=8k", "tmpfs", folder], { stdio: "ignore" });
    } catch {
      return skip("no file system can be mounted here");
    }
    try {
      // Four kilobytes are left: less than the help of 'init' with what stands before it.
      writeFileSync(join(folder, "filler"), Buffer.alloc(4096));
      writeFileSync(join(folder, "out"), "x".repeat(3500));
      const through = (command: readonly string[]) => ["sh", "-c", `"$@" >> '${folder}/out'`, "sh", ...command];
      const run = await runIpcheck({ args: ["--help"], through });
      expect(readFileSync(join(folder, "out"), "utf8")).toHaveLength(4096);
      expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(UNSAID) });
    } finally {
      execFileSync("umount", [folder]);
    }
  });
});

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

describe("the built program", () => {
  /** Runs it with standard output, standard error or both led elsewhere by the shell. */
  async function runRedirected(args: string, redirection: string, hasRunBefore = true) {
    const echo = await startEchoServer("203.0.113.7");
    const home = new Home().useServices(echo);
    if (hasRunBefore) await home.run();
    const script = `"$@" ${redirection}; exit "\${PIPESTATUS[0]}"`;
    const through = (command: readonly string[]) => ["bash", "-c", script, "bash", ...command];
    const { exitCode, stderr } = await home.run(args.split(" "), { through });
    await echo.close();
    return { exitCode, stderr };
  }

  test.each([
    "--help",
    "--version",
    "help check",
    "check -v",
    "check -n",
    "check --json",
    "status",
    "status --json",
    "status --prometheus",
    "history",
    "history --json",
    "history --csv",
    "vigenere LEMON secret",
    "vigenere --env LEMON secret",
    "doctor",
    "doctor --json",
    "schedule install --cron --print",
  ])("%s > /dev/full: not 0, and one sentence", async (args) => {
    const { exitCode, stderr } = await runRedirected(args, ">/dev/full");
    expect(exitCode).toBe(1);
    expect(stderr.replace(/^ipcheck: 127\.0\.0\.1:\d+ answered .*\n/, "")).toMatch(UNSAID);
  });

  test.each(["check", "check -v", "check --json"])(
    "%s > /dev/full that tells the first address: once, too",
    async (args) => {
      const { exitCode, stderr } = await runRedirected(args, ">/dev/full", false);
      expect(exitCode).toBe(5);
      expect(stderr.match(/cannot write to standard output/g)).toHaveLength(1);
    },
  );

  test.each(["check -v", "status"])("%s into a folder: not 0, and one sentence", async (args) => {
    const { exitCode, stderr } = await runRedirected(args, "1</");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("cannot write to standard output");
  });

  test.each(["--help", "status", "history --csv", "doctor"])("%s | true: the reader's business", async (args) => {
    expect(await runRedirected(args, "| true")).toEqual({ exitCode: 0, stderr: "" });
  });

  test.each([
    ["nope", ">/dev/null 2>/dev/full", 2],
    ["nope", ">&- 2>&-", 2],
    ["status", ">/dev/null 2>/dev/full", 0],
    ["--help", ">/dev/full 2>/dev/full", 1],
  ])("%s %s: standard error changes nothing, exit %d", async (args, redirection, exitCode) => {
    expect(await runRedirected(args, redirection)).toEqual({ exitCode, stderr: "" });
  });
});
