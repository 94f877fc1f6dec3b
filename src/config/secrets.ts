import { quote } from "../base/text";
import { type VariableName, variable } from "./variables";

/** A variable and its value, as far as somebody may see it who reads a bug report. */
export function describeSetting(name: VariableName, value: string): string {
  switch (variable(name).shown) {
    case "never":
      return `${name}=(not shown)`;
    case "url":
      return `${name}=${quote(value.split(",").map(showUrl).join(","))}`;
    case "program":
      return `${name} is set: runs ${showProgram(value)}`;
    default:
      return `${name}=${quote(value)}`;
  }
}

function showUrl(text: string): string {
  if (!URL.canParse(text.trim())) return "…";
  const { protocol, username, password, host, pathname, search, hash } = new URL(text.trim());
  const isBare = pathname === "/" && search === "" && hash === "";
  return `${protocol}//${username || password ? "…@" : ""}${host}/${isBare ? "" : "…"}`;
}

// Only where no quoting can mislead: the second word of TOKEN='a b' is no program.
function showProgram(command: string): string {
  const program = /^\s*(?:\w+=[^\s'"`\\$]*\s+)*([\w.+~/-]+)(?:\s|$)/.exec(command)?.[1];
  return program === undefined ? "a command" : `${program.replace(/.*\//, "")} …`;
}

/** Whether a text that was refused may be repeated: it may be a URL or a login that was put into the wrong variable. */
export function mayRepeat(name: VariableName, text: string): boolean {
  return variable(name).shown === "whole" && !/:\/\/|:.*@|[?&]\w*=/.test(text);
}

/** What a URL carries that a server may repeat and nobody else is to see. */
export function urlSecrets(url: URL): string[] {
  const values = url.search
    .slice(1)
    .split("&")
    // A parameter without a value may be the token itself.
    .map((parameter) => parameter.replace(/^[^=]*=(?=.)/, ""));
  const [username, password] = [decoded(url.username), decoded(url.password)];
  // Together as they cross the wire, and come back from a server that repeats them (RFC 7617).
  const login = password ? [`${username}:${password}`] : [];
  const parts = [url.username, url.password, url.hash.slice(1), ...values];
  const forms = parts.flatMap((part) => [part, decoded(part), decoded(part.replaceAll("+", " "))]);
  return [...login, ...forms].filter((part) => part !== "");
}

/** What a command of the configuration carries that its own complaints may repeat: all of it, and each word like a token. */
export function commandSecrets(command: string): string[] {
  const words = command.split(/[\s'"`]+/).filter((word) => /\d|[=:@]./.test(word));
  const values = words.flatMap((word) => [...word.matchAll(/[=:]([^=:@/?&,;]+)/g)].map(([, value = ""]) => value));
  return [command, ...[...words, ...values].filter((word) => word.length >= SHORTEST_TOKEN)];
}

/** Shorter words are in every sentence, and a token of that length protects nothing. */
const SHORTEST_TOKEN = 4;

// A lone percent sign is no escape, and no reason to fail.
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
