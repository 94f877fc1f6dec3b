import { runVigenere, type VigenereOptions } from "../cli/vigenere";
import { formatEnvLines } from "../config/env-lines";
import { SecretPrompt } from "../io/ask";
import type { Host } from "./host";

/** `ipcheck vigenere`. Resolves to the exit code. */
export async function composeVigenere(
  key: string | undefined,
  password: string | undefined,
  options: VigenereOptions,
  host: Host,
): Promise<number> {
  const prompt = new SecretPrompt(host.openStdin(), host.openStderr());
  const tools = { ask: (question: string) => prompt.ask(question), formatEnvLines };
  try {
    return await runVigenere(key, password, options, tools, host.output);
  } finally {
    prompt.close();
  }
}
