import { parse } from "dotenv";
import { readEnvText } from "./env-text";

// dotenv knows no escapes: which quotes carry a value depends on what is in it.
const QUOTINGS = [
  (value: string) => value,
  (value: string) => `'${value}'`,
  (value: string) => `"${value}"`,
  (value: string) => `\`${value}\``,
];

/**
 * `NAME=value` lines for an env file, each parsed back with dotenv and compared before it is
 * returned; undefined where no quoting can carry a value.
 */
export function formatEnvLines(values: Record<string, string>): string | undefined {
  const lines = Object.entries(values).map(([name, value]) => formatEnvLine(name, value));
  if (!lines.every((line) => line !== undefined)) return undefined;
  const text = lines.join("\n");
  const parsed = parse(text);
  return Object.entries(values).every(([name, value]) => parsed[name] === value) ? text : undefined;
}

/** One line; undefined where no quoting can carry the value. */
export function formatEnvLine(name: string, value: string): string | undefined {
  for (const quoting of QUOTINGS) {
    const line = `${name}=${quoting(value)}`;
    // Between neighbours: an unbalanced quote reads well alone and swallows the lines after it.
    const text = `BEFORE='x'\n${line}\nAFTER='y'\nLAST="z"\nEND=\`e\`\n`;
    const { values, problems } = readEnvText(text);
    const isIntact = [values, parse(text)].every(
      (parsed) =>
        parsed["BEFORE"] === "x" &&
        parsed["AFTER"] === "y" &&
        parsed["LAST"] === "z" &&
        parsed["END"] === "e" &&
        parsed[name] === value &&
        Object.keys(parsed).length === 5,
    );
    if (isIntact && problems.length === 0) return line;
  }
  return undefined;
}

/** A whole env file with a line for each value; undefined where no quoting can carry one. */
export function renderEnvFile(values: Record<string, string>): string | undefined {
  const lines = formatEnvLines(values);
  if (lines === undefined) return undefined;
  const head = "# Written by 'ipcheck init'. Every variable is described in .env.example.";
  return `${head}\n${lines}\n`;
}
