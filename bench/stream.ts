/**
 * `npm run bench:stream [-- --gigabytes 4]`: one job over a data set larger than memory, from a local folder and from a bucket, both
 * through a real worker. The first epoch reads the bucket, the later ones the cache of the machine. Needs redis-server and versitygw.
 * Writes stream.md.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createDatasetStore } from '../src/data/store.ts';
import { resolveJobSpec } from '../src/jobspec/resolve.ts';
import { openStores, type StoreSettings } from '../src/store/open.ts';
import { startRedis } from '../test/helpers/redis.ts';
import { buildS3Server, s3Server, startBucket } from '../test/helpers/s3.ts';
import { descendants, Fleet } from './faults/fleet.ts';
import { openQueue } from './scale/units.ts';
import { between, type ProcessorTime, processorTime } from './stream/processor-time.ts';

const { values } = parseArgs({
  options: { gigabytes: { type: 'string', default: '4' }, epochs: { type: 'string', default: '2' } },
});
buildS3Server();
if (!s3Server()) throw new Error('bench:stream needs an S3 server: install Go, or set HOURGLASS_TEST_VERSITYGW');
const pixels = 784;
const rows = Math.ceil((Number(values.gigabytes) * 1e9) / (4 * pixels));
const epochs = Number(values.epochs);

/** An .npy file of float32 rows that was never in memory as a whole. */
async function* npy(): AsyncGenerator<Uint8Array> {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${pixels}), }`.padEnd(117).concat('\n');
  yield Buffer.concat([Buffer.from([0x93, 78, 85, 77, 80, 89, 1, 0, header.length, 0]), Buffer.from(header, 'latin1')]);
  const perBlock = 4096;
  const block = new Float32Array(perBlock * pixels);
  for (let row = 0; row < rows; row += perBlock) {
    // Cheap numbers that differ everywhere, so that no two chunks are alike.
    for (let i = 0, x = row; i < block.length; i++) {
      x = (Math.imul(x, 1664525) + 1013904223) | 0;
      block[i] = (x >>> 8) / 2 ** 24;
    }
    yield new Uint8Array(block.buffer, 0, Math.min(perBlock, rows - row) * pixels * 4).slice();
  }
}

interface Run {
  readonly uploadSeconds: number;
  readonly epochSeconds: readonly number[];
  /** of each epoch */
  readonly processor: readonly ProcessorTime[];
  readonly peakMegabytes: number;
}

const redis = await startRedis();
const bucket = await startBucket();
const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-stream-'));

async function run(name: string, settings: StoreSettings, environment: Readonly<Record<string, string>>): Promise<Run> {
  const stores = await openStores(settings);
  const limits = { uploadBytes: Number.MAX_SAFE_INTEGER, expandedBytes: Number.MAX_SAFE_INTEGER };
  const store = createDatasetStore({ files: stores.datasets, limits });
  const uploading = performance.now();
  await store.create('large', { parts: [{ role: 'rows', content: npy() }], options: { testFraction: 0.001 } });
  const uploadSeconds = (performance.now() - uploading) / 1000;
  const queue = await openQueue(redis.url);
  const fleet = new Fleet('worker', {
    REDIS_URL: redis.url,
    HOURGLASS_QUEUE_PREFIX: 'scale',
    HOURGLASS_TRAINING_THREADS: '1',
    HOURGLASS_METRICS_PORT: '0',
    HOURGLASS_LOG_LEVEL: 'error',
    ...environment,
  });
  fleet.start();
  let peakMegabytes = 0;
  let trainingPid = 0;
  const sampling = setInterval(async () => {
    for (const pid of await descendants(fleet.members[0]?.pid ?? 0)) {
      trainingPid = pid;
      const status = await Promise.resolve()
        .then(() => readFileSync(`/proc/${pid}/status`, 'utf8'))
        .catch(() => '');
      peakMegabytes = Math.max(peakMegabytes, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1000);
    }
  }, 500);
  try {
    const model = { type: 'dense', hidden: [64], code: 16 };
    const training = { epochs, batchSize: 512, validation: { fraction: 0 } };
    const { spec } = resolveJobSpec(
      { name, dataset: 'large', model, training },
      { dataset: await store.info('large') },
    );
    const { id } = await queue.submit(spec);
    const epochSeconds: number[] = [];
    const processor: ProcessorTime[] = [];
    let since: number | undefined;
    let spent = processorTime(trainingPid, bucket.pid);
    for await (const event of queue.events(id)) {
      if (event.type === 'progress' && event.data.step > 0 && since === undefined) {
        since = performance.now();
        spent = processorTime(trainingPid, bucket.pid);
      }
      if (event.type === 'epoch') {
        const now = performance.now();
        epochSeconds.push((now - (since ?? now)) / 1000);
        since = now;
        const spentNow = processorTime(trainingPid, bucket.pid);
        processor.push(between(spent, spentNow));
        spent = spentNow;
        if (epochSeconds.length === epochs) break;
      }
      if (event.type === 'end') throw new Error(`the job ended early: ${JSON.stringify(event.data)}`);
    }
    await queue.cancel(id);
    return { uploadSeconds, epochSeconds, processor, peakMegabytes };
  } finally {
    clearInterval(sampling);
    await fleet.stop();
    await queue.close();
    await stores.close();
  }
}

try {
  const folder = path.join(root, 'folder');
  const local = await run('local', { dataDir: folder }, { HOURGLASS_DATA_DIR: folder });
  rmSync(folder, { recursive: true });
  const uploader = path.join(root, 'uploader');
  const machine = {
    HOURGLASS_DATA_DIR: path.join(root, 'machine'),
    HOURGLASS_CACHE_BYTES: '64GiB',
    ...bucket.environment,
  };
  const remote = await run('remote', bucket.settings(uploader), machine);
  const line = (what: string, { uploadSeconds, epochSeconds, peakMegabytes }: Run): string =>
    `| ${what} | ${uploadSeconds.toFixed(1)} s | ${epochSeconds.map((s) => `${s.toFixed(1)} s`).join(', ')} | ${peakMegabytes.toFixed(0)} MB |`;
  const spentIn = (what: string, { processor }: Run): string[] =>
    processor.map(
      ({ training, otherThreads, server }, i) =>
        `| ${what}, ${i + 1} | ${training.toFixed(1)} | ${otherThreads.toFixed(1)} | ${server.toFixed(1)} |`,
    );
  const last = (all: readonly number[]): number => all[all.length - 1] ?? Number.NaN;
  const first = (remote.epochSeconds[0] ?? Number.NaN) / (local.epochSeconds[0] ?? Number.NaN);
  const later = last(remote.epochSeconds) / last(local.epochSeconds);
  const page = `# A data set from a bucket

