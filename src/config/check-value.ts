import * as read from "./readers";
import { findUnseen } from "./unseen";
import { isProse } from "./variables";

/** The readers of those variables that `init` asks for. */
const READERS: Record<string, read.Read<unknown>> = {
  IPCHECK_TO: read.mailAddresses,
  IPCHECK_FROM: read.mailAddress,
  IPCHECK_SMTP_HOST: read.host,
  IPCHECK_SMTP_PORT: read.port,
  IPCHECK_SMTP_SECURITY: read.security,
  IPCHECK_SSH: read.sshLine,
  IPCHECK_FAMILY: read.families,
  IPCHECK_LANG: read.language,
};

/** What is wrong with a variable's text, as a sentence for the person who typed it; undefined when nothing is. */
export function findProblem(name: string, text: string): string | undefined {
  if (/\p{Cc}/u.test(text)) return "expected one line of text without control characters";
  const unseen = isProse(name) ? undefined : findUnseen(text);
  if (unseen !== undefined) return `it ${unseen}, type it anew`;
  const result = READERS[name]?.(text);
  return result && "expected" in result ? `expected ${result.expected}` : undefined;
}
