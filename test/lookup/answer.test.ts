import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAddress, parseCidr } from "../../src/lookup/address";
import { type RawAnswer, readAnswer } from "../../src/lookup/answer";

const HOME = "81.2.69.142";
const redact = (text: string) => text.replaceAll("2003", "[redacted]");

/** An answer as a service sends it; the body goes over the wire as UTF-8 and arrives as latin-1. */
function answer(body: string, { status = 200, ...headers }: { status?: number } & Record<string, unknown> = {}) {
  return { status, headers, body: Buffer.from(body).toString("latin1") } as RawAnswer;
}

/** The address, or the kind of failure. */
function read(raw: RawAnswer, { family = 4 as 4 | 6, accept = [] as string[] } = {}): string {
  const result = readAnswer(raw, { family, acceptRanges: accept.flatMap((text) => parseCidr(text) ?? []), redact });
  return "address" in result ? result.address : result.kind;
}

describe("a body that is one address and nothing else", () => {
  test.each([
    ["bare", HOME, 4, HOME],
    ["with a line feed", `${HOME}\n`, 4, HOME],
    ["with blanks around", ` \t\r\n${HOME}\r\n \t`, 4, HOME],
    ["IPv6", "2a02:8109::1\n", 6, "2a02:8109::1"],
    ["IPv6, made canonical", "2A02:8109:0:0:0:0:0:1", 6, "2a02:8109::1"],
  ] as const)("%s", (_, body, family, expected) => expect(read(answer(body), { family })).toBe(expected));
});

describe("a body that is something else", () => {
  test.each<[what: string, kind: string, ...bodies: string[]]>([
    ["nothing", "garbage", "", " \r\n"],
    ["white space that is no HTTP's", "garbage", `${HOME}\u00a0`, `${HOME}\u200b`, `${HOME}\v`, `\ufeff${HOME}`],
    ["control characters", "garbage", `${HOME}\0`, `\0${HOME}`, `81.2\0.69.142`, `\u001b[2J${HOME}`, `${HOME}\x07`],
    ["two addresses", "garbage", `${HOME}\n81.2.69.143\n`, `${HOME} 81.2.69.143`, `${HOME};${HOME}`],
    ["words around it", "garbage", `${HOME} ok`, `Your IP is ${HOME}`, `IP: ${HOME}`, `ip=${HOME}\nloc=FR`],
    ["JSON", "garbage", `{"ip":"${HOME}"}`, `"${HOME}"`, `["${HOME}"]`],
    ["a URL", "garbage", `http://${HOME}/`, `//${HOME}`, `user@${HOME}`],
    ["a port", "garbage", `${HOME}:443`, `[${HOME}]:443`, `${HOME} 443`],
    ["a mask", "garbage", `${HOME}/32`, `${HOME}/24`, `${HOME} 255.255.255.0`],
    ["a zone id", "garbage", "fe80::1%eth0", `${HOME}%eth0`, `${HOME}%25`],
    ["other numbers", "garbage", "081.2.69.142", "0121.2.69.142", "0x51.2.69.142", "1359103374", "81.149902"],
    ["too few and too many parts", "garbage", "81.2.69", `${HOME}.`, `${HOME}.1`],
    ["numbers out of range", "garbage", "256.2.69.142", "81.2.69.-142", "81.2.69.1e1"],
    ["other digits and dots", "garbage", "８１.2.69.142", "81。2。69。142", "٨١.2.69.142"],
    ["a list", "proxy", `${HOME}, 10.0.0.1`, `10.0.0.1,${HOME},2a02::1`],
    ["a list with a word", "garbage", `${HOME}, unknown`, `unknown, ${HOME}`],
    ["a page", "portal", `<!DOCTYPE html><p>${HOME}</p>`, "<HTML><BODY>log in</BODY></HTML>"],
    ["XHTML", "portal", '<?xml version="1.0"?><html/>'],
    ["a script", "portal", "<script>location='http://login.hotel'</script>"],
  ])("%s: %s", (_, kind, ...bodies) => {
    for (const body of bodies) expect([body, read(answer(body))]).toEqual([body, kind]);
  });

  test("the type of a page is enough, but an address called HTML is still one", () => {
    expect(read(answer("please log in", { "content-type": "text/html; charset=utf-8" }))).toBe("portal");
    expect(read(answer("please log in", { "content-type": "application/xhtml+xml" }))).toBe("portal");
    expect(read(answer(HOME, { "content-type": "text/html" }))).toBe(HOME);
  });
});

