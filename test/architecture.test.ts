import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { expect, test } from "vitest";

const SRC = join(__dirname, "..", "src");

const FILES = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path: path.split(sep).join("/"), text: readFileSync(join(SRC, path), "utf8") }));

interface Import {
  from: string;
  to: string;
}

const IMPORTS: Import[] = FILES.flatMap(({ path, text }) =>
  [...text.matchAll(/^(?:import|export)\b[^";=]*?\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/gm)]
    .map(([, named, lazy]) => named ?? lazy ?? "")
    .map((target) => ({
      from: path,
      to: target.startsWith(".")
        ? relative(SRC, join(SRC, dirname(path), target))
            .split(sep)
            .join("/")
            .replace(/\.js$/, "")
        : target,
    })),
);

const layerOf = (path: string) => path.replace(/(\/.*|\.ts)$/, "");
const isOurs = (target: string) => FILES.some(({ path }) => path === `${target}.ts`);

test("every import inside src leads to a file", () => {
  expect(
    IMPORTS.filter(
      ({ to }) => /^(main|cli|commands|config|notify|state|lookup|schedule|base)\b/.test(to) && !isOurs(to),
    ),
  ).toEqual([]);
  expect(IMPORTS.length).toBeGreaterThan(50);
});

/** From the top down: a layer imports from itself and from those below it; lookup and schedule stand side by side. */
const LAYERS = ["main", "manual", "cli", "commands", "config", "notify", "state", "lookup", "schedule", "base"];

test("imports go only down the list of layers", () => {
  const wrong = IMPORTS.filter(({ from, to }) => {
    if (!isOurs(to)) return false;
    const [upper, lower] = [layerOf(from), layerOf(to)];
    if (upper === "lookup" && lower === "schedule") return true;
    return LAYERS.indexOf(lower) < LAYERS.indexOf(upper);
  });
  expect(wrong).toEqual([]);
  expect([...new Set(FILES.map(({ path }) => layerOf(path)))].sort()).toEqual([...LAYERS].sort());
});

/** Which file may use a package. */
const PACKAGES: Record<string, RegExp> = {
  commander: /^(cli|manual)$/,
  "nodemailer/lib/mail-composer": /^notify\/deliver$/,
  "nodemailer/lib/smtp-connection": /^notify\/smtp-session$/,
  "nodemailer/lib/well-known": /^notify\/providers$/,
  "@clack/prompts": /^base\/prompts$/,
  dotenv: /^config\/env-(text|edit)$/,
};

test("each package has one file", () => {
  const wrong = IMPORTS.filter(({ from, to }) => {
    return !isOurs(to) && !to.startsWith("node:") && !PACKAGES[to]?.test(from.replace(/\.ts$/, ""));
  });
  expect(wrong).toEqual([]);
});

/** The files that may touch the world; every other one is pure. */
const EFFECTS: Record<string, string> = {
  main: "main",
  manual: "manual",
  base: "atomic-file command file-stream network prompts trusted-file",
  config: "env-file password settings",
  lookup: "client lookup source-address",
  state: "state-file store lock history",
  notify: "smtp-session deliver message-facts hook heartbeat",
  schedule: "cron systemd launchd windows",
  commands: "check host init reach",
};
const touchesWorld = (path: string) =>
  EFFECTS[layerOf(path)]?.split(" ").includes(path.replace(/^.*\/|\.ts$/g, "")) ?? false;

test("only a few files touch the world", () => {
  const pure = /^node:(path|crypto|events|util|url)$/;
  const touching = IMPORTS.filter(({ from, to }) => {
    if (!to.startsWith("node:") || pure.test(to) || touchesWorld(from)) return false;
    // Reading an address is no network.
    return to !== "node:net" || !/^(lookup\/address|lookup\/services|config\/readers)\.ts$/.test(from);
  });
  expect(touching).toEqual([]);
});

test("only main looks at the process, besides asking for the platform, and while a child must end with it", () => {
  const readers = FILES.filter(({ path, text }) => {
    const others = text.replace(path === "base/command.ts" ? /\bprocess\.(on|off|pid)\b/g : "", "");
    return !["main.ts", "manual.ts"].includes(path) && /\bprocess\.(?!platform\b|kill\b)/.test(others);
  });
  expect(readers.map(({ path }) => path)).toEqual([]);
});

test("no cycles", () => {
  const next = (path: string) =>
    IMPORTS.filter(({ from, to }) => from === `${path}.ts` && isOurs(to)).map(({ to }) => to);
  const visit = (path: string, trail: string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail, path];
    for (const target of next(path)) {
      const cycle = visit(target, [...trail, path]);
      if (cycle) return cycle;
    }
    return undefined;
  };
  for (const { path } of FILES) expect(visit(path.replace(/\.ts$/, ""), [])).toBeUndefined();
});

test("no default exports, no utils", () => {
  for (const { path, text } of FILES) {
    expect(text, path).not.toMatch(/^export default/m);
    expect(path).not.toMatch(/util/);
  }
});
