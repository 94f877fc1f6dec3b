import { expect, test } from "vitest";
import { Redactor } from "../../src/base/redaction";
import { fetchLogin } from "../../src/notify/deliver";

test.each([
  ["printf 'x%.0s' $(seq 5000)", "printed far more than a password on its first line"],
  ["true", "printed no password on its first line"],
  ["echo secret", undefined],
])("a password command %s", async (command, problem) => {
  const redactor = new Redactor();
  const password = { kind: "command" as const, command, origin: "IPCHECK_SMTP_PASSWORD_COMMAND" };
  const env = { PATH: process.env["PATH"] };
  const login = await fetchLogin({ user: "pi", password }, { env, signal: new AbortController().signal, redactor });
  if (problem === undefined) expect(login).toEqual({ value: { user: "pi", password: "secret" } });
  else expect(login).toMatchObject({ ok: false, reason: `the password command ${problem}` });
  expect(() => redactor.redact("any text")).not.toThrow();
});
