export interface Element {
  name: string;
  attributes: Record<string, string>;
  /** As it stands in the page. */
  source: string;
}

const VOID = new Set(["meta", "br"]);
const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", nbsp: "\u00a0" };
const TOKEN = /<!DOCTYPE html>|<(\/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"<>]*")*)>|([^<>]+)/g;

/**
 * Reads a page as strictly as XML: throws at a stray angle bracket, a bare attribute, an unclosed element. Everything
 * with the elements around it, outermost first.
 */
export function parseHtml(markup: string) {
  // A place where a line may break is no end of a word.
  const html = markup.replaceAll("<wbr>", "");
  const elements: { element: Element; within: Element[] }[] = [];
  const texts: { text: string; within: Element[] }[] = [];
  const open: Element[] = [];
  let end = 0;
  for (const match of html.matchAll(TOKEN)) {
    if (match.index !== end) throw new Error(`not HTML: ${html.slice(end, end + 60)}`);
    const [source, slash, name, attributes = "", text] = match;
    end += source.length;
    if (text !== undefined) {
      texts.push({ text: open.at(-1)?.name === "style" ? text : decode(text), within: [...open] });
    } else if (name !== undefined && slash) {
      const closed = open.pop()?.name;
      if (closed !== name) throw new Error(`</${name}> closes <${closed}>`);
    } else if (name !== undefined) {
      const pairs = [...attributes.matchAll(/ ([a-z-]+)="([^"]*)"/g)];
      const element = {
        name,
        source,
        attributes: Object.fromEntries(pairs.map(([, key = "", value = ""]) => [key, decode(value)])),
      };
      elements.push({ element, within: [...open] });
      if (!VOID.has(name)) open.push(element);
    }
  }
  if (end !== html.length || open.length > 0) throw new Error(`left open: ${open.map(({ name }) => name)}`);
  return { elements, texts };
}

/** What a reader sees, in reading order. */
export function visibleText(html: string): string {
  const { texts } = parseHtml(html);
  return texts
    .filter(({ within }) => within.some(({ name }) => name === "body"))
    .map(({ text }) => text)
    .join(" ");
}

function decode(text: string): string {
  return text.replace(/&([^;\s]*);?/g, (source, name: string) => {
    const character = source.endsWith(";") ? ENTITIES[name] : undefined;
    if (character === undefined) throw new Error(`not an entity: ${source}`);
    return character;
  });
}
