import { escapeXml } from "../../base/text";
import type { Catalog, Language, MessageKind } from "./languages";

/** Everything a mail shows, in words and in the order in which it is shown. */
export interface MessageContent {
  language: Language;
  kind: MessageKind;
  words: Catalog;
  subject: string;
  headline: string;
  /** Something to be mended, right below the headline. */
  warning: string | undefined;
  remarks: string[];
  sections: Section[];
  hostKeys: string[];
  /** One line for each, where there are several. */
  changes: string[];
  bars: Bar[];
  footer: string[];
}

/** One family's address with its facts. */
export interface Section {
  title: string;
  /** Shown before the address, with an arrow. */
  old: string | undefined;
  address: string;
  facts: [label: string, value: string][];
  /** The command to paste. */
  login: string;
}

export interface Bar {
  label: string;
  duration: string;
  /** Of the longest, from 0 to 1; at 0 there is no bar. */
  share: number;
}

/** Two addresses that stand on one line, on a phone too: such as any two of IPv4. */
const SHORT_MOVE = /(?<!\S)(\S{1,15}) → (\S{1,15})(?!\S)/g;

/** Longer lines are broken by mail programs where they like. */
const WIDTH = 76;
const BAR_WIDTH = 20;
const SHORTEST_BAR = 4;

/** The plain-text part: complete, and legible at 80 columns. */
export function renderText(content: MessageContent): string {
  const { words, headline, warning, remarks, sections, hostKeys, changes, bars, footer } = content;
  const { colon } = words;
  const titled = (title: string, body: string) => `${title}${colon.trimEnd()}\n\n${body}`;
  const blocks = [
    wrap(headline),
    warning && wrap(warning),
    ...remarks.map((remark) => wrap(remark)),
    ...sections.flatMap(({ title, old, address, facts, login }) => [
      titled(title, indent([moveOf(old, address)])),
      facts.map(([label, value]) => wrap(`${label}${colon}${value}`)).join("\n"),
      titled(words.login, indent([login])),
    ]),
    hostKeys.length > 0 && titled(words.hostKeys, `${indent(hostKeys)}\n\n${wrap(words.hostKeysAdvice)}`),
    changes.length > 0 && titled(words.allChanges, changes.map((line) => wrap(line, "  - ")).join("\n")),
    bars.length > 0 && titled(words.lately, indent(drawBars(bars))),
    // The signature mark of RFC 3676: mail programs fold away what follows.
    `-- \n${footer.map((line) => wrap(line)).join("\n")}`,
  ];
  return `${blocks.filter(Boolean).join("\n\n")}\n`;
}

function moveOf(old: string | undefined, address: string): string {
  if (old === undefined) return address;
  return isShort(`${old} → ${address}`) ? `${old} → ${address}` : `${old} →\n    ${address}`;
}

function isShort(move: string): boolean {
  return move.replace(SHORT_MOVE, "") === "";
}

