import { IpcheckError } from "../base/errors";
import type { Output } from "../base/output";
import { SecretPrompt } from "../base/prompts";
import { formatEnvLines } from "../config/env-edit";
import { countUnshiftable, decodeVigenere, encodeVigenere, isVigenereKey } from "../config/vigenere";
import type { Host } from "./host";

interface VigenereOptions {
  decode?: boolean;
  env?: boolean;
}

/** `ipcheck vigenere`: asks for what is not given, and prints the result alone on stdout. Resolves to the exit code. */
export async function runVigenere(
  options: VigenereOptions,
  host: Host,
  [givenKey, givenPassword]: readonly string[],
): Promise<number> {
  if (options.decode && options.env) {
    throw new IpcheckError("usage", "--decode and --env do not go together", {
      hint: "--env prints encoded passwords",
    });
  }
  const prompt = new SecretPrompt(host.openStdin(), host.openStderr());
  try {
    const key = requireKey(givenKey ?? (await prompt.ask("Key: ")));
    const noun = options.decode ? "encoded password" : "password";
    const text = givenPassword ?? (await prompt.ask(options.decode ? "Encoded password: " : "Password: "));
    if (text === undefined) {
      throw new IpcheckError("usage", `no ${noun} was given`, {
        hint: "give it as the second argument, or on the second line of standard input",
      });
    }
    await printResult(text, key, options, host.output);
    return 0;
  } finally {
    prompt.close();
  }
}

function requireKey(key: string | undefined): string {
  if (!key) {
    throw new IpcheckError("usage", "the key is empty", { hint: "a key of a dozen letters or more hides best" });
  }
  if (isVigenereKey(key)) return key;
  throw new IpcheckError("usage", "the key has a character outside printable ASCII", {
    hint: "use letters, digits and the symbols of an English keyboard; accented letters cannot shift anything",
  });
}

async function printResult(text: string, key: string, options: VigenereOptions, output: Output): Promise<void> {
  const result = options.decode ? decodeVigenere(text, key) : encodeVigenere(text, key);
  const lines = options.env
    ? formatEnvLines({ IPCHECK_SMTP_PASSWORD_VIGENERE: result, IPCHECK_VIGENERE_KEY: key })
    : result;
  if (lines === undefined) {
    throw new IpcheckError("usage", "no quoting can carry this key and encoded password in an env file", {
      hint: "choose another key; one of letters only always works unless the password has line breaks or all three kinds of quotes",
    });
  }
  await output.print(lines);

  const untouched = countUnshiftable(text);
  const [nouns, verb] = untouched === 1 ? ["character", "stays"] : ["characters", "stay"];
  if (untouched > 0) await output.warn(`${untouched} ${nouns} outside printable ASCII ${verb} readable`);
  if (result === text && text !== "") await output.warn("this key leaves the password as it is: choose another one");
}
