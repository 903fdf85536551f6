/**
 * Records what the table of metrics lists, and nothing else; the labels are typed by the table. The only user of
 * prom-client. Every process has its own `Metrics`; several can be read as one (`renderSnapshots`).
 */

import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';
import { type LabelsOf, type MetricName, type MetricRow, type MetricTable, metricTable } from './metric-table.ts';
import { renderOpenMetrics } from './open-metrics.ts';
import { Distribution, type Exemplar, Sum } from './series.ts';

type NamesOf<K extends MetricRow['kind']> = {
  [N in MetricName]: MetricTable[N]['kind'] extends K ? N : never;
}[MetricName];
type Unlabelled<N extends MetricName> = keyof LabelsOf<N> extends never ? N : never;
type TracedArguments<N extends MetricName> =
  N extends Unlabelled<N> ? [labels?: LabelsOf<N>, trace?: string] : [labels: LabelsOf<N>, trace?: string];
type LabelArgument<N extends MetricName> = N extends Unlabelled<N> ? [labels?: LabelsOf<N>] : [labels: LabelsOf<N>];

/** All that one process has recorded; plain data that can cross to another process. */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

/** The format that examples of values (exemplars) can be written in, beside the older one that every reader knows. */
export type MetricsFormat = 'prometheus' | 'openmetrics';

export const metricsContentTypes = {
  prometheus: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
} as const satisfies Record<MetricsFormat, string>;

/** One line of a histogram. */
interface SnapshotRow {
  readonly value: number;
  readonly labels: object;
  readonly metricName: string;
  readonly example?: Exemplar;
}

const overflow = 'other';
/** Gauges of prom-client that are called as counters are; they sum what stands beside them by type. */
const misnamed = /_nodejs_active_\w+_total$/;
const ownNames = new Set(Object.values(metricTable).map((row) => row.name as string));

