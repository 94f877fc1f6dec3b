import { isIP } from "node:net";
import { posix, win32 } from "node:path";
import { domainToASCII } from "node:url";
import { quote } from "../base/text";
import { parseDuration } from "../base/time";
import { type Cidr, type Family, parseCidr } from "../lookup/address";
import { LANGUAGES } from "../notify/message/languages";
import type { Environment } from "./env-file";
import { mayRepeat } from "./secrets";
import { isProse, type VariableName, variable } from "./variables";

/** Turns a variable's text into its value, or says what was expected instead. */
export type Read<T> = (text: string) => { value: T } | { expected: string };

/** Reads variables one by one and collects what is wrong with each. */
export class Reader {
  constructor(
    private readonly get: (name: VariableName) => string | undefined,
    private readonly problems: string[],
  ) {}

  /** The variable's value, its default's where unset; undefined when it has a problem. */
  read<T>(name: VariableName, fallback: string, readText: Read<T>): T | undefined {
    const text = this.get(name) ?? fallback;
    const result = readText(text);
    if ("value" in result) return result.value;
    // A placeholder has been reported already; a default that does not fit is the caller's to explain.
    if (this.isSet(name) && text !== variable(name).placeholder) {
      const given = mayRepeat(name, text) ? `, not '${quote(text, 60)}'` : "";
      this.problem(name, `expected ${result.expected}${given}`);
    } else if (!this.isSet(name) && text !== "") {
      this.problem(name, `expected ${result.expected}`);
    }
    return undefined;
  }

  readOptional<T>(name: VariableName, readText: Read<T>): T | undefined {
    return this.isSet(name) ? this.read(name, "", readText) : undefined;
  }

  /** A duration that `off` switches off: undefined then. */
  readSwitchable(name: VariableName, fallback: string): number | undefined {
    if ((this.get(name) ?? fallback) === "off") return undefined;
    return this.read(name, fallback, (text) => {
      const result = duration(text);
      return "value" in result ? result : { expected: `${result.expected}, or off` };
    });
  }

  isSet(name: VariableName): boolean {
    return this.get(name) !== undefined;
  }

  problem(name: VariableName, text: string): void {
    this.problems.push(`${name}: ${text}`);
  }
}

export const anyText: Read<string> = (text) => ({ value: text });

export const duration: Read<number> = (text) => {
  const value = parseDuration(text);
  return value === undefined ? { expected: "a duration like 90s, 15m, 3h or 30d" } : { value };
};

export function durationWithin(minMs: number, maxMs: number): Read<number> {
  return (text) => {
    const value = parseDuration(text);
    if (value !== undefined && value >= minMs && value <= maxMs) return { value };
    return { expected: `a duration from ${minMs / 1000}s to ${maxMs / 60_000}m, like 5s` };
  };
}

export const port: Read<number> = (text) => {
  const value = Number(text);
  return /^\d{1,5}$/.test(text) && value >= 1 && value <= 65_535 ? { value } : { expected: "a port from 1 to 65535" };
};

export const prefixLength: Read<number> = (text) => {
  const value = Number(text);
  return /^\d{1,3}$/.test(text) && value >= 1 && value <= 128
    ? { value }
    : { expected: "a prefix length from 1 to 128" };
};

export const security = oneOf("tls", "starttls", "none");
export const language = oneOf(...LANGUAGES);

export const families: Read<Family[]> = (text) => {
  const table = new Map<string, Family[]>([
    ["4", [4]],
    ["6", [6]],
    ["both", [4, 6]],
  ]);
  const value = table.get(text);
  return value ? { value } : { expected: "4, 6 or both" };
};

export const host: Read<string> = (text) => {
  const isName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i.test(text);
  return isName || isIP(text) ? { value: text } : { expected: "a host name or an IP address, without a port" };
};

