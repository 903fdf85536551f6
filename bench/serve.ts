/**
 * `npm run bench:serve`: requests per second and latency of the predictor (registry, batches, worker thread) with 1 to 256
 * clients, with and without merging of requests, beside plain `Session.run` calls on this thread in the same interleaved
 * rounds. One model thread with one ONNX Runtime thread throughout. Writes serve.md.
 *
 *   npm run bench:serve -- [--rounds 7] [--milliseconds 400] [--dry]
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { defaultCaller } from '../src/base/caller.ts';
import { float32 } from '../src/base/ndarray.ts';
import { Registry } from '../src/registry/registry.ts';
import { ModelPool } from '../src/runtime/pool.ts';
import { Session } from '../src/runtime/session.ts';
import { ModelPredictor } from '../src/serve/model-predictor.ts';
import { FolderBlobs } from '../src/store/folder/blobs.ts';
import { denseAutoencoder, type Net, nets } from './serve/nets.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    milliseconds: { type: 'string', default: '400' },
    dry: { type: 'boolean', default: false },
  },
});
const budget = Number(options.milliseconds);

interface Sample {
  readonly requestsPerSecond: number;
  readonly rowsPerSecond: number;
  /** milliseconds */
  readonly p50: number;
  readonly p99: number;
  /** of all threads of this process, microseconds per row */
  readonly cpu: number;
}

interface Contender {
  readonly name: string;
  readonly clients: number;
  readonly rows: number;
  request(rows: Float32Array): Promise<unknown>;
}

/** Each client asks again as soon as it has its answer. */
async function measure({ clients, rows, request }: Contender, size: number): Promise<Sample> {
  const data = Float32Array.from({ length: rows * size }, (_, i) => (i % 97) / 97);
  const latencies: number[] = [];
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  const client = async () => {
    for (let now = performance.now(); now - start < budget; ) {
      await request(data);
      const done = performance.now();
      latencies.push(done - now);
      now = done;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const cpu = (user + system) / latencies.length / rows;
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? 0;
  const requestsPerSecond = latencies.length / seconds;
  return { requestsPerSecond, rowsPerSecond: requestsPerSecond * rows, p50: quantile(0.5), p99: quantile(0.99), cpu };
}

async function openContenders(net: Net, root: string): Promise<{ contenders: Contender[]; close(): Promise<void> }> {
  const files = denseAutoencoder(net.widths);
  const size = net.widths[0] ?? 0;
  const registry = await Registry.open(await FolderBlobs.open(root));
  await registry.publish(net.name, {
    files: { 'encoder.onnx': files.encoder, 'decoder.onnx': files.decoder },
    meta: {
      operations: ['denoise'],
      inputShape: [size],
      codeShape: [net.widths.at(-1) ?? 0],
      inputRange: [0, 1],
      lineage: { jobId: net.name, spec: {}, seed: 1, dataset: { name: '-', hash: '-' }, hourglass: '-', engine: '-' },
      metrics: {},
    },
  });
  const pool = new ModelPool({ threads: 1, session: { threads: 1 }, maxModels: 4 });
  const openPredictor = (batchRows: number) =>
    new ModelPredictor({
      registry,
      pool,
      config: {
        defaultModel: net.name,
        inlineModels: false,
        maxBatch: 4096,
        maxWaiting: 4096,
        maxInFlight: null,
        targetWaitMs: 25,
        batchRows,
        batchWindowMs: 0,
        deadlineMs: 60_000,
      },
    });
  const [merging, single] = [openPredictor(256), openPredictor(1)];
  const ask = (predictor: ModelPredictor, rows: number) => (data: Float32Array) =>
    predictor.predict(defaultCaller, { operation: 'denoise', inputs: float32([rows, size], data) });
  const [encoder, decoder] = [Session.create(files.encoder), Session.create(files.decoder)];
  const plain = (rows: number) => async (data: Float32Array) =>
    decoder.run({ z: (await encoder.run({ x: float32([rows, size], data) })).z! });
  return {
    contenders: [
      ...[1, 64, 256].map((rows) => ({ name: 'plain session', clients: 1, rows, request: plain(rows) })),
      ...[1, 8, 64, 256].flatMap((clients) => [
        { name: 'predictor, each alone', clients, rows: 1, request: ask(single, 1) },
        { name: 'predictor, merging', clients, rows: 1, request: ask(merging, 1) },
      ]),
      { name: 'predictor, merging', clients: 2, rows: 256, request: ask(merging, 256) },
    ],
    async close() {
      await Promise.all([merging.close(), single.close()]);
      await pool.close();
      for (const session of [encoder, decoder]) session.dispose();
    },
  };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

function markdown(tables: readonly { net: Net; rows: readonly (Contender & Sample)[] }[]): string {
  const { version } = JSON.parse(readFileSync('node_modules/onnxruntime-node/package.json', 'utf8')) as {
    version: string;
  };
  const lines = [
    '# Serving: the predictor beside plain ONNX Runtime calls',
    '',
    `\`npm run bench:serve\`: ${os.availableParallelism()} × ${os.cpus()[0]?.model}, Node ${process.versions.node}, ONNX Runtime ${version}. Medians of`,
    `${options.rounds} interleaved rounds of ${budget} ms. Operation denoise (encoder, then decoder). Every client asks again when it has`,
    'its answer. The predictor looks the version up in the registry, checks the rows, batches, and runs in one worker thread;',
    'the plain calls run on the thread that asks and do nothing else.',
    '',
    `Load average of the machine when it ended: ${os.loadavg()[0]?.toFixed(1)}. Above its number of cores, requests/s and latencies say little;`,
    'CPU time a row (all threads of the process) hardly depends on what else runs.',
  ];
  for (const { net, rows } of tables) {
    lines.push('', `## ${net.name}: ${net.widths.join('-')} and back`, '');
    lines.push(
      '| | clients | rows a request | requests/s | rows/s | p50 ms | p99 ms | CPU µs a row |',
      '| --- | --- | --- | --- | --- | --- | --- | --- |',
    );
    for (const row of rows) {
      const figures = [row.requestsPerSecond, row.rowsPerSecond].map((value) => value.toFixed(0));
      const latency = [row.p50, row.p99].map((value) => value.toFixed(2));
      lines.push(`| ${[row.name, row.clients, row.rows, ...figures, ...latency, row.cpu.toFixed(1)].join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-bench-'));
try {
  const tables = [];
  for (const net of nets) {
    const { contenders, close } = await openContenders(net, path.join(root, net.name));
    const samples = contenders.map((): Sample[] => []);
    for (let round = -1; round < Number(options.rounds); round++) {
      for (const [i, contender] of contenders.entries()) {
        const sample = await measure(contender, net.widths[0] ?? 0);
        if (round >= 0) samples[i]?.push(sample);
      }
    }
    await close();
    const rows = contenders.map((contender, i) => {
      const of = (key: keyof Sample) => median(samples[i]?.map((sample) => sample[key]) ?? []);
      const figures = { requestsPerSecond: of('requestsPerSecond'), rowsPerSecond: of('rowsPerSecond') };
      return { ...contender, ...figures, p50: of('p50'), p99: of('p99'), cpu: of('cpu') };
    });
    tables.push({ net, rows });
  }
  const text = markdown(tables);
  process.stdout.write(text);
  if (!options.dry) writeFileSync(path.join(import.meta.dirname, 'serve.md'), text);
} finally {
  rmSync(root, { recursive: true, force: true });
}
