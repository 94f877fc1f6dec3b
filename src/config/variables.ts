/** What the program knows of one variable before reading any. */
interface Variable {
  /** The value in `.env.example` that must be replaced, and is refused. */
  placeholder?: string;
  /**
   * How much of the value `doctor` and error messages show: all of it; the name of the program that a command
   * runs; scheme and host of a URL; or nothing.
   */
  shown: "whole" | "program" | "url" | "never";
  /** Free text, in which a no-break space or the like does no harm. */
  isProse?: true;
  /** Whoever can read it has something that he should not have. */
  isSecret?: true;
}

/** Every variable a user may set; the typo guard, `.env.example` and `doctor` go by this table. */
export const VARIABLES = {
  IPCHECK_TO: { shown: "whole", placeholder: "your-phone@mail.invalid" },
  IPCHECK_FROM: { shown: "whole" },
  IPCHECK_SMTP_HOST: { shown: "whole" },
  IPCHECK_SMTP_PORT: { shown: "whole" },
  IPCHECK_SMTP_SECURITY: { shown: "whole" },
  IPCHECK_SMTP_USER: { shown: "whole", placeholder: "your-homes-mailbox@gmail.invalid" },
  IPCHECK_SMTP_PASSWORD: { shown: "never", placeholder: "your app password", isSecret: true },
  IPCHECK_SMTP_PASSWORD_VIGENERE: { shown: "never", placeholder: "your encoded password", isSecret: true },
  IPCHECK_VIGENERE_KEY: { shown: "never", placeholder: "your key", isSecret: true },
  IPCHECK_SMTP_PASSWORD_FILE: { shown: "whole", isProse: true },
  IPCHECK_SMTP_PASSWORD_COMMAND: { shown: "program", isProse: true },
  IPCHECK_NAME: { shown: "whole", isProse: true },
  IPCHECK_SSH: { shown: "whole" },
  IPCHECK_LANG: { shown: "whole" },
  IPCHECK_FAMILY: { shown: "whole" },
  IPCHECK_IPV6_PREFIX: { shown: "whole" },
  IPCHECK_SERVICES: { shown: "url" },
  IPCHECK_ACCEPT_RANGES: { shown: "whole" },
  IPCHECK_TIMEOUT: { shown: "whole" },
  IPCHECK_DEADLINE: { shown: "whole" },
  IPCHECK_STATE_FILE: { shown: "whole", isProse: true },
  IPCHECK_MAIL_INTERVAL: { shown: "whole" },
  IPCHECK_REPORT_OUTAGE: { shown: "whole" },
  IPCHECK_HEARTBEAT_MAIL: { shown: "whole" },
  IPCHECK_HEARTBEAT_URL: { shown: "url", isSecret: true },
  IPCHECK_REACH_PORT: { shown: "whole" },
  IPCHECK_REACH_URL: { shown: "url" },
  IPCHECK_ON_CHANGE: { shown: "program", isProse: true },
  IPCHECK_CA_FILE: { shown: "whole", isProse: true },
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof VARIABLES;

export const VARIABLE_NAMES = Object.keys(VARIABLES) as VariableName[];

/** One row of the table, with the optional columns visible. */
export function variable(name: VariableName): Variable {
  return VARIABLES[name];
}

/** Whether a variable is free text, in which any kind of space may stand. */
export function isProse(name: string): boolean {
  return name in VARIABLES && (variable(name as VariableName).isProse ?? false);
}

/** Names of ours that are no settings: where the file is, and what a hook finds in its environment. */
export const OTHER_NAMES: readonly string[] = [
  "IPCHECK_CONFIG",
  "IPCHECK_EVENT",
  "IPCHECK_OLD",
  "IPCHECK_NEW",
  "IPCHECK_COUNT",
  "IPCHECK_UNCONFIRMED",
  "IPCHECK_SUBJECT",
  "IPCHECK_TEXT",
];

/** What earlier versions called otherwise. */
export const RENAMED: Readonly<Record<string, string>> = { IPCHECK_ENV_FILE: "IPCHECK_CONFIG" };
