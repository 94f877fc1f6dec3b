import { isIP } from "node:net";
import { posix, win32 } from "node:path";
import { domainToASCII } from "node:url";
import { isAscii } from "../base/text";
import { parseDuration } from "../base/time";
import { type Cidr, type Family, parseCidr } from "../lookup/address";
import { LANGUAGES } from "../notify/message/languages";
import type { Environment } from "./env-file";

type Result<T> = { value: T } | { expected: string };

/** Turns a variable's text into its value, or says what was expected instead. */
export type Read<T> = (text: string, environment: Pick<Environment, "platform" | "home">) => Result<T>;

/** The value where there is one. */
function orExpected<T>(value: T | undefined, expected: string): Result<T> {
  return value === undefined ? { expected } : { value };
}

export function anyText(text: string): Result<string> {
  return { value: text };
}

const DURATION = "a duration like 90s, 15m, 3h or 30d";

export function duration(text: string): Result<number> {
  return orExpected(parseDuration(text), DURATION);
}

/** Undefined where it is switched off. */
export function durationOrOff(text: string): Result<number | undefined> {
  return text === "off" ? { value: undefined } : orExpected(parseDuration(text), `${DURATION}, or off`);
}

export function durationWithin(minMs: number, maxMs: number) {
  return (text: string): Result<number> => {
    const value = parseDuration(text);
    if (value !== undefined && value >= minMs && value <= maxMs) return { value };
    return { expected: `a duration from ${minMs / 1000}s to ${maxMs / 60_000}m, like 5s` };
  };
}

export const port = numberUpTo(65_535, "a port");
export const prefixLength = numberUpTo(128, "a prefix length");

function numberUpTo(max: number, what: string) {
  return (text: string): Result<number> => {
    const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    return value >= 1 && value <= max ? { value } : { expected: `${what} from 1 to ${max}` };
  };
}

export const security = oneOf("tls", "starttls", "none");
export const language = oneOf(...LANGUAGES);

export function families(text: string): Result<Family[]> {
  const table = new Map<string, Family[]>([
    ["4", [4]],
    ["6", [6]],
    ["both", [4, 6]],
  ]);
  return orExpected(table.get(text), "4, 6 or both");
}

export function host(text: string): Result<string> {
  const isName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i.test(text);
  return isName || isIP(text) ? { value: text } : { expected: "a host name or an IP address, without a port" };
}

/** RFC 5321 mailboxes as people have them: no quoted local parts, no comments, no address literals. */
export function isMailAddress(text: string): boolean {
  // Most are ASCII, and a pattern of all the world's letters takes a millisecond to be compiled.
  if (/^[\w.+-]{1,64}@[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text)) return true;
  return /^[^\s@<>()[\]\\,;:"\p{Cc}]{1,64}@[\p{L}\p{N}]([\p{L}\p{N}.-]{0,251}[\p{L}\p{N}])?$/u.test(text);
}

export function mailAddress(text: string): Result<string> {
  return orExpected(normalizeMailAddress(text), "a mail address");
}

export function mailAddresses(text: string): Result<string[]> {
  const result = listOf(text, normalizeMailAddress, "mail addresses separated by commas");
  return "value" in result ? { value: [...new Set(result.value)] } : result;
}

/** The one spelling of a mail address that is used from here on: its domain in small ASCII letters (RFC 5891). */
function normalizeMailAddress(text: string): string | undefined {
  if (!isMailAddress(text)) return undefined;
  const at = text.lastIndexOf("@") + 1;
  const domain = text.slice(at).toLowerCase();
  // An ASCII domain is left alone: digits alone would be taken for an IPv4 address.
  const ascii = isAscii(domain) ? domain : domainToASCII(domain);
  return ascii === "" ? undefined : text.slice(0, at) + ascii;
}

export function cidrs(text: string): Result<Cidr[]> {
  return listOf(text, parseCidr, "address ranges like 192.0.2.0/24 separated by commas");
}

export function webUrl(text: string): Result<URL> {
  return orExpected(parseUrl(text), "a URL that begins with https:// or http://");
}

/** Kept as text: a URL would encode the braces. In a port they make no URL, and are refused. */
export function reachUrl(text: string): Result<string> {
  const isTemplate = parseUrl(text) && text.includes("{port}");
  return isTemplate
    ? { value: text }
    : { expected: "a URL with {port} in its path, like https://ifconfig.co/port/{port}" };
}

export function serviceUrls(text: string): Result<URL[]> {
  const expected = "URLs that begin with https:// or http://, separated by commas";
  const result = listOf(text, parseUrl, expected);
  return "value" in result && result.value.length === 0 ? { expected } : result;
}

export function sshLine(text: string): Result<string> {
  return text.includes("{ip}") ? { value: text } : { expected: "a command with {ip} in it, like ssh pi@{ip}" };
}

/** An absolute path, or one below the home folder: a relative one would depend on cron's working directory. */
export function path(text: string, { platform, home }: Pick<Environment, "platform" | "home">): Result<string> {
  const { isAbsolute, join } = platform === "win32" ? win32 : posix;
  if (text.startsWith("~/") && home) return { value: join(home, text.slice(2)) };
  return isAbsolute(text) ? { value: text } : { expected: "an absolute path" };
}

function oneOf<const T extends string>(...choices: T[]) {
  return (text: string): Result<T> => {
    const value = choices.find((choice) => choice === text);
    return orExpected(value, choices.join(", ").replace(/, ([^,]*)$/, " or $1"));
  };
}

/** Parts between commas, blank ones left out. */
function listOf<T>(text: string, parse: (part: string) => T | undefined, expected: string): Result<T[]> {
  const parts = text.split(",").map((part) => part.trim());
  const values = parts.filter((part) => part !== "").map(parse);
  return values.every((value) => value !== undefined) ? { value: values } : { expected };
}

function parseUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url && /^https?:$/.test(url.protocol) ? url : undefined;
}

/**
 * Invisible characters, and spaces that are no plain ones: pasted along from a web page or a word processor, they
 * change an address, a name or a password without being seen.
 */
export function findInvisible(text: string): string | undefined {
  const character = /(?! )[\p{Z}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u.exec(text)?.[0];
  if (character === undefined) return undefined;
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `holds ${/\p{Z}/u.test(character) ? "a space that is no plain one" : "an invisible character"} (U+${code})`;
}
