import { readFileSync } from "node:fs";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import type { Deadline } from "../base/deadline";
import { trustOptions } from "../base/network";
import type { Output } from "../base/output";
import type { Environment } from "../config/env-file";
import type { Settings } from "../config/settings";
import type { Family } from "../lookup/address";
import { type LookupOptions, lookAtAll } from "../lookup/lookup";
import type { LookupResult } from "../lookup/lookup-result";
import type { DeliveryContext } from "../notify/deliver";
import type { LoadedState } from "../state/state";

/** The process as the commands see it: handed down by main, which alone reads `process`. */
export interface Host extends Environment {
  version: string;
  nodeVersion: string;
  /** How we introduce ourselves to servers. */
  userAgent: string;
  output: Output;
  /** A clock that no NTP sets, in ms. */
  monotonicMs: () => number;
  /** For how long the machine has been running; for ever where it does not say, as in some containers. */
  uptimeMs: () => number;
  /** Begins a run that must be over after `deadlineMs`, its name look-ups included. */
  startDeadline: (deadlineMs: number) => Deadline;
  /** The node that runs us. */
  execPath: string;
  /** Whether a person is there: to be asked, and to read complaints. */
  isStdinTerminal: boolean;
  isStderrTerminal: boolean;
  /** Opened when they are needed. */
  openStdin: () => NodeJS.ReadStream;
  openStderr: () => NodeJS.WriteStream;
}

/** The options of every command. */
export interface GlobalOptions {
  /** The env file to read. */
  config?: string;
}

type LookupSettings = Pick<Settings, "serviceUrls" | "acceptRanges" | "ipv6PrefixLength" | "timeoutMs" | "extraCa">;

/** How the services are asked: one by one, so that nothing else of the configuration gets near the network. */
export function lookupOptions(settings: LookupSettings, deadline: Deadline, host: Host): LookupOptions {
  const { serviceUrls, acceptRanges, ipv6PrefixLength, timeoutMs, extraCa } = settings;
  const { userAgent, monotonicMs, uptimeMs, hostName, output } = host;
  return {
    serviceUrls,
    acceptRanges,
    ipv6PrefixLength,
    timeoutMs,
    userAgent,
    tls: trustOptions(extraCa),
    seed: machineSeed(hostName),
    now: () => new Date(),
    monotonicMs,
    uptimeMs,
    redact: output.redactor.redact,
    signal: deadline.lookSignal,
  };
}

/** What every service says, in each configured family. */
export function lookAtAllFamilies(
  settings: LookupSettings & Pick<Settings, "families">,
  known: LoadedState | undefined,
  deadline: Deadline,
  host: Host,
): Promise<LookupResult[]> {
  const options = lookupOptions(settings, deadline, host);
  const request = { candidate: undefined, coolDowns: {} };
  return Promise.all(
    settings.families.map((family) => lookAtAll({ ...request, family, recorded: recordedIn(known, family) }, options)),
  );
}

/** The recorded address of a family, where there is one. */
export function recordedIn(known: LoadedState | undefined, family: Family): string | undefined {
  return known?.state.families[family]?.recorded?.address;
}

/** What a mail needs of the machine and of this run. */
export function deliveryContext(
  { historyFile }: { historyFile: string },
  { signal, remainingMs }: Deadline,
  { version, hostName, userAgent, uptimeMs, env, output }: Host,
): Omit<DeliveryContext, "onBug"> {
  return { version, hostName, userAgent, uptimeMs, env, historyFile, signal, remainingMs, redactor: output.redactor };
}

/** machine-id(5), and where D-Bus keeps it on systems without systemd. */
const ID_FILES = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/**
 * What tells this machine from others of the same name (many are called `raspberrypi`): the host name with the
 * machine id, else with a hardware address. Only for hashing: the id is not to be shown (machine-id(5)).
 */
export function machineSeed(hostName: string, idFiles = ID_FILES, interfaces = networkInterfaces): string {
  for (const path of idFiles) {
    const id = readIfThere(path);
    if (/^[0-9a-f]{32}$/.test(id)) return `${hostName} ${id}`;
  }
  return `${hostName} ${hardwareAddress(interfaces()) ?? ""}`.trim();
}

// Locally administered ones (RFC 7042: the second bit) are made up anew for each container or bridge.
function hardwareAddress(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string | undefined {
  const all = Object.values(interfaces).flatMap((list) => list ?? []);
  const own = all.filter(({ internal, mac }) => !internal && mac !== "00:00:00:00:00:00");
  return own
    .map(({ mac }) => mac)
    .filter((mac) => (Number.parseInt(mac.slice(0, 2), 16) & 2) === 0)
    .sort()[0];
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
