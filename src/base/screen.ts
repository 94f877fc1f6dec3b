/** What the place where results are shown can do. */
export interface Screen {
  columns: number;
  isUnicode: boolean;
  bold(text: string): string;
  accent(text: string): string;
}

/** Looks at the stream and at what the user wants: NO_COLOR (no-color.org), TERM=dumb, the locale. */
export function screenOf(
  stream: { isTTY?: boolean | undefined; columns?: number | undefined },
  env: NodeJS.ProcessEnv,
): Screen {
  const hasColor = Boolean(stream.isTTY) && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  const style = (open: number, close: number) => (text: string) =>
    hasColor ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return {
    columns: stream.columns || readColumns(env["COLUMNS"]),
    isUnicode: /utf-?8/i.test(locale),
    bold: style(1, 22),
    accent: style(36, 39),
  };
}

/**
 * Breaks each line of `text` at spaces so that it fits into `columns`; what continues a line begins with `indent`
 * spaces. A longer word, such as a URL or a path, stays whole; a long list is broken after commas. Without `columns` nothing is broken.
 */
export function wrap(text: string, columns: number | undefined, indent = 0): string {
  if (!columns) return text;
  const margin = " ".repeat(Math.min(indent, Math.floor(columns / 4)));
  return text
    .split("\n")
    .map((line) => wrapLine(line, columns, margin))
    .join("\n");
}

function wrapLine(line: string, columns: number, margin: string): string {
  const lines: string[] = [];
  let last = line.slice(0, line.length - line.trimStart().length);
  for (const word of line.trimStart().split(/(?<= )/)) {
    for (const piece of margin.length + word.length > columns ? word.split(/(?<=,)/) : [word]) {
      if (last.trim() !== "" && [...(last + piece).trimEnd()].length > columns) {
        lines.push(last.trimEnd());
        last = margin;
      }
      last += piece;
    }
  }
  return [...lines, last.trimEnd()].join("\n");
}

function readColumns(text: string | undefined): number {
  const columns = Number(text);
  return Number.isInteger(columns) && columns > 0 ? columns : 80;
}
