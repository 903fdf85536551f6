// Which queues a worker takes jobs from, and a real worker that has one job and ends.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Fleet } from '../../bench/faults/fleet.ts';
import { addWaves, ended, waveSpec } from '../../bench/faults/jobs.ts';
import { engineFor, WorkerQueueError, workerQueues } from '../../src/worker/queues.ts';
import { startRedis } from '../helpers/redis.ts';
import { openQueue, until } from '../queue/fixtures.ts';

it.each([
  ['auto', 'cpu', ['cpu', 'any']],
  ['auto', 'cuda', ['gpu', 'any']],
  ['auto', 'webgpu', ['gpu', 'any']],
  ['any', 'cpu', ['any']],
  ['gpu,any,gpu', 'cuda', ['gpu', 'any']],
  ['cpu,gpu', 'cuda', ['cpu', 'gpu']],
] as const)('makes of %s on %s the queues %j', (wanted, device, queues) => {
  expect(workerQueues(wanted, device)).toEqual(queues);
});

it('refuses to take jobs for a GPU without one', () => {
  expect(() => workerQueues('cpu,gpu', 'cpu')).toThrow(WorkerQueueError);
});

it('trains a job that asks for a CPU on one, also where there is a GPU', () => {
  const engine = { engine: 'onnx', device: 'cuda', threads: 2 } as const;
  expect(engineFor(engine, 'cpu')).toEqual({ ...engine, device: 'cpu' });
  expect(engineFor(engine, 'gpu')).toBe(engine);
  expect(engineFor(engine, 'any')).toBe(engine);
});

it('ends with 0 after its one job, and leaves the next one in the queue', async () => {
  const redis = await startRedis();
  const queue = await openQueue(redis.url);
  const dataFolder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-one-job-'));
  await addWaves(dataFolder);
  const environment = { REDIS_URL: redis.url, HOURGLASS_QUEUE_PREFIX: 'test', HOURGLASS_DATA_DIR: dataFolder };
  const ports = { HOURGLASS_METRICS_PORT: '0', HOURGLASS_WORKER_JOBS: '1', HOURGLASS_TRAINING_THREADS: '1' };
  const fleet = new Fleet('worker', { ...environment, ...ports });
  try {
    const first = await queue.submit(waveSpec('first', 1));
    const second = await queue.submit(waveSpec('second', 1));
    const worker = fleet.start();
    const exit = new Promise<number | null>((resolve) => worker.once('exit', resolve));
    expect((await ended(queue, first.id, 60_000))?.state).toBe('succeeded');
    expect(await exit).toBe(0);
    expect((await queue.get(second.id)).state).toBe('queued');
    await until(async () => (await queue.queues()).every(({ workers }) => workers === 0));
  } finally {
    await fleet.stop();
    await queue.close();
    await redis.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  }
}, 90_000);
