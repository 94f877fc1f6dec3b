import { existsSync } from "node:fs";
import { join } from "node:path";
import { quote } from "../base/text";
import { readGuarded } from "../base/trusted-file";
import type { PasswordSource } from "../notify/deliver";
import { type Environment, reasonOf } from "./env-file";
import { findUnseen, path as readPath } from "./readers";
import type { VariableName } from "./variables";
import { decodeVigenere, isVigenereKey } from "./vigenere";

/** Collects what is wrong and what is risky, for all variables at once. */
export interface Findings {
  problems: string[];
  warnings: string[];
  /** Strings that must never be printed. */
  secrets: string[];
}

/** Its first line counts; nobody keeps a book in it. */
const MAX_PASSWORD_FILE_BYTES = 4096;

/** The one source of the password, or undefined; two sources are a problem that names both. */
export function resolvePassword(
  get: (name: VariableName) => string | undefined,
  environment: Environment,
  findings: Findings,
): PasswordSource | undefined {
  const credentials = environment.env["CREDENTIALS_DIRECTORY"];
  const credential = credentials ? join(credentials, "smtp-password") : undefined;
  const key = get("IPCHECK_VIGENERE_KEY");
  const encoded = get("IPCHECK_SMTP_PASSWORD_VIGENERE");
  const sources: [string, () => PasswordSource | undefined][] = [];
  const add = (origin: VariableName, make: (value: string) => PasswordSource | undefined) => {
    const value = get(origin);
    if (value !== undefined) sources.push([origin, () => make(value)]);
  };
  add("IPCHECK_SMTP_PASSWORD", (value) => ({ kind: "value", origin: "IPCHECK_SMTP_PASSWORD", value }));
  add("IPCHECK_SMTP_PASSWORD_VIGENERE", (value) => fromEncoded(value, key, findings));
  add("IPCHECK_SMTP_PASSWORD_FILE", (path) => fromFile(path, "IPCHECK_SMTP_PASSWORD_FILE", environment, findings));
  add("IPCHECK_SMTP_PASSWORD_COMMAND", (command) => ({
    kind: "command",
    origin: "IPCHECK_SMTP_PASSWORD_COMMAND",
    command,
  }));
  if (credential && existsSync(credential)) {
    sources.push(["the systemd credential smtp-password", () => fromCredential(credential, findings)]);
  }

  if (key !== undefined && encoded === undefined) {
    findings.problems.push("IPCHECK_VIGENERE_KEY: is set, but IPCHECK_SMTP_PASSWORD_VIGENERE is not");
  }
  if (sources.length > 1) {
    const names = sources.map(([origin]) => origin).join(" and ");
    findings.problems.push(`${names}: keep one of them, the password can have only one source`);
    return undefined;
  }
  const source = sources[0]?.[1]();
  if (source?.kind === "value") findings.secrets.push(source.value);
  return source;
}

function fromEncoded(value: string, key: string | undefined, findings: Findings): PasswordSource | undefined {
  if (key === undefined) {
    findings.problems.push("IPCHECK_SMTP_PASSWORD_VIGENERE: needs IPCHECK_VIGENERE_KEY, the key it was encoded with");
    return undefined;
  }
  if (!isVigenereKey(key)) {
    findings.problems.push("IPCHECK_VIGENERE_KEY: expected printable ASCII characters only");
    return undefined;
  }
  return { kind: "value", origin: "IPCHECK_SMTP_PASSWORD_VIGENERE", value: decodeVigenere(value, key) };
}

function fromFile(
  given: string,
  origin: VariableName,
  environment: Environment,
  findings: Findings,
): PasswordSource | undefined {
  const resolved = readPath(environment)(given);
  if ("expected" in resolved) {
    findings.problems.push(`${origin}: expected ${resolved.expected}`);
    return undefined;
  }
  const path = resolved.value;
  try {
    const { text, isReadableByOthers } = readGuarded(path, environment, MAX_PASSWORD_FILE_BYTES);
    if (isReadableByOthers) {
      findings.warnings.push(
        `${quote(path)} holds the password and can be read by other users: run chmod 600 ${quote(path)}`,
      );
    }
    return firstLine(text, origin, path, findings);
  } catch (error) {
    findings.problems.push(`${origin}: ${quote(path)} ${reasonOf(error)}`);
    return undefined;
  }
}

// systemd chose owner and mode of a credential; they are not for us to judge.
function fromCredential(path: string, findings: Findings): PasswordSource | undefined {
  const origin = "systemd credential smtp-password";
  try {
    const { text } = readGuarded(path, { uid: undefined }, MAX_PASSWORD_FILE_BYTES);
    return firstLine(text, origin, path, findings);
  } catch (error) {
    findings.problems.push(`${origin}: ${quote(path)} ${reasonOf(error)}`);
    return undefined;
  }
}

function firstLine(text: string, origin: string, path: string, findings: Findings): PasswordSource | undefined {
  // An invisible mark that Windows editors write is no part of the password.
  const value = text.replace(/^\uFEFF/, "").split(/\r\n?|\n/, 1)[0] ?? "";
  const fault = /[\0\uFFFD]/.test(value) ? "is not UTF-8 text" : findUnseen(value);
  if (fault !== undefined) {
    findings.problems.push(`${origin}: line 1 of ${quote(path)} ${fault}, expected the password there`);
    return undefined;
  }
  if (value === "") {
    findings.problems.push(`${origin}: the first line of ${quote(path)} is empty, expected the password there`);
    return undefined;
  }
  return { kind: "value", origin, value };
}
