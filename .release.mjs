// npm run release [-- FOLDER]: writes ipcheck-<version>.tgz and its SHA-256. It holds what `npm pack` would pack,
// runtime packages included, in a folder named ipcheck: so it runs where it is unpacked, and npm takes it too.
// The same files give the same bytes.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const root = import.meta.dirname;
const folder = process.argv[2] ?? join(root, "release");
/** npm's own choice: after 1980, before which some archivers count no time. */
const MTIME = Date.parse("1985-10-26T08:15:00Z") / 1000;

// Without the scripts: they would build 'dist' anew under whoever uses it.
const pack = ["pack", "--dry-run", "--json", "--ignore-scripts"];
const [{ files, version }] = JSON.parse(execFileSync("npm", pack, { cwd: root, encoding: "utf8" }));

/** The file as it is published: what only developers need is not in package.json. */
function contentOf(path) {
  const content = readFileSync(join(root, path));
  if (path !== "package.json") return content;
  const { scripts, devDependencies, ...published } = JSON.parse(content);
  return Buffer.from(`${JSON.stringify(published, null, 2)}\n`);
}

/** One file of a tar archive in the format of POSIX.1-1988 (ustar). */
function entry(name, executable, content) {
  if (Buffer.byteLength(name) > 100) throw new Error(`${name}: too long for a name in a tar archive`);
  const header = Buffer.alloc(512);
  const octal = (value, length) => `${value.toString(8).padStart(length - 1, "0")}\0`;
  const mode = octal(executable ? 0o755 : 0o644, 8);
  header.write(name, 0);
  header.write(mode + octal(0, 8) + octal(0, 8) + octal(content.length, 12) + octal(MTIME, 12), 100);
  header.write("        0", 148); // The checksum counts itself as blanks; 0 is a plain file.
  header.write("ustar\x0000", 257);
  const checksum = header.reduce((sum, byte) => sum + byte);
  header.write(octal(checksum, 7), 148);
  return [header, content, Buffer.alloc(-content.length & 511)];
}

const paths = files.map(({ path }) => path).toSorted();
const entries = paths.flatMap((path) => entry(`ipcheck/${path}`, path.startsWith("bin/"), contentOf(path)));
const archive = gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]), { level: 9 });
const name = `ipcheck-${version}.tgz`;
const digest = createHash("sha256").update(archive).digest("hex");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, name), archive);
writeFileSync(join(folder, `${name}.sha256`), `${digest}  ${name}\n`);
process.stdout.write(`${join(folder, name)}: ${Math.ceil(archive.length / 1000)} kB, ${paths.length} files\n`);