describe("statuses: only 200 counts, whatever the body says", () => {
  test.each([
    ["status", [201, 204, 206, 400, 403, 404, 418]],
    ["portal", [301, 302, 304, 511]],
    ["proxy", [407]],
    ["rate-limit", [429, 503]],
    ["server", [500, 502, 504]],
  ])("%s: %j", (kind, statuses) => {
    for (const status of statuses) expect([status, read(answer(HOME, { status }))]).toEqual([status, kind]);
  });

  test.each([
    ["http://login.hotel/?room=12&token=hunter22", "to login.hotel"],
    ["https://user:hunter22@login.hotel:8443/a", "to login.hotel:8443"],
    ["/relative?hunter22", "to another page"],
    ["\u001b[31m", "to another page"],
    [["a", "b"], "a redirect"],
    [undefined, "a redirect"],
  ])("a redirect to %j is named by its host alone", (location, expected) => {
    const result = readAnswer(answer("", { status: 302, location }), { family: 4, acceptRanges: [], redact });
    expect(result).toMatchObject({ kind: "portal", detail: expect.stringContaining(expected) });
    expect(JSON.stringify(result)).not.toMatch(/hunter22|\\u001b/);
  });
});

// Every range: address.test.ts.
describe("an address that is not the home's", () => {
  test.each([
    ["2a02:8109::1", 4, "wrong-family"],
    [HOME, 6, "wrong-family"],
    [`::ffff:${HOME}`, 6, "wrong-family"],
    [`::FFFF:5102:458E`, 6, "wrong-family"],
    [`::ffff:${HOME}`, 4, "wrong-family"],
    ["100.64.0.1", 4, "cgnat"],
    ["192.168.1.1", 4, "private"],
    ["fe80::1", 6, "private"],
  ] as const)("%s over IPv%d: %s", (body, family, expected) => expect(read(answer(body), { family })).toBe(expected));

  test.each([
    ["192.168.1.1", 4, ["192.168.0.0/16"], "192.168.1.1"],
    ["192.168.1.1", 4, ["10.0.0.0/8", "192.168.1.1"], "192.168.1.1"],
    ["192.169.1.1", 4, ["192.168.0.0/16"], "192.169.1.1"],
    ["10.0.0.1", 4, ["192.168.0.0/16"], "private"],
    ["100.64.0.1", 4, ["100.64.0.0/10"], "100.64.0.1"],
    ["10.0.0.1", 4, ["::/0"], "private"],
    ["2001:db8::1", 6, ["2001:db8::/32"], "2001:db8::1"],
    ["192.168.1.1", 6, ["0.0.0.0/0"], "wrong-family"],
    [`::ffff:192.168.1.1`, 6, ["::/0"], "wrong-family"],
  ] as const)("%s over IPv%d, accepting %j: %s", (body, family, accept, expected) => {
    expect(read(answer(body), { family, accept: [...accept] })).toBe(expected);
  });
});

test("whatever arrives: a canonical address of the family asked for, or a printable reason", () => {
  const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array).toString("latin1"));
  const nearly = fc.tuple(fc.ipV4(), fc.string({ unit: "binary-ascii", maxLength: 3 })).map((parts) => parts.join(""));
  const body = fc.oneof(bytes, fc.ipV4(), fc.ipV6(), nearly);
  fc.assert(
    fc.property(fc.constantFrom(4 as const, 6 as const), body, (family, text) => {
      const result = readAnswer({ status: 200, headers: {}, body: text }, { family, acceptRanges: [], redact });
      if ("address" in result) {
        expect(parseAddress(result.address)).toEqual({ family, address: result.address });
        expect(parseAddress(text.trim())?.address).toBe(result.address);
      } else {
        expect(result.detail).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(result.detail.length).toBeLessThan(600);
      }
    }),
    { numRuns: 1000 },
  );
});

test("secrets are taken out of what is quoted, never out of what was measured", () => {
  const read6 = (body: string) => readAnswer(answer(body), { family: 6, acceptRanges: [], redact });
  expect(read6("2003:e7:1::1\n")).toEqual({ address: "2003:e7:1::1" });
  expect(read6("no such key: 2003")).toMatchObject({ detail: expect.stringMatching(/: no such key: \[redacted\]$/) });
  const list = read6("2003::1, 2003::2");
  expect(list).toMatchObject({ kind: "proxy", detail: expect.not.stringContaining("2003") });
  // Before it is cut.
  expect(read6(`${"x".repeat(57)}2003`)).toMatchObject({ detail: expect.not.stringContaining("200") });
});
