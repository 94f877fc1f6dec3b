/** What the program knows of one variable before reading any. */
interface Variable {
  /** The value in `.env.example` that must be replaced, and is refused. */
  placeholder?: string;
  /** Never printed. */
  isSecret?: true;
  /** Printed only in parts: a URL may carry a password or a token. */
  mayHoldSecret?: true;
}

/** Every variable a user may set; the typo guard, `.env.example` and `doctor` go by this table. */
export const VARIABLES = {
  IPCHECK_TO: { placeholder: "your-phone@mail.invalid" },
  IPCHECK_FROM: {},
  IPCHECK_SMTP_HOST: {},
  IPCHECK_SMTP_PORT: {},
  IPCHECK_SMTP_SECURITY: {},
  IPCHECK_SMTP_USER: { placeholder: "your-homes-mailbox@gmail.invalid" },
  IPCHECK_SMTP_PASSWORD: { placeholder: "your app password", isSecret: true },
  IPCHECK_SMTP_PASSWORD_VIGENERE: { placeholder: "your encoded password", isSecret: true },
  IPCHECK_VIGENERE_KEY: { placeholder: "your key", isSecret: true },
  IPCHECK_SMTP_PASSWORD_FILE: {},
  IPCHECK_SMTP_PASSWORD_COMMAND: {},
  IPCHECK_NAME: {},
  IPCHECK_SSH: {},
  IPCHECK_LANG: {},
  IPCHECK_FAMILY: {},
  IPCHECK_IPV6_PREFIX: {},
  IPCHECK_SERVICES: { mayHoldSecret: true },
  IPCHECK_ACCEPT_RANGES: {},
  IPCHECK_TIMEOUT: {},
  IPCHECK_DEADLINE: {},
  IPCHECK_STATE_FILE: {},
  IPCHECK_MAIL_INTERVAL: {},
  IPCHECK_REPORT_OUTAGE: {},
  IPCHECK_HEARTBEAT_MAIL: {},
  IPCHECK_HEARTBEAT_URL: { isSecret: true },
  IPCHECK_ON_CHANGE: {},
  IPCHECK_CA_FILE: {},
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof VARIABLES;

export const VARIABLE_NAMES = Object.keys(VARIABLES) as VariableName[];

/** One row of the table, with the optional columns visible. */
export function variable(name: VariableName): Variable {
  return VARIABLES[name];
}

/** Names of ours that are no settings: where the file is, and what a hook finds in its environment. */
export const OTHER_NAMES: readonly string[] = ["IPCHECK_CONFIG", "IPCHECK_EVENT", "IPCHECK_OLD", "IPCHECK_NEW"];
