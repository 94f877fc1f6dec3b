import { quote } from "../base/text";
import { type VariableName, variable } from "./variables";

/** Whether the whole value is a secret: the env file that holds it must be private. */
export function isSecret(name: VariableName): boolean {
  const { secret } = variable(name);
  return secret === "all" || secret === "path";
}

/** A variable and its value without secrets, to be shown in a bug report. */
export function describeSetting(name: VariableName, value: string): string {
  switch (variable(name).secret) {
    case "all":
      return `${name}=(not shown)`;
    case "path":
    case "login":
      return `${name}=${quote(value.split(",").map(showUrl).join(","))}`;
    case "arguments":
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
  // Some write the password itself where its file's name belongs.
  if (name === "IPCHECK_SMTP_PASSWORD_FILE") return false;
  return variable(name).secret === undefined && !/:\/\/|:.*@|[?&]\w*=/.test(text);
}

/** The secret strings in a variable's text: taken out wherever a server or a command repeats them. */
export function secretsIn(name: VariableName, text: string): string[] {
  const { secret } = variable(name);
  switch (secret) {
    case "all":
      return [text];
    case "path":
    case "login": {
      // A comma in the only URL of a variable is a part of it.
      const parts = (name === "IPCHECK_SERVICES" ? text.split(",") : [text]).filter((part) => URL.canParse(part));
      const urls = parts.map((part) => new URL(part));
      // The whole of a monitor's path is its password.
      const paths = urls.flatMap(({ pathname }) => [...pathname.split("/"), pathname.slice(1)]);
      return [...urls.flatMap(urlSecrets), ...(secret === "path" ? [text, ...paths] : [])];
    }
    case "arguments":
      return commandSecrets(text);
    default:
      return [];
  }
}

function urlSecrets(url: URL): string[] {
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

/** All of it, and each word like a token. */
function commandSecrets(command: string): string[] {
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
