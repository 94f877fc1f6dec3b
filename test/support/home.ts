import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type RunOptions, type RunResult, runIpcheck } from "./run-ipcheck";
import { makeScratch } from "./scratch";

/** Documentation ranges, which the tests take for public ones. */
export const TEST_RANGES = "192.0.2.0/24,198.51.100.0/24,203.0.113.0/24,2001:db8::/32";

/** A home of its own for each test: HOME, configuration by environment, state below it. */
export class Home {
  readonly path = makeScratch();
  readonly stateFile = join(this.path, ".local", "state", "ipcheck", "state.json");
  readonly historyFile = join(this.path, ".local", "state", "ipcheck", "history.jsonl");
  /** Set for every run; a test adds its own. */
  readonly env: Record<string, string> = { HOME: this.path, TZ: "UTC", IPCHECK_ACCEPT_RANGES: TEST_RANGES };

  /** `start` runs the program: as a process, or in that of the test with `runHere`. */
  constructor(private readonly start: typeof runIpcheck = runIpcheck) {}

  /** Asks these services from now on. */
  useServices(...services: readonly { url: string }[]): this {
    this.env["IPCHECK_SERVICES"] = services.map(({ url }) => url).join(",");
    return this;
  }

  /** Mails through the server on this port, without login. */
  useMail({ port }: { port: number }, to = "owner@example.net"): this {
    Object.assign(this.env, {
      IPCHECK_TO: to,
      IPCHECK_FROM: "pi@example.net",
      IPCHECK_SMTP_HOST: "127.0.0.1",
      IPCHECK_SMTP_PORT: String(port),
      IPCHECK_SMTP_SECURITY: "none",
    });
    return this;
  }

  run(args: readonly string[] = [], options: Omit<RunOptions, "args"> = {}): Promise<RunResult> {
    return this.start({ args, ...options, env: { ...this.env, ...options.env } });
  }

  /** The state as plain data; undefined where there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at fields of a file
  readState(): any {
    return existsSync(this.stateFile) ? JSON.parse(readFileSync(this.stateFile, "utf8")) : undefined;
  }

  /** What must not change in a quiet run: the state file's content and identity. */
  fingerprint(): string {
    const { ino, size } = statSync(this.stateFile);
    return `${ino} ${size} ${readFileSync(this.stateFile, "base64")}`;
  }

  /** The names in the state folder. */
  listStateFolder(): string[] {
    return readdirSync(join(this.stateFile, "..")).sort();
  }
}
