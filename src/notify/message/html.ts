import type { MessageContent, Section } from "./content";

// One column, inline styles, nothing fetched. Mail programs strip what they do not like: without the
// style element it stays legible in light colours; with it, it follows a dark screen.
const STYLE = `
:root{color-scheme:light dark}
@media (prefers-color-scheme:dark){
.page{background:#15181c!important;color:#e6e8eb!important}
.card{background:#20252b!important;border-color:#3a424c!important}
.soft{color:#aab4c0!important}
.code{background:#0f1215!important;color:#e6e8eb!important;border-color:#3a424c!important}
.bar{background:#5aa9ff!important}
.rule{border-color:#3a424c!important}
}`;

const FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace";
// Addresses and commands break anywhere rather than push the page wider than a phone.
const BREAK = "overflow-wrap:anywhere;word-break:break-word";

/** The HTML part: the same facts as the text, for small screens, light and dark. */
export function renderHtml(content: MessageContent): string {
  const { language, subject, headline, remarks, sections, hostKeys, changes, bars, footer } = content;
  return `<!DOCTYPE html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escapeHtml(subject)}</title>
<style>${STYLE}</style>
</head>
<body class="page" style="margin:0;padding:0;background:#f2f4f6;color:#1b1f24;${FONT}">
<div class="page" style="max-width:560px;margin:0 auto;padding:16px;background:#f2f4f6;color:#1b1f24;font-size:16px;line-height:1.5;${BREAK}">
<p style="margin:0 0 12px;font-size:18px">${escapeHtml(headline)}</p>
${remarks.map((remark) => `<p style="margin:0 0 12px">${escapeHtml(remark)}</p>`).join("\n")}
${sections.map(renderSection).join("\n")}
${hostKeys ? section(hostKeys.title, `${code(hostKeys.lines)}<p style="margin:6px 0 0">${escapeHtml(hostKeys.advice)}</p>`) : ""}
${changes ? section(changes.title, list(changes.lines)) : ""}
${bars ? section(bars.title, bars.rows.map(renderBar).join("\n")) : ""}
<div class="soft rule" style="margin-top:20px;padding-top:10px;border-top:1px solid #d5dae0;color:#57606a;font-size:13px">
${footer.map((line) => `<p style="margin:0 0 6px">${escapeHtml(line)}</p>`).join("\n")}
</div>
</div>
</body>
</html>
`;
}

function renderSection({ title, address, facts, login }: Section): string {
  const rows = facts.map(
    ({ label, value }) =>
      `<p style="margin:6px 0 0"><span class="soft" style="color:#57606a;font-size:14px">${escapeHtml(label)}</span><br>${escapeHtml(value)}</p>`,
  );
  return `<div class="card" style="margin:0 0 14px;padding:14px 16px;background:#ffffff;border:1px solid #d5dae0;border-radius:10px">
<div class="soft" style="color:#57606a;font-size:14px">${escapeHtml(title)}</div>
<div style="margin:2px 0 8px;font-size:24px;line-height:1.3;font-weight:700;${MONO};-webkit-user-select:all;user-select:all">${breakable(address)}</div>
${rows.join("\n")}
<p class="soft" style="margin:12px 0 0;color:#57606a;font-size:14px">${escapeHtml(login.label)}</p>
${code([login.command])}
</div>`;
}

function section(title: string, body: string): string {
  return `<div style="margin:16px 0 0"><p class="soft" style="margin:0;color:#57606a;font-size:14px">${escapeHtml(title)}</p>
${body}</div>`;
}

function code(lines: readonly string[]): string {
  const text = lines.map(escapeHtml).join("\n");
  return `<pre class="code" style="margin:4px 0 0;padding:10px 12px;background:#f2f4f6;border:1px solid #d5dae0;border-radius:6px;font-size:14px;white-space:pre-wrap;${BREAK};${MONO};-webkit-user-select:all;user-select:all">${text}</pre>`;
}

function list(lines: readonly string[]): string {
  return `<ul style="margin:4px 0 0;padding-left:20px">
${lines.map((line) => `<li style="margin:0 0 4px">${escapeHtml(line)}</li>`).join("\n")}
</ul>`;
}

function renderBar({ label, duration, share }: NonNullable<MessageContent["bars"]>["rows"][number]): string {
  const width = Math.max(2, Math.round(share * 100));
  return `<div style="margin:6px 0 0;font-size:14px"><span style="${MONO}">${escapeHtml(label)}</span> <span class="soft" style="color:#57606a">${escapeHtml(duration)}</span>
<div class="bar" style="margin-top:2px;height:8px;width:${width}%;background:#0a66c2;border-radius:4px;font-size:0;line-height:0">&nbsp;</div></div>`;
}

// A long IPv6 address breaks between its groups, not inside one; what is copied stays the same.
function breakable(address: string): string {
  return escapeHtml(address).replaceAll(":", ":<wbr>");
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
