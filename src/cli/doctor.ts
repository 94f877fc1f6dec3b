import type { Check } from "../core/diagnosis";
import { exitCodeFor } from "./exit-codes";
import type { Output } from "./output";

/** The switches of `doctor`. */
export interface DoctorOptions {
  send?: boolean;
  json?: boolean;
}

const MARKS: Record<Check["status"], string> = { ok: "ok     ", warning: "warning", error: "ERROR  " };

/** Prints the checks as they come; resolves to the exit code of the gravest. */
export async function runDoctor(options: DoctorOptions, checks: AsyncIterable<Check>, output: Output): Promise<number> {
  const all: Check[] = [];
  for await (const check of checks) {
    all.push(check);
    if (options.json) continue;
    await output.print(`${MARKS[check.status]}  ${check.title}: ${check.text}`);
    if (check.hint !== undefined && check.status !== "ok") await output.print(`         hint: ${check.hint}`);
  }
  const errors = all.flatMap(({ status, code }) => (status === "error" && code ? [{ code }] : []));
  // What is configured wrongly comes before what fails because of it.
  const exitCode = errors.some(({ code }) => code === "config") ? 2 : exitCodeFor(errors);
  if (options.json) await output.printJson({ exitCode, checks: all });
  else await output.print(summary(all));
  return exitCode;
}

function summary(checks: readonly Check[]): string {
  const count = (status: Check["status"]) => checks.filter((check) => check.status === status).length;
  const [errors, warnings] = [count("error"), count("warning")];
  if (errors + warnings === 0) return "\nall is well";
  return `\n${errors} error${errors === 1 ? "" : "s"}, ${warnings} warning${warnings === 1 ? "" : "s"}`;
}
