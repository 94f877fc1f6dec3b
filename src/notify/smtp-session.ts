import { connect, isIP, isIPv6, type Socket } from "node:net";
import { Readable } from "node:stream";
import { TLSSocket, connect as tlsConnect } from "node:tls";
import { promisify } from "node:util";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { codedError, isTlsCode, systemCode } from "../base/errors";
import { type ResolvedAddress, resolveHost, trustOptions } from "../base/network";
import { isAscii } from "../base/text";
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
  isUnknown?: boolean;
}

/** For connecting to one address of the server: long enough for a lost SYN to be sent again. */
const CONNECT_TIMEOUT_MS = 30_000;

/** Longer than the pause before the greeting that some servers make against spam (postscreen: 6 s). */
const SILENCE_MS = 10_000;

const TLS_TEST_MS = 5000;

/** A whole conversation with a few recipients takes a few kilobytes. */
const MAX_RECEIVED_BYTES = 32 * 1024;

/** The longest time a timer can be set to. */
const NEVER_MS = 2 ** 31 - 1;

/** The library's connection, with the parts that its types leave out. */
type Connection = SMTPConnection & {
  _onData(chunk: Buffer): void;
  _supportedExtensions: readonly string[];
  _supportedAuth: readonly string[];
  _ehloLines?: readonly string[];
};

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
  private connection: Connection | undefined;
  private receivedBytes = 0;
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
    this.after(2 * timeoutMs, () => this.fail(this.silence()));
    if (signal.aborted) this.endUnlessSent();
    else signal.addEventListener("abort", this.endUnlessSent, { signal: this.ending.signal });
  }

  /** Resolves the name, connects, waits for the greeting and encrypts. */
  async connect(): Promise<void> {
    const { server, timeoutMs } = this.settings;
    const addresses = await this.step(this.resolve()).catch((error) => {
      // The time was over while the name was looked up: nothing is known of the server.
      throw systemCode(error) === "ETIMEDOUT" ? codedError("EAI_AGAIN", server.host) : error;
    });
    const socket = await this.step(this.openSocket(addresses));
    const connection = this.openConnection(socket);
    this.connection = connection;
    connection.on("error", this.fail);
    // The library notices a closed connection only between its own steps.
    socket.once("close", () => setImmediate(() => this.fail(codedError("ECONNECTION", "the connection was closed"))));
    // A port that wants TLS from the first byte never greets in clear: it keeps silent, or hangs up.
    const isTlsPort = async () =>
      server.security !== "tls" && socket.bytesRead === 0 && (await this.speaksTls(socket, server.host));
    this.after(Math.min(SILENCE_MS, timeoutMs / 3), async () => {
      if (await isTlsPort()) this.fail(codedError("ETLSFIRST", "no greeting"));
    });
    try {
      await this.step(promisify(connection.connect).call(connection));
    } catch (error) {
      if (systemCode(error) !== "ECONNECTION") throw error;
      if (await isTlsPort()) throw codedError("ETLSFIRST", "no greeting");
      // The library tries HELO after a refused EHLO, and meets the closed connection.
      const response = String(connection.lastServerResponse);
      const responseCode = Number(/^[45]\d\d(?=[ -])/.exec(response)?.[0] ?? 0);
      throw responseCode > 0
        ? Object.assign(codedError("ECONNECTION", response), { response, responseCode, command: "EHLO" })
        : error;
    }
  }

  /** The library's end of the conversation: encrypted as configured, and with none of its own time-outs. */
  private openConnection(socket: Socket): Connection {
    const { server, extraCa } = this.settings;
    const connection = new SMTPConnection({
      connection: socket,
      host: server.host,
      secure: server.security === "tls",
      requireTLS: server.security === "starttls",
      ignoreTLS: server.security === "none",
      name: addressLiteral(socket),
      tls: { servername: serverName(server.host), ...trustOptions(extraCa) },
      // Our own timers come first. The library's are partly compared with the wall clock, which NTP may move.
      connectionTimeout: NEVER_MS,
      greetingTimeout: NEVER_MS,
      socketTimeout: NEVER_MS,
      // It would wait five seconds more for the server to close.
      socketCloseTimeout: 0,
    }) as Connection;
    const { _onData } = connection;
    // The library queues and answers every line of a server that floods, after its end too; here it gets no more of them.
    connection._onData = (chunk) => {
      this.receivedBytes += chunk.length;
      if (this.receivedBytes <= MAX_RECEIVED_BYTES) return _onData.call(connection, chunk);
      this.fail(codedError("EPROTOCOL", "more was received than any mail server has to say"));
      connection.close();
    };
    return connection;
  }

  /** Logs in where a login is configured; a server that takes none is a failure. */
  async logIn(): Promise<void> {
    const { connection } = this;
    const { login } = this.settings;
    if (!login || !connection) return;
    const { _supportedAuth, _ehloLines = [] } = connection;
    // After HELO, and to mechanisms that it does not know, the library would try PLAIN.
    if (!_supportedAuth.some((mechanism) => mechanism !== "XOAUTH2")) {
      const response = _ehloLines.find((line) => /^AUTH\b/i.test(line)) ?? "";
      throw Object.assign(codedError("ENOAUTH", "no login for a password"), { response });
    }
    await this.step(promisify(connection.login).call(connection, { user: login.user, pass: login.password }));
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
    const takesUtf8 = connection._supportedExtensions.includes("SMTPUTF8");
    const canTake = (address: string) => takesUtf8 || isAscii(address);
    const noUtf8 = codedError("ENOUTF8", "no SMTPUTF8 in the answer to EHLO");
    const refused = new Map<string, unknown>(
      recipients.filter((recipient) => !canTake(recipient)).map((recipient) => [recipient, noUtf8]),
    );
    if (!canTake(from)) return { accepted: [], refused, error: noUtf8 };
    const to = recipients.filter(canTake);
    if (to.length === 0) return { accepted: [], refused };
    // Where one recipient stops the server, time must be left for the others.
    if (to.length > 1) this.after((this.endsAt - performance.now()) / 2, this.endUnlessSent);

    const spelled = new Map(to.map((recipient) => [toPath(recipient), recipient]));
    // The library adds what became of each recipient, in the very spelling given.
    const envelope: { from: string; to: string[]; rejectedErrors?: { recipient?: string }[] } = {
      from: toPath(from),
      to: [...spelled.keys()],
    };
    const report: SendReport = { accepted: [], refused };
    try {
      const { accepted } = await this.step(
        promisify(connection.send).call(connection, envelope, this.observed(message)),
      );
      report.accepted = to.filter((recipient) => accepted.includes(toPath(recipient)));
    } catch (error) {
      const { responseCode } = error as { responseCode?: unknown };
      const isAnswered = typeof responseCode === "number" && responseCode >= 400;
      report.error = error;
      report.isUnknown = this.isMessageSent && !isAnswered;
    }
    for (const one of envelope.rejectedErrors ?? []) refused.set(spelled.get(one.recipient ?? "") ?? "", one);
    return report;
  }

  /** Lets go of everything at once; nothing of the conversation goes on. */
  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.ending.abort();
    this.connection?.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private readonly endUnlessSent = () => {
    if (!this.isMessageSent) this.fail(this.silence());
  };

  /** The time is over: before the server said anything, or in the middle of the conversation. */
  private silence(): Error {
    return this.receivedBytes > 0 ? codedError("ESILENT", "no answer") : codedError("ETIMEDOUT", "time-out");
  }

  private after(ms: number, act: () => void): void {
    this.timers.push(setTimeout(act, Math.max(0, ms)));
  }

  private step<T>(work: Promise<T>): Promise<T> {
    return Promise.race([this.failed, work]);
  }

  private async resolve(): Promise<ResolvedAddress[]> {
    const { server, login } = this.settings;
    const addresses = await resolveHost(server.host, { signal: this.ending.signal });
    // A password or mail that is to stay on this machine must not go wherever a name server leads.
    const mustBeLocal = isLoopbackHost(server.host) || (server.security === "none" && login !== undefined);
    const strange = addresses.find(({ address }) => !isLoopbackAddress(address));
    if (mustBeLocal && strange) throw codedError("ENOTLOCAL", strange.address);
    return addresses;
  }

  /** The first address that answers; each gets a share of the time. */
  private openSocket(addresses: ResolvedAddress[]): Promise<Socket> {
    const { host, port } = this.settings.server;
    const shareMs = Math.ceil(Math.min(CONNECT_TIMEOUT_MS, (this.endsAt - performance.now()) / addresses.length));
    return new Promise((resolve, reject) => {
      const socket = connect({
        host,
        port,
        lookup: (_host, _options, done) => done(null, addresses),
        autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: Math.max(10, shareMs),
      });
      this.sockets.push(socket);
      this.after(
        shareMs * addresses.length,
        () => socket.connecting && socket.destroy(codedError("ETIMEDOUT", "time-out")),
      );
      socket.once("connect", () => resolve(socket));
      socket.on("error", (error) => {
        const errors = error instanceof AggregateError ? error.errors : [error];
        // A family without a route says nothing of the server.
        const isRoute = (one: unknown) => /^E(NETUNREACH|HOSTUNREACH|ADDRNOTAVAIL)$/.test(systemCode(one));
        reject(errors.find((one) => !isRoute(one)) ?? errors[0]);
      });
    });
  }

  /** Whether TLS is spoken there from the first byte. Nothing is sent, so no certificate needs to be trusted. */
  private speaksTls({ remoteAddress: host, remotePort: port }: Socket, name: string): Promise<boolean> {
    if (host === undefined || port === undefined || this.ending.signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const socket = tlsConnect({ host, port, servername: serverName(name), rejectUnauthorized: false });
      this.sockets.push(socket);
      this.after(TLS_TEST_MS, () => socket.destroy());
      socket.once("secureConnect", () => {
        resolve(true);
        socket.destroy();
      });
      // A handshake that fails over versions, ciphers or certificates is TLS all the same.
      const isTls = (code: string) => isTlsCode(code) && !/^EPROTO|WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP/.test(code);
      socket.on("error", (error) => resolve(isTls(systemCode(error))));
      socket.once("close", () => resolve(false));
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

/** As it stands in the envelope: dots at the ends or side by side, which some providers give out, need quotes there. */
function toPath(address: string): string {
  const at = address.lastIndexOf("@");
  return /^\.|\.\.|\.@/.test(address) ? `"${address.slice(0, at)}"${address.slice(at)}` : address;
}

/** The name for SNI and the certificate's check: none for an IP address, and without a trailing dot. */
function serverName(host: string): string {
  return isIP(host) ? "" : host.replace(/\.$/, "");
}

/** How this machine names itself: no host name of a home means anything to a server (RFC 5321, 4.1.3 and 4.1.4). */
function addressLiteral({ localAddress = "127.0.0.1" }: Socket): string {
  const address = localAddress.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
  return isIPv6(address) ? `[IPv6:${address}]` : `[${address}]`;
}
