import { connect, isIP, isIPv6, type Socket } from "node:net";
import { Readable } from "node:stream";
import { TLSSocket, connect as tlsConnect } from "node:tls";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { isTlsCode, systemCode } from "../base/errors";
import { type ResolvedAddress, resolveHost, trustOptions } from "../base/network";
import { isLoopbackAddress, isLoopbackHost } from "../lookup/address";
import type { SmtpServer } from "./smtp-errors";

export interface SessionSettings {
  server: SmtpServer;
  login: { user: string; password: string } | undefined;
  /** Certificate authorities (PEM) that are trusted besides the usual ones. */
  extraCa: string | undefined;
  /** For everything up to the final dot of a mail; waiting for the answer to it may take as long again. */
  timeoutMs: number;
  /** The end of the run; what comes after the final dot outlives it. */
  signal: AbortSignal;
}

/** What became of one message. A recipient is in one of the lists, or shares the fate that `error` tells. */
export interface SendReport {
  /** Accepted by the server, together with the message. */
  accepted: readonly string[];
  /** Refused one by one, each with its reason. */
  refused: ReadonlyMap<string, unknown>;
  error?: unknown;
  /** The whole message was sent, and the server never said whether it keeps it (RFC 1047). */
  isUnknown: boolean;
}

/** One address of the server gets no longer than this; a first packet that is lost is sent again within it. */
const CONNECT_TIMEOUT_MS = 30_000;

/** Longer than the pause before the greeting that some servers make against spam (postscreen: 6 s). */
const SILENCE_MS = 10_000;

const TLS_TEST_MS = 5000;

/** A whole conversation with a few recipients takes a few kilobytes. */
const MAX_RECEIVED_BYTES = 32 * 1024;

/** The longest time a timer can be set to. */
const NEVER_MS = 2 ** 31 - 1;

/** What is given to the library, and what it adds. */
interface Envelope {
  from: string;
  to: string[];
  rejectedErrors?: { recipient?: string }[];
}

/** The parts of the library's connection that its types leave out. */
interface Internals {
  _onData(chunk: Buffer): void;
  _supportedExtensions: readonly string[];
  _supportedAuth: readonly string[];
  _ehloLines?: readonly string[];
}

/** The library queues and answers every line of a server that floods, after its end too; here it gets no more of them. */
class BoundedConnection extends SMTPConnection {
  private bytes = 0;

  get hasReceived(): boolean {
    return this.bytes > 0;
  }

  get takesUtf8Addresses(): boolean {
    return (this as unknown as Internals)._supportedExtensions.includes("SMTPUTF8");
  }

  /** Whether a password can be given; after HELO, and to mechanisms that it does not know, the library would try PLAIN. */
  get takesPassword(): boolean {
    return (this as unknown as Internals)._supportedAuth.some((mechanism) => mechanism !== "XOAUTH2");
  }

  /** The server's own list of mechanisms, empty where there is none. */
  get loginLine(): string {
    return (this as unknown as Internals)._ehloLines?.find((line) => /^AUTH\b/i.test(line)) ?? "";
  }

  _onData(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > MAX_RECEIVED_BYTES) {
      this.emit("error", failure("EPROTOCOL", "more was received than any mail server has to say"));
      this.close();
    } else (SMTPConnection.prototype as unknown as Internals)._onData.call(this, chunk);
  }
}

/**
 * One conversation with the mail server, for a mail or a test: the same rules hold for both. Each step rejects with
 * nodemailer's or the system's error when it fails or the time is over. To be closed in the end.
 */
export class SmtpSession {
  private readonly failed: Promise<never>;
  private fail: (error: unknown) => void = () => undefined;
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly sockets: Socket[] = [];
  private readonly ending = new AbortController();
  private readonly endsAt: number;
  private connection: BoundedConnection | undefined;
  private isMessageSent = false;

  constructor(private readonly settings: SessionSettings) {
    const { timeoutMs, signal } = settings;
    this.failed = new Promise((_, reject) => {
      this.fail = reject;
    });
    this.failed.catch(() => undefined);
    this.endsAt = performance.now() + timeoutMs;
    this.after(timeoutMs, this.endUnlessSent);
    // RFC 5321 (4.5.3.2.6) grants ten minutes there, because giving up on a server that still checks the message makes
    // a copy of it. As much again as the rest of the run's deadline is what a run can afford.
    this.after(2 * timeoutMs, () => this.fail(timeOut()));
    if (signal.aborted) this.endUnlessSent();
    else signal.addEventListener("abort", this.endUnlessSent, { once: true });
  }