Written by \`npm run bench:stream -- --gigabytes ${values.gigabytes}\`. ${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Node ${process.versions.node}. ${rows.toLocaleString('en')} rows of ${pixels} float32; one worker, one
thread, 784-64-16-64-784, batches of 512; versitygw on the same machine and disk. An epoch is timed from its first to its last step.

| | upload | epochs | peak resident memory of the training process |
| --- | ---: | ---: | ---: |
${line('local folder', local)}
${line('bucket: first epoch from the bucket, then from the cache', remote)}

Processor time of these epochs, in seconds. The machine has ${os.availableParallelism()} cores for all of it, and a real S3 server takes none of them:

| epoch | the thread that trains | other threads of its process: requests, checksums, copies, cache | S3 server |
| --- | ---: | ---: | ---: |
${[...spentIn('folder', local), ...spentIn('bucket', remote)].join('\n')}

First epoch ${first.toFixed(2)} × that of the folder (limit: 1.5), the last one ${later.toFixed(2)} × (limit: 1.1); memory limit 1,000 MB.
`;
  console.log(page);
  writeFileSync(path.join(import.meta.dirname, 'stream.md'), page);
} finally {
  await bucket.stop();
  await redis.stop();
  rmSync(root, { recursive: true, force: true });
}
process.exit(0);
