import { createHash } from "node:crypto";
import { unlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { IpcheckError, systemCode } from "../base/errors";

/**
 * Takes the one lock of the state at `path`; the kernel lets go of it when the process dies, however
 * it dies: an abstract socket on Linux, a named pipe on Windows, elsewhere a socket file whose holder
 * is asked whether it lives. Resolves to a function that lets go.
 * @throws IpcheckError `locked` when another run holds it
 */
export async function takeLock(path: string, uid: number | undefined): Promise<() => Promise<void>> {
  const name = `ipcheck-${uid ?? "user"}-${createHash("sha256").update(path).digest("hex").slice(0, 20)}`;
  const server = await holdLock(path, name);
  // Holding it must not keep a finished run alive.
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}

async function holdLock(path: string, name: string): Promise<Server> {
  try {
    if (process.platform === "linux") return await listen(`\0${name}`);
    if (process.platform === "win32") return await listen(`\\\\.\\pipe\\${name}`);
    const socketFile = `${path}.lock`;
    // A file that nobody answers on was left behind by a run that was killed.
    if (!(await isAnswering(socketFile))) removeIfThere(socketFile);
    return await listen(socketFile);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EADDRINUSE" || code === "EACCES") {
      throw new IpcheckError("locked", "another run of ipcheck is at work on the same state", {
        hint: "let it finish; if it happens often, run ipcheck less often or lower IPCHECK_DEADLINE",
      });
    }
    throw new IpcheckError("state", `cannot take the lock (${code || String(error)})`, { cause: error });
  }
}

function listen(address: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    // Alone: a cluster worker would share the address instead of competing for it.
    server.listen({ path: address, exclusive: true }, () => resolve(server));
  });
}

function removeIfThere(socketFile: string): void {
  try {
    unlinkSync(socketFile);
  } catch {
    // Nothing was left behind; anything else shows when listening.
  }
}

function isAnswering(socketFile: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketFile);
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.unref();
  });
}
