// A worker with HOURGLASS_ENGINE=tensorflow trains the same job as any other, to the same loss.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waveSpec } from '../../bench/faults/jobs.ts';
import { tensorflowInstalled } from '../../src/engine/tensorflow.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import type { Manifest } from '../../src/registry/manifest.ts';
import { Registry } from '../../src/registry/registry.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { TrainingWorker } from '../../src/worker/worker.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { openQueue, quiet } from '../queue/fixtures.ts';
import { type DataFolder, dataFolder, workerSettings } from './fixtures.ts';

const installed = tensorflowInstalled();
let redis: TestRedis;
let queue: RedisJobQueue;
let folder: DataFolder;

describe.runIf(installed)(installed ? 'tensorflow' : 'tensorflow (skipped: see npm run setup:tensorflow)', () => {
  beforeAll(async () => {
    redis = await startRedis();
    queue = await openQueue(redis.url);
    folder = await dataFolder();
  });
  afterAll(async () => {
    await queue?.close();
    await redis?.stop();
    folder?.remove();
  });

  async function trained(name: string, engine: 'onnx' | 'tensorflow'): Promise<Manifest> {
    const settings = workerSettings(redis.url, folder, { engine: { engine, device: 'cpu', threads: 1 } });
    const worker = await TrainingWorker.start(settings, quiet, new Metrics('worker'));
    try {
      const { id } = await queue.submit(waveSpec(name));
      for await (const event of queue.events(id)) {
        if (event.type === 'end') expect(event.data).toMatchObject({ state: 'succeeded', attempts: 1 });
      }
      return await (await Registry.open(await FolderBlobs.open(folder.registry))).resolve(name);
    } finally {
      await worker.drain();
    }
  }

  it('trains a job to the loss that the onnx engine reaches', async () => {
    const [onnx, tensorflow] = [await trained('by-onnx', 'onnx'), await trained('by-tensorflow', 'tensorflow')];
    expect(tensorflow.lineage.engine).toBe('eager/tensorflow');
    expect(tensorflow.files.map((file) => file.path)).toEqual(onnx.files.map((file) => file.path));
    const loss = 'train.loss';
    expect((tensorflow.metrics[loss] as number) / (onnx.metrics[loss] as number)).toBeCloseTo(1, 3);
  });
});
