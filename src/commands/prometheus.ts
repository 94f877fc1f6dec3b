import { quote } from "../base/quote";
import type { PendingChannel, Status } from "./status-report";

type Sample = [labels: Record<string, string>, value: number];

/**
 * The status in Prometheus' text exposition format, for node_exporter's textfile collector.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function formatPrometheus(status: Status): string {
  const seconds = (time: string | null) => (time === null ? [] : [new Date(time).getTime() / 1000]);
  const { families } = status;
  const channels = summarizeChannels(status.pending);
  const recorded = families.filter(({ address }) => address !== null);
  const metrics: [name: string, help: string, samples: Sample[]][] = [
    [
      "ipcheck_last_success_timestamp_seconds",
      "When the public address was last seen, as a Unix time.",
      seconds(status.lastLook).map((value) => [{}, value]),
    ],
    [
      "ipcheck_address_info",
      "The recorded public address.",
      recorded.map(({ family, address }) => [{ family, address: address ?? "" }, 1]),
    ],
    [
      "ipcheck_address_since_timestamp_seconds",
      "Since when the recorded address has been in use, as a Unix time.",
      recorded.flatMap(({ family, since }) => seconds(since).map((value): Sample => [{ family }, value])),
    ],
    [
      "ipcheck_address_unconfirmed",
      "1 where no second operator could confirm the recorded address.",
      recorded.map(({ family, unconfirmed }) => [{ family }, Number(unconfirmed)]),
    ],
    [
      "ipcheck_failed_runs",
      "How many looks in a row have failed.",
      families.map(({ family, failing }) => [{ family }, failing?.runs ?? 0]),
    ],
    [
      "ipcheck_pending_notices",
      "How many events are still to be told, counted for each recipient.",
      channels.length > 0 ? channels.map(({ channel, owed }) => [{ channel }, owed]) : [[{}, 0]],
    ],
    [
      "ipcheck_delivery_failures",
      "How many tries to tell somebody have failed in a row; of mail the recipient with the most.",
      channels.map(({ channel, failures }) => [{ channel }, failures]),
    ],
  ];
  return metrics
    .filter(([, , samples]) => samples.length > 0)
    .flatMap(([name, help, samples]) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} gauge`,
      ...samples.map(sampleLine(name)),
    ])
    .join("\n");
}

// Metrics are shown to more people than mails: recipients are counted, not named.
function summarizeChannels(pending: readonly PendingChannel[]) {
  return (["mail", "command"] as const).flatMap((channel) => {
    const group = pending.filter((one) => (one.channel === "command") === (channel === "command"));
    if (group.length === 0) return [];
    const owed = group.reduce((sum, one) => sum + one.owed, 0);
    return [{ channel, owed, failures: Math.max(...group.map(({ failures }) => failures)) }];
  });
}

function sampleLine(name: string): (sample: Sample) => string {
  return ([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
  };
}

function escapeLabel(text: string): string {
  return quote(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
