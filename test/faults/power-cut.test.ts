// The power goes off at any moment of a run that records and mails. A killed process never loses what it wrote; a
// power cut does. Every disk that it could leave is built, and the next run must make all good on each of them.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Home } from "../support/home";
import { sample } from "../support/sample";
import { type Operation, type Tree, treesAfterCut } from "./disk-model";
import { messageIds, NEW, OLD, openSuite, SILENCE } from "./survival";

const RECORDER = join(__dirname, "..", "support", "record-files.cjs");

const { makeMoved, makeNew, survived } = openSuite("power cuts");

function readTree(folder: string): Tree {
  const paths = readdirSync(folder).map((name) => join(folder, name));
  return new Map(paths.map((path) => [path, readFileSync(path)]));
}

function writeTree(folder: string, tree: Tree): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [path, content] of tree) writeFileSync(path, content, { mode: 0o600 });
}

function linesOf(home: Home, address: string): number {
  const text = home.listStateFolder().includes("history.jsonl") ? readFileSync(home.historyFile, "utf8") : "";
  return text.split("\n").filter((line) => line.endsWith("}") && line.includes(`"address":"${address}"`)).length;
}

const RUNS = {
  "the first look": () => makeNew(NEW),
  "a change": () => makeMoved(),
};

describe.each(Object.entries(RUNS))("%s", async (_, make) => {
  const { home, mail, bench } = await make();
  const folder = dirname(home.stateFile);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const before = readTree(folder);
  const log = join(home.path, "operations");
  const env = { RECORD_BELOW: folder, RECORD_TO: log, RECORD_MAIL_PORT: String(mail.port) };
  const whole = await home.run([], { preload: [RECORDER], env });
  const operations: Operation[] = readFileSync(log, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const mailedAt = operations.findIndex(({ does }) => does === "mail");
  const [firstId] = messageIds(mail);

  test("is recorded from the first operation to the last", () => {
    expect(whole).toMatchObject(SILENCE);
    expect(operations.filter(({ does }) => does === "rename").length).toBeGreaterThanOrEqual(2);
    expect(mailedAt).toBeGreaterThan(operations.findIndex(({ does }) => does === "rename"));
    expect(firstId).toBeDefined();
  });

  const seen = new Set<string>();
  const cuts = [...Array(operations.length + 1).keys()].flatMap((count) =>
    treesAfterCut(before, operations, count).flatMap((tree, version) => {
      const isTold = count > mailedAt;
      const key = JSON.stringify([isTold, ...tree]);
      if (seen.has(key)) return [];
      seen.add(key);
      const { does, ...rest } = operations[count - 1] ?? { does: "nothing" };
      const name = `${count} of ${operations.length}, after ${does} ${basename("path" in rest ? rest.path : "")}, disk ${version + 1}`;
      return [{ name, tree, isTold }];
    }),
  );

  test.each(sample(cuts, 10))("cut $name", async ({ tree, isTold }) => {
    writeTree(folder, tree);
    mail.arrived.length = 0;
    expect(await home.run()).toMatchObject(SILENCE);
    const { families, outbox } = home.readState();
    expect([families[4].recorded.address, outbox]).toEqual([NEW, []]);
    // Neither a state that is no state, nor what a run wrote beside it.
    expect(home.listStateFolder()).toEqual(["history.jsonl", "state.json"]);
    expect([linesOf(home, NEW), linesOf(home, OLD)]).toEqual([1, before.size > 0 ? 1 : 0]);
    // Told by one of the two runs; where both did, it is one message to a mailbox.
    if (!isTold) expect(mail.arrived).toHaveLength(1);
    for (const id of before.size > 0 ? messageIds(mail) : []) expect(id).toBe(firstId);
    expect(await home.run()).toMatchObject(SILENCE);
    await survived();
  });

  test("the servers are closed", () => bench.close());
});
