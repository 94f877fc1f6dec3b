import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { makeScratch } from "../support/scratch";
import { EACH_LETTER, writeLetter } from "./examples";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const FLAGS =
  "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync --dump-dom";

test("no mail scrolls sideways, on a phone or in a wide window", async ({ skip }) => {
  if (!existsSync(CHROMIUM)) return skip(`${CHROMIUM} is not installed: nothing was laid out`);
  const long = {
    machineName: "w".repeat(60),
    hostName: "very-long-host-name.".repeat(3),
    sshLine: `ssh -o ProxyCommand=${"/very/long/path".repeat(8)} pi@{ip}`,
  };
  const letters = [
    ...EACH_LETTER.map(({ kind, language }) => ({ name: `${kind} ${language}`, ...writeLetter(kind, language) })),
    { name: "long names", ...writeLetter("several", "fr", long) },
  ];
  const frames = letters.flatMap(({ name, html }) =>
    [360, 800].map((width) => ({ name: `${name} ${width}`, width, html })),
  );
  // One that does scroll shows that the measure works.
  frames.push({ name: "control 360", width: 360, html: '<body><div style="width:500px">wide</div>' });

  const widths = await measure(frames);
  expect(Object.keys(widths)).toHaveLength(frames.length);
  expect(Object.entries(widths).filter(([, { width, scrollWidth }]) => scrollWidth > width)).toEqual([
    ["control 360", { width: 360, scrollWidth: expect.any(Number) }],
  ]);
});

// A window is never narrower than 500 px, so each mail stands in a frame of its own, all in one page.
async function measure(
  frames: { name: string; width: number; html: string }[],
): Promise<Record<string, { width: number; scrollWidth: number }>> {
  const folder = makeScratch();
  const page = join(folder, "page.html");
  const quoted = (text: string) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  const elements = frames.map(
    ({ name, width, html }) =>
      `<iframe name="${name}" width="${width}" height="1000" srcdoc="${quoted(html)}"></iframe>`,
  );
  const script = `onload = () => {
    const results = {};
    for (const frame of document.querySelectorAll("iframe")) {
      const { scrollWidth, clientWidth } = frame.contentDocument.documentElement;
      results[frame.name] = { width: clientWidth, scrollWidth };
    }
    document.body.textContent = JSON.stringify(results);
  }`;
  writeFileSync(
    page,
    `<!DOCTYPE html><meta charset="utf-8"><style>iframe{border:0}</style><script>${script}</script><body>${elements.join("")}`,
  );
  const flags = [...FLAGS.split(" "), "--hide-scrollbars", `--user-data-dir=${join(folder, "profile")}`];
  const { stdout } = await promisify(execFile)(CHROMIUM, [...flags, `file://${page}`], {
    timeout: 25_000,
    maxBuffer: 50_000_000,
  });
  return JSON.parse(/<body>(\{.*\})/.exec(stdout)?.[1] ?? "{}");
}
