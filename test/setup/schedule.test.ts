import { execFile, execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { machineSeed } from "../../src/commands/host";
import { readCommand } from "../../src/schedule/cron";
import { offsetFor } from "../../src/schedule/plan";
import { watch } from "../support/oracle";
import { BIN } from "../support/run-ipcheck";
import { ERROR_AND_HINT, listTree, makeHome, startCronDaemon, startMail, writePrivate, writeScript } from "./workbench";

vi.setConfig({ maxConcurrency: 3 });

startCronDaemon();

/** A home with this crontab; `schedule` runs `ipcheck schedule …` there. */
async function makeBench(table?: string) {
  const home = await makeHome();
  home.crontab.table = table;
  const schedule = (words: string, options?: Parameters<typeof home.run>[1]) =>
    home.run(["schedule", ...words.split(" ")], options);
  return Object.assign(home, { schedule });
}

describe.concurrent("the crontab", () => {
  const OLD_BLOCK = [
    "# ipcheck: begin (written by 'ipcheck schedule install')",
    "3 * * * * /gone/node /gone/ipcheck.js check",
    "# ipcheck: end",
    "",
  ].join("\n");

  test.for<[string, string | undefined, object?]>([
    ["none yet", undefined],
    ["bytes that are no UTF-8", "# \xe9t\xe9 \xff\xfe \x80\n0 3 * * * x\n"],
    ["only an empty line", "\n"],
    ["no end of the last line, and a cron that minds", "# a\n0 3 * * * b"],
    ["no end of the last line, and one that does not", "# a\n0 3 * * * b", { CRONTAB_IS_LENIENT: "1" }],
  ])("install, again, show and remove give it back: %s", async ([, table, env = {}]) => {
    const home = await makeBench(table);
    const { crontab } = home;
    Object.assign(home.env, env);
    const install = await home.schedule("install --cron --yes");
    expect(install).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/^ipcheck: installed \(crontab\)/) });
    const installed = crontab.table ?? "";
    expect(installed.startsWith(table ?? "")).toBe(true);
    expect(installed).toContain(install.stdout);
    expect((await home.schedule("install --cron")).exitCode).toBe(0);
    expect(crontab.table).toBe(installed);
    const show = await home.schedule("show --cron");
    expect(show).toMatchObject({ exitCode: 0, stdout: `crontab:\n${install.stdout}`, stderr: "" });
    expect(await home.schedule("remove")).toMatchObject({ exitCode: 0, stdout: "" });
    // A cron that minds could not be given back what it would not take.
    const isMended = table !== undefined && !table.endsWith("\n") && !("CRONTAB_IS_LENIENT" in env);
    expect(crontab.table).toBe(isMended ? `${table}\n` : table);
  });

  test("where nothing is installed, nothing is removed or shown", async () => {
    const home = await makeBench();
    const remove = await home.schedule("remove");
    expect(remove).toMatchObject({ exitCode: 0, stdout: "", stderr: "ipcheck: nothing was installed\n" });
    const show = await home.schedule("show --cron");
    expect(show).toMatchObject({
      exitCode: 0,
      stdout: "",
      stderr: expect.stringContaining("'ipcheck schedule install'"),
    });
    expect(home.crontab.calls).toEqual(home.crontab.calls.map(() => "-l"));
  });

  test("an older block is replaced where nothing else is touched", async () => {
    const home = await makeBench(`# above\n${OLD_BLOCK}# below\n`);
    const { stdout } = await home.schedule("install --cron --every 15m");
    expect(stdout).toMatch(/^\d+-59\/15 \* \* \* \* \//);
    expect(home.crontab.table).not.toContain("/gone/");
    expect(home.crontab.table?.split(stdout)).toHaveLength(2);
    await home.schedule("remove");
    expect(home.crontab.table).toBe("# above\n# below\n");
  });

  test("--print touches nothing, and names absolute paths and this host's own minute", async () => {
    const home = await makeBench();
    const before = listTree(home.path);
    const run = await home.schedule("install --cron --print");
    const [hourly = "", atBoot = "", ...rest] = run.stdout.split("\n");
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    expect(hourly.split(" ")[0]).toBe(String(offsetFor(machineSeed(hostname()), 60)));
    expect(atBoot).toMatch(/^@reboot sleep \d+; /);
    expect(rest).toEqual([""]);
    const [node = "", script = "", ...words] = readCommand(hourly);
    expect([node.startsWith("/"), script, words]).toEqual([true, BIN, ["check"]]);
    expect(readCommand(atBoot)).toEqual(readCommand(hourly));
    expect([home.crontab.calls, listTree(home.path)]).toEqual([[], before]);
  });

  test("what was installed does the job as cron would start it, with the env file that was named", async () => {
    const mail = await startMail();
    const home = (await makeHome()).useMail(mail);
    const { HOME = "", PATH = "", CRONTAB_FILE = "", TZ, ...settings } = home.env;
    const folder = join(HOME, "it's 100% mine");
    const text = Object.entries(settings).map((pair) => `${pair.join("=")}\n`);
    const envFile = writePrivate(join(folder, "$HOME env"), text.join(""));
    const flags = ["--cron", "--every", "5m", "--config", "$HOME env"];
    expect(await home.run(["schedule", "install", ...flags], { cwd: folder })).toMatchObject({ exitCode: 0 });
    const lines = home.crontab.table?.split("\n").filter((line) => line.includes(BIN)) ?? [];
    expect(lines.map(readCommand)).toEqual([0, 1].map(() => [expect.anything(), BIN, "check", "--config", envFile]));
    // cron's part: the five fields go, and the escapes of percent signs.
    const command = lines[0]?.split(" ").slice(5).join(" ").replaceAll("\\%", "%") ?? "";
    const asCron = { env: { HOME, PATH: "/usr/bin:/bin", SHELL: "/bin/sh", LOGNAME: "x" }, cwd: HOME };
    const judge = watch({ env: asCron.env, args: ["check", "--config", envFile] });
    const said = await promisify(execFile)("/bin/sh", ["-c", command], asCron);
    expect(said).toEqual({ stdout: "", stderr: "" });
    judge({ exitCode: 0, ...said });
    expect(mail.arrived).toHaveLength(1);
    expect(home.readState()).toMatchObject({ outbox: [] });
    const doctor = await home.run(["doctor"]);
    expect(doctor.stdout).toMatch(/ok {7}schedule: crontab runs .*it's 100% mine/);
  });

  const BY_HAND = "17 * * * * /usr/bin/node /home/pi/ipcheck/bin/ipcheck.js check";

  test("lines written by hand are shown, replaced with their env file kept, and named", async () => {
    const line = `${BY_HAND} -c /srv/env`;
    const home = await makeBench(`# above\n${line}\n@reboot sleep 60; ${line.slice(11)}\n# below \xe9\n`);
    const shown = await home.schedule("show");
    expect(shown).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(line), stderr: "" });
    expect((await home.run(["doctor"])).stdout).toMatch(
      /schedule: the crontab runs \/home\/pi\/\S+, which does not exist/,
    );
    const install = await home.schedule("install --cron");
    expect(install.exitCode).toBe(0);
    expect(install.stderr).toContain(`it takes the place of your own line: ${line}\n`);
    expect(install.stderr).toContain("/srv/env is not there, or cannot be read: until it is, every run ends with");
    expect(install.stdout).toContain(" check --config /srv/env\n");
    expect(home.crontab.table).toMatch(/^# above\n# below \xe9\n# ipcheck: begin/);
    expect(home.crontab.table?.match(/ipcheck\.js check/g)).toHaveLength(2);
    // Once more, without a word about the env file.
    await home.schedule("install --cron --every 15m");
    expect(home.crontab.table).toContain(" check --config /srv/env\n");
    await home.schedule("remove");
    expect(home.crontab.table).toBe("# above\n# below \xe9\n");
  });

  test("what ipcheck did not write is not removed, and named", async () => {
    const home = await makeBench(`${BY_HAND}\n`);
    const run = await home.schedule("remove --cron");
    expect(run).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(BY_HAND) });
    expect(home.crontab.table).toBe(`${BY_HAND}\n`);
  });

  test("a line that does something else as well is left to its owner", async () => {
    const table = `0 3 * * * backup && ${BY_HAND.slice(11)}\n`;
    const home = await makeBench(table);
    const run = await home.schedule("install --cron");
    expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/error: .*backup && .*\n.*crontab -e/) });
    expect(home.crontab.table).toBe(table);
  });

  test("a block of version 1.0.0 is an error for doctor, and replaced with its env file kept", async () => {
    const line = `3 * * * * ${process.execPath} -- ${BIN} check --env-file /srv/env`;
    const home = await makeBench(OLD_BLOCK.replace(/^3 .*$/m, line));
    const doctor = await home.run(["doctor"]);
    expect(doctor).toMatchObject({ exitCode: 2, stdout: expect.stringMatching(/ERROR {4}schedule: .*--env-file/) });
    await home.schedule("install --cron");
    expect(home.crontab.table).not.toMatch(/ -- |--env-file/);
    expect(home.crontab.table).toContain(`${BIN} check --config /srv/env\n`);
  });

  test.for([undefined, "# mine\n"])("a crontab that fails half-way gets its table back: %j", async (table) => {
    const home = await makeBench(table);
    const real = readFileSync(join(home.path, "bin", "crontab"), "utf8");
    // It writes, and then says that it failed, the first time.
    const failing = real.replace(
      /mv (.*) ;;/,
      'mv $1; [ -e "$CRONTAB_FILE.failed" ] || { touch "$CRONTAB_FILE.failed"; exit 1; } ;;',
    );
    writePrivate(join(home.path, "bin", "crontab"), failing, 0o755);
    expect(await home.schedule("install --cron")).toMatchObject({ exitCode: 2 });
    expect(home.crontab.table).toBe(table);
  });

  test.for([
    [["--every", "7m"], /--every 7m/, /divides|do$/],
    [["--every", ""], /--every/, /5m/],
    [["--every", "hourly"], /--every hourly/, /1h/],
    [["--cron", "--systemd"], /do not go together/, undefined],
    [["--launchd", "--windows"], /do not go together/, undefined],
    [["--password-file", "/x"], /--password-file belongs to --system/, /IPCHECK_SMTP_PASSWORD_FILE/],
    [["--hourly"], /unknown option/, /schedule --help/],
    [["--config", "/srv/\x07"], /control character: \/srv/, /rename/],
    [["--system", "--password-file", "/srv/\x07"], /control character: \/srv/, /rename/],
  ] as const)("refused with exit 2, nothing touched: %j", async ([flags, error, hint]) => {
    const home = await makeBench();
    const run = await home.run(["schedule", "install", ...flags]);
    expect(run).toMatchObject({ exitCode: 2, stdout: "" });
    expect(run.stderr).toMatch(error);
    if (hint) expect(run.stderr.split("\n")[1]).toMatch(hint);
    expect(home.crontab.calls.filter((call) => call !== "-l")).toEqual([]);
    expect(existsSync(join(home.path, ".config"))).toBe(false);
  });

  test("a cron that refuses its user is quoted, another scheduler named", async () => {
    const home = await makeBench();
    home.env["CRONTAB_REFUSES"] = "You (x) are not allowed to use this program\x1b[2J";
    const install = await home.schedule("install --cron");
    expect(install).toMatchObject({ exitCode: 2, stderr: expect.not.stringContaining("\x1b") });
    expect(install.stderr).toMatch(/error: crontab -l failed: You \(x\) are not allowed/);
    expect((await home.schedule("remove --cron")).exitCode).toBe(0);
    // Without a word about which, the other scheduler of this system is taken.
    const other = await home.schedule("install --print");
    if (process.platform === "linux") expect(other.stdout).toContain("ipcheck.timer");
  });

  test("a real cron takes and gives back the same bytes", async ({ skip }) => {
    const asNobody = (args: string[], input = "") =>
      spawnSync("crontab", ["-u", "nobody", ...args], { input, encoding: "latin1" });
    if (process.getuid?.() !== 0) return skip("only root can lend the crontab of another user");
    const before = asNobody(["-l"]);
    if (before.error) return skip("no crontab is installed");
    if (!before.stderr.includes("no crontab for"))
      return skip("the user nobody has a crontab already, or may have none");
    const real = execFileSync("/bin/sh", ["-c", "command -v crontab"], { encoding: "utf8" }).trim();
    const home = await makeBench();
    writeScript(join(home.path, "bin"), "crontab", `exec ${real} -u nobody "$@"`);
    const table = "# \xe9t\xe9 100%\n17 3 * * * true # mine\n\n";
    try {
      for (const given of [undefined, table]) {
        if (given !== undefined)
          expect(asNobody(["-"], Buffer.from(given, "latin1").toString("latin1")).status).toBe(0);
        expect(await home.schedule("install --cron")).toMatchObject({ exitCode: 0 });
        expect(asNobody(["-l"]).stdout).toContain(BIN);
        expect(await home.schedule("remove --cron")).toMatchObject({ exitCode: 0 });
        expect(asNobody(["-l"]).stdout).toBe(given ?? "");
      }
    } finally {
      asNobody(["-r"]);
    }
  });
});

