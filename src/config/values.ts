import { quote } from "../base/quote";
import { suggest } from "../base/suggest";
import type { EnvFile, Environment } from "./env-file";
import type { Findings } from "./password";
import { findUnseen } from "./unseen";
import { isProse, OTHER_NAMES, RENAMED, VARIABLE_NAMES, type VariableName, variable } from "./variables";

/** Where each variable that is set came from. */
export type Origins = Map<VariableName, { place: "environment" | "env file"; value: string }>;

/** The variables that are set, the environment before the env file; names and values nobody can have meant are found. */
export function mergeValues(envFile: EnvFile | undefined, { env }: Environment, findings: Findings) {
  const values = new Map<VariableName, string>();
  const origins: Origins = new Map();
  const fileValues = envFile?.values ?? {};
  for (const name of VARIABLE_NAMES) {
    // Empty is unset: 'IPCHECK_TO=' is how people switch a line off.
    const value = env[name] || fileValues[name];
    if (!value) continue;
    const { placeholder, isSecret } = variable(name);
    values.set(name, value);
    const line = env[name] ? undefined : envFile?.lines[name];
    origins.set(name, { place: env[name] ? "environment" : "env file", value });
    if (isSecret) findings.secrets.push(value);
    if (value === placeholder) {
      findings.problems.push(`${name}: still has the placeholder of .env.example, put your own value there`);
    } else if (isSecret ? /[\r\n\0]/.test(value) : /\p{Cc}/u.test(value)) {
      findings.problems.push(`${name}: holds a control character or a line break, expected one line of text`);
    }
    const unseen = isProse(name) ? undefined : findUnseen(value);
    if (unseen)
      findings.problems.push(`${name}: ${unseen}${line === undefined ? "" : ` on line ${line}`}, type it anew`);
  }
  guardTypos(Object.keys(env), findings.problems, (name) => /^ipcheck_/i.test(name));
  // In our own file anything that looks like one of our names was meant to be one.
  guardTypos(Object.keys(fileValues), findings.problems, (name) => {
    return /^ipcheck_/i.test(name) || suggest(name, VARIABLE_NAMES) !== undefined;
  });
  if (fileValues["IPCHECK_CONFIG"]) {
    findings.problems.push("IPCHECK_CONFIG: has no effect inside an env file, remove it there");
  }
  const holdsSecret = VARIABLE_NAMES.some((name) => variable(name).isSecret && fileValues[name]);
  if (envFile?.isReadableByOthers && holdsSecret) {
    const path = quote(envFile.path);
    findings.warnings.push(`${path} holds a secret and can be read by other users: run chmod 600 ${path}`);
  }
  return { values, origins };
}

function guardTypos(names: string[], problems: string[], isOurs: (name: string) => boolean): void {
  const known = new Set<string>([...VARIABLE_NAMES, ...OTHER_NAMES]);
  for (const name of names) {
    if (known.has(name) || !isOurs(name)) continue;
    const renamed = RENAMED[name];
    const meant = suggest(name.toUpperCase(), known);
    const problem = renamed
      ? `${name}: is called ${renamed} now`
      : `${quote(name)}: no such variable${meant ? `, did you mean ${meant}?` : ""}`;
    if (!problems.includes(problem)) problems.push(problem);
  }
}
