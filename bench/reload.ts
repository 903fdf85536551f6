/**
 * `npm run bench:reload`: clients ask without a pause while new versions are published, aliases move back and forth and old
 * versions are deleted. Counts answers, failures and answers that are not of the version they name (both must be 0), and
 * prints latencies with and without reloading, and resident memory along the way.
 *
 *   npm run bench:reload -- [--reloads 1000] [--clients 8]
 */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { defaultCaller } from '../src/base/caller.ts';
import { float32 } from '../src/base/ndarray.ts';
import { Registry } from '../src/registry/registry.ts';
import { ModelPool } from '../src/runtime/pool.ts';
import { ModelPredictor } from '../src/serve/model-predictor.ts';
import { FolderBlobs } from '../src/store/folder/blobs.ts';
import { scaling } from '../test/helpers/onnx-models.ts';

const { values: options } = parseArgs({
  options: { reloads: { type: 'string', default: '1000' }, clients: { type: 'string', default: '8' } },
});
const reloads = Number(options.reloads);
/** rows of 784 values; older versions than these are deleted as a publisher would */
const [input, code, kept] = [784, 32, 20];

const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-reload-'));
const open = async () => Registry.open(await FolderBlobs.open(root));
const [publisher, registry] = [await open(), await open()];
const pool = new ModelPool({ threads: 2, session: { threads: 1 }, maxModels: 8 });
const predictor = new ModelPredictor({
  registry,
  pool,
  config: {
    defaultModel: null,
    inlineModels: false,
    maxBatch: 64,
    maxWaiting: 1024,
    maxInFlight: null,
    targetWaitMs: 25,
    batchRows: 64,
    batchWindowMs: 0,
    deadlineMs: 30_000,
  },
});

const publish = (version: number) =>
  publisher.publish('digits', {
    files: { ...scaling(input, code, version) },
    meta: {
      operations: ['encode'],
      inputShape: [input],
      codeShape: [code],
      inputRange: [0, 1],
      lineage: {
        jobId: `job-${version}`,
        spec: {},
        seed: 1,
        dataset: { name: '-', hash: '-' },
        hourglass: '-',
        engine: '-',
      },
      metrics: {},
    },
  });

let going = true;
let failures = 0;
let wrong = 0;
let latencies: number[] = [];
const inputs = float32([1, input], new Float32Array(input).fill(1));

async function client(model: string): Promise<void> {
  while (going) {
    const start = performance.now();
    try {
      const { version, outputs } = await predictor.predict(defaultCaller, { operation: 'encode', model, inputs });
      if (outputs.data.some((value) => value !== version)) wrong++;
    } catch (error) {
      failures++;
      process.stdout.write(`${error}\n`);
    }
    latencies.push(performance.now() - start);
  }
}

function report(title: string): void {
  const sorted = latencies.sort((a, b) => a - b);
  const at = (q: number) => (sorted[Math.floor(q * (sorted.length - 1))] ?? 0).toFixed(2);
  const resident = (process.memoryUsage.rss() / 2 ** 20).toFixed(0);
  process.stdout.write(
    `${title}: ${sorted.length} answers, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, slowest ${at(1)} ms; ` +
      `failures ${failures}, of another version ${wrong}; resident ${resident} MiB, models in memory ${pool.loaded}\n`,
  );
  latencies = [];
}

try {
  await publish(1);
  await publisher.setAlias('digits', 'stable', 1);
  const clients = Array.from({ length: Number(options.clients) }, (_, i) => client(i % 2 ? 'digits:stable' : 'digits'));
  await sleep(2000);
  report('without reloads');
  for (let version = 2; version <= reloads; version++) {
    await publish(version);
    await publisher.setAlias('digits', 'stable', version % 3 === 0 ? version - 1 : version);
    if (version > kept) await publisher.deleteVersion('digits', version - kept);
    if (version % Math.ceil(reloads / 10) === 0) report(`${version} reloads`);
  }
  going = false;
  await Promise.all(clients);
  process.exitCode = failures + wrong > 0 ? 1 : 0;
} finally {
  await predictor.close();
  await pool.close();
  rmSync(root, { recursive: true, force: true });
}
