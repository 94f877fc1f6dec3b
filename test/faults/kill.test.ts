// The run is killed at every place where it touches the state or the network, before and after it:
// whatever it had done by then, the next run makes it whole, and nobody is told two different things.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { sample } from "../support/sample";
import { expectRecovery, FAULTS, NEW, OLD, openSuite, SILENCE } from "./survival";

vi.setConfig({ maxConcurrency: 2 });

const { makeMoved, makeNew, survived } = openSuite("kill");
const WHEN = ["before", "after"] as const;

describe.concurrent.each([
  ["a change", OLD],
  ["the first look", ""],
] as const)("%s", async (_, recorded) => {
  const make = async () => {
    const made = await (recorded ? makeMoved() : makeNew());
    const calls = join(made.home.path, "calls");
    made.home.env["IPCHECK_ON_CHANGE"] = `echo "$IPCHECK_OLD $IPCHECK_NEW" >> '${calls}'`;
    return { ...made, calls };
  };
  const { home: counted, mail: called } = await make();
  const log = join(counted.path, "sections");
  expect(await counted.run([], { preload: [FAULTS], env: { FAULT_LOG: log } })).toMatchObject(SILENCE);
  const names = readFileSync(log, "utf8").trim().replaceAll(String(called.port), "mail");
  const sections = names.replace(/ \d{4,}$/gm, " echo").split("\n");

  test("is on the disk, address and notice, before the mail server is called, and struck off after its word", () => {
    const deeds = ["open wx", "writeFile", "fsync", "rename"].map((deed) => `${deed} .state.json.tmp`);
    const durable = [...deeds, "open r ipcheck", "fsync ipcheck"];
    const writes = (from: number, to?: number) => sections.slice(from, to).filter((name) => durable.includes(name));
    const call = sections.indexOf("connect mail");
    // What is sent last is QUIT.
    const end = sections.lastIndexOf("send mail");
    // A history that is new has a name to be kept, too.
    expect(writes(0, call)).toEqual([...durable, ...(recorded ? [] : durable.slice(-2))]);
    expect(writes(call, end)).toEqual([]);
    expect(writes(end).slice(0, durable.length)).toEqual(durable);
    // The history's line is on the disk before the state says so.
    const line = sections.indexOf("writeFile history.jsonl");
    expect(sections.slice(line, call)).toContain("fsync history.jsonl");
  });

  // Of the first look every other place, before and after in turn.
  const rows = sections.flatMap((name, index) =>
    WHEN.filter((_, turn) => recorded || index % 4 === 2 * turn).map((when) => [when, index + 1, name] as const),
  );
  test.for(sample(rows, 12))(`killed %s place %i of ${sections.length}: %s`, async ([when, place]) => {
    const { home, mail, calls, bench } = await make();
    const env = { FAULT_AT: String(place), FAULT_CODE: "KILL", FAULT_WHEN: when };
    expect(await home.run([], { preload: [FAULTS], env })).toMatchObject({ signal: "SIGKILL", stdout: "", stderr: "" });
    await expectRecovery(home, mail);
    expect(existsSync(calls) && readFileSync(calls, "utf8")).toMatch(new RegExp(`^(${recorded} ${NEW}\n){1,2}$`));
    await survived(bench);
  });
});
