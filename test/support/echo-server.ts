import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { ServerCertificate } from "./certificates";
import { witnessEcho } from "./evidence";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A real echo service on loopback that counts who asks. */
export interface EchoServer {
  url: string;
  port: number;
  /** The header fields of every request so far. */
  requests: IncomingMessage["headers"][];
  /** What came in and went out over connections that are closed, TLS and headers included. */
  bytesIn: number;
  bytesOut: number;
  /** What it answers from now on: a body, or a handler of its own. */
  answer: string | Handler;
  /** Refuses connections from now on; the port stays reserved for `url`. */
  close(): Promise<void>;
}

export async function startEchoServer(
  answer: string | Handler,
  options: { host?: "127.0.0.1" | "::1" | "::"; tls?: ServerCertificate } = {},
): Promise<EchoServer> {
  const { host = "127.0.0.1", tls } = options;
  const listener: Handler = (request, response) => {
    echo.requests.push(request.headers);
    witness.asked();
    const end = response.end;
    response.end = (...args: unknown[]) => {
      witness.answered(response.statusCode, String(args[0] ?? ""));
      return Reflect.apply(end, response, args);
    };
    if (typeof echo.answer === "string") {
      response.setHeader("Content-Type", "text/plain");
      response.end(echo.answer);
    } else {
      echo.answer(request, response);
    }
  };
  const server = tls ? createTlsServer({ ...tls }, listener) : createServer(listener);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => {
      sockets.delete(socket);
      echo.bytesIn += socket.bytesRead;
      echo.bytesOut += socket.bytesWritten;
    });
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  const witness = witnessEcho(port);
  const literal = host.includes(":") ? `[${host}]` : host;
  const echo: EchoServer = {
    url: `${tls ? "https" : "http"}://${literal}:${port}/`,
    port,
    requests: [],
    bytesIn: 0,
    bytesOut: 0,
    answer,
    close: () =>
      new Promise((resolve) => {
        witness.closed();
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return echo;
}
