import { randomInt } from "node:crypto";
import { IpcheckError } from "../base/errors";
import { encodeVigenere } from "./vigenere";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/**
 * The encoded password with a key made for it, as the two variables; other keys are tried until
 * an env file can carry the values.
 * @throws IpcheckError `usage` when none does
 */
export function encodeWithNewKey(
  password: string,
  isWritable: (values: Record<string, string>) => boolean,
): Record<string, string> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const key = Array.from({ length: 16 }, () => LETTERS[randomInt(LETTERS.length)]).join("");
    const values = { IPCHECK_SMTP_PASSWORD_VIGENERE: encodeVigenere(password, key), IPCHECK_VIGENERE_KEY: key };
    if (isWritable(values)) return values;
  }
  throw new IpcheckError("usage", "no key makes this password fit into an env file", { hint: "choose --store file" });
}
