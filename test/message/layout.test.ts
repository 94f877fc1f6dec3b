import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { makeScratch } from "../support/scratch";
import { compose, composeExample, EACH_MESSAGE, factsIn, KINDS } from "./examples";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const FLAGS =
  "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync --dump-dom";

// One line for two addresses of IPv4, one line each for two of IPv6.
const LONGEST = (KINDS["change"] ?? []).flatMap((event) => [
  { ...event, address: "198.151.100.123", old: "203.100.113.107" },
  {
    ...event,
    family: 6 as const,
    address: "2001:db8:1234:5678:90ab:cdef:1234:5678",
    old: "2001:db8:4321:8765:fedc:ba09:8765:4321",
  },
]);

test("no mail, and nothing in it, scrolls sideways, on a phone or in a wide window", async ({ skip }) => {
  if (!existsSync(CHROMIUM)) return skip(`${CHROMIUM} is not installed: nothing was laid out`);
  const long = {
    machineName: "w".repeat(60),
    hostName: "very-long-host-name.".repeat(3),
    sshLine: `ssh -o ProxyCommand=${"/very/long/path".repeat(8)} pi@{ip}`,
  };
  const letters = [
    ...EACH_MESSAGE.map(({ kind, language }) => ({ name: `${kind} ${language}`, ...composeExample(kind, language) })),
    { name: "long names", ...composeExample("several", "fr", long) },
    { name: "longest addresses", ...compose(LONGEST, factsIn("en")) },
  ];
  const frames = letters.flatMap(({ name, html }) =>
    [360, 800].map((width) => ({ name: `${name} ${width}`, width, html })),
  );
  // One that does scroll shows that the measure works.
  frames.push({ name: "control 360", width: 360, html: '<body><div style="width:500px">wide</div>' });
  const inner = '<body style="margin:0"><div style="overflow-x:auto"><p style="width:400px">wide</p></div>';
  frames.push({ name: "inner control 360", width: 360, html: inner });

  const widths = await measure(frames);
  expect(Object.keys(widths)).toHaveLength(frames.length);
  expect(Object.entries(widths).filter(([, { width, scrollWidth }]) => scrollWidth > width)).toEqual([
    ["control 360", { width: 360, scrollWidth: expect.any(Number) }],
    ["inner control 360", { width: 360, scrollWidth: 400 }],
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
      const { documentElement } = frame.contentDocument;
      const { clientWidth } = documentElement;
      // What scrolls inside the page is as far too wide as the page would be.
      const excess = [...frame.contentDocument.querySelectorAll("div")].map((div) => div.scrollWidth - div.clientWidth);
      const scrollWidth = Math.max(documentElement.scrollWidth, clientWidth + Math.max(0, ...excess));
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