/** RFC 5321 mailboxes as people have them: no quoted local parts, no comments, no address literals. */
export function isMailAddress(text: string): boolean {
  // Most are ASCII, and a pattern of all the world's letters takes a millisecond to be compiled.
  if (/^[\w.+-]{1,64}@[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text)) return true;
  return /^[^\s@<>()[\]\\,;:"\p{Cc}]{1,64}@[\p{L}\p{N}]([\p{L}\p{N}.-]{0,251}[\p{L}\p{N}])?$/u.test(text);
}

export const mailAddress: Read<string> = (text) => {
  const value = normalizeMailAddress(text);
  return value === undefined ? { expected: "a mail address" } : { value };
};

export const mailAddresses: Read<string[]> = (text) => {
  const value = splitList(text).map(normalizeMailAddress);
  return value.every((address) => address !== undefined)
    ? { value: [...new Set(value)] }
    : { expected: "mail addresses separated by commas" };
};

/** The one spelling of a mail address that is used from here on: its domain in small ASCII letters (RFC 5891). */
function normalizeMailAddress(text: string): string | undefined {
  if (!isMailAddress(text)) return undefined;
  const at = text.lastIndexOf("@") + 1;
  const domain = text.slice(at).toLowerCase();
  // An ASCII domain is left alone: digits alone would be taken for an IPv4 address.
  const ascii = /^\p{ASCII}+$/u.test(domain) ? domain : domainToASCII(domain);
  return ascii === "" ? undefined : text.slice(0, at) + ascii;
}

export const cidrs: Read<Cidr[]> = (text) => {
  const value = splitList(text).map(parseCidr);
  return value.every((cidr) => cidr !== undefined)
    ? { value }
    : { expected: "address ranges like 192.0.2.0/24 separated by commas" };
};

export const webUrl: Read<URL> = (text) => {
  const url = parseUrl(text);
  return url ? { value: url } : { expected: "a URL that begins with https:// or http://" };
};

/** Kept as text: a URL would encode the braces. In a host name or a port they are none, and refused. */
export const reachUrl: Read<string> = (text) =>
  parseUrl(text) && text.includes("{port}")
    ? { value: text }
    : { expected: "a URL with {port} in its path, like https://ifconfig.co/port/{port}" };

export const serviceUrls: Read<URL[]> = (text) => {
  const value = splitList(text).map(parseUrl);
  return value.length > 0 && value.every((url) => url !== undefined)
    ? { value }
    : { expected: "URLs that begin with https:// or http://, separated by commas" };
};

export const sshLine: Read<string> = (text) =>
  text.includes("{ip}") ? { value: text } : { expected: "a command with {ip} in it, like ssh pi@{ip}" };

/** An absolute path, or one below the home folder: the working directory under cron is nobody's choice. */
export function path({ platform, home }: Environment): Read<string> {
  const { isAbsolute, join } = platform === "win32" ? win32 : posix;
  return (text) => {
    if (text.startsWith("~/") && home) return { value: join(home, text.slice(2)) };
    return isAbsolute(text) ? { value: text } : { expected: "an absolute path" };
  };
}

function oneOf<const T extends string>(...choices: T[]): Read<T> {
  return (text) => {
    const value = choices.find((choice) => choice === text);
    return value ? { value } : { expected: choices.join(", ").replace(/, ([^,]*)$/, " or $1") };
  };
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function parseUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url && /^https?:$/.test(url.protocol) ? url : undefined;
}

/**
 * What looks like a plain space, or like nothing, and is none: pasted from a web page or a word processor, it makes an
 * address, a name or a password another one.
 */
export function findUnseen(text: string): string | undefined {
  const character = /(?! )[\p{Z}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u.exec(text)?.[0];
  if (character === undefined) return undefined;
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `holds ${/\p{Z}/u.test(character) ? "a space that is no plain one" : "an invisible character"} (U+${code})`;
}

/** The readers of those variables that `init` asks for. */
const READERS: Record<string, Read<unknown>> = {
  IPCHECK_TO: mailAddresses,
  IPCHECK_FROM: mailAddress,
  IPCHECK_SMTP_HOST: host,
  IPCHECK_SMTP_PORT: port,
  IPCHECK_SMTP_SECURITY: security,
  IPCHECK_SSH: sshLine,
  IPCHECK_FAMILY: families,
  IPCHECK_LANG: language,
};

/** What is wrong with a variable's text, as a sentence for the person who typed it; undefined when nothing is. */
export function findProblem(name: string, text: string): string | undefined {
  if (/\p{Cc}/u.test(text)) return "expected one line of text without control characters";
  const unseen = isProse(name) ? undefined : findUnseen(text);
  if (unseen !== undefined) return `it ${unseen}, type it anew`;
  const result = READERS[name]?.(text);
  return result && "expected" in result ? `expected ${result.expected}` : undefined;
}
