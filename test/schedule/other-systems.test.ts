import fc from "fast-check";
import { expect, test } from "vitest";
import { launchdPlist } from "../../src/schedule/launchd";
import { commandOf, offsetFor } from "../../src/schedule/plan";
import { windowsTaskXml } from "../../src/schedule/windows";
import { anySchedule, INTERVALS, makeSchedule } from "./schedules";

const texts = (nodes: Node[], name: string) => nodes.filter((node) => node.name === name).map(({ text }) => text);

test("a property list is well-formed and carries the command's words as they are", () => {
  fc.assert(
    fc.property(anySchedule, (schedule) => {
      const nodes = readXml(launchdPlist(schedule));
      expect(texts(nodes, "string").slice(1, -1)).toEqual(commandOf(schedule));
    }),
  );
});

test("a Windows task is well-formed and carries the command's words in quotes", () => {
  fc.assert(
    fc.property(anySchedule, (schedule) => {
      const nodes = readXml(windowsTaskXml(schedule));
      const [program, ...words] = commandOf(schedule);
      expect(texts(nodes, "Command")).toEqual([program]);
      expect(texts(nodes, "Arguments")).toEqual([words.map((word) => `"${word}"`).join(" ")]);
    }),
  );
});

test.for(Object.values(INTERVALS))("both run every %d minutes, at this host's place", (everyMinutes) => {
  const offsetMinutes = offsetFor("raspberrypi", everyMinutes);
  const schedule = makeSchedule({ everyMinutes, offsetMinutes });
  const minute = offsetMinutes % 60;
  const task = readXml(windowsTaskXml(schedule));
  expect(texts(task, "Interval")).toEqual([everyMinutes === 1440 ? "P1D" : `PT${everyMinutes}M`]);
  const clock = new Date(Date.UTC(2026, 0, 1, 0, offsetMinutes)).toISOString().slice(0, 19);
  expect(texts(task, "StartBoundary")).toEqual([clock]);
  const numbers = texts(readXml(launchdPlist(schedule)), "integer").map(Number);
  if (everyMinutes < 60) expect(numbers).toEqual([everyMinutes * 60]);
  else if (everyMinutes === 60) expect(numbers).toEqual([minute]);
  else {
    const runs = Array.from({ length: 1440 / everyMinutes }, (_, i) => offsetMinutes + i * everyMinutes);
    expect(numbers).toEqual(runs.flatMap((run) => [Math.floor(run / 60), minute]));
  }
});

interface Node {
  name: string;
  text: string;
}

/** The elements of a document, by the rules of XML 1.0 as far as ours go; fails where it is not well-formed. */
function readXml(document: string): Node[] {
  const open: Node[] = [];
  const nodes: Node[] = [];
  const body = document.replace(/^<\?xml version="1.0" encoding="UTF-(8|16)"\?>\n(<!DOCTYPE [^>]*>\n)?/, "");
  const token = /<([A-Za-z]\w*)((?: [\w:]+="[^"<&]*")*)(\/?)>|<\/(\w+)>|((?:[^<&]|&(?:amp|lt|gt|quot|apos);)+)|[\s\S]/g;
  for (const [whole, opened, , isEmpty, closed, text] of body.matchAll(token)) {
    if (text !== undefined) {
      const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
      for (const node of open.slice(-1)) node.text += text.replace(/&(\w+);/g, (_, name) => entities[name] ?? "");
    } else if (closed !== undefined) expect(open.pop()?.name).toBe(closed);
    else if (opened !== undefined) {
      const node = { name: opened, text: "" };
      nodes.push(node);
      if (!isEmpty) open.push(node);
    } else expect.fail(`not well-formed at '${whole}'`);
  }
  expect(open).toEqual([]);
  return nodes;
}
