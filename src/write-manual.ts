// Run by the build: prints the man page, made of the command tree.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildProgram } from "./cli";
import type { Host } from "./commands/host";
import { renderManual } from "./commands/manual";

const root = join(__dirname, "..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const envExample = readFileSync(join(root, ".env.example"), "utf8");
const program = buildProgram({ version } as Host, () => undefined);
process.stdout.write(renderManual(program, { version, envExample }));
