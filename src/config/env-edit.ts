// Writing an env file: needed by init and vigenere only, so that no run of check has to read it.

import { isDeepStrictEqual } from "node:util";
import { parse } from "dotenv";
import { IpcheckError } from "../base/errors";
import { type EnvText, readEnvText } from "./env-text";
import { describeSetting } from "./secrets";
import type { VariableName } from "./variables";

// dotenv knows no escapes: which quotes carry a value depends on what is in it.
const QUOTES = ["", "'", '"', "`"];

/**
 * `NAME=value` lines for an env file, each parsed back with dotenv and compared before it is
 * returned; undefined where no quoting can carry a value.
 */
export function formatEnvLines(values: Record<string, string>): string | undefined {
  const lines = Object.entries(values).map(([name, value]) => formatEnvLine(name, value));
  if (lines.includes(undefined)) return undefined;
  const text = lines.join("\n");
  return isDeepStrictEqual(parse(text), values) ? text : undefined;
}

/** One line; undefined where no quoting can carry the value. */
export function formatEnvLine(name: string, value: string): string | undefined {
  return QUOTES.map((quote) => `${name}=${quote}${value}${quote}`).find((line) => {
    // Between neighbours: an unbalanced quote reads well alone and swallows the lines after it.
    const text = `BEFORE='x'\n${line}\nAFTER='y'\nLAST="z"\nEND=\`e\`\n`;
    const expected = { BEFORE: "x", [name]: value, AFTER: "y", LAST: "z", END: "e" };
    const { values, problems } = readEnvText(text);
    return problems.length === 0 && isDeepStrictEqual(values, expected) && isDeepStrictEqual(parse(text), expected);
  });
}

/**
 * An env file's text with other values, and without those that are undefined; every other line stays, comments and
 * line ends included. Undefined where no quoting can carry a value.
 * @throws IpcheckError `config` when it is no UTF-8 text
 */
export function editEnvText(given: string, values: Record<string, string | undefined>): string | undefined {
  const { text, content: before } = repairEnvText(given);
  const lines = splitLines(text);
  const endOfLine = /\r?\n|\r/.exec(text)?.[0] ?? "\n";
  const missing: [string, string][] = [];
  for (const [name, value] of Object.entries(values)) {
    if (value === before.values[name]) continue;
    const formatted = value === undefined ? "" : formatEnvLine(name, value);
    if (formatted === undefined) return undefined;
    const places = before.statements.filter((statement) => statement.name === name);
    for (const { line, endLine } of places) {
      const old = lines.splice(line - 1, endLine - line + 1, ...Array(endLine - line + 1).fill("")).join("");
      if (value !== undefined) lines[line - 1] = replaceValue(old, name, value, formatted);
    }
    if (value !== undefined && places.length === 0) missing.push([name, formatted]);
  }
  for (const [name, formatted] of missing) {
    // Beside the line that shows how it is written, where the file has one.
    const example = lines.findLastIndex((line) => line.replace(/^\s*#\s*/, "#").startsWith(`#${name}=`));
    const at = example < 0 ? lines.length : example + 1;
    if (at > 0 && !/[\r\n]$/.test(lines[at - 1] || endOfLine)) lines[at - 1] += endOfLine;
    lines.splice(at, 0, formatted + endOfLine);
  }
  const result = lines.join("");
  const after = readEnvText(result);
  const expected = { ...before.values, ...values };
  const isIntact = Object.keys(expected).every((name) => after.values[name] === expected[name]);
  return isIntact && after.problems.length === 0 ? result : undefined;
}

/**
 * An env file's text as a run would accept it, what it then says, and what was wrong with it: a line that nothing can be
 * read from, and all but the last of several values, become comments.
 * @throws IpcheckError `config` when it is no UTF-8 text
 */
export function repairEnvText(given: string): { text: string; content: EnvText; problems: string[] } {
  let text = given;
  let content = readEnvText(text);
  const { problems } = content;
  while (content.problems.length > 0) {
    const { statements, values } = content;
    const fault =
      statements.find(({ name }) => name === undefined || !Object.hasOwn(values, name)) ??
      statements.find(({ name }, index) => statements.some((later, at) => at > index && later.name === name));
    if (fault === undefined) throw new IpcheckError("config", `the env file cannot be edited: ${content.problems[0]}`);
    const lines = splitLines(text);
    for (let line = fault.line; line <= fault.endLine; line++) lines[line - 1] = `# ${lines[line - 1]}`;
    text = lines.join("");
    content = readEnvText(text);
  }
  return { text, content, problems };
}

function splitLines(text: string): string[] {
  return text.split(/(?<=\r\n|\r(?!\n)|[\n\u2028\u2029])/);
}

/** The statement with another value; 'export' before it and a comment behind it stay, where they can. */
function replaceValue(statement: string, name: string, value: string, formatted: string): string {
  const end = /[\r\n\u2028\u2029]*$/.exec(statement)?.[0] ?? "";
  const [, start = "", comment = ""] =
    /^(\s*(?:export\s+)?)[^=:]*[=:]\s*(?:'[^']*'|"[^"]*"|`[^`]*`|[^#]*?)(\s*#.*)?$/.exec(statement.trimEnd()) ?? [];
  const whole = start + formatted + comment;
  return (readEnvText(whole).values[name] === value ? whole : formatted) + end;
}

/** What the new text of an env file changes, line by line and without secrets. */
export function describeChanges(before: string, after: string): string[] {
  const { content: old, problems } = repairEnvText(before);
  const now = readEnvText(after);
  const names = Object.keys({ ...old.values, ...now.values }).filter((name) => old.values[name] !== now.values[name]);
  const show = (sign: string, { values }: EnvText, name: string) =>
    values[name] === undefined ? [] : [`${sign} ${describeSetting(name as VariableName, values[name])}`];
  return [
    ...problems.map((problem) => `# ${problem} (kept as a comment)`),
    ...names.flatMap((name) => [...show("-", old, name), ...show("+", now, name)]),
  ];
}
