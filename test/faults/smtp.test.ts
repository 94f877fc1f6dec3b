// At each stage of a delivery the mail server does the worst it can: the run ends in time and says so,
// the notice stays owed, and the same message goes out when the server relents.

import { describe, expect, test, vi } from "vitest";
import { makeAuthority } from "../support/certificates";
import { sample } from "../support/sample";
import { makeScratch } from "../support/scratch";
import { at, type Misdeed, STAGES, type Stage, startScriptedSmtp } from "./scripted-smtp";
import { ERROR_AND_HINT, NEW, OWNER, openSuite, owedId, SILENCE } from "./survival";

// Most of the rows wait for a deadline; few of them compute.
vi.setConfig({ maxConcurrency: 12 });

const { closing, makeNew, survived } = openSuite("smtp");
const [USER, PASSWORD] = ["pi@example.net", "corr3ct-h0rse-b4ttery"] as const;
const LOGIN = Buffer.from(`\0${USER}\0${PASSWORD}`).toString("base64");
const SECRETS = [PASSWORD, Buffer.from(PASSWORD).toString("base64"), LOGIN, LOGIN.replace(/=+$/, "")];

const MISDEEDS: Record<string, Misdeed> = {
  "says nothing": "hang",
  "answers a byte a second": "slow",
  floods: "flood",
  // After the body this is dying before the 250.
  "hangs up": "drop",
  "says 4xx": "451 4.3.0 not now",
  "says 421": "421 4.3.2 closing",
  "says 5xx": "554 5.7.1 never",
};

const authority = makeAuthority(makeScratch());
const certificate = authority.then((ca) => ca.issue());
const rows = Object.entries(MISDEEDS).flatMap(([name, act]) => STAGES.map((stage) => [name, stage, act] as const));

describe.concurrent("the mail server", () => {
  test.for<readonly [string, Stage, Misdeed]>([
    ...sample(rows, 12),
    ["says 552, too many recipients,", "RCPT", "552 5.5.3 later"],
  ])("%s at %s", async ([, stage, act]) => {
    const smtp = closing(await startScriptedSmtp(await certificate));
    const { home, bench } = await makeNew();
    Object.assign(home.env, {
      IPCHECK_SMTP_PORT: String(smtp.port),
      IPCHECK_SMTP_SECURITY: "starttls",
      IPCHECK_SMTP_USER: USER,
      IPCHECK_SMTP_PASSWORD: PASSWORD,
      IPCHECK_DEADLINE: "8s",
      IPCHECK_TIMEOUT: "2s",
      NODE_EXTRA_CA_CERTS: (await authority).caFile,
    });

    smtp.script = at(stage, act);
    const run = await home.run();
    expect(run).toMatchObject({ exitCode: 5, stdout: "", stderr: expect.stringMatching(ERROR_AND_HINT) });
    // After the final dot the wait may be as long again.
    expect(run.ms).toBeLessThan(stage === "body" && /^(hang|slow)$/.test(act) ? 20_000 : 12_000);
    for (const secret of SECRETS) expect(run.stderr + JSON.stringify(home.readState())).not.toContain(secret);
    const { families, outbox, channels } = home.readState();
    expect([families[4].recorded, ...outbox]).toMatchObject([{ address: NEW }, { address: NEW, told: ["(history)"] }]);
    const id = owedId(home);
    expect(smtp.heard).toEqual(stage === "body" ? [id] : []);
    expect(smtp.taken).toEqual([]);
    // A refusal for good earns a pause: 552 is none (RFC 5321, 4.5.3.1.10), no STARTTLS neither. So does a
    // message that was never answered, for each try may be a copy.
    const { pausedUntil } = channels[OWNER];
    const isUnknown = stage === "body" && !/^\d/.test(act);
    expect(pausedUntil !== undefined).toBe((/^5(?!52)/.test(act) && stage !== "STARTTLS") || isUnknown);

    smtp.script = undefined;
    const later = { now: new Date(Date.now() + (pausedUntil === undefined ? 0 : 2 * 3_600_000)) };
    expect(await home.run([], later)).toMatchObject(SILENCE);
    expect(smtp.taken).toEqual([id]);
    expect(smtp.logins.at(-1)).toContain(LOGIN);
    expect(home.readState().outbox).toEqual([]);
    expect(await home.run([], later)).toMatchObject(SILENCE);
    expect(smtp.taken).toEqual([id]);
    await survived(bench);
  });
});
