// What a disk may hold after a power cut, after the ALICE model (Pillai et al., OSDI 2014): what was written and not
// synced may be there, not there, or torn; names that a folder has got or lost may not be, until the folder is synced.

/** One operation of a run, as the recorder noted it; paths are absolute. */
export type Operation =
  | { does: "create" | "unlink" | "mkdir" | "fsync"; path: string }
  | { does: "write"; path: string; data: string }
  | { does: "rename"; from: string; to: string }
  | { does: "mail" };

/** Path → content, below one folder. */
export type Tree = ReadonlyMap<string, Buffer>;

/** What is not on the disk for sure yet: a change of one file's content, or of one folder's names. */
interface Pending {
  /** Synced together with the others of its file or folder. */
  of: string;
  apply(disk: Disk): void;
  /** As far as half of it went. */
  tear?: (disk: Disk) => void;
}

/** Files by number, as the kernel knows them, and the names that lead to them. */
interface Disk {
  files: Map<number, Buffer>;
  names: Map<string, number>;
}

/** More pending operations than this are not combined in every way: each alone, each but one, and each beginning. */
const MOST_COMBINED = 6;

/** Every different tree that a cut after the first `count` operations can leave. */
export function treesAfterCut(before: Tree, operations: readonly Operation[], count: number): Tree[] {
  const disk: Disk = { files: new Map(), names: new Map() };
  /** Where names lead while the machine runs. */
  const live = new Map<string, number>();
  for (const [path, content] of before) {
    disk.files.set(live.size, content);
    disk.names.set(path, live.size);
    live.set(path, live.size);
  }
  let pending: Pending[] = [];
  let next = live.size;
  const folderOf = (path: string) => path.slice(0, path.lastIndexOf("/"));
  const rename = (of: string, change: (names: Map<string, number>) => void) => {
    pending.push({ of, apply: ({ names }) => change(names) });
  };
  for (const operation of operations.slice(0, count)) {
    switch (operation.does) {
      case "create": {
        const file = next++;
        const { path } = operation;
        live.set(path, file);
        disk.files.set(file, Buffer.alloc(0));
        rename(folderOf(path), (names) => names.set(path, file));
        break;
      }
      case "write": {
        const file = live.get(operation.path) ?? -1;
        const data = Buffer.from(operation.data, "base64");
        const append = (part: Buffer) => (to: Disk) => {
          to.files.set(file, Buffer.concat([to.files.get(file) ?? Buffer.alloc(0), part]));
        };
        // The file has grown, and what should be in it never came.
        const hole = append(Buffer.alloc(data.length));
        pending.push({ of: `${file}`, apply: append(data), tear: append(data.subarray(0, data.length / 2)) });
        pending.push({ of: `${file}`, apply: () => undefined, tear: hole });
        break;
      }
      case "rename": {
        const { from, to } = operation;
        const file = live.get(from) ?? -1;
        live.delete(from);
        live.set(to, file);
        // Two names of one folder: the new one may be there before the old one is gone.
        rename(folderOf(to), (names) => names.set(to, file));
        rename(folderOf(to), (names) => names.get(from) === file && names.delete(from));
        break;
      }
      case "unlink": {
        const { path } = operation;
        const file = live.get(path);
        live.delete(path);
        rename(folderOf(path), (names) => names.get(path) === file && names.delete(path));
        break;
      }
      case "fsync": {
        const synced = live.has(operation.path) ? `${live.get(operation.path)}` : operation.path;
        for (const one of pending) if (one.of === synced) one.apply(disk);
        pending = pending.filter(({ of }) => of !== synced);
        break;
      }
      default:
    }
  }
  return combine(disk, pending);
}

function combine(disk: Disk, pending: readonly Pending[]): Tree[] {
  const trees = new Map<string, Tree>();
  const keep = (choose: (index: number) => "whole" | "torn" | "lost") => {
    const copy: Disk = { files: new Map(disk.files), names: new Map(disk.names) };
    for (const [index, one] of pending.entries()) {
      const choice = choose(index);
      if (choice === "whole") one.apply(copy);
      if (choice === "torn") one.tear?.(copy);
    }
    const tree = [...copy.names].map(([path, file]) => [path, copy.files.get(file) ?? Buffer.alloc(0)] as const).sort();
    trees.set(JSON.stringify(tree), new Map(tree));
  };
  const count = pending.length;
  if (count <= MOST_COMBINED) {
    for (let bits = 0; bits < 2 ** count; bits++) keep((index) => ((bits >> index) & 1 ? "whole" : "lost"));
  } else {
    for (let alone = 0; alone <= count; alone++) {
      keep((index) => (index === alone ? "whole" : "lost"));
      keep((index) => (index === alone ? "lost" : "whole"));
      keep((index) => (index < alone ? "whole" : "lost"));
    }
  }
  for (let torn = 0; torn < count; torn++) {
    if (!pending[torn]?.tear) continue;
    keep((index) => (index === torn ? "torn" : "whole"));
    keep((index) => (index === torn ? "torn" : "lost"));
  }
  return [...trees.values()];
}