  /** Resolves the name, connects, waits for the greeting and encrypts. */
  async connect(): Promise<void> {
    const { server, extraCa, timeoutMs } = this.settings;
    const addresses = await this.step(this.resolve()).catch((error) => {
      // The time was over while the name was looked up: nothing is known of the server.
      throw systemCode(error) === "ETIMEDOUT" ? failure("EAI_AGAIN", server.host) : error;
    });
    const socket = await this.step(this.openSocket(addresses));
    const waitMs = Math.min(NEVER_MS, Math.ceil(2 * timeoutMs) + 1000);
    const connection = new BoundedConnection({
      connection: socket,
      host: server.host,
      secure: server.security === "tls",
      requireTLS: server.security === "starttls",
      ignoreTLS: server.security === "none",
      name: addressLiteral(socket),
      tls: { servername: serverName(server.host), ...trustOptions(extraCa) },
      // Our own timers come first. This one would be compared with the wall clock, which NTP may move.
      connectionTimeout: NEVER_MS,
      greetingTimeout: waitMs,
      socketTimeout: waitMs,
      // It would wait five seconds more for the server to close.
      socketCloseTimeout: 0,
      maxResponseSize: MAX_RECEIVED_BYTES,
    });
    this.connection = connection;
    connection.on("error", this.fail);
    // The library hears of a close only between its own steps.
    socket.once("close", () => setImmediate(() => this.fail(failure("ECONNECTION", "the connection was closed"))));
    if (server.security === "tls") return this.step(callback((done) => connection.connect(done)));
    this.after(Math.min(SILENCE_MS, timeoutMs / 3), async () => {
      if (!connection.hasReceived && (await this.speaksTls(socket))) this.fail(failure("ETLSFIRST", "no greeting"));
    });
    try {
      await this.step(callback((done) => connection.connect(done)));
    } catch (error) {
      const wasClosed = (error as { code?: unknown }).code === "ECONNECTION" && !connection.hasReceived;
      throw wasClosed && (await this.speaksTls(socket)) ? failure("ETLSFIRST", "no greeting") : error;
    }
  }

  /** Logs in where a login is configured; a server that takes none is a failure. */
  async logIn(): Promise<void> {
    const { connection } = this;
    const { login } = this.settings;
    if (!login || !connection) return;
    if (!connection.takesPassword) {
      throw Object.assign(failure("ENOAUTH", "no login for a password"), { response: connection.loginLine });
    }
    const auth = { user: login.user, pass: login.password };
    await this.step(callback((done) => connection.login(auth, done)));
  }

  /** Encryption in use; undefined on a connection in clear. */
  get tlsSocket(): TLSSocket | undefined {
    const socket = this.connection?._socket;
    return socket instanceof TLSSocket ? socket : undefined;
  }

  /** Sends one message, after `connect` and `logIn`; what the server does is in the report. */
  async send(from: string, recipients: readonly string[], message: Buffer): Promise<SendReport> {
    const { connection } = this;
    if (!connection) throw new Error("send() before connect()");
    const noUtf8 = failure("ENOUTF8", "no SMTPUTF8 in the answer to EHLO");
    const canTake = (address: string) => isAscii(address) || connection.takesUtf8Addresses;
    const refused = new Map<string, unknown>();
    for (const recipient of recipients) if (!canTake(recipient)) refused.set(recipient, noUtf8);
    if (!canTake(from)) return { accepted: [], refused, error: noUtf8, isUnknown: false };
    const to = recipients.filter((recipient) => !refused.has(recipient));
    if (to.length === 0) return { accepted: [], refused, isUnknown: false };
    // Where one recipient stops the server, time must be left for the others.
    if (to.length > 1) this.after((this.endsAt - performance.now()) / 2, this.endUnlessSent);

    // The library writes into it what became of each recipient, in the very spelling given.
    const spelled = new Map(to.map((recipient) => [toPath(recipient), recipient]));
    const envelope: Envelope = { from: toPath(from), to: [...spelled.keys()] };
    const note = () => {
      for (const one of envelope.rejectedErrors ?? []) refused.set(spelled.get(one.recipient ?? "") ?? "", one);
    };
    try {
      const info = await this.step(
        new Promise<{ accepted: string[] }>((resolve, reject) => {
          connection.send(envelope, this.observed(message), (error, result) => {
            if (error) reject(error);
            else resolve(result);
          });
        }),
      );
      note();
      const isAccepted = new Set(info.accepted.map((path) => spelled.get(path)));
      return { accepted: to.filter((recipient) => isAccepted.has(recipient)), refused, isUnknown: false };
    } catch (error) {
      note();
      const { responseCode } = error as { responseCode?: unknown };
      const isAnswered = typeof responseCode === "number" && responseCode >= 400;
      return { accepted: [], refused, error, isUnknown: this.isMessageSent && !isAnswered };
    }
  }