describe.concurrent("systemd", () => {
  async function makeSystemd(...lines: string[]) {
    const home = await makeBench();
    const calls = join(home.path, "systemctl.calls");
    writeScript(join(home.path, "bin"), "systemctl", `echo "$*" >> '${calls}'`, ...lines);
    const folder = join(home.path, ".config", "systemd", "user");
    const read = () => (existsSync(folder) ? readdirSync(folder).toSorted() : []);
    return { home, folder, read, calls: () => readFileSync(calls, "utf8").trim().split("\n") };
  }

  test("the user's timer is written, enabled, shown and removed without a trace", async () => {
    const { home, folder, read, calls } = await makeSystemd();
    const print = await home.schedule("install --systemd --every 6h --print");
    expect(read()).toEqual([]);
    const install = await home.schedule("install --systemd --every 6h");
    expect(install).toMatchObject({ exitCode: 0, stdout: print.stdout });
    expect(read()).toEqual(["ipcheck.service", "ipcheck.timer"]);
    for (const name of read()) expect(print.stdout).toContain(readFileSync(join(folder, name), "utf8").trimEnd());
    expect(calls()).toEqual(["--user daemon-reload", "--user enable --now ipcheck.timer"]);
    expect((await home.schedule("show")).stdout).toContain(`systemd --user:\n${folder}`);
    expect(await home.schedule("remove")).toMatchObject({ exitCode: 0 });
    expect(read()).toEqual([]);
    expect(calls().slice(2)).toEqual(["--user disable --now ipcheck.timer", "--user daemon-reload"]);
  });

  // The unit files stay behind, and 'schedule show' and 'doctor' take them for an installed schedule.
  test("a machine without cron and systemd is told to install one", async () => {
    const home = await makeBench();
    const run = await home.schedule("install", { env: { PATH: join(home.path, "nothing") } });
    expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/is not installed\n.*hint: install cron/) });
  });

  test("a folder of the machine wants root", async () => {
    const home = await makeBench();
    const denied = "Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })";
    const preload = writePrivate(
      join(home.path, "denied.cjs"),
      `require("fs/promises").mkdir = async () => { throw ${denied} };`,
    );
    const run = await home.schedule("install --systemd", { preload: [preload] });
    expect(run).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/error: EACCES.*\n.*hint: .*root/) });
  });

  test("a systemd that cannot be reached leaves nothing that looks installed", async () => {
    const { home, read } = await makeSystemd('printf "Not booted.\\nFailed to connect to bus\\n" >&2; exit 1');
    const run = await home.schedule("install --systemd");
    expect(run).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/Not booted\.; Failed to connect to bus\n/),
    });
    expect(read()).toEqual([]);
  });

  test("a timer that cannot be enabled leaves the units that were there, or none", async () => {
    const { home, folder, read } = await makeSystemd('case "$*" in *enable*) exit 1 ;; esac');
    expect(await home.schedule("install --systemd")).toMatchObject({ exitCode: 2 });
    expect(existsSync(join(home.path, ".config"))).toBe(false);
    const old = "[Unit]\nDescription=Look up the public IP address regularly\n# 1.0.0\n";
    writePrivate(join(folder, "ipcheck.timer"), old);
    expect(await home.schedule("install --systemd")).toMatchObject({ exitCode: 2 });
    expect(read()).toEqual(["ipcheck.timer"]);
    expect(readFileSync(join(folder, "ipcheck.timer"), "utf8")).toBe(old);
  });

  test.for(["ipcheck.service", "ipcheck.timer"])(
    "a %s of somebody else's is neither overwritten nor removed",
    async (name) => {
      const { home, folder, read } = await makeSystemd();
      const path = writePrivate(
        join(folder, name),
        `[Unit]\nDescription=mine\n[Service]\nExecStart=/opt/mine ipcheck\n`,
      );
      const before = listTree(folder);
      const install = await home.schedule("install --systemd");
      expect(install).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(ERROR_AND_HINT) });
      expect(install.stderr).toContain(`${path} was not written by ipcheck`);
      const remove = await home.schedule("remove");
      expect(remove).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(path) });
      expect(listTree(folder)).toEqual(before);
      expect(read()).toEqual([name]);
      expect((await home.schedule("show")).stdout).toContain("not written by ipcheck");
      expect((await home.run(["doctor"])).stdout).toMatch(/schedule: none is installed/);
    },
  );

  test("a unit of one's own that runs the check is a schedule for doctor", async () => {
    const { home, folder } = await makeSystemd();
    writePrivate(join(folder, "ipcheck.service"), `[Service]\nExecStart=${process.execPath} ${BIN} check\n`);
    expect((await home.run(["doctor"])).stdout).toMatch(/ok {7}schedule: systemd --user runs/);
  });

  test("units of version 1.0.0, which had no mark, are replaced and removed", async () => {
    const { home, folder, read } = await makeSystemd();
    const old = (description: string) => `[Unit]\nDescription=Look up the public IP address${description}\n`;
    writePrivate(join(folder, "ipcheck.service"), old(", mail a change"));
    writePrivate(join(folder, "ipcheck.timer"), old(" regularly"));
    expect(await home.schedule("install --systemd")).toMatchObject({ exitCode: 0 });
    for (const name of read()) {
      const text = readFileSync(join(folder, name), "utf8");
      expect(text).toMatch(/^# Written by 'ipcheck schedule install'\n/);
    }
    expect(readFileSync(join(folder, "ipcheck.service"), "utf8")).toContain("\nTimeoutStartSec=10min\n");
    await home.schedule("remove");
    expect(read()).toEqual([]);
  });

  test("a link in a unit's place is not followed", async () => {
    const { home, folder } = await makeSystemd();
    mkdirSync(folder, { recursive: true });
    symlinkSync(join(home.path, "victim"), join(folder, "ipcheck.service"));
    expect(await home.schedule("install --systemd")).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(home.path, "victim"))).toBe(false);
  });

  test("the machine's units are printed with the credentials that were named", async () => {
    const home = await makeBench();
    const envFile = writePrivate(join(home.path, "100% env"), "");
    const flags = ["--system", "--print", "--config", envFile, "--password-file", "secret word"];
    const run = await home.run(["schedule", "install", ...flags], { cwd: home.path });
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    for (const unit of ["service", "timer"]) expect(run.stdout).toContain(`# /etc/systemd/system/ipcheck.${unit}\n`);
    expect(run.stdout).toContain(`LoadCredential=env:${home.path}/100%% env\n`);
    expect(run.stdout).toContain(`LoadCredential=smtp-password:${home.path}/secret word\n`);
  });

  test("the machine's timer is not installed without a configuration that is there", async () => {
    const home = await makeBench();
    for (const flags of [[], ["--config", "/nowhere/env"]]) {
      const run = await home.run(["schedule", "install", "--system", ...flags]);
      expect(run).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringMatching(ERROR_AND_HINT) });
      expect(run.stderr).toMatch(/hint: 'sudo ipcheck --config \/etc\/ipcheck\/env init'/);
    }
  });

  test("its mails name the login of whoever installed it, not the service's own user", async () => {
    const home = await makeBench();
    const envFile = writePrivate(join(home.path, "env"), "");
    const print = async (SUDO_USER: string) =>
      (
        await home.run(["schedule", "install", "--system", "--print", "--config", envFile], { env: { SUDO_USER } })
      ).stdout.match(/^Environment=.*$/gm);
    expect(await print("pi")).toEqual(["Environment=SUDO_USER=pi"]);
    expect(await print("x\nExecStart=/bin/sh")).toBeNull();
    expect(await print("root")).toBeNull();
  });
});

