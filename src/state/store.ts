import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { asIpcheckError, IpcheckError, systemCode } from "../base/errors";
import type { Principal } from "../base/trusted-file";
import { EMPTY_STATE, encodeState, forStateFile, type LoadedState, type SaveResult, type State } from "./state";
import { failureOf, openStateFile, type StateFile } from "./state-file";

/** Opens the state at `path`. Nothing is touched yet. */
export function openStore(path: string, environment: Principal & { env: NodeJS.ProcessEnv }): Store {
  const file = openStateFile(path, environment);
  return storeOver(file, (purpose) => {
    const folder = runtimeFolder(environment, purpose);
    const name = createHash("sha256").update(file.path).digest("hex").slice(0, 16);
    return folder === undefined ? undefined : openStateFile(join(folder, `${name}.json`), environment);
  });
}

/** What the fallback is opened for: writing makes its folder, a preview takes it for made. */
type Purpose = "read" | "write" | "preview";

export type Store = ReturnType<typeof storeOver>;

/**
 * The store over any state file, and the one in the runtime folder that is the fallback while the file cannot be used;
 * `openFallback` opens that, where there can be one.
 */
export function storeOver(file: StateFile, openFallback: (purpose: Purpose) => StateFile | undefined) {
  let fallback: StateFile | undefined;
  let found: LoadedState | undefined;
  /** Why the state file is left as it is: what it says could not be read, or its folder not be made. */
  let obstacle: IpcheckError | undefined;

  return {
    path: file.path,
    historyFile: file.historyFile,
    touch: file.touch,
    appendHistory: file.appendHistory,
    findHistoryObstacle: file.findHistoryObstacle,

    prepare(): void {
      const failure = failureOf(() => file.prepare());
      if (failure) obstacle = asDiskError(failure);
    },

    /** Removes what a killed run left behind; only for the holder of the lock. */
    cleanUp(): void {
      // Where nothing can be removed nothing can be written either, and that is found out later.
      failureOf(() => file.cleanUp());
    },

    /** @throws IpcheckError `state` where the state must not be used: a newer version's, or one in reach of others */
    load(): LoadedState {
      try {
        found = file.load();
      } catch (error) {
        obstacle = asDiskError(error);
        found = { state: EMPTY_STATE, lastLookAt: undefined, condition: "unreadable", error: obstacle };
      }
      const opened = openFallback("read");
      const kept = loadFallback(opened);
      if (!kept?.state.unsaved || kept.state.unsaved.basedOn !== fingerprint(found)) return found;
      fallback = opened;
      const lastLookAt = latest(kept.lastLookAt, found.lastLookAt);
      return { ...found, ...kept, lastLookAt, condition: "sound", stateOnDisk: found.state };
    },

    /** Moves a damaged state file away; undefined where even that fails, and the file stays as it is. */
    quarantine(now: Date): string | undefined {
      try {
        return file.quarantine(now);
      } catch (error) {
        obstacle = asIpcheckError(error);
        return undefined;
      }
    },

    save(state: State, lastLookAt: Date | undefined): SaveResult {
      const saveInPlace = () => {
        file.save(forStateFile(state), lastLookAt);
        fallback?.remove();
        fallback = undefined;
      };
      const error = obstacle ?? failureOf(saveInPlace);
      if (!error) return { place: "state file" };
      fallback ??= openFallback("write");
      const unsaved = { remindedAt: "", ...state.unsaved, basedOn: fingerprint(found) };
      const isKept = fallback && !failureOf(() => fallback?.save({ ...state, unsaved }, lastLookAt));
      return { place: isKept ? "runtime folder" : "nowhere", error };
    },

    /** Where `save` would keep the state just now, found out without writing. */
    previewSave(): SaveResult {
      const error = obstacle ?? file.findObstacle();
      if (!error) return { place: "state file" };
      const opened = openFallback("preview");
      return { place: opened && !opened.findObstacle() ? "runtime folder" : "nowhere", error };
    },
  };
}

/** Names what the state file says: a fallback takes the place of that and of nothing else. */
function fingerprint(found: LoadedState | undefined): string {
  const text = found ? `${found.condition} ${encodeState(found.state)}` : "";
  return createHash("sha256").update(text).digest("hex");
}

/** A path that leads nowhere is a mistake in the configuration, and no disk that fails. */
const MISTAKES = ["", "ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "ENAMETOOLONG", "EINVAL"];

/**
 * The error, where the disk fails and the run goes on without the state file.
 * @throws IpcheckError `state` where the state must not be used: a newer version's, one in reach of others, or none
 */
function asDiskError(error: unknown): IpcheckError {
  if (!(error instanceof IpcheckError) || MISTAKES.includes(systemCode(error.cause))) throw error;
  return error;
}

function loadFallback(fallback: StateFile | undefined): LoadedState | undefined {
  try {
    return fallback?.load();
  } catch {
    return undefined; // It is only a fallback.
  }
}

function latest(a: Date | undefined, b: Date | undefined): Date | undefined {
  return a && b ? (a > b ? a : b) : (a ?? b);
}

/**
 * A private folder that outlasts the process: systemd's or the login's runtime folder, else one of our
 * own below the system's temporary folder. Undefined where somebody else could have made it.
 */
function runtimeFolder(
  { env, uid }: { env: NodeJS.ProcessEnv; uid: number | undefined },
  purpose: Purpose,
): string | undefined {
  const given = env["RUNTIME_DIRECTORY"]?.split(":")[0] || env["XDG_RUNTIME_DIR"];
  const folder = given ? join(given, "ipcheck") : join(env["TMPDIR"] || tmpdir(), `ipcheck-${uid ?? "user"}`);
  try {
    if (purpose === "write") mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== "EEXIST") return undefined;
  }
  try {
    const stats = lstatSync(folder);
    const isPrivate = uid === undefined || ((stats.mode & 0o077) === 0 && stats.uid === uid);
    return stats.isDirectory() && isPrivate ? folder : undefined;
  } catch (error) {
    const canBeMade = systemCode(error) === "ENOENT" && existsSync(dirname(folder));
    return purpose === "preview" && canBeMade ? folder : undefined;
  }
}