  /** Lets go of everything at once; nothing of the conversation goes on. */
  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.settings.signal.removeEventListener("abort", this.endUnlessSent);
    this.ending.abort();
    this.connection?.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private readonly endUnlessSent = () => {
    if (!this.isMessageSent) this.fail(timeOut());
  };

  private after(ms: number, act: () => void): void {
    this.timers.push(setTimeout(act, Math.min(NEVER_MS, Math.max(0, ms))));
  }

  private step<T>(work: Promise<T>): Promise<T> {
    return Promise.race([this.failed, work]);
  }

  private async resolve(): Promise<ResolvedAddress[]> {
    const { server, login } = this.settings;
    const addresses = await resolveHost(server.host, { signal: this.ending.signal });
    // Whoever answers DNS questions must not be given a password, or a mail, that was to stay on this machine.
    const mustBeLocal = isLoopbackHost(server.host) || (server.security === "none" && login !== undefined);
    const strange = addresses.find(({ address }) => !isLoopbackAddress(address));
    if (mustBeLocal && strange) throw failure("ENOTLOCAL", strange.address);
    return addresses;
  }

  /** The first address that answers; each gets a share of the time. */
  private async openSocket(addresses: readonly ResolvedAddress[]): Promise<Socket> {
    const errors: unknown[] = [];
    for (const [index, { address }] of addresses.entries()) {
      const shareMs = (this.endsAt - performance.now()) / (addresses.length - index);
      try {
        return await this.openOne(address, Math.min(CONNECT_TIMEOUT_MS, shareMs));
      } catch (error) {
        errors.push(error);
      }
    }
    // A family without a route says nothing of the server.
    const isRoute = (error: unknown) => /^E(NETUNREACH|HOSTUNREACH|ADDRNOTAVAIL)$/.test(systemCode(error));
    throw errors.find((error) => !isRoute(error)) ?? errors[0] ?? failure("ENOTFOUND", "no address");
  }

  private openOne(host: string, timeoutMs: number): Promise<Socket> {
    if (this.ending.signal.aborted) return Promise.reject(timeOut());
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port: this.settings.server.port }, () => {
        clearTimeout(timer);
        resolve(socket);
      });
      const timer = setTimeout(() => socket.destroy(timeOut()), Math.max(0, timeoutMs));
      this.timers.push(timer);
      this.sockets.push(socket);
      socket.on("error", reject);
      socket.once("close", () => reject(timeOut()));
    });
  }

  /** Whether the port wants TLS from the first byte: such a server never greets in clear. */
  private speaksTls({ remoteAddress, remotePort }: Socket): Promise<boolean> {
    if (remoteAddress === undefined || remotePort === undefined || this.ending.signal.aborted) {
      return Promise.resolve(false);
    }
    return new Promise((resolve) => {
      const socket = tlsConnect({
        host: remoteAddress,
        port: remotePort,
        servername: serverName(this.settings.server.host),
        rejectUnauthorized: true,
      });
      this.sockets.push(socket);
      const end = (isTls: boolean) => {
        socket.destroy();
        resolve(isTls);
      };
      this.after(TLS_TEST_MS, () => end(false));
      socket.once("secureConnect", () => end(true));
      socket.once("close", () => end(false));
      // A certificate that is not trusted, or a version that is too old, is TLS all the same.
      socket.on("error", (error) => {
        const code = systemCode(error);
        end(isTlsCode(code) && !/^EPROTO|WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST/.test(code));
      });
    });
  }

  /** The message as a stream that notes when all of it, the final dot included, was handed to the socket. */
  private observed(message: Buffer): Readable {
    const stream = Readable.from([message], { objectMode: false });
    stream.once("end", () => {
      this.isMessageSent = true;
    });
    return stream;
  }
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function timeOut(): Error {
  return failure("ETIMEDOUT", "time-out");
}

function callback(start: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
}

/** As it stands in the envelope: dots at the ends or side by side, which some providers give out, need quotes there. */
function toPath(address: string): string {
  const at = address.lastIndexOf("@");
  return /^\.|\.\.|\.@/.test(address) ? `"${address.slice(0, at)}"${address.slice(at)}` : address;
}

function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text);
}

/** The name that the certificate must be made out to; an address is none, and a trailing dot is no part of it. */
function serverName(host: string): string {
  return isIP(host) ? "" : host.replace(/\.$/, "");
}

/** How this machine names itself: no host name of a home means anything to a server (RFC 5321, 4.1.3 and 4.1.4). */
function addressLiteral({ localAddress = "127.0.0.1" }: Socket): string {
  const address = localAddress.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
  return isIPv6(address) ? `[IPv6:${address}]` : `[${address}]`;
}
