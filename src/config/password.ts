import { existsSync } from "node:fs";
import { join } from "node:path";
import { quote } from "../base/text";
import { type Principal, readTrusted } from "../base/trusted-file";
import type { PasswordSource } from "../notify/deliver";
import { type Environment, reasonOf } from "./env-file";
import { findInvisible } from "./readers";
import type { Values } from "./variables";
import { decodeVigenere, isVigenereKey } from "./vigenere";

/** Collects what is wrong and what is risky, for all variables at once. */
export interface Issues {
  problems: string[];
  warnings: string[];
  /** Strings that must never be printed. */
  secrets: string[];
}

/** Only its first line is used; a larger file is probably another one. */
const MAX_PASSWORD_FILE_BYTES = 4096;

const CREDENTIAL = "systemd credential smtp-password";

/** The one source of the password, or undefined; two sources are a problem that names both. */
export function resolvePassword(values: Values, environment: Environment, issues: Issues): PasswordSource | undefined {
  const { problems, secrets } = issues;
  const { IPCHECK_SMTP_PASSWORD: clear, IPCHECK_SMTP_PASSWORD_VIGENERE: encoded, IPCHECK_VIGENERE_KEY: key } = values;
  const { IPCHECK_SMTP_PASSWORD_FILE: file, IPCHECK_SMTP_PASSWORD_COMMAND: command } = values;
  const found: { origin: string; value?: string | undefined; command?: string }[] = [];
  if (clear !== undefined) found.push({ origin: "IPCHECK_SMTP_PASSWORD", value: clear });
  if (encoded !== undefined) {
    found.push({ origin: "IPCHECK_SMTP_PASSWORD_VIGENERE", value: decode(encoded, key, problems) });
  }
  if (file !== undefined) {
    const origin = "IPCHECK_SMTP_PASSWORD_FILE";
    found.push({ origin, value: readFirstLine(file, origin, environment, issues) });
  }
  if (command !== undefined) found.push({ origin: "IPCHECK_SMTP_PASSWORD_COMMAND", command });
  const folder = environment.env["CREDENTIALS_DIRECTORY"];
  const credential = folder && join(folder, "smtp-password");
  if (credential && existsSync(credential)) {
    // systemd chose its owner and mode, so these are not checked.
    found.push({ origin: CREDENTIAL, value: readFirstLine(credential, CREDENTIAL, { uid: undefined }, issues) });
  }

  if (key !== undefined && encoded === undefined) {
    problems.push("IPCHECK_VIGENERE_KEY: is set, but IPCHECK_SMTP_PASSWORD_VIGENERE is not");
  }
  const [source, ...others] = found;
  if (others.length > 0) {
    const names = found.map(({ origin }) => (origin === CREDENTIAL ? `the ${origin}` : origin)).join(" and ");
    problems.push(`${names}: keep one of them, the password can have only one source`);
    return undefined;
  }
  if (source?.command !== undefined) return { kind: "command", origin: source.origin, command: source.command };
  if (source?.value === undefined) return undefined;
  secrets.push(source.value);
  return { kind: "value", origin: source.origin, value: source.value };
}

function decode(encoded: string, key: string | undefined, problems: string[]): string | undefined {
  if (key !== undefined && isVigenereKey(key)) return decodeVigenere(encoded, key);
  problems.push(
    key === undefined
      ? "IPCHECK_SMTP_PASSWORD_VIGENERE: needs IPCHECK_VIGENERE_KEY, the key it was encoded with"
      : "IPCHECK_VIGENERE_KEY: expected printable ASCII characters only",
  );
  return undefined;
}

function readFirstLine(path: string, origin: string, who: Principal, issues: Issues): string | undefined {
  const { problems, warnings } = issues;
  const place = quote(path);
  try {
    const { text, isReadableByOthers } = readTrusted(path, who, MAX_PASSWORD_FILE_BYTES);
    if (isReadableByOthers) {
      warnings.push(`${place} holds the password and can be read by other users: run chmod 600 ${place}`);
    }
    // The byte order mark that Windows editors write is no part of the password.
    const line = text.replace(/^\uFEFF/, "").split(/\r\n?|\n/, 1)[0] ?? "";
    const fault = /[\0\uFFFD]/.test(line) ? "is not UTF-8 text" : findInvisible(line);
    if (fault !== undefined) problems.push(`${origin}: line 1 of ${place} ${fault}, expected the password there`);
    else if (line !== "") return line;
    else problems.push(`${origin}: the first line of ${place} is empty, expected the password there`);
  } catch (error) {
    problems.push(`${origin}: ${place} ${reasonOf(error)}`);
  }
  return undefined;
}
