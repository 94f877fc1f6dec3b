import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, expect } from "vitest";
import { noticeId } from "../../src/state/outbox";
import { startEchoServer } from "../support/echo-server";
import { Home } from "../support/home";
import { type MailServer, startMailServer } from "../support/mail-server";
import { ERROR_AND_HINT, runIpcheck, SILENCE } from "../support/run-ipcheck";

/** Preloaded into a run, it breaks the run at one place; see the file. */
export const FAULTS = join(__dirname, "faults.cjs");
export const OLD = "203.0.113.7";
export const NEW = "203.0.113.8";
export const OWNER = "owner@example.net";
export { ERROR_AND_HINT, SILENCE };

// Every home is removed at the process's end by a listener of its own.
process.setMaxListeners(0);

const mounted: string[] = [];
afterAll(() => mounted.map((folder) => execFileSync("umount", [folder])));

export const mount = (...args: string[]) => execFileSync("mount", args, { stdio: "pipe" });

/** Makes a folder a file system of its own, with these options of tmpfs(5). */
export function mountOn(folder: string, options: string, skip: (note: string) => never): void {
  try {
    mount("-t", "tmpfs", "-o", options, "tmpfs", folder);
  } catch {
    skip("mounting a file system needs root");
  }
  mounted.push(folder);
}

/** What the tests of one file share; at its end the survivors are counted aloud and the servers closed. */
export function openSuite(name: string) {
  let count = 0;
  const open = new Set<{ close(): Promise<unknown> }>();
  afterAll(async () => {
    console.log(`${name}: ${count} faults survived`);
    await Promise.all([...open].map((server) => server.close()));
  });
  const closing = <T extends { close(): Promise<unknown> }>(server: T): T => open.add(server) && server;
  /** A home that has never looked, with two echo services and a mail server of its own. */
  async function makeNew(address = NEW, start = runIpcheck) {
    const echoes = await Promise.all([startEchoServer(address), startEchoServer(address)]);
    const mail = await startMailServer();
    const bench = closing({ close: () => Promise.all([mail, ...echoes].map((server) => server.close())) });
    const moveTo = (next: string) => {
      for (const echo of echoes) echo.answer = next;
    };
    return { home: new Home(start).useServices(...echoes).useMail(mail), mail, echoes, moveTo, bench };
  }
  async function lookOnce() {
    const { home } = await makeNew(OLD);
    expect(await home.run()).toMatchObject(SILENCE);
    return dirname(home.stateFile);
  }
  let before: Promise<string> | undefined;
  return {
    closing,
    makeNew,
    /** A home whose recorded address was `OLD` and that is at `NEW` now; `prepare` is given its empty state folder. */
    async makeMoved(prepare?: (folder: string) => void) {
      before ??= lookOnce();
      const made = await makeNew();
      const folder = dirname(made.home.stateFile);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      prepare?.(folder);
      cpSync(await before, folder, { recursive: true, preserveTimestamps: true });
      return made;
    },
    /** The last line of a row; `bench` is not needed any more. */
    async survived(bench?: { close(): Promise<unknown> }) {
      count++;
      if (bench && open.delete(bench)) await bench.close();
    },
  };
}

/** A healthy run and a silent one: all is as if nothing had happened, and the mails are one message. */
export async function expectRecovery(home: Home, mail: MailServer, mostMails = 2): Promise<void> {
  expect(await home.run()).toMatchObject(SILENCE);
  expect(home.readState()).toMatchObject({ families: { 4: { recorded: { address: NEW } } }, outbox: [] });
  expect(home.listStateFolder()).toEqual(["history.jsonl", "state.json"]);
  expect(new Set(messageIds(mail)).size).toBe(1);
  expect(mail.arrived[0]?.mail.subject).toContain(NEW);
  const count = mail.arrived.length;
  expect(count).toBeLessThanOrEqual(mostMails);
  const lines = readFileSync(home.historyFile, "utf8").split("\n");
  expect(lines.filter((line) => line.endsWith("}") && line.includes(`"address":"${NEW}"`))).toHaveLength(1);
  expect(await home.run()).toMatchObject(SILENCE);
  expect(mail.arrived).toHaveLength(count);
}

export function messageIds(mail: MailServer): (string | undefined)[] {
  return mail.arrived.map((arrived) => arrived.mail.messageId);
}

/** The Message-ID that what is owed must have. */
export function owedId(home: Home): string {
  return `<${noticeId(home.readState().outbox)}@example.net>`;
}
