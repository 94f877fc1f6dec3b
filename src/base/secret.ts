/** Where the SMTP password comes from; a command is run only when a mail is owed. */
export type PasswordSource =
  | { kind: "value"; origin: string; value: string }
  | { kind: "command"; origin: string; command: string };
