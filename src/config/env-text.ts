import { parse } from "dotenv";

/** What an env file says. */
export interface EnvText {
  values: Record<string, string>;
  /** The number of the line on which each name was given. */
  lines: Record<string, number>;
  /** Everything that is neither blank nor a comment: its lines, and its name where it can be read. */
  statements: { name: string | undefined; line: number; endLine: number }[];
  /** What it cannot mean, each with its line; never with the line's text, which may be a password. */
  problems: string[];
}

const ASSIGNMENT = /^\s*(?:export\s+)?([\w.-]+)(?:\s*=|:\s)\s*/;

/** A value between quotes, over several lines or not, and what may stand behind it; as dotenv sees it. */
const QUOTED = /(?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`)[^\S\n]*(?:#.*)?$/my;

/** One of our variables in a further line of a value. */
const SWALLOWED = /\n\s*(?:export\s+)?IPCHECK_\w+(?:\s*=|:\s)/;

/**
 * Reads an env file with dotenv, one assignment at a time. Given the whole file, dotenv drops what it does not
 * understand without a word, lets a lone quote swallow the lines below it, takes the last of two values,
 * and needs a minute for 200,000 blank lines.
 */
export function readEnvText(given: string): EnvText {
  // Without names that every object has: a file may have one of them, too.
  const result: EnvText = { values: {}, lines: Object.create(null), statements: [], problems: [] };
  // Without the byte order mark that Windows editors write. dotenv knows all these line ends, too; the last line gets one.
  const text = `${given.replace(/^\uFEFF/, "").replace(/\r\n?|[\u2028\u2029]/g, "\n")}\n`;
  const undecodable = /[\0\uFFFD]/.exec(text);
  if (undecodable) {
    const line = countLines(text.slice(0, undecodable.index));
    return { ...result, problems: [`line ${line}: is not UTF-8 text, save the file as UTF-8`] };
  }
  let end = 0;
  for (let start = 0, line = 1; start < text.length; line += countLines(text.slice(start, end)), start = end + 1) {
    end = text.indexOf("\n", start);
    const first = text.slice(start, end);
    if (/^\s*(#|$)/.test(first)) continue;
    const complain = (what: string) => result.problems.push(`line ${line}: ${what}`);
    const assignment = ASSIGNMENT.exec(first);
    const statement = { name: assignment?.[1], line, endLine: line };
    result.statements.push(statement);
    if (!assignment) {
      const name = /^\s*(?:export\s+)?(IPCHECK_[A-Z0-9_]+)/.exec(first)?.[1] ?? "NAME";
      complain(`expected ${name}=value, a comment or a blank line`);
      continue;
    }
    const valueAt = start + assignment[0].length;
    const quote = /^['"`]/.exec(text.slice(valueAt, end))?.[0];
    QUOTED.lastIndex = valueAt;
    if (quote && QUOTED.test(text)) {
      end = QUOTED.lastIndex;
    } else if (quote && !text.slice(valueAt + 1, end).includes(quote)) {
      // The end of the value is unknown, so nothing behind it can be read either.
      statement.name = undefined;
      complain(`the quote (${quote}) in front of the value is never closed`);
      return result;
    } else if (/^[^#]*[^\s#]#/.test(text.slice(valueAt - 1, end))) {
      complain("the value would end at the # in it, put the whole value between quotes");
      continue;
    }
    if (/^[“”‘’].*[“”‘’]\s*$/.test(text.slice(valueAt, end))) {
      // Typed by a word processor: dotenv takes them for a part of the value. Between plain quotes they are meant.
      complain("the quotes around the value are typographic ones, type ' or \" instead");
      continue;
    }
    const whole = text.slice(start, end);
    if (SWALLOWED.test(whole)) {
      // The quote was meant to be closed before; a variable of ours would be lost in a value of somebody else's.
      complain(`the value goes on over a line that sets another variable, close its quote (${quote})`);
      continue;
    }
    statement.endLine = line + countLines(whole) - 1;
    take(whole, line, result);
  }
  return result;
}

function take(assignment: string, line: number, { values, lines, problems }: EnvText): void {
  const [[name, value] = [], ...more] = Object.entries(parse(assignment));
  if (name === undefined || value === undefined || more.length > 0) {
    problems.push(`line ${line}: expected NAME=value`);
    return;
  }
  const before = lines[name];
  if (before !== undefined && values[name] !== value) {
    problems.push(`${name}: has two values, on line ${before} and on line ${line}: keep one of them`);
  }
  values[name] = value;
  lines[name] ??= line;
}

function countLines(text: string): number {
  return text.split("\n").length;
}
