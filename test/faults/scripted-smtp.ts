import { type AddressInfo, createServer, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { ServerCertificate } from "../support/certificates";
import { witnessMail } from "../support/evidence";

/** What is answered where in a delivery; `body` is after the final dot. */
const REPLIES = {
  connect: "220 scripted.example ESMTP",
  EHLO: "250-scripted.example\r\n250-STARTTLS\r\n250 AUTH PLAIN",
  STARTTLS: "220 go ahead",
  AUTH: "235 welcome",
  MAIL: "250 sender ok",
  RCPT: "250 recipient ok",
  DATA: "354 go ahead",
  body: "250 2.0.0 taken and kept",
};
export type Stage = keyof typeof REPLIES;
export const STAGES = Object.keys(REPLIES) as Stage[];

/**
 * `slow` answers rightly, a byte a second, `late` after two seconds, `flood` with a megabyte of empty lines before it;
 * anything else that is not named here is the reply.
 */
export type Misdeed = "drop" | "hang" | "slow" | "late" | "flood" | (string & {});

/** What is done at a stage, after this line and all that was said before; undefined is the right answer. */
export type Script = (stage: Stage, line: string, said: readonly string[]) => Misdeed | undefined;

/** One misdeed at one stage. */
export const at =
  (stage: Stage, act: Misdeed): Script =>
  (now) =>
    now === stage ? act : undefined;

/** An SMTP server that does its worst where the test says; without a script it takes everything. */
export async function startScriptedSmtp(certificate: ServerCertificate, script?: Script, host = "127.0.0.1") {
  const sockets = new Set<Socket>();
  const server = {
    port: 0,
    /** From now on. */
    script,
    /** What was said in each connection, line by line. */
    conversations: [] as string[][],
    /** Message-IDs whose body came in whole, and those among them that were answered with 250. */
    heard: [] as string[],
    taken: [] as string[],
    logins: [] as string[],
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };

  const listener = createServer((plain) => {
    sockets.add(plain.on("error", () => undefined).once("close", () => sockets.delete(plain)));
    let socket = plain;
    let unread = "";
    let isBody = false;
    const said: string[] = [];
    server.conversations.push(said);
    /** The recipients that were accepted for the message. */
    let envelope: string[] = [];

    /** Answers as told; false when the conversation does not go on. */
    function answer(stage: Stage, line = ""): boolean {
      const right = REPLIES[stage];
      const act = server.script?.(stage, line, said) ?? right;
      const isAccepting = act.startsWith("2") || ["slow", "late", "flood"].includes(act);
      if (stage === "MAIL") envelope = [];
      if (stage === "RCPT" && isAccepting) envelope.push(/<(.*)>/.exec(line)?.[1] ?? "");
      if (stage === "body" && isAccepting) accept(envelope);
      if (act === "drop") socket.destroy();
      else if (act === "slow") drip(socket, `${right}\r\n`);
      else if (act === "late") setTimeout(() => socket.write(`${right}\r\n`), 2000);
      else if (act === "flood") socket.write(`${"\r\n".repeat(500_000)}${right}\r\n`);
      // A careless server repeats what it was sent.
      else if (act !== "hang") socket.write(`${act}${/^[45]/.test(act) ? ` ${line}` : ""}\r\n`);
      if (act.endsWith("bye")) socket.end();
      return act === right || act === "late" || /^2\d\d-/.test(act);
    }

    function onData(chunk: Buffer): void {
      unread += chunk.toString("latin1");
      for (;;) {
        const end = isBody ? "\r\n.\r\n" : "\r\n";
        const at = unread.indexOf(end);
        if (at < 0) return;
        const line = unread.slice(0, at);
        unread = unread.slice(at + end.length);
        const stage = isBody ? "body" : STAGES.find((verb) => line.replace(/^HELO/, "EHLO").startsWith(verb));
        said.push(isBody ? "(message)" : line);
        if (!stage) return void socket.end("221 bye\r\n");
        const id = isBody && (/^Message-ID: (<.+>)/im.exec(line)?.[1] ?? "none");
        if (id) server.heard.push(id);
        if (stage === "AUTH") server.logins.push(line);
        const isGoingOn = answer(stage, isBody ? "" : line);
        if (id && isGoingOn) server.taken.push(id);
        isBody = stage === "DATA" && isGoingOn;
        if (stage !== "STARTTLS" || !isGoingOn) continue;
        plain.off("data", onData);
        socket = new TLSSocket(plain, { isServer: true, ...certificate }).on("error", () => undefined);
        socket.on("data", onData);
        return;
      }
    }

    plain.on("data", onData);
    answer("connect");
  });
  await new Promise<void>((resolve) => listener.listen(0, host, resolve));
  server.port = (listener.address() as AddressInfo).port;
  const accept = witnessMail(server.port);
  return server;
}

function drip(socket: Socket, bytes: string): void {
  let sent = 0;
  const timer = setInterval(() => socket.write(bytes.charAt(sent++)), 1000);
  socket.once("close", () => clearInterval(timer));
}