function drawBars(rows: readonly Bar[]): string[] {
  const width = Math.max(...rows.map(({ label }) => label.length));
  const rest = WIDTH - width - Math.max(...rows.map(({ duration }) => duration.length)) - 8;
  const barWidth = Math.max(SHORTEST_BAR, Math.min(BAR_WIDTH, rest));
  return rows.map(({ label, duration, share }) => {
    const bar = "#".repeat(share === 0 ? 0 : Math.max(1, Math.round(share * barWidth)));
    return `${label.padEnd(width)}  ${bar.padEnd(barWidth)}  ${duration}`;
  });
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

// One column, inline styles, nothing fetched. Mail programs strip what they do not like: without the
// style element it stays legible in light colours; with it, it follows a dark screen.
const STYLE = `
:root{color-scheme:light dark}
@media (prefers-color-scheme:dark){
.page{background:#15181c!important;color:#e6e8eb!important}
.card{background:#20252b!important;border-color:#3a424c!important}
.soft{color:#aab4c0!important}
.alert{background:#4a1d12!important;color:#ffd9c7!important;border-color:#ff8f66!important}
.code{background:#0f1215!important;color:#e6e8eb!important;border-color:#3a424c!important}
.bar{background:#5aa9ff!important}
.rule{border-color:#3a424c!important}
}`;

const FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace";
/** A colour for each kind of mail, legible on light and dark backgrounds. */
const COLORS: Record<MessageKind, string> = {
  first: "#2f81f7",
  change: "#d1570a",
  changes: "#d1570a",
  returned: "#d1570a",
  back: "#2e8b45",
  interrupted: "#b7791f",
  heartbeat: "#2e8b45",
  test: "#8f63e8",
};

// Commands break anywhere rather than push the page wider than a phone.
const BREAK = "overflow-wrap:anywhere;word-break:break-word";

/** The HTML part: the same facts as the text, for small screens, light and dark. */
export function renderHtml(content: MessageContent): string {
  const { language, kind, words, subject, headline, warning, remarks, sections, hostKeys, changes, bars, footer } =
    content;
  return `<!DOCTYPE html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escapeXml(subject)}</title>
<style>${STYLE}</style>
</head>
<body class="page" style="margin:0;padding:0;background:#f2f4f6;color:#1b1f24;${FONT}">
<div class="page" style="max-width:560px;margin:0 auto;padding:12px;background:#f2f4f6;color:#1b1f24;font-size:16px;line-height:1.5;${BREAK}">
<div class="strip" style="height:8px;background:${COLORS[kind]};border-radius:4px;font-size:0;line-height:0">&nbsp;</div>
<p style="margin:10px 0 12px;font-size:20px;line-height:1.35;font-weight:700">${escapeXml(headline)}</p>
${warning ? `<p class="alert" style="margin:0 0 12px;padding:10px 12px;background:#fff0ea;color:#7a2208;border:1px solid #d1570a;border-radius:6px;font-weight:600">${escapeXml(warning)}</p>` : ""}
${remarks.map((remark) => `<p style="margin:0 0 12px">${escapeXml(remark)}</p>`).join("\n")}
${sections.map((section) => renderSection(section, words)).join("\n")}
${hostKeys.length > 0 ? titled(words.hostKeys, `${code(hostKeys)}<p style="margin:6px 0 0">${escapeXml(words.hostKeysAdvice)}</p>`) : ""}
${changes.length > 0 ? titled(words.allChanges, list(changes)) : ""}
${bars.length > 0 ? titled(words.lately, bars.map(renderBar).join("\n")) : ""}
<div class="soft rule" style="margin-top:20px;padding-top:10px;border-top:1px solid #d5dae0;color:#57606a;font-size:13px">
${footer.map((line) => `<p style="margin:0 0 6px">${escapeXml(line)}</p>`).join("\n")}
</div>
</div>
</body>
</html>
`;
}

function renderSection({ title, old, address, facts, login }: Section, words: Catalog): string {
  const rows = facts.map(
    ([label, value]) =>
      `<p style="margin:6px 0 0"><span class="soft" style="color:#57606a;font-size:14px">${escapeXml(label)}</span><br>${breakable(value)}</p>`,
  );
  return `<div class="card" style="margin:0 0 14px;padding:12px;background:#ffffff;border:1px solid #d5dae0;border-radius:10px">
<div class="soft" style="color:#57606a;font-size:14px">${escapeXml(title)}</div>
<div style="margin:4px 0 8px;line-height:1.4;${MONO};white-space:nowrap;overflow-x:auto">${renderMove(old, address)}</div>
${rows.join("\n")}
<p class="soft" style="margin:12px 0 0;color:#57606a;font-size:14px">${escapeXml(words.login)}</p>
${code([login])}
</div>`;
}

// Two addresses of IPv4 stand on one line of a phone, two of IPv6 on two; no address is broken.
function renderMove(old: string | undefined, address: string): string {
  const isOnOneLine = isShort(`${old ?? "-"} → ${address}`);
  const scale = isOnOneLine ? SMALLER : 1;
  const oldWidth = old === undefined ? 0 : scale * (old.length + 2);
  const width = isOnOneLine ? oldWidth + 1 + address.length : Math.max(oldWidth, address.length);
  const size = Math.min(24, Math.floor(PHONE_WIDTH / width));
  const shown = `<span style="font-size:${size}px;font-weight:700;-webkit-user-select:all;user-select:all">${escapeXml(address)}</span>`;
  if (old === undefined) return shown;
  return `<span class="soft" style="color:#57606a;font-size:${scale * size}px">${escapeXml(old)} →</span>${isOnOneLine ? " " : "<br>"}${shown}`;
}

/** The old address, where it stands beside the new one. */
const SMALLER = 0.75;
/** What a phone of 360 pixels leaves inside a card, in characters of a monospaced font of one pixel. */
const PHONE_WIDTH = 306 / 0.61;

function titled(title: string, body: string): string {
  return `<div style="margin:16px 0 0"><p class="soft" style="margin:0;color:#57606a;font-size:14px">${escapeXml(title)}</p>
${body}</div>`;
}

function code(lines: readonly string[]): string {
  const text = lines.map(breakable).join("\n");
  return `<pre class="code" style="margin:4px 0 0;padding:10px 12px;background:#f2f4f6;border:1px solid #d5dae0;border-radius:6px;font-size:14px;white-space:pre-wrap;${BREAK};${MONO};-webkit-user-select:all;user-select:all">${text}</pre>`;
}

function list(lines: readonly string[]): string {
  return `<ul style="margin:4px 0 0;padding-left:20px">
${lines.map((line) => `<li style="margin:0 0 4px">${breakable(line).replace(SHORT_MOVE, '<span style="white-space:nowrap">$&</span>')}</li>`).join("\n")}
</ul>`;
}

function renderBar({ label, duration, share }: Bar): string {
  const width = Math.max(2, Math.round(share * 100));
  const bar = `<div class="bar" style="margin-top:2px;height:8px;width:${width}%;background:#0a66c2;border-radius:4px;font-size:0;line-height:0">&nbsp;</div>`;
  return `<div style="margin:6px 0 0;font-size:14px"><span style="${MONO}">${escapeXml(label)}</span> <span class="soft" style="color:#57606a">${escapeXml(duration)}</span>
${share === 0 ? "" : bar}</div>`;
}

// Where a long IPv6 address has to break, it breaks between its groups; what is copied stays the same.
function breakable(text: string): string {
  return escapeXml(text).replace(/[\da-f:]{16,}/g, (address) => address.replaceAll(":", ":<wbr>"));
}
