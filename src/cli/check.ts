import { check } from "../core/check";
import { withoutEffects } from "../core/dry-run";
import type { World } from "../core/ports";
import type { CheckRules } from "../core/rules";
import { type CheckOptions, printReport } from "./check-report";
import { exitCodeFor } from "./exit-codes";
import type { Output } from "./output";

/** Runs `check` and prints what is to be printed; resolves to the exit code. */
export async function runCheck(
  options: CheckOptions,
  rules: CheckRules,
  world: World,
  output: Output,
): Promise<number> {
  const plan: string[] = [];
  const report = await check(rules, options.dryRun ? withoutEffects(world, plan) : world);
  const exitCode = exitCodeFor(report.errors);
  await printReport(report, { ...options, exitCode, plan }, output);
  return exitCode;
}
