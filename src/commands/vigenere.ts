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
export async function composeVigenere(
  key: string | undefined,
  password: string | undefined,
  options: VigenereOptions,
  host: Host,
): Promise<number> {
  const prompt = new SecretPrompt(host.openStdin(), host.openStderr());
  try {
    return await runVigenere(key, password, options, prompt, host.output);
  } finally {
    prompt.close();
  }
}

async function runVigenere(
  givenKey: string | undefined,
  givenPassword: string | undefined,
  options: VigenereOptions,
  prompt: SecretPrompt,
  output: Output,
): Promise<number> {
  if (options.decode && options.env) {
    throw new IpcheckError("usage", "--decode and --env do not go together", {
      hint: "--env prints encoded passwords",
    });
  }
  const key = givenKey ?? (await prompt.ask("Key: "));
  if (key === undefined || key === "") {
    throw new IpcheckError("usage", "the key is empty", {
      hint: "a key of a dozen letters or more hides best",
    });
  }
  if (!isVigenereKey(key)) {
    throw new IpcheckError("usage", "the key has a character outside printable ASCII", {
      hint: "use letters, digits and the symbols of an English keyboard; accented letters cannot shift anything",
    });
  }
  const noun = options.decode ? "encoded password" : "password";
  const text = givenPassword ?? (await prompt.ask(options.decode ? "Encoded password: " : "Password: "));
  if (text === undefined) {
    throw new IpcheckError("usage", `no ${noun} was given`, {
      hint: "give it as the second argument, or on the second line of standard input",
    });
  }

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
  if (untouched > 0) {
    await output.warn(
      `${untouched} character${untouched === 1 ? "" : "s"} outside printable ASCII stay${untouched === 1 ? "s" : ""} readable`,
    );
  }
  if (result === text && text !== "") await output.warn("this key leaves the password as it is: choose another one");
  return 0;
}
