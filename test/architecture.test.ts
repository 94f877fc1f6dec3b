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

const roomOf = (path: string) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "main");
const isOurs = (target: string) => FILES.some(({ path }) => path === `${target}.ts`);

test("every import inside src leads to a file", () => {
  expect(IMPORTS.filter(({ to }) => /^(cli|compose|core|config|io|main)\b/.test(to) && !isOurs(to))).toEqual([]);
  expect(IMPORTS.length).toBeGreaterThan(50);
});

test("one direction: main → compose → {cli, config, io} → core", () => {
  const allowed: Record<string, string[]> = {
    main: ["compose", "cli", "core"],
    compose: ["compose", "cli", "config", "io", "core"],
    cli: ["cli", "core"],
    config: ["config", "core"],
    io: ["io", "core"],
    core: ["core"],
  };
  const wrong = IMPORTS.filter(({ from, to }) => isOurs(to) && !allowed[roomOf(from)]?.includes(roomOf(to)));
  expect(wrong).toEqual([]);
});

test("each package has one room, and core touches nothing", () => {
  const rooms: Record<string, RegExp> = {
    commander: /^cli\/(program|manual|completion)$/,
    nodemailer: /^io\/mail$/,
    "nodemailer/lib/smtp-connection": /^io\/mail-probe$/,
    "nodemailer/lib/well-known": /^io\/mail-providers$/,
    "@clack/prompts": /^io\/prompts$/,
    dotenv: /^config\/(env-file|env-lines)$/,
  };
  const packages = IMPORTS.filter(({ to }) => !isOurs(to));
  const wrong = packages.filter(({ from, to }) => {
    if (roomOf(from) === "core") return to !== "node:net" && to !== "node:crypto";
    if (to.startsWith("node:")) return false;
    return !rooms[to]?.test(from.replace(/\.ts$/, ""));
  });
  expect(wrong).toEqual([]);
});

test("only main looks at the process, besides asking for the platform", () => {
  const readers = FILES.filter(({ path, text }) => {
    return !["main.ts", "write-manual.ts"].includes(path) && /\bprocess\.(?!platform\b|kill\b)/.test(text);
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

test("no default exports, no utils, no file that needs an evening of its own", () => {
  for (const { path, text } of FILES) {
    expect(text, path).not.toMatch(/^export default/m);
    expect(path).not.toMatch(/util/);
    expect(text.split("\n").length, path).toBeLessThanOrEqual(215);
  }
});
