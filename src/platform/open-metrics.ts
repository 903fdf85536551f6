/**
 * Metrics in the text format OpenMetrics 1.0, which can name the trace of a value (an exemplar). prom-client writes it only for
 * its own registries, not for the metrics of several processes.
 */

import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import { spanIdOf, traceIdOf } from '../base/traceparent.ts';
import type { Exemplar } from './series.ts';

type Metric = MetricObjectWithValues<MetricValue<string>>;
type Row = Metric['values'][number] & { readonly metricName?: string; readonly example?: Exemplar };

const escaped = (text: string): string => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');

const labelsText = (labels: Readonly<Record<string, unknown>>): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

/** The `_total` of a counter belongs to its sample, not to the metric. */
const familyOf = ({ name, type }: Metric): string => (String(type) === 'counter' ? name.replace(/_total$/, '') : name);

const exampleText = ({ trace, value, at }: Exemplar): string =>
  ` # {trace_id="${traceIdOf(trace)}",span_id="${spanIdOf(trace)}"} ${numberText(value)} ${at.toFixed(3)}`;

function rowText(metric: Metric, { metricName = metric.name, labels, value, example }: Row): string {
  const line = `${metricName}${labelsText(labels)} ${numberText(value)}`;
  return example ? line + exampleText(example) : line;
}

/** Each process keeps its own series, told apart by the label `process`. */
export function renderOpenMetrics(snapshots: readonly (readonly Metric[])[]): string {
  const families = new Map<string, string[]>();
  for (const metric of snapshots.flat()) {
    const family = familyOf(metric);
    const lines = families.get(family) ?? [
      `# TYPE ${family} ${metric.type}`,
      `# HELP ${family} ${escaped(metric.help)}`,
    ];
    families.set(family, lines);
    for (const row of metric.values as readonly Row[]) lines.push(rowText(metric, row));
  }
  return `${[...families.values()].flat().join('\n')}\n# EOF\n`;
}
