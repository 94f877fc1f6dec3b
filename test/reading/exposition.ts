export interface Metric {
  help: string;
  type: string;
  samples: { labels: Record<string, string>; value: number }[];
}

const SAMPLE = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? (-?[0-9.e+]+|NaN|[+-]Inf)$/;
const LABEL = /^([a-z_][a-z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;

/**
 * Reads Prometheus' text exposition format, more strictly than a collector: HELP and TYPE once and
 * before the samples, the samples of a metric together, no sample twice, a newline at the end.
 */
export function parseExposition(text: string): Map<string, Metric> {
  const metrics = new Map<string, Metric>();
  const seen = new Set<string>();
  let current = "";
  if (!text.endsWith("\n") || text.endsWith("\n\n")) throw new Error("does not end in one newline");
  for (const line of text.slice(0, -1).split("\n")) {
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\w+) (.+)$/.exec(line) ?? [];
    if (keyword === "HELP") {
      if (metrics.has(name)) throw new Error(`${name} comes twice`);
      metrics.set(name, { help: rest, type: "", samples: [] });
      current = name;
    } else if (keyword === "TYPE") {
      const metric = metrics.get(name);
      if (name !== current || !metric || metric.type !== "" || metric.samples.length > 0) throw new Error(line);
      metric.type = rest;
    } else {
      const [, sampled = "", labels = "", value = ""] = SAMPLE.exec(line) ?? [];
      const metric = metrics.get(sampled);
      if (sampled !== current || !metric?.type) throw new Error(`not in its place: ${line}`);
      const series = `${sampled}{${labels}}`;
      if (seen.has(series)) throw new Error(`twice: ${series}`);
      seen.add(series);
      metric.samples.push({ labels: parseLabels(labels), value: Number(value) });
    }
  }
  for (const [name, { samples }] of metrics) if (samples.length === 0) throw new Error(`${name} has no sample`);
  return metrics;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== "") {
    const match = LABEL.exec(rest);
    if (!match) throw new Error(`not a label: ${rest}`);
    const [whole, name = "", value = ""] = match;
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
    rest = rest.slice(whole.length);
  }
  return labels;
}
