import { describe, expect, test } from "vitest";
import { operatorOf, PANEL, PLAIN_HTTP, servicesFor } from "../../src/lookup/services";

describe.each(PANEL)("the panel's row of $operator", ({ operator, urls, domains }) => {
  const all = Object.values(urls).map((url) => new URL(url));

  test("has URLs that are asked over HTTPS, without a secret", () => {
    expect(all).not.toEqual([]);
    for (const url of all) expect(url).toMatchObject({ protocol: "https:", username: "", password: "", search: "" });
  });

  test("lists the domain of each of its URLs", () => {
    expect(all.map(operatorOf)).toEqual(all.map(() => operator));
  });

  test("shares no name, URL or domain with another row", () => {
    const others = PANEL.filter((row) => row.operator !== operator);
    expect(others).toHaveLength(PANEL.length - 1);
    const theirs = new Set(others.flatMap((row) => [...row.domains, ...Object.values(row.urls)]));
    expect([...domains, ...Object.values(urls)].filter((one) => theirs.has(one))).toEqual([]);
  });
});

test.each([4, 6] as const)("over IPv%i there are enough operators for a majority without one of them", (family) => {
  expect(new Set(servicesFor(family, undefined).map(({ operator }) => operator)).size).toBeGreaterThan(3);
});

test.each([
  ["https://v4.ident.me/", "ident.me"],
  ["https://tnedi.me/", "ident.me"],
  ["https://API.IPIFY.ORG./?format=text", "ipify"],
  ["https://1.one.one.one.one/cdn-cgi/trace", "Cloudflare"],
  ["https://notipify.org/", "https://notipify.org"],
  ["https://ipify.org.example.net/", "https://ipify.org.example.net"],
  ["https://example.net:8443/ip", "https://example.net"],
  ["https://EXAMPLE.net./", "https://example.net"],
  ["http://127.0.0.1:8080/ip", "http://127.0.0.1:8080"],
  ["https://127.1:8443/", "https://127.0.0.1:8443"],
  ["http://localhost:8080/", "http://localhost:8080"],
  ["http://[::1]:8080/", "http://[::1]:8080"],
])("%s is spoken for by %s", (url, operator) => {
  expect(operatorOf(new URL(url))).toBe(operator);
});

test.each([
  ["an IPv4 literal", "http://192.0.2.1/", [true, false]],
  ["an IPv6 literal", "http://[2001:db8::1]/", [false, true]],
  ["a name", "https://echo.example.net/", [true, true]],
  ["the panel's host of one family", "https://ipv4.icanhazip.com/", [true, false]],
  ["the panel's host of the other", "https://api6.ipify.org/", [false, true]],
  ["the panel's operator without such a host", "https://checkip.amazonaws.com/", [true, false]],
] as const)("%s is asked in the families that it has", (_, url, families) => {
  expect(([4, 6] as const).map((family) => servicesFor(family, [new URL(url)]).length > 0)).toEqual(families);
});

const configured = (...urls: string[]) => urls.map((url) => new URL(url));
const operators = (...urls: string[]) => servicesFor(4, configured(...urls)).map(({ operator }) => operator);

test.each([
  ["another host", "http://a.example.net/", "http://b.example.net/"],
  ["another port", "http://a.example.net/", "http://a.example.net:8080/"],
  ["an address", "http://192.0.2.1/", "http://a.example.net/"],
  ["known operators", "http://api.ipify.org/", "http://ipv4.icanhazip.com/"],
  ["the same host over https", "http://a.example.net/", "https://a.example.net/"],
  ["the same operator over https", "http://api.ipify.org/", "https://API.ipify.org./"],
  ["a name that only looks like loopback", "http://localhost.example.net/", "http://127.0.0.1.example.net/"],
  ["a name below localhost", "http://a.localhost/", "http://b.localhost/"],
  ["any address", "http://0.0.0.0:8080/", "http://0.0.0.0:8081/"],
])("plain http is one voice: %s", (_, one, other) => {
  expect(operators(one, other)).toEqual([PLAIN_HTTP, PLAIN_HTTP]);
  expect(operators(other, one, "https://v4.ident.me/")).toEqual([PLAIN_HTTP, PLAIN_HTTP, "ident.me"]);
});

test("plain http on loopback and https elsewhere are each a voice of their own", () => {
  const urls = ["http://127.0.0.1:1001", "http://127.0.0.1:1002", "http://localhost:1001", "https://a.example.net"];
  expect(operators(...urls)).toEqual(urls);
});

test("a service that is configured twice is asked once, and is called by its host", () => {
  const urls = configured("http://example.net:8080/", "http://example.net:8080/", "https://example.net/");
  expect(servicesFor(4, urls).map(({ name }) => name)).toEqual(["example.net:8080", "example.net"]);
});
