import { expect, test } from "vitest";
import { composeExample, EACH_MESSAGE } from "./examples";
import { type Element, parseHtml } from "./parse-html";

type Mode = "light" | "dark";

/** WCAG 2.2: 4.5 for text (1.4.3), 3 for what is drawn (1.4.11). */
const TEXT = 4.5;
const DRAWN = 3;

test.each(EACH_MESSAGE)("$kind in $language: everything can be read, in light and in dark", ({ kind, language }) => {
  const { html } = composeExample(kind, language, { unwritable: "full" });
  const { texts, elements } = parseHtml(html);
  const style = texts.find(({ within }) => within.at(-1)?.name === "style")?.text ?? "";
  expect(style).toContain("prefers-color-scheme:dark");
  for (const mode of ["light", "dark"] as const) {
    const colorOf = (property: string, within: Element[]) => nearest(property, within, style, mode);
    for (const { text, within } of texts) {
      if (text.trim() === "" || !within.some(({ name }) => name === "body")) continue;
      if (/^(bar|strip)$/.test(within.at(-1)?.attributes["class"] ?? "")) continue;
      const ratio = contrast(colorOf("color", within), colorOf("background", within));
      expect({ mode, text, ratio: ratio >= TEXT || ratio }).toEqual({ mode, text, ratio: true });
    }
    const bars = elements.filter(({ element }) => /^(bar|strip)$/.test(element.attributes["class"] ?? ""));
    expect(bars.length).toBeGreaterThan(kind === "mixed" ? 0 : 2);
    for (const { element, within } of bars) {
      const ratio = contrast(colorOf("background", [...within, element]), colorOf("background", within));
      expect(ratio).toBeGreaterThanOrEqual(DRAWN);
    }
  }
});

/** The value in force for the innermost element, `#rrggbb`; in the dark the style sheet's comes first. */
function nearest(property: string, within: Element[], style: string, mode: Mode): string | undefined {
  const values = within.flatMap(({ attributes: { class: names = "", style: own = "" } }) => {
    const rules = names.split(" ").map((name) => new RegExp(`^\\.${name}\\{(.*)\\}$`, "m").exec(style)?.[1] ?? "");
    const declarations = `;${[...(mode === "dark" ? rules : []), own].join(";")}`;
    return new RegExp(`;${property}:([^;!]+)`).exec(declarations)?.[1] ?? [];
  });
  return values.at(-1);
}

function contrast(a = "", b = ""): number {
  const [darker = 0, lighter = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(color: string): number {
  const channels = /^#(..)(..)(..)$/.exec(color)?.slice(1);
  if (!channels) throw new Error(`no colour: '${color}'`);
  const [red = 0, green = 0, blue = 0] = channels
    .map((channel) => Number.parseInt(channel, 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test("the measure is the one of WCAG", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21);
  expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.48, 2);
});
