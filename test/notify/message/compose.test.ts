import { expect, test } from "vitest";
import { composeMessage, type MessageFacts } from "../../../src/notify/message/compose";
import { LANGUAGES } from "../../../src/notify/message/languages";
import type { AddressEvent } from "../../../src/state/state";

const FACTS: MessageFacts = {
  language: "en",
  machineName: "attic",
  sshLine: "ssh pi@{ip}",
  hostName: "raspberrypi",
  version: "1.2.3",
  timeZone: "Europe/Paris",
  now: new Date("2026-06-01T12:00:00Z"),
  hostKeys: [{ type: "ED25519", fingerprint: "SHA256:abc" }],
  history: [],
};

const CHANGE: AddressEvent = {
  id: "1",
  kind: "change",
  family: 4,
  at: "2026-06-01T12:00:00Z",
  old: "81.2.69.1",
  oldSince: "2026-05-29T08:00:00Z",
  address: "81.2.69.2",
  confirmedBy: ["ipify", "AWS"],
  told: [],
};

test.each(LANGUAGES)("%s: both parts tell everything, the subject the name and the address first", (language) => {
  const { subject, text, html } = composeMessage([CHANGE], { ...FACTS, language });
  expect(subject).toMatch(/^attic.?: \S+ \S+ 81\.2\.69\.2 \(\S+ 81\.2\.69\.1\)$/);
  for (const part of [text, html]) {
    for (const fact of ["81.2.69.2", "81.2.69.1", "ipify", "AWS", "ssh pi@81.2.69.2", "SHA256:abc", "14:00"]) {
      expect(part).toContain(fact);
    }
  }
});

test("several changes are one message that lists them all, there and back included", () => {
  const back = { ...CHANGE, id: "2", old: CHANGE.address, address: CHANGE.old ?? "" };
  const { subject, text } = composeMessage([CHANGE, back], FACTS);
  expect(subject).toBe("attic: back to 81.2.69.1 (2 changes)");
  expect(text).toContain("81.2.69.1 → 81.2.69.2");
  expect(text).toContain("81.2.69.2 → 81.2.69.1");
});

test("no name from outside reaches a header or the markup as it is", () => {
  const { subject, html } = composeMessage([CHANGE], { ...FACTS, machineName: "<b>\r\nBcc: x@example.net" });
  expect(subject).not.toMatch(/[\r\n]/);
  expect(html).not.toContain("<b>");
});