export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  /** what handles have recorded, by metric and labels */
  readonly #sums = new Map<string, { readonly key: MetricName; readonly labels: Labels; readonly sum: Sum }>();
  readonly #distributions = new Map<
    MetricName,
    Map<string, { readonly labels: Labels; readonly values: Distribution }>
  >();
  readonly #process: string;
  readonly #seen = new Map<LabelsKey, Set<string>>();
  /** names of the metrics that this process has recorded: the others are another process's */
  readonly #recorded = new Set<string>();
  readonly #beforeRead: (() => Promise<void> | void)[] = [];

  /** `process` becomes a label of every series: gateway, worker … */
  constructor(process: string) {
    this.#process = process;
    this.#registry.setDefaultLabels({ process });
    for (const [key, row] of Object.entries(metricTable) as [MetricName, MetricRow][]) {
      const options = {
        name: row.name,
        help: row.help,
        labelNames: Object.keys(row.labels),
        registers: [this.#registry],
      };
      if (row.kind === 'counter') this.#counters.set(key, new Counter(options));
      else if (row.kind === 'gauge') this.#gauges.set(key, new Gauge(options));
      else this.#distributions.set(key, new Map());
    }
    collectDefaultMetrics({ register: this.#registry, prefix: 'hourglass_', eventLoopMonitoringPrecision: 20 });
  }

  /** Adds to a counter. */
  count<N extends NamesOf<'counter'>>(name: N, by: number, ...[labels]: LabelArgument<N>): void {
    this.#counters.get(name)?.inc(this.#bounded(name, labels), by);
  }

  /** Brings a counter to a total that was counted elsewhere. */
  total<N extends NamesOf<'counter'>>(name: N, total: number, ...[labels]: LabelArgument<N>): void {
    const bounded = this.#bounded(name, labels);
    this.#counters.get(name)?.remove(bounded);
    this.#counters.get(name)?.inc(bounded, total);
  }

  /** Sets a gauge. */
  set<N extends NamesOf<'gauge'>>(name: N, value: number, ...[labels]: LabelArgument<N>): void {
    this.#gauges.get(name)?.set(this.#bounded(name, labels), value);
  }

  /** Moves a gauge up or down. */
  move<N extends NamesOf<'gauge'>>(name: N, by: number, ...[labels]: LabelArgument<N>): void {
    this.#gauges.get(name)?.inc(this.#bounded(name, labels), by);
  }

  /** Records one value of a histogram, in the metric's unit. */
  observe<N extends NamesOf<'histogram'>>(name: N, value: number, ...[labels, trace]: TracedArguments<N>): void {
    this.#distribution(name, labels).observe(value, trace);
  }

  /** A handle for one series of a counter or gauge that is moved often: `add` costs an addition. */
  sum<N extends NamesOf<'counter' | 'gauge'>>(name: N, ...[labels]: LabelArgument<N>): Pick<Sum, 'add'> {
    const bounded = this.#bounded(name, labels);
    const key = `${name} ${Object.values(bounded).join(' ')}`;
    const known = this.#sums.get(key);
    if (known) return known.sum;
    const sum = new Sum();
    this.#sums.set(key, { key: name, labels: bounded, sum });
    return sum;
  }

  /** A handle for one series of a histogram. */
  distribution<N extends NamesOf<'histogram'>>(name: N, ...[labels]: LabelArgument<N>): Pick<Distribution, 'observe'> {
    return this.#distribution(name, labels);
  }

  #distribution(name: MetricName, labels: object | undefined): Distribution {
    const bounded = this.#bounded(name, labels);
    const series = this.#distributions.get(name)!;
    const key = Object.values(bounded).join(' ');
    const known = series.get(key);
    if (known) return known.values;
    const row: MetricRow = metricTable[name];
    const values = new Distribution(row.buckets ?? []);
    series.set(key, { labels: bounded, values });
    return values;
  }

  /** Runs before the metrics are read, to set gauges and totals whose value lies elsewhere. What it throws is passed over. */
  beforeRead(refresh: () => Promise<void> | void): void {
    this.#beforeRead.push(refresh);
  }

  async snapshot(): Promise<MetricsSnapshot> {
    await Promise.allSettled(this.#beforeRead.map(async (refresh) => refresh()));
    for (const { key, labels, sum } of this.#sums.values()) {
      (this.#counters.get(key) ?? this.#gauges.get(key))?.inc(labels, sum.take());
    }
    const all = [...(await this.#registry.getMetricsAsJSON()), ...this.#histograms()];
    return all.filter(({ name }) => (ownNames.has(name) ? this.#recorded.has(name) : !misnamed.test(name)));
  }

  /** In the text format of Prometheus. */
  async render(): Promise<string> {
    return renderSnapshots([await this.snapshot()]);
  }

  /** In the form in which prom-client keeps histograms. */
  #histograms(): MetricObjectWithValues<MetricValue<string>>[] {
    return [...this.#distributions].map(([key, series]) => {
      const { name, help, buckets = [] }: MetricRow = metricTable[key];
      const values = [...series.values()].flatMap(({ labels, values: distribution }) => {
        const all = { ...labels, process: this.#process };
        const counts = distribution.cumulative();
        const { exemplars } = distribution;
        const rows: SnapshotRow[] = counts.map((value, i) => ({
          value,
          labels: { le: buckets[i] ?? '+Inf', ...all },
          metricName: `${name}_bucket`,
          ...(exemplars[i] && { example: exemplars[i] }),
        }));
        rows.push({ value: distribution.sum, labels: all, metricName: `${name}_sum` });
        rows.push({ value: counts.at(-1) ?? 0, labels: all, metricName: `${name}_count` });
        return rows as MetricValue<string>[];
      });
      return { name, help, type: 'histogram', aggregator: 'sum', values } as unknown as MetricObjectWithValues<
        MetricValue<string>
      >;
    });
  }

  /** Keeps the number of series bounded whatever arrives: a value beyond a label's bound is counted as `other`. */
  #bounded(name: MetricName, labels: object | undefined): Record<string, string> {
    const row: MetricRow = metricTable[name];
    this.#recorded.add(row.name);
    const bounded: Record<string, string> = {};
    for (const [label, given] of Object.entries((labels ?? {}) as Record<string, string>)) {
      const values = row.labels[label];
      if (values === undefined) continue;
      bounded[label] = this.#isWithin(`${name}.${label}`, values, given) ? given : overflow;
    }
    return bounded;
  }

  #isWithin(key: LabelsKey, values: MetricRow['labels'][string], given: string): boolean {
    if (!('atMost' in values)) return values.includes(given);
    const seen = this.#seen.get(key) ?? new Set();
    this.#seen.set(key, seen);
    if (seen.size < values.atMost) seen.add(given);
    return seen.has(given);
  }
}

type Labels = Record<string, string>;
type LabelsKey = `${MetricName}.${string}`;

/** Several processes as one text: each keeps its own series, told apart by the label `process`. */
export async function renderSnapshots(
  snapshots: readonly MetricsSnapshot[],
  format: MetricsFormat = 'prometheus',
): Promise<string> {
  if (format === 'openmetrics') return renderOpenMetrics(snapshots);
  const asTheyAre = snapshots.map((metrics) => metrics.map((metric) => ({ ...metric, aggregator: 'first' })));
  return AggregatorRegistry.aggregate(asTheyAre).metrics();
}
