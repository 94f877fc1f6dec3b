import type { Stream } from "./output";

/** What the place where results are shown can do. */
export interface Screen {
  columns: number;
  isUnicode: boolean;
  bold(text: string): string;
  accent(text: string): string;
}

/** Looks at the stream and at what the user wants: NO_COLOR (no-color.org), TERM=dumb, the locale. */
export function screenOf(stream: Stream, env: NodeJS.ProcessEnv): Screen {
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

function readColumns(text: string | undefined): number {
  const columns = Number(text);
  return Number.isInteger(columns) && columns > 0 ? columns : 80;
}
