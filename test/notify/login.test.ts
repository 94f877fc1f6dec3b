import { expect, test } from "vitest";
import { Redactor } from "../../src/base/redaction";
import { fetchLogin } from "../../src/notify/deliver";

test.each([
  [
    "prints far more than a password",
    "printf 'x%.0s' $(seq 60000)",
    /^the password command printed far more than a password /,
  ],
  ["prints nothing", "true", /^the password command printed no password on its first line$/],
  ["fails", "exit 3", /^the password command ended with exit code 3$/],
  ["prints the password", "echo secret", undefined],
])("a password command that %s", async (_, command, problem) => {
  const redactor = new Redactor();
  const password = { kind: "command" as const, command, origin: "IPCHECK_SMTP_PASSWORD_COMMAND" };
  const env = { PATH: process.env["PATH"] };
  const login = await fetchLogin({ user: "pi", password }, { env, signal: new AbortController().signal, redactor });
  const failure = problem && { ok: false, reason: expect.stringMatching(problem) };
  expect(login).toMatchObject(failure ?? { value: { user: "pi", password: "secret" } });
  expect(() => redactor.redact("any text")).not.toThrow();
});
