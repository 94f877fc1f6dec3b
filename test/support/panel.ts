import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { witnessEcho } from "./evidence";

/** What one service does with one connection: answers this body, or anything at all. */
export type Act = string | ((socket: Socket) => void);

/** Several echo services on loopback that follow one script, whichever of them is asked first. */
export interface Panel {
  services: { url: string; name: string }[];
  /** Chooses the act: `position` counts the requests since `begin`, `service` is the place in `services`. */
  script: (position: number, service: number) => Act;
  /** The services asked since `begin`, in order. */
  asked: number[];
  /** Counts positions from 0 again; called before each run. */
  begin(): void;
  close(): Promise<void>;
}

export async function startPanel(
  size: number,
  script: Panel["script"],
  host: "127.0.0.1" | "::1" = "127.0.0.1",
): Promise<Panel> {
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const panel: Panel = {
    services: [],
    script,
    asked: [],
    begin() {
      panel.asked.length = 0;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
  for (let service = 0; service < size; service++) {
    const server = createServer((socket) => {
      sockets.add(socket);
      witness.asked();
      listen(socket, witness.answered);
      socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
      const act = panel.script(panel.asked.push(service) - 1, service);
      if (typeof act === "string") reply(http(200, act))(socket);
      else act(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as AddressInfo;
    const witness = witnessEcho(port);
    const name = `${host === "::1" ? "[::1]" : host}:${port}`;
    servers.push(server);
    panel.services.push({ url: `http://${name}/`, name });
  }
  return panel;
}

/** Hands over what is written to a socket as what it is to its reader. */
function listen(socket: Socket, answered: ReturnType<typeof witnessEcho>["answered"]): void {
  let sent = "";
  for (const name of ["write", "end"] as const) {
    const original = socket[name].bind(socket) as (...args: unknown[]) => never;
    Object.assign(socket, {
      [name]: (...args: unknown[]) => {
        if (typeof args[0] === "string") sent += args[0];
        const [, status = "0", body = ""] = /^HTTP\/1\.\d (\d{3}).*?\r\n\r\n(.*)$/s.exec(sent) ?? [];
        if (sent.length < 10_000) answered(Number(status), body);
        return original(...args);
      },
    });
  }
}

/** A whole HTTP message as bytes in latin-1. */
export function http(status: number, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const fields = { "Content-Type": "text/plain", "Content-Length": String(body.length), ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} As Told`, ...lines, "Connection: close", "", body].join("\r\n");
}

/** Waits for the end of the request's header, then sends these bytes and hangs up. */
export function reply(bytes: string): (socket: Socket) => void {
  return afterRequest((socket) => socket.end(bytes, "latin1"));
}

/** Sends these bytes after the request and keeps the connection open. */
export function replyAndHold(bytes: string): (socket: Socket) => void {
  return afterRequest((socket) => socket.write(bytes, "latin1"));
}

export function afterRequest(then: (socket: Socket) => void): (socket: Socket) => void {
  return (socket) => {
    let head = "";
    socket.on("data", (chunk) => {
      const isComplete = head.includes("\r\n\r\n");
      head += chunk.toString("latin1");
      if (!isComplete && head.includes("\r\n\r\n")) then(socket);
    });
  };
}

/** Accepts and never says a word. */
export const hang: Act = (socket) => socket.resume();

/** Repeats `chunk` for as long as the other side listens. */
export function endless(first: string, chunk: string): (socket: Socket) => void {
  return afterRequest((socket) => {
    const flood = chunk.repeat(Math.ceil(65_536 / chunk.length));
    // One piece at a time: client and server may share a process.
    const pour = () => {
      if (socket.writable && socket.write(flood, "latin1")) setImmediate(pour);
    };
    socket.on("drain", pour).write(first, "latin1");
    pour();
  });
}

/** Sends `bytes` one by one, one a second. */
export function drip(first: string, bytes: string): (socket: Socket) => void {
  return afterRequest((socket) => {
    socket.write(first, "latin1");
    let sent = 0;
    const timer = setInterval(() => socket.write(bytes.charAt(sent++ % bytes.length), "latin1"), 1000);
    socket.once("close", () => clearInterval(timer));
  });
}
