import { chmodSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "dotenv";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { defaultEnvFiles, type Environment } from "../../src/config/env-file";
import { ConfigError, loadSettings, type Settings } from "../../src/config/settings";
import {
  defaultStateFile,
  localeLanguage,
  VARIABLE_NAMES,
  VARIABLES,
  type VariableName,
  variable,
} from "../../src/config/variables";
import { encodeVigenere } from "../../src/config/vigenere";
import { makeAuthority } from "../support/certificates";
import { makeScratch } from "../support/scratch";

const MAIL = { IPCHECK_SMTP_USER: "pi@example.net", IPCHECK_SMTP_PASSWORD: "correct horse" };

let home: string;
let secrets: string[];
beforeEach(() => {
  home = makeScratch();
  secrets = [];
});

function environment(env: NodeJS.ProcessEnv = {}, rest: Partial<Environment> = {}): Environment {
  return {
    env,
    platform: "linux",
    home,
    uid: process.getuid?.(),
    hostName: "raspberrypi",
    userName: "pi",
    packageDirectory: join(home, "package"),
    ...rest,
  };
}

function load(env: NodeJS.ProcessEnv = {}, rest: Partial<Environment> = {}, flag?: string): Settings {
  return loadSettings(flag, environment(env, rest), secrets);
}

function errorOf(...given: Parameters<typeof load>): ConfigError | undefined {
  try {
    load(...given);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

const problemsOf = (...given: Parameters<typeof load>) => errorOf(...given)?.problems ?? [];

function write(path: string, text: string, mode = 0o600): string {
  const whole = join(home, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
  chmodSync(whole, mode);
  return whole;
}

const writeEnvFile = (text: string, mode?: number) => write(".config/ipcheck/.env", text, mode);

/** What is left of settings when it does not matter where they came from. */
function essence({ origins: _, envFile: __, configHash: ___, ...settings }: Settings) {
  return settings;
}

describe("defaults", () => {
  test("without any variable", () => {
    expect(load()).toMatchObject({
      recipients: [],
      from: "",
      smtp: { host: "smtp.gmail.com", port: 587, security: "starttls", user: undefined, password: undefined },
      machineName: "raspberrypi",
      sshLine: "ssh pi@{ip}",
      language: "en",
      families: [4],
      ipv6PrefixLength: 64,
      serviceUrls: undefined,
      acceptRanges: [],
      timeoutMs: 5000,
      deadlineMs: 120_000,
      stateFile: join(home, ".local/state/ipcheck/state.json"),
      mailIntervalMs: 900_000,
      reportOutageMs: 3_600_000,
      heartbeatMailMs: undefined,
      heartbeatUrl: undefined,
      reachPort: undefined,
      reachUrl: "https://ifconfig.co/port/{port}",
      onChange: undefined,
      hasHook: false,
      envFile: undefined,
      warnings: [],
    });
  });

  /** The default of every variable that has one, as a user writes it. */
  const written = () =>
    Object.fromEntries(
      VARIABLE_NAMES.flatMap((name) => {
        const { default: usual } = variable(name);
        const getText = (other: string) => MAIL[other as keyof typeof MAIL];
        const text = typeof usual === "function" ? usual(environment(), getText) : usual;
        return text === undefined ? [] : [[name, text.replace(home, "~")]];
      }),
    );

  test("written out, one by one and all together, they change nothing", () => {
    const bare = essence(load(MAIL));
    for (const [name, value] of Object.entries(written())) {
      expect(essence(load({ ...MAIL, [name]: value })), name).toEqual(bare);
    }
    expect(essence(load({ ...MAIL, ...written() }))).toEqual(bare);
    expect(load({ ...MAIL, ...written() }).configHash()).toBe(load(MAIL).configHash());
  });

  test.for([
    [1000, undefined, "ssh pi@{ip}"],
    [1000, "eve", "ssh pi@{ip}"],
    [0, "ann", "ssh ann@{ip}"],
    [0, "x\u001b[2J", "ssh pi@{ip}"],
    // The user of a service with DynamicUser=: nobody logs in as that.
    [61_184, "ann", "ssh ann@{ip}"],
    [65_519, undefined, "ssh {ip}"],
    [65_534, undefined, "ssh pi@{ip}"],
  ] as const)("the login as uid %i with SUDO_USER=%j", ([uid, SUDO_USER, expected]) => {
    const env = SUDO_USER === undefined ? {} : { SUDO_USER };
    expect(load(env, { uid }).sshLine).toBe(expected);
    expect(load({ ...env, IPCHECK_SSH: "ssh me@{ip}" }, { uid }).sshLine).toBe("ssh me@{ip}");
  });

  test("those that .env.example shows are these", () => {
    const example = readFileSync(join(__dirname, "../../.env.example"), "utf8");
    const shown = parse(example.replace(/^#(?=IPCHECK_)/gm, ""));
    expect(Object.keys(shown).sort()).toEqual([...VARIABLE_NAMES].sort());
    for (const [name, value] of Object.entries(written())) {
      if (shown[name] !== "" && shown[name] !== variable(name as VariableName).placeholder)
        expect(shown[name], name).toBe(value);
    }
  });

  test("empty is unset", () => {
    const empty = Object.fromEntries(VARIABLE_NAMES.map((name) => [name, ""]));
    expect(essence(load(empty))).toEqual(essence(load()));
  });
});

describe("precedence", () => {
  test.each([
    ["environment over env file", { IPCHECK_NAME: "env" }, "IPCHECK_NAME=file", "env", "environment"],
    ["env file over default", {}, "IPCHECK_NAME=file", "file", "env file"],
    ["default", {}, "IPCHECK_LANG=fr", "raspberrypi", undefined],
    ["empty in the environment", { IPCHECK_NAME: "" }, "IPCHECK_NAME=file", "file", "env file"],
  ])("%s", (_, env, file, expected, place) => {
    writeEnvFile(file);
    const { machineName, origins } = load(env);
    expect([machineName, origins.get("IPCHECK_NAME")?.place]).toEqual([expected, place]);
  });

  test("the env file: flag, then IPCHECK_CONFIG, then XDG, then ~/.config, then beside the package", () => {
    const name = (env: NodeJS.ProcessEnv = {}, flag?: string) => load(env, {}, flag).machineName;
    const flag = write("a/flag.env", "IPCHECK_NAME=flag");
    const named = write("a/named.env", "IPCHECK_NAME=named");
    write("package/.env", "IPCHECK_NAME=package");
    expect(name()).toBe("package");
    writeEnvFile("IPCHECK_NAME=home");
    expect(name()).toBe("home");
    write("xdg/ipcheck/.env", "IPCHECK_NAME=xdg");
    const xdg = { XDG_CONFIG_HOME: join(home, "xdg") };
    expect(name(xdg)).toBe("xdg");
    expect(name({ XDG_CONFIG_HOME: join(home, "nowhere") })).toBe("package");
    expect(name({ ...xdg, IPCHECK_CONFIG: named })).toBe("named");
    expect(name({ ...xdg, IPCHECK_CONFIG: named }, flag)).toBe("flag");
  });

  test.each([
    ["linux", { XDG_CONFIG_HOME: "/x" }, ["/x/ipcheck/.env", "/p/.env"]],
    ["linux", { XDG_CONFIG_HOME: "relative" }, ["/h/.config/ipcheck/.env", "/p/.env"]],
    ["linux", { APPDATA: "C:\\A" }, ["/h/.config/ipcheck/.env", "/p/.env"]],
    ["darwin", {}, ["/h/.config/ipcheck/.env", "/p/.env"]],
    ["win32", { APPDATA: "C:\\A", XDG_CONFIG_HOME: "C:\\X" }, ["C:\\A\\ipcheck\\.env", "C:\\p\\.env"]],
    ["win32", {}, ["C:\\p\\.env"]],
  ] as const)("env files on %s with %j: %j", (platform, env, expected) => {
    const packageDirectory = platform === "win32" ? "C:\\p" : "/p";
    expect(defaultEnvFiles(environment(env, { platform, home: "/h", packageDirectory }))).toEqual(expected);
  });

  test.each([
    ["linux", {}, "/h", "/h/.local/state/ipcheck/state.json"],
    ["linux", { XDG_STATE_HOME: "/x" }, "/h", "/x/ipcheck/state.json"],
    ["linux", { XDG_STATE_HOME: "x" }, "/h", "/h/.local/state/ipcheck/state.json"],
    ["linux", { STATE_DIRECTORY: "/var/lib/ipcheck", XDG_STATE_HOME: "/x" }, "/h", "/var/lib/ipcheck/state.json"],
    ["linux", { STATE_DIRECTORY: "/var/lib/a:/var/lib/b" }, "/h", "/var/lib/a/state.json"],
    ["linux", {}, undefined, undefined],
    ["darwin", {}, "/Users/h", "/Users/h/.local/state/ipcheck/state.json"],
    ["win32", { LOCALAPPDATA: "C:\\L" }, "C:\\h", "C:\\L\\ipcheck\\state.json"],
    ["win32", {}, "C:\\h", "C:\\h\\AppData\\Local\\ipcheck\\state.json"],
    ["win32", {}, undefined, undefined],
  ] as const)("state file on %s with %j, home %s: %j", (platform, env, homeFolder, expected) => {
    expect(defaultStateFile(environment(env, { platform, home: homeFolder }))).toBe(expected);
  });

  test("where no home folder is known, the state file must be named", () => {
    expect(problemsOf({}, { home: undefined })).toEqual([
      expect.stringMatching(/^IPCHECK_STATE_FILE: .*no home folder/),
    ]);
    expect(load({ IPCHECK_STATE_FILE: "/var/s.json" }, { home: undefined }).stateFile).toBe("/var/s.json");
  });

  test("Windows: a path with a drive is absolute, and modes say nothing", () => {
    const flag = write(
      "a.env",
      "IPCHECK_STATE_FILE=D:\\s.json\nIPCHECK_VIGENERE_KEY=k\nIPCHECK_SMTP_PASSWORD_VIGENERE=e",
      0o666,
    );
    const settings = load({ IPCHECK_SMTP_USER: "u@example.net" }, { platform: "win32", uid: undefined }, flag);
    expect([settings.stateFile, settings.warnings]).toEqual(["D:\\s.json", []]);
  });

  test.each([
    [{}, "en"],
    [{ LANG: "fr_FR.UTF-8" }, "fr"],
    [{ LANG: "fr" }, "fr"],
    [{ LANG: "xx_XX.UTF-8" }, "en"],
    [{ LANG: "C.UTF-8" }, "en"],
    [{ LANG: "frr_DE" }, "en"],
    [{ LANG: "en_GB", LC_MESSAGES: "fr_CH" }, "fr"],
    [{ LANG: "fr_FR", LC_MESSAGES: "fr_FR", LC_ALL: "C" }, "en"],
    [{ LANG: "fr_FR", LC_ALL: "" }, "fr"],
  ])("mails for locale %j: %s", (env, language) => expect(localeLanguage(env)).toBe(language));

  test.each([
    [{ IPCHECK_SMTP_PORT: "465" }, "tls"],
    [{ IPCHECK_SMTP_PORT: "25" }, "starttls"],
    [{ IPCHECK_SMTP_PORT: "465", IPCHECK_SMTP_SECURITY: "starttls" }, "starttls"],
  ])("security with %j: %s", (env, security) => expect(load(env).smtp.security).toBe(security));
});

describe("problems", () => {
  test.each([
    [{ IPCHECK_TO: "nobody" }, /^IPCHECK_TO: expected mail addresses .*, not 'nobody'/],
    [{ IPCHECK_TO: "a@example.net" }, /^IPCHECK_FROM: expected the sender's mail address/],
    [{ IPCHECK_FROM: "me" }, /^IPCHECK_FROM: expected a mail address/],
    [{ IPCHECK_SMTP_HOST: "smtp.example.net:587" }, /^IPCHECK_SMTP_HOST: .*without a port/],
    [{ IPCHECK_SMTP_PORT: "0" }, /^IPCHECK_SMTP_PORT: expected a port from 1 to 65535, not '0'/],
    [{ IPCHECK_SMTP_PORT: "https://u:hunter22@a" }, /^IPCHECK_SMTP_PORT: expected a port from 1 to 65535$/],
    [
      { IPCHECK_HEARTBEAT_URL: "hunter22" },
      /^IPCHECK_HEARTBEAT_URL: expected a URL that begins with https:.. or http:..$/,
    ],
    [{ IPCHECK_SMTP_SECURITY: "ssl" }, /^IPCHECK_SMTP_SECURITY: expected tls, starttls or none, not 'ssl'/],
    [{ IPCHECK_SMTP_USER: "pi" }, /^IPCHECK_SMTP_USER: is set, but no password/],
    [{ IPCHECK_SMTP_PASSWORD: "secret" }, /^IPCHECK_SMTP_USER: is not set, but IPCHECK_SMTP_PASSWORD is/],
    [{ IPCHECK_SSH: "ssh pi@home" }, /^IPCHECK_SSH: .*\{ip\}/],
    [{ IPCHECK_LANG: "xx" }, /^IPCHECK_LANG: expected en\b/],
    [{ IPCHECK_FAMILY: "5" }, /^IPCHECK_FAMILY: expected 4, 6 or both/],
    [{ IPCHECK_IPV6_PREFIX: "129" }, /^IPCHECK_IPV6_PREFIX: /],
    [{ IPCHECK_SERVICES: "api.ipify.org" }, /^IPCHECK_SERVICES: expected URLs/],
    [{ IPCHECK_ACCEPT_RANGES: "10.0.0.0/33" }, /^IPCHECK_ACCEPT_RANGES: /],
    [{ IPCHECK_TIMEOUT: "0s" }, /^IPCHECK_TIMEOUT: expected a duration/],
    [{ IPCHECK_DEADLINE: "1d" }, /^IPCHECK_DEADLINE: /],
    [{ IPCHECK_STATE_FILE: "state.json" }, /^IPCHECK_STATE_FILE: expected an absolute path/],
    [{ IPCHECK_MAIL_INTERVAL: "off" }, /^IPCHECK_MAIL_INTERVAL: /],
    [{ IPCHECK_REPORT_OUTAGE: "never" }, /^IPCHECK_REPORT_OUTAGE: .*or off/],
    [{ IPCHECK_HEARTBEAT_MAIL: "monthly" }, /^IPCHECK_HEARTBEAT_MAIL: .*or off/],
    [{ IPCHECK_HEARTBEAT_URL: "ftp://example.net" }, /^IPCHECK_HEARTBEAT_URL: expected a URL/],
    [{ IPCHECK_NAME: "a\nBcc: x@example.net" }, /^IPCHECK_NAME: holds a control character/],
    [{ IPCHECK_CONFIG: "/nowhere/.env" }, /^IPCHECK_CONFIG: \/nowhere\/.env does not exist/],
    [{ IPCHECK_CONFIG: "/tmp" }, /^IPCHECK_CONFIG: \/tmp is a directory/],
    [{ ...MAIL, IPCHECK_SMTP_PASSWORD: "hunter\n22" }, /^IPCHECK_SMTP_PASSWORD: holds a .* line break/],
    [{ ...MAIL, IPCHECK_SMTP_SECURITY: "none" }, /^IPCHECK_SMTP_SECURITY: with none the password/],
  ])("%j", (env, expected) => {
    expect(problemsOf(env)).toEqual([expect.stringMatching(expected)]);
    expect(errorOf(env)).toMatchObject({ details: [], hint: expect.stringContaining(".env.example") });
  });

  test.each(["localhost", "127.0.0.1", "127.1.2.3", "::1", "LOCALHOST"])("a password in clear may go to %s", (host) => {
    expect(problemsOf({ ...MAIL, IPCHECK_SMTP_SECURITY: "none", IPCHECK_SMTP_HOST: host })).toEqual([]);
  });

  test("all at once, whatever place they come from", () => {
    writeEnvFile("IPCHECK_FAMILY=5\nIPCHECK_TOO=a@example.net\nIPCHECK_SMTP_HOST=a:25\n");
    const error = errorOf({ IPCHECK_SMTP_PORT: "x", IPCHECK_TIMEOUT: "1y", IPCHECK_LANG: "xx" });
    expect(error?.message).toMatch(/^6 problems in the configuration \(env file .*\.env\)$/);
    for (const name of ["FAMILY", "TOO", "SMTP_HOST", "SMTP_PORT", "TIMEOUT", "LANG"]) {
      const lines = error?.details.filter((line) => line.startsWith(`IPCHECK_${name}: `));
      expect(lines, name).toHaveLength(1);
    }
  });

  test.each(
    Object.entries(VARIABLES).flatMap(([name, row]) => ("placeholder" in row ? [[name, row.placeholder]] : [])),
  )("the placeholder of %s is refused", (name, placeholder) => {
    expect(problemsOf({ [name]: placeholder })).toContainEqual(
      expect.stringMatching(`^${name}: still has the placeholder`),
    );
  });

  test.each([
    ["", { IPCHECK_FAMILY: "5" }, "environment"],
    ["IPCHECK_TIMEOUT=soon\n", { IPCHECK_FAMILY: "5" }, "env file"],
    ["", { IPCHECK_TIMEOUTS: "5s" }, "environment"],
    ["", { ipcheck_timeout: "5s" }, "environment"],
    ["IPCHECK_NAME=attic\nIPCHECK_NAME=cellar\n", { IPCHECK_NAME: "loft" }, "env file"],
    ["IPCHECK_CONFIG=/etc/other.env\n", { IPCHECK_CONFIG: "/etc/one.env" }, "env file"],
    ["IPCHECK_SMTP_PASSWORD=a\n", { IPCHECK_SMTP_PASSWORD_COMMAND: "b", IPCHECK_SMTP_USER: "c" }, "env file"],
    ["IPCHECK_SMTP_PASSWORD_COMMAND=b\n", { IPCHECK_SMTP_PASSWORD: "a", IPCHECK_SMTP_USER: "c" }, "env file"],
  ])("the mistake of %j with %j is looked for in the %s", (text, env, place) => {
    const path = write("own.env", text);
    const { where, message } = errorOf(env, {}, path) ?? {};
    expect(where).toBe(place === "environment" ? " (environment)" : ` (env file ${path})`);
    expect(message?.endsWith(where ?? "?")).toBe(true);
  });

  test("without an env file, or with a folder in its place, there is no file to look into", () => {
    expect(errorOf({ IPCHECK_FAMILY: "5" })?.where).toBe("");
    expect(errorOf({}, {}, home)).toMatchObject({ where: "", hint: expect.stringMatching(/^name a file that exists/) });
  });

  test("an untouched .env.example is refused for its placeholders alone", () => {
    writeEnvFile(readFileSync(join(__dirname, "../../.env.example"), "utf8"));
    const problems = problemsOf();
    expect(problems.map((line) => line.split(":")[0])).toEqual([
      "IPCHECK_TO",
      "IPCHECK_SMTP_USER",
      "IPCHECK_SMTP_PASSWORD_VIGENERE",
      "IPCHECK_VIGENERE_KEY",
    ]);
  });

  const UNKNOWN = "no such variable, did you mean ";
  test.each([
    ["IPCHECK_TOO", `${UNKNOWN}IPCHECK_TO?`],
    ["IPCHECK_SMTP_PASSWORT", `${UNKNOWN}IPCHECK_SMTP_PASSWORD?`],
    ["IPCHECK_SMPT_HOST", `${UNKNOWN}IPCHECK_SMTP_HOST?`],
    ["ipcheck_to", `${UNKNOWN}IPCHECK_TO?`],
    ["IPCHECK_COLOUR_OF_THE_BIKE_SHED", "no such variable"],
    ["IPCHECK_ENV_FILE", "is called IPCHECK_CONFIG now"],
  ])("a name that is none, in the environment or the env file: %s %s", (name, said) => {
    expect(problemsOf({ [name]: "x" })).toEqual([`${name}: ${said}`]);
    writeEnvFile(`${name}=x`);
    expect(problemsOf()).toEqual([`${name}: ${said}`]);
  });

  test.each([
    ["IPCHEK_TO=a@example.net", /^IPCHEK_TO: .*IPCHECK_TO/],
    ["IPCHECK_CONFIG=/a", /^IPCHECK_CONFIG: has no effect inside an env file/],
  ])("in the env file alone: %s", (line, expected) => {
    writeEnvFile(line);
    expect(problemsOf()).toEqual([expect.stringMatching(expected)]);
  });

  test.each([
    "IPCHECK_TO",
    "IPCHECK_FROM",
    "IPCHECK_SMTP_HOST",
    "IPCHECK_SMTP_USER",
    "IPCHECK_SMTP_PASSWORD",
    "IPCHECK_SMTP_PASSWORD_VIGENERE",
    "IPCHECK_VIGENERE_KEY",
    "IPCHECK_SSH",
  ])("an invisible character in %s is named with its line", (name) => {
    const fact = `${name}: holds an invisible character (U+200B)`;
    writeEnvFile(`\n${name}='ab\u200bcd@example.net'\n`);
    const problems = problemsOf().join("\n");
    expect(problems).toContain(`${fact} on line 2, type it anew`);
    if (/PASSWORD|KEY/.test(name)) expect(problems).not.toContain("cd@example");
    expect(problemsOf({ [name]: "ab\u200bcd@example.net" }).join("\n")).toContain(`${fact}, type it anew`);
  });

  test("a no-break space may stand in free text, and not in a password file", () => {
    // In French it belongs before a colon.
    expect(problemsOf({ IPCHECK_NAME: "Maison\u00a0!", IPCHECK_ON_CHANGE: "echo 'a\u00a0: b'" })).toEqual([]);
    const path = write("pw", "ab\u00a0cd");
    expect(problemsOf({ IPCHECK_SMTP_USER: "pi@example.net", IPCHECK_SMTP_PASSWORD_FILE: path })[0]).toMatch(
      /^IPCHECK_SMTP_PASSWORD_FILE: line 1 of .*pw holds a space that is no plain one \(U\+00A0\)/,
    );
  });

  test("what an env file says without meaning it is a problem of the configuration", () => {
    writeEnvFile("IPCHECK_FAMILY=4\nIPCHECK_TO me@example.net\nIPCHECK_FAMILY=6\n");
    expect(problemsOf()).toEqual([
      "line 2: expected IPCHECK_TO=value, a comment or a blank line",
      "IPCHECK_FAMILY: has two values, on line 1 and on line 3: keep one of them",
    ]);
  });

  test("what is not ours is nobody's typo", () => {
    writeEnvFile("TZ=UTC\nNODE_EXTRA_CA_CERTS=/ca.pem\n");
    const env = { IPCHECK_EVENT: "change", IPCHECK_OLD: "a", IPCHECK_NEW: "b", IPCHEK_TO: "x", SMTP_HOST: "y" };
    expect(problemsOf(env)).toEqual([]);
  });
});

test("of the sender's address the domain is written in one way, of the login nothing", () => {
  expect(load({ ...MAIL, IPCHECK_FROM: "Pi@Grünwald.Example" }).from).toBe("Pi@xn--grnwald-o2a.example");
  const user = "pi@Example.NET";
  expect(load({ ...MAIL, IPCHECK_SMTP_USER: user })).toMatchObject({ from: "pi@example.net", smtp: { user } });
});

describe("IPCHECK_CA_FILE", async () => {
  const { cert } = await (await makeAuthority(makeScratch())).issue();

  test("is read whole, with what NODE_EXTRA_CA_CERTS names", () => {
    const caFile = write("ca.pem", `# mine\n${cert}\n${cert}`);
    expect(load({ IPCHECK_CA_FILE: caFile }).extraCa?.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    const more = write("more.pem", cert);
    const both = load({ IPCHECK_CA_FILE: caFile, NODE_EXTRA_CA_CERTS: more });
    expect(both.extraCa?.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
    expect(load({ IPCHECK_CA_FILE: "~/ca.pem", NODE_EXTRA_CA_CERTS: "/nowhere" }).extraCa).toContain("BEGIN");
    expect(load({ NODE_EXTRA_CA_CERTS: more }).extraCa).toBeUndefined();
  });

  test.each([
    ["nothing", undefined, /cannot be read \(ENOENT\)/],
    ["an empty file", "", /holds no certificate, expected PEM/],
    ["a file of another kind", "hello", /holds no certificate, expected PEM/],
    ["a cut certificate", cert.slice(0, 300), /holds no certificate, expected PEM/],
    ["a damaged certificate", cert.replace(/MII.{20}/, "MIIxxxxx"), /damaged certificate/],
    ["a good one and a damaged one", cert + cert.replace(/\n.{60}/, "\nabcd"), /damaged certificate/],
  ])("%s is a problem", (_, text, expected) => {
    const caFile = text === undefined ? join(home, "none.pem") : write("ca.pem", text);
    expect(problemsOf({ IPCHECK_CA_FILE: caFile })).toEqual([expect.stringMatching(expected)]);
    expect(problemsOf({ IPCHECK_CA_FILE: caFile })[0]).toMatch(/^IPCHECK_CA_FILE: /);
  });

  test("that others could write, or that has no absolute path, is a problem", () => {
    expect(problemsOf({ IPCHECK_CA_FILE: write("ca.pem", cert, 0o666) })[0]).toMatch(/can be written by other users/);
    expect(problemsOf({ IPCHECK_CA_FILE: "ca.pem" })[0]).toMatch(/expected an absolute path/);
  });
});

describe("permissions", () => {
  const secret = "IPCHECK_SMTP_USER=u@example.net\nIPCHECK_SMTP_PASSWORD=hunter22\n";

  test.each([
    [0o600, secret, ""],
    [0o400, secret, ""],
    [0o640, secret, "warning"],
    [0o604, secret, "warning"],
    [0o644, "IPCHECK_NAME=attic\n", ""],
    [0o620, secret, "problem"],
    [0o602, "IPCHECK_NAME=attic\n", "problem"],
    [0o666, secret, "problem"],
  ])("an env file of mode %o holding %j: %s", (mode, text, expected) => {
    const path = writeEnvFile(text, mode);
    const problems = problemsOf();
    const warnings = problems.length === 0 ? load().warnings : [];
    const advice = expect.stringContaining(`chmod 600 ${path}`);
    expect(problems).toEqual(expected === "problem" ? [advice] : []);
    expect(warnings).toEqual(expected === "warning" ? [advice] : []);
  });

  test("what systemd hands over as a credential is systemd's to guard", () => {
    const path = write("credentials/env", secret, 0o440);
    expect(load({ CREDENTIALS_DIRECTORY: dirname(path) }, {}, path).warnings).toEqual([]);
    expect(load({ CREDENTIALS_DIRECTORY: join(home, "other") }, {}, path).warnings).toHaveLength(1);
  });

  test("a named file that is missing, or below a file, is a problem; a default one is not", () => {
    const path = writeEnvFile("");
    expect(problemsOf({}, {}, join(home, "none.env"))[0]).toMatch(/^--config: .*none\.env does not exist/);
    expect(problemsOf({}, {}, join(path, "none.env"))[0]).toMatch(/does not exist/);
    expect(problemsOf({ XDG_CONFIG_HOME: path })).toEqual([]);
  });
});

describe("the password", () => {
  const user = { IPCHECK_SMTP_USER: "pi@example.net" };
  const [plain, key] = ["abcd efgh 12!", "LEMON tree"];
  const encoded = encodeVigenere(plain, key);
  const coded = { IPCHECK_SMTP_PASSWORD_VIGENERE: encoded, IPCHECK_VIGENERE_KEY: key };

  test.each([
    ["in clear", { IPCHECK_SMTP_PASSWORD: plain }, "IPCHECK_SMTP_PASSWORD"],
    ["encoded", coded, "IPCHECK_SMTP_PASSWORD_VIGENERE"],
    ["in a file", { IPCHECK_SMTP_PASSWORD_FILE: "~/unix" }, "IPCHECK_SMTP_PASSWORD_FILE"],
    ["in a file with a byte order mark", { IPCHECK_SMTP_PASSWORD_FILE: "~/marked" }, "IPCHECK_SMTP_PASSWORD_FILE"],
    ["in a file of Windows", { IPCHECK_SMTP_PASSWORD_FILE: "~/windows" }, "IPCHECK_SMTP_PASSWORD_FILE"],
    ["a credential", { CREDENTIALS_DIRECTORY: "c" }, "systemd credential smtp-password"],
  ] as [string, NodeJS.ProcessEnv, string][])("%s", (_, env, origin) => {
    write("unix", `${plain}\nmore`);
    write("windows", `${plain}\r\n`);
    write("marked", `\ufeff${plain}\n`);
    // Its mode is systemd's business.
    const directory = dirname(write("c/smtp-password", plain, 0o444));
    if (env["CREDENTIALS_DIRECTORY"]) env["CREDENTIALS_DIRECTORY"] = directory;
    const { smtp, warnings } = load({ ...user, ...env });
    expect(smtp.password).toEqual({ kind: "value", origin, value: plain });
    expect(warnings).toEqual([]);
    expect(secrets).toContain(plain);
  });

  test("of a command is not asked for yet", () => {
    const { smtp } = load({ ...user, IPCHECK_SMTP_PASSWORD_COMMAND: "pass show home" });
    expect(smtp.password).toMatchObject({ kind: "command", command: "pass show home" });
  });

  test("a credentials directory without ours is no source", () => {
    expect(load({ CREDENTIALS_DIRECTORY: home }).smtp.password).toBeUndefined();
  });

  test("has one source: any two are named and refused", () => {
    const sources: [string, NodeJS.ProcessEnv][] = [
      ["IPCHECK_SMTP_PASSWORD", { IPCHECK_SMTP_PASSWORD: plain }],
      ["IPCHECK_SMTP_PASSWORD_VIGENERE", coded],
      ["IPCHECK_SMTP_PASSWORD_FILE", { IPCHECK_SMTP_PASSWORD_FILE: write("pw", plain) }],
      ["IPCHECK_SMTP_PASSWORD_COMMAND", { IPCHECK_SMTP_PASSWORD_COMMAND: "pass" }],
      ["the systemd credential smtp-password", { CREDENTIALS_DIRECTORY: dirname(write("c/smtp-password", plain)) }],
    ];
    for (const [index, [name, env]] of sources.entries()) {
      for (const [other, otherEnv] of sources.slice(index + 1)) {
        expect(problemsOf({ ...user, ...env, ...otherEnv })).toEqual([
          `${name} and ${other}: keep one of them, the password can have only one source`,
        ]);
      }
    }
  });

  test.each([
    [{ IPCHECK_SMTP_PASSWORD_VIGENERE: encoded }, /^IPCHECK_SMTP_PASSWORD_VIGENERE: needs IPCHECK_VIGENERE_KEY/],
    [{ IPCHECK_VIGENERE_KEY: key, IPCHECK_SMTP_PASSWORD: plain }, /^IPCHECK_VIGENERE_KEY: is set, but/],
    [{ ...coded, IPCHECK_VIGENERE_KEY: "clé" }, /^IPCHECK_VIGENERE_KEY: expected printable ASCII/],
    [{ IPCHECK_SMTP_PASSWORD_FILE: "/nowhere/pw" }, /^IPCHECK_SMTP_PASSWORD_FILE: .*cannot be read \(ENOENT\)/],
    [{ IPCHECK_SMTP_PASSWORD_FILE: "pw" }, /^IPCHECK_SMTP_PASSWORD_FILE: expected an absolute path/],
    [{ IPCHECK_SMTP_PASSWORD_FILE: "/" }, /^IPCHECK_SMTP_PASSWORD_FILE: .*is a directory/],
    [{ IPCHECK_SMTP_PASSWORD_FILE: "~/blank" }, /^IPCHECK_SMTP_PASSWORD_FILE: the first line .* is empty/],
  ])("%j", (env, expected) => {
    write("blank", "\nhunter22");
    expect(problemsOf({ ...user, ...env })).toEqual([expect.stringMatching(expected)]);
  });

  test("a file that others can read draws a warning, one that they can write is refused", () => {
    const having = (mode: number) => ({ ...user, IPCHECK_SMTP_PASSWORD_FILE: write("pw", plain, mode) });
    expect(load(having(0o640)).warnings).toEqual([expect.stringMatching(/can be read by other users: run chmod 600/)]);
    expect(problemsOf(having(0o660))).toEqual([expect.stringMatching(/can be written by other users/)]);
  });

  test("another configuration of the mail path has another hash, the rest has not", () => {
    const base = { ...user, IPCHECK_SMTP_PASSWORD_FILE: write("pw", plain) };
    const hash = load(base).configHash();
    expect(load({ ...base, IPCHECK_NAME: "attic", IPCHECK_TIMEOUT: "9s" }).configHash()).toBe(hash);
    for (const change of [
      { IPCHECK_SMTP_HOST: "a.example" },
      { IPCHECK_SMTP_PORT: "25" },
      { IPCHECK_SMTP_SECURITY: "tls" },
      { IPCHECK_SMTP_USER: "x@example.net" },
      { IPCHECK_FROM: "y@example.net" },
    ]) {
      expect(load({ ...base, ...change }).configHash(), JSON.stringify(change)).not.toBe(hash);
    }
    // systemd writes a credential anew at each start; what is in it says whether it is another one.
    utimesSync(join(home, "pw"), 1, 1);
    expect(load(base).configHash()).toBe(hash);
    write("pw", `${plain}!`);
    expect(load(base).configHash()).not.toBe(hash);
    const command = { ...user, IPCHECK_SMTP_PASSWORD_COMMAND: "pass show home" };
    expect(load({ ...command, IPCHECK_SMTP_PASSWORD_COMMAND: "pass show attic" }).configHash()).not.toBe(
      load(command).configHash(),
    );
  });
});

describe("secrets", () => {
  test("all that must never be printed is known, even of a configuration that cannot be used", () => {
    const env = {
      IPCHECK_SMTP_PASSWORD: "secret-1",
      IPCHECK_SMTP_PASSWORD_VIGENERE: "secret-2",
      IPCHECK_VIGENERE_KEY: "secret-3",
      IPCHECK_SERVICES: "https://secret-4:secret%2D5@a.example/?token=secret-6",
      IPCHECK_HEARTBEAT_URL: "https://hc.example/secret-7",
      IPCHECK_FAMILY: "5",
    };
    expect(errorOf(env)).toBeDefined();
    for (let number = 1; number <= 7; number++) expect(secrets).toContain(`secret-${number}`);
  });

  test("none appears in any error or warning, whatever is wrong with the rest", () => {
    const printable = fc
      .string({ unit: "grapheme-ascii", minLength: 8, maxLength: 20 })
      .filter((text) => /[^\s,]{6}/.test(text));
    const templates = [
      (secret: string) => ({ IPCHECK_SMTP_PASSWORD: secret }),
      (secret: string) => ({ IPCHECK_SMTP_PASSWORD_VIGENERE: secret }),
      (secret: string) => ({ IPCHECK_VIGENERE_KEY: secret }),
      (secret: string) => ({ IPCHECK_VIGENERE_KEY: `${secret}é`, IPCHECK_SMTP_PASSWORD_VIGENERE: secret }),
      (secret: string) => ({ IPCHECK_HEARTBEAT_URL: secret }),
      (secret: string) => ({ IPCHECK_HEARTBEAT_URL: `ftp://a.example/${secret}` }),
      (secret: string) => ({ IPCHECK_SERVICES: `https://u:${secret}@a.example, nonsense` }),
      (secret: string) => ({ IPCHECK_SERVICES: `ftp://a.example/?token=${secret}` }),
      (secret: string) => ({ IPCHECK_SMTP_PASSWORT: secret }),
      (secret: string) => ({ IPCHECK_SMTP_PASSWORD: secret, IPCHECK_SMTP_PASSWORD_COMMAND: "pass" }),
    ];
    const mistakes = fc.constantFrom(
      {},
      { IPCHECK_SMTP_SECURITY: "none" },
      { IPCHECK_FAMILY: "5" },
      { IPCHECK_SMTP_USER: "u" },
    );
    fc.assert(
      fc.property(printable, fc.constantFrom(...templates), mistakes, (secret, template, mistake) => {
        const error = errorOf({ ...mistake, ...template(secret) });
        const printed = [error?.message, error?.hint, ...(error?.details ?? [])].join("\n");
        expect(printed).not.toContain(secret);
      }),
    );
  });
});
