/**
 * `npm run bench:job-memory`: what a job is estimated to take before it is queued, beside the peak memory of its training process, for models of
 * several kinds with sizes that make one part of the estimate large. What a process takes for a job of nothing (Node.js, tfjs, ONNX Runtime) is
 * taken off. Writes job-memory.md; ends with 1 where one is off by more than twice.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { HourglassClient } from '../src/sdk/index.ts';
import { bytesOf, npy } from '../test/data/arrays.ts';
import { followToEnd } from './jobs/timeline.ts';
import { watchTraining } from './jobs/training-process.ts';
import { Instance } from './recipes/instance.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-job-memory-'));
const instance = await Instance.start(root, 2);
const { datasets, jobs } = new HourglassClient({ baseUrl: instance.url });

/** Rows of random numbers: what is in them does not matter here. */
async function upload(name: string, ...shape: readonly number[]): Promise<void> {
  const values = Float32Array.from({ length: shape.reduce((all, side) => all * side, 1) }, () => Math.random());
  const file = new Blob([npy({ shape }, bytesOf(values)) as Uint8Array<ArrayBuffer>]);
  const form = new FormData();
  form.set('name', name);
  form.set('rows', file, 'rows.npy');
  await instance.upload(name, async () => form);
  if (!(await datasets.get(name))) throw new Error(`${name} is not there`);
}

const sgd = { type: 'sgd', momentum: 0 };
const cases: readonly (readonly [what: string, dataset: string, model: object, training?: object])[] = [
  ['weights, Adam', 'pictures', { type: 'dense', hidden: [2048, 2048], code: 64 }],
  ['weights, SGD', 'pictures', { type: 'dense', hidden: [2048, 2048], code: 64 }, { optimizer: sgd }],
  ['weights, tied', 'pictures', { type: 'tied', hidden: [3000, 2048], code: 64 }],
  ['weights, variational', 'pictures', { type: 'variational', hidden: [2048, 2048], code: 64 }],
  ['a machine of binary units', 'pictures', { type: 'rbm', code: 8192 }],
  ['a large batch', 'tables', { type: 'dense', hidden: [2048], code: 16 }, { batchSize: 4096 }],
  [
    'feature maps',
    'pictures',
    { type: 'convolutional', channels: [64], code: 16 },
    { batchSize: 200, maxSamples: 200 },
  ],
  [
    'an exact Jacobian',
    'tables',
    { type: 'contractive', hidden: [], code: 64, contraction: { method: 'exact' } },
    { batchSize: 2048 },
  ],
  ['series', 'series', { type: 'sequence', code: 16, units: 512 }, { batchSize: 128 }],
  ['rows of a data set', 'large', { type: 'linear', code: 4 }, { maxSamples: 2000 }],
];

interface Row {
  readonly what: string;
  readonly estimated: number;
  readonly measured: number;
}

const mebibyte = 2 ** 20;

async function measure(what: string, dataset: string, model: object, training: object = {}): Promise<Row> {
  const request = { name: 'measured', dataset, model, training: { epochs: 1, ...training } } as Parameters<
    typeof jobs.check
  >[0];
  const { memoryBytes } = await jobs.check(request);
  const watched = watchTraining(instance.pid);
  await followToEnd(instance.url, request);
  const { megabytes } = watched.stop();
  return { what, estimated: memoryBytes / mebibyte, measured: (megabytes * 1e6) / mebibyte };
}

try {
  await upload('nothing', 40, 4);
  await upload('pictures', 600, 28, 28, 1);
  await upload('tables', 5000, 200);
  await upload('series', 300, 256, 4);
  await upload('large', 60_000, 784);
  const { measured: nothing } = await measure('nothing', 'nothing', { type: 'linear', code: 1 });
  console.log(`a job of nothing: ${nothing.toFixed(0)} MiB`);
  const rows: Row[] = [];
  for (const [what, dataset, model, training] of cases) {
    const { measured, ...row } = await measure(what, dataset, model, training);
    rows.push({ ...row, measured: measured - nothing });
    console.log(`${what}: estimated ${row.estimated.toFixed(0)}, measured ${(measured - nothing).toFixed(0)} MiB`);
  }
  const ratio = ({ estimated, measured }: Row): number => measured / estimated;
  const lines = rows.map(
    (row) => `| ${row.what} | ${row.estimated.toFixed(0)} | ${row.measured.toFixed(0)} | ${ratio(row).toFixed(2)} |`,
  );
  writeFileSync(
    path.join(import.meta.dirname, 'job-memory.md'),
    `# What a job is estimated to take, and what it takes

\`npm run bench:job-memory\` with 2 threads, Node.js ${process.versions.node}. Estimated: \`memoryBytes\` of \`POST /v1/jobs?validate=only\`, which \`HOURGLASS_MAX_JOB_MEMORY\` is
compared with. Measured: the peak resident memory of the training process, less the ${nothing.toFixed(0)} MiB that one takes for a job of nothing.

| large is | estimated, MiB | measured, MiB | measured / estimated |
| --- | ---: | ---: | ---: |
${lines.join('\n')}
`,
  );
  process.exitCode = rows.every((row) => ratio(row) < 2 && ratio(row) > 0.5) ? 0 : 1;
} finally {
  await instance.stop();
  rmSync(root, { recursive: true, force: true });
}
