// Metrics: the table's names and labels, bounds on labels, and several processes read as one.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type MetricRow, metricTable } from '../../src/platform/metric-table.ts';
import { Metrics, renderSnapshots } from '../../src/platform/metrics.ts';

const rows = Object.values(metricTable) as MetricRow[];
const series = (text: string, start: string): string[] => text.split('\n').filter((line) => line.startsWith(start));

describe('the table', () => {
  it('follows the naming rules of Prometheus', () => {
    for (const { name, kind, help } of rows) {
      expect(name).toMatch(/^hourglass_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(kind === 'counter');
      if (/time|duration/i.test(name)) expect(name).toMatch(/_seconds$/);
      expect(name).not.toMatch(/_(ms|milliseconds|kb|mb|percent)\b/);
      expect(help).not.toBe('');
    }
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
  });

  it('holds for what a process tells of itself as well', async () => {
    const text = await new Metrics('gateway').render();
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]);
    expect(types.length).toBeGreaterThan(10);
    for (const [name, type] of types) expect([name, name?.endsWith('_total')]).toEqual([name, type === 'counter']);
  });

  it('bounds the values of every label', () => {
    for (const { labels, name } of rows) {
      const series = Object.values(labels).map((values) => ('atMost' in values ? values.atMost : values.length));
      expect([name, series.reduce((a, b) => a * b, 1) <= 20_000]).toEqual([name, true]);
    }
  });
});

describe('Metrics', () => {
  it('records what it is told', async () => {
    const metrics = new Metrics('gateway');
    metrics.count('requests', 2, { transport: 'rest', route: '/encode', code: 'ok' });
    metrics.set('queueUp', 1);
    metrics.move('jobsRunning', 3);
    metrics.move('jobsRunning', -1);
    metrics.observe('batchRows', 5, { operation: 'encode' });
    const text = await metrics.render();
    expect(text).toContain('hourglass_requests_total{transport="rest",route="/encode",code="ok",process="gateway"} 2');
    expect(text).toContain('hourglass_queue_up{process="gateway"} 1');
    expect(text).toContain('hourglass_jobs_running{process="gateway"} 2');
    expect(text).toContain('hourglass_batch_rows_bucket{le="4",operation="encode",process="gateway"} 0');
    expect(text).toContain('hourglass_batch_rows_bucket{le="8",operation="encode",process="gateway"} 1');
    expect(text).toMatch(/hourglass_process_cpu_seconds_total\{process="gateway"\} [\d.]+/);
    expect(series(text, '').every((line) => line === '' || /^(# (HELP|TYPE) )?hourglass_/.test(line))).toBe(true);
  });

  it('keeps the number of series bounded, whatever the values are', async () => {
    const metrics = new Metrics('gateway');
    for (let i = 0; i < 10_000; i++) {
      metrics.count('requests', 1, { transport: 'rest', route: `/made/up/${i}`, code: 'ok' });
    }
    metrics.count('jobsFinished', 1, { outcome: 'exploded' as 'failed' });
    const text = await metrics.render();
    const requests = series(text, 'hourglass_requests_total{');
    expect(requests).toHaveLength(101);
    expect(requests.find((line) => line.includes('route="other"'))).toMatch(/ 9900$/);
    expect(text).toContain('hourglass_jobs_finished_total{outcome="other",process="gateway"} 1');
  });

  it('refreshes gauges before it is read, and stands a refresh that fails', async () => {
    const metrics = new Metrics('gateway');
    metrics.beforeRead(async () => metrics.set('queueJobs', 7, { state: 'queued' }));
    metrics.beforeRead(async () => {
      throw new Error('no queue');
    });
    expect(await metrics.render()).toContain('hourglass_queue_jobs{state="queued",process="gateway"} 7');
  });

  it('shows several processes side by side', async () => {
    const [gateway, worker] = [new Metrics('gateway'), new Metrics('worker')];
    gateway.count('trainingSteps', 1);
    worker.count('trainingSteps', 41);
    const sent = JSON.parse(JSON.stringify([await gateway.snapshot(), await worker.snapshot()]));
    const text = await renderSnapshots(sent);
    expect(series(text, 'hourglass_training_steps_total')).toEqual([
      'hourglass_training_steps_total{process="gateway"} 1',
      'hourglass_training_steps_total{process="worker"} 41',
    ]);
    expect(series(text, '# TYPE hourglass_training_steps_total')).toHaveLength(1);
    expect(series(text, 'hourglass_process_start_time_seconds{')).toHaveLength(2);
  });
});

describe('a metric that a process never records', () => {
  it('is not shown by it, as if it were 0', async () => {
    const metrics = new Metrics('worker');
    expect(await metrics.render()).not.toContain('hourglass_queue_up');
    metrics.set('queueUp', 0);
    metrics.count('trainingSteps', 0);
    const text = await metrics.render();
    expect(text).toContain('hourglass_queue_up{process="worker"} 0');
    expect(text).toContain('hourglass_training_steps_total{process="worker"} 0');
  });

  it('is recorded by some other: the table lists nothing that is never there', () => {
    const src = path.resolve(import.meta.dirname, '../../src');
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const text = files
      .filter((file) => !file.endsWith('metric-table.ts'))
      .map((file) => readFileSync(path.join(src, file), 'utf8'))
      .join('\n');
    expect(Object.keys(metricTable).filter((name) => !text.includes(`'${name}'`))).toEqual([]);
  });
});

describe('OpenMetrics', () => {
  const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

  it('names the newest trace of each bucket, where somebody records it', async () => {
    const metrics = new Metrics('gateway');
    const labels = { transport: 'rest', route: '/encode' } as const;
    metrics.observe('requestDuration', 0.003, labels, trace.replace('4bf9', '0000'));
    metrics.observe('requestDuration', 0.004, labels, trace);
    metrics.observe('requestDuration', 2, labels, trace.replace(/01$/, '00'));
    const snapshot = await metrics.snapshot();
    const buckets = series(
      await renderSnapshots([snapshot], 'openmetrics'),
      'hourglass_request_duration_seconds_bucket',
    );
    const named = buckets.filter((line) => line.includes(' # '));
    expect(named).toHaveLength(1);
    expect(named[0]).toMatch(
      /le="0\.005".*\} 2 # \{trace_id="4bf92f3577b34da6a3ce929d0e0e4736",span_id="00f067aa0ba902b7"\} 0\.004 \d+\.\d{3}$/,
    );
    expect(await renderSnapshots([snapshot])).not.toContain('trace_id');
  });

  it('has each metric once, with counters named without _total, whatever process they are of', async () => {
    const all = ['gateway', 'worker'].map((process) => {
      const metrics = new Metrics(process);
      metrics.count('requests', 1, { transport: 'rest', route: '/a "quoted" \\ path', code: 'ok' });
      return metrics.snapshot();
    });
    const text = await renderSnapshots(await Promise.all(all), 'openmetrics');
    const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name]) => name);
    expect(new Set(families).size).toBe(families.length);
    expect(series(text, '# TYPE hourglass_requests ')).toEqual(['# TYPE hourglass_requests counter']);
    expect(series(text, 'hourglass_requests_total{')).toEqual(
      ['gateway', 'worker'].map(
        (process) =>
          `hourglass_requests_total{transport="rest",route="/a \\"quoted\\" \\\\ path",code="ok",process="${process}"} 1`,
      ),
    );
    expect(text.endsWith('\n# EOF\n')).toBe(true);
  });
});
