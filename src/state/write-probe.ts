import { randomUUID } from "node:crypto";
import { access, constants, open, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCode } from "../base/errors";

/** As much as a state with a full outbox: a disk with less left is full for us. */
const PROBE_BYTES = 32 * 1024;

/**
 * Whether a state could be written beside `stateFile`, by writing as much and taking it away again.
 * Resolves to undefined, or to the system error code; `ENOENT` where the folder does not exist yet.
 */
export async function probeWrite(stateFile: string): Promise<string | undefined> {
  const path = join(dirname(stateFile), `.ipcheck-probe-${randomUUID()}`);
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(Buffer.alloc(PROBE_BYTES));
      await file.sync();
    } finally {
      await file.close();
      await unlink(path);
    }
    return undefined;
  } catch (error) {
    return systemCode(error) || "unknown error";
  }
}

/** Those of `paths` that are no files this user can use: the first is to be executed, the rest to be read. */
export async function findMissing(paths: readonly string[]): Promise<string[]> {
  const checked = await Promise.all(
    paths.map(async (path, index) => {
      try {
        // The first word is the program.
        await access(path, index === 0 ? constants.X_OK : constants.R_OK);
        return (await stat(path)).isFile() ? [] : [path];
      } catch {
        return [path];
      }
    }),
  );
  return checked.flat();
}
