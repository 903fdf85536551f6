// Training throughput in the metrics, from what training processes say.
import { expect, it } from 'vitest';
import { Metrics } from '../../src/platform/metrics.ts';
import { RequestTally } from '../../src/store/request-metrics.ts';
import { TrainingMeter } from '../../src/worker/meter.ts';

const at = (phase: string, step: number, samplesPerSecond: number) =>
  ({
    type: 'progress',
    progress: { phase, step, samplesPerSecond, epoch: 1, epochs: 2, steps: 100, percent: 1 },
  }) as const;

it('counts steps and samples of all jobs, from where each attempt began', async () => {
  const metrics = new Metrics('worker');
  const meter = new TrainingMeter(metrics);
  const [first, second] = [meter.begin(10), meter.begin(100)];
  const shown = async (name: string) =>
    Number(new RegExp(`^hourglass_${name}\\{process="worker"\\} (.*)$`, 'm').exec(await metrics.render())?.[1]);
  expect(await shown('training_steps_total')).toBe(0);
  first.hear(at('train', 50, 500)); // goes on after a crash: these steps were counted before
  first.hear(at('train', 53, 400));
  second.hear(at('pretrain 1/2', 0, 0));
  second.hear(at('pretrain 1/2', 5, 1000));
  second.hear(at('pretrain 2/2', 2, 2000));
  second.hear({ type: 'checkpoint', mark: 'a' });
  expect(await shown('training_steps_total')).toBe(3 + 5 + 2);
  expect(await shown('training_samples_total')).toBe(30 + 700);
  expect(await shown('training_samples_per_second')).toBe(2400);
  expect(await shown('checkpoints_total')).toBe(1);
  second.end();
  first.end();
  expect(await shown('training_samples_per_second')).toBe(0);
});

it('counts the requests to the bucket of the processes that train', async () => {
  const metrics = new Metrics('worker');
  const job = new TrainingMeter(metrics).begin(10);
  const tally = new RequestTally();
  tally.observe({ operation: 'get', outcome: 'ok', bytes: 1000 });
  tally.observe({ operation: 'get', outcome: 'ok', bytes: 24 });
  tally.observe({ operation: 'put', outcome: 'failed', bytes: 7 });
  job.hear({ type: 'requests', requests: tally.take() });
  expect(tally.take()).toEqual([]);
  const text = await metrics.render();
  expect(text).toContain('hourglass_bucket_requests_total{operation="get",outcome="ok",process="worker"} 2');
  expect(text).toContain('hourglass_bucket_bytes_total{operation="get",process="worker"} 1024');
  expect(text).toContain('hourglass_bucket_requests_total{operation="put",outcome="failed",process="worker"} 1');
  job.end();
});
