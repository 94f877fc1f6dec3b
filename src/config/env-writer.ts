import { copyFile, mkdir, open, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Writes a file that only its owner may read, all of it or nothing; a file in its place is copied to
 * a dated backup first, whose path is returned.
 * @throws NodeJS.ErrnoException
 */
export async function writePrivateFile(path: string, text: string, now: Date): Promise<string | undefined> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  const backup = exists ? `${path}.backup-${now.toISOString().replace(/[:.]/g, "-")}` : undefined;
  if (backup !== undefined) await copyFile(path, backup);
  const temporary = `${path}.tmp`;
  await unlink(temporary).catch(() => undefined);
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  return backup;
}
