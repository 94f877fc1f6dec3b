import { type MessageContent, type Section, SHORT_MOVE } from "./content";

/** Longer lines are broken by mail programs where they like. */
const WIDTH = 76;
const BAR_WIDTH = 20;
const SHORTEST_BAR = 4;

/** The plain-text part: complete, and legible at 80 columns. */
export function renderText(content: MessageContent): string {
  const colon = content.colon.trimEnd();
  const { headline, warning, remarks, sections, hostKeys, changes, bars, footer } = content;
  const blocks = [
    wrap(headline),
    ...(warning ? [wrap(warning)] : []),
    ...remarks.map((remark) => wrap(remark)),
    ...sections.map((section) => renderSection(section, content.colon)),
    ...(hostKeys ? [`${hostKeys.title}${colon}\n\n${indent(hostKeys.lines)}\n\n${wrap(hostKeys.advice)}`] : []),
    ...(changes ? [`${changes.title}${colon}\n\n${changes.lines.map((line) => wrap(line, "  - ")).join("\n")}`] : []),
    ...(bars ? [`${bars.title}${colon}\n\n${renderBars(bars.rows)}`] : []),
    // The signature mark of RFC 3676: mail programs fold away what follows.
    `-- \n${footer.map((line) => wrap(line)).join("\n")}`,
  ];
  return `${blocks.join("\n\n")}\n`;
}

function renderSection({ title, old, address, facts, login }: Section, colon: string): string {
  const move = `${old} → ${address}`;
  const shown = old === undefined ? address : move.replace(SHORT_MOVE, "") === "" ? move : `${old} →\n    ${address}`;
  const lines = facts.map(({ label, value }) => wrap(`${label}${colon}${value}`));
  return [
    `${title}${colon.trimEnd()}\n\n    ${shown}`,
    lines.join("\n"),
    `${login.label}${colon.trimEnd()}\n\n    ${login.command}`,
  ].join("\n\n");
}

function renderBars(rows: NonNullable<MessageContent["bars"]>["rows"]): string {
  const width = Math.max(...rows.map(({ label }) => label.length));
  const rest = WIDTH - width - Math.max(...rows.map(({ duration }) => duration.length)) - 8;
  const barWidth = Math.max(SHORTEST_BAR, Math.min(BAR_WIDTH, rest));
  return rows
    .map(({ label, duration, share }) => {
      const bar = "#".repeat(share === 0 ? 0 : Math.max(1, Math.round(share * barWidth)));
      return `    ${label.padEnd(width)}  ${bar.padEnd(barWidth)}  ${duration}`;
    })
    .join("\n");
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `    ${line}`).join("\n");
}

// Only at plain spaces: the no-break spaces of French typography stay where they are, and a move keeps together.
function wrap(text: string, bullet = ""): string {
  const lines: string[] = [];
  let line = bullet;
  for (const word of text.replace(SHORT_MOVE, "$1\0→\0$2").split(" ")) {
    const isStart = line.trim() === bullet.trim();
    if (!isStart && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = " ".repeat(bullet.length) + word;
    } else {
      line += isStart ? word : ` ${word}`;
    }
  }
  return [...lines, line].join("\n").replaceAll("\0", " ");
}