test.concurrent.for([
  ["--launchd", /<string>\/.*\/ipcheck\.js<\/string>/],
  ["--windows", /<Arguments>&quot;\/.*\/ipcheck\.js&quot; &quot;check&quot;<\/Arguments>/],
] as const)("%s --print shows the whole file", async ([flag, line]) => {
  const run = await (await makeHome()).run(["schedule", "install", flag, "--print"]);
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(run.stdout).toMatch(line);
});

test("launchd: a failed install leaves nothing, and a job of somebody else's stays", async () => {
  const home = await makeBench();
  const plist = join(home.path, "Library", "LaunchAgents", "ipcheck.check.plist");
  writeScript(join(home.path, "bin"), "launchctl", "exit 5");
  expect(await home.schedule("install --launchd")).toMatchObject({ exitCode: 2 });
  expect(existsSync(plist)).toBe(false);
  writeScript(join(home.path, "bin"), "launchctl", "exit 0");
  expect(await home.schedule("install --launchd")).toMatchObject({ exitCode: 0 });
  expect((await home.schedule("show --launchd")).stdout).toContain(BIN);
  expect(await home.schedule("remove --launchd")).toMatchObject({ exitCode: 0 });
  expect(existsSync(plist)).toBe(false);
  writePrivate(plist, "<key>ProgramArguments</key><array><string>/opt/mine</string></array>");
  expect(await home.schedule("install --launchd")).toMatchObject({ exitCode: 2 });
  await home.schedule("remove --launchd");
  expect(readFileSync(plist, "utf8")).toContain("/opt/mine");
});
