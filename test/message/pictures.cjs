"use strict";
// Run by hand: npm run pictures
// Photographs each kind of mail in each language, as on a phone and in a wide window, light and dark.
const { execFileSync } = require("node:child_process");
const { mkdirSync, mkdtempSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join, resolve } = require("node:path");
const { EACH_MESSAGE, KINDS, composeExample } = require("./examples.ts");

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS =
  "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync --hide-scrollbars";
// Without a screen its window is never narrower than this: a phone is a frame in it.
const NARROWEST = 500;
const HEIGHTS = { 360: 1180, 800: 920 };

const folder = process.argv[2];
if (folder === undefined) {
  console.error("usage: node build/pictures.cjs FOLDER");
  process.exitCode = 2;
} else {
  mkdirSync(folder, { recursive: true });
  takePictures(resolve(folder));
}

function takePictures(target) {
  const scratch = mkdtempSync(join(tmpdir(), "ipcheck-pictures-"));
  try {
    for (const { kind, language } of EACH_MESSAGE) {
      const { html } = composeExample(kind, language);
      const events = KINDS[kind].length;
      for (const width of [360, 800]) {
        const page = join(scratch, "page.html");
        const height = HEIGHTS[width] + (events - 1) * (width < NARROWEST ? 260 : 160);
        writeFileSync(page, frame(html, width, height));
        for (const mode of ["light", "dark"]) {
          const picture = join(target, `${kind}-${language}-${width}-${mode}.png`);
          photograph(page, picture, { scratch, width, height, mode });
          console.log(picture);
        }
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}

function frame(html, width, height) {
  const source = html.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return `<!DOCTYPE html><meta charset="utf-8"><style>:root{color-scheme:light dark}body{margin:0;background:#888}
iframe{border:0;display:block;transform:scale(${scaleOf(width)});transform-origin:0 0}</style><iframe width="${width}" height="${height}" srcdoc="${source}"></iframe>`;
}

// A phone fills the picture: laid out at its own width, shown larger.
function scaleOf(width) {
  return Math.max(width, NARROWEST) / width;
}

function photograph(page, picture, { scratch, width, height, mode }) {
  const flags = [
    ...FLAGS.split(" "),
    `--user-data-dir=${join(scratch, "profile")}`,
    `--blink-settings=preferredColorScheme=${mode === "dark" ? 0 : 1}`,
    `--window-size=${Math.max(width, NARROWEST)},${Math.round(height * scaleOf(width))}`,
    `--screenshot=${picture}`,
  ];
  execFileSync(CHROMIUM, [...flags, `file://${page}`], { stdio: "ignore", timeout: 60_000 });
}
