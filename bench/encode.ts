/**
 * `npm run bench:encode`: what encoding costs a device. Trains a dense and a convolutional autoencoder on MNIST, and encodes
 * test digits one by one, as a phone does, in Node and in Chromium, on every runtime and with either weights. Writes encode.md.
 *
 *   npm run bench:encode -- [--epochs 1] [--rows 300] [--only dense] [--dry]
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import * as ort from 'onnxruntime-node';
import { buildBundle } from '../src/bundle/bundle.ts';
import type { Dataset } from '../src/data/dataset.ts';
import { createDatasetStore } from '../src/data/store.ts';
import { resolveJobSpec } from '../src/jobspec/resolve.ts';
import { type Encoder, loadEncoder, type OnnxRuntimeModule, onnxRuntime, type Weights } from '../src/sdk/index.ts';
import { FolderDatasets } from '../src/store/folder/datasets.ts';
import { trainJob } from '../src/train/job.ts';
import { openEngine } from '../src/worker/engine-choice.ts';
import { chromiumPath, startBrowser } from '../test/helpers/browser.ts';
import { browserScript, openDevice, ortFile, ortFiles } from './encode/device.ts';
import { costLines } from './encode/weights.ts';

const { values: options } = parseArgs({
  options: {
    epochs: { type: 'string', default: '1' },
    rows: { type: 'string', default: '300' },
    only: { type: 'string', default: '' },
    dry: { type: 'boolean', default: false },
  },
});
const timed = Number(options.rows);
const models = {
  'dense 784-512-128-32': { type: 'dense', hidden: [512, 128], code: 32, loss: 'mse' },
  'convolutional 8-16, code 32': { type: 'convolutional', channels: [8, 16], code: 32, loss: 'mse' },
} as const;
const testRows = 5000;
const allWeights: readonly Weights[] = ['float32', 'int8'];

interface Timing {
  readonly where: string;
  readonly loadMs: number;
  readonly rowMs: readonly number[];
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-bench-encode-'));
const dataset = await createDatasetStore({ files: new FolderDatasets(folder) }).open('mnist');
const browser = chromiumPath ? await startBrowser() : undefined;
try {
  const sizes = await sizeLines();
  const test = new Float32Array(testRows * 784);
  await dataset.split('test').readRange(0, testRows, test);
  const speeds: string[] = [];
  const costs: string[] = [];
  for (const [name, model] of Object.entries(models).filter(([key]) => key.startsWith(options.only))) {
    const { encoder, decoder, inputShape, codeShape, bundle } = await trained(dataset, model);
    for (const weights of allWeights) {
      for (const { where, loadMs, rowMs } of await timings(bundle, weights, test)) {
        speeds.push(
          `| ${name} | ${weights} | ${where} | ${quantile(rowMs, 0.5)} | ${quantile(rowMs, 0.9)} | ${loadMs.toFixed(0)} |`,
        );
      }
    }
    costs.push(...(await costLines({ name, bundle, encoder, decoder, inputShape, codeShape, rows: test })));
  }
  const text = `# Encoding on a device

Written by \`npm run bench:encode -- --epochs ${options.epochs} --rows ${options.rows}\` on ${os.cpus()[0]?.model.trim()}, ${os.availableParallelism()} cores (load ${os.loadavg()[0]?.toFixed(1)}), Node ${process.versions.node}${browser ? `, Chromium ${browser.context.browser()?.version() ?? ''}` : '; no Chromium'}.

## Time

MNIST digits, one at a time: codes, quantisation, entropy coding and framing at the finest quality. \`load\` is from nothing to the first
frame, golden vectors checked; files come from the same machine. onnxruntime-web runs its wasm on one thread.

| encoder | weights | runtime | median, ms | 9 of 10 below, ms | load, ms |
| --- | --- | --- | --- | --- | --- |
${speeds.join('\n')}

## What is loaded

| | kB | gzipped, kB |
| --- | --- | --- |
${sizes}

## int8 weights

The first ${testRows} digits of the MNIST test set. A symbol is equal when either encoder gives the same one; PSNR is after decoding.

| encoder | file, kB | quality | equal symbols | PSNR float32, dB | PSNR int8, dB |
| --- | --- | --- | --- | --- | --- |
${costs.join('\n')}
`;
  console.log(text);
  if (!options.dry) writeFileSync(path.join(import.meta.dirname, 'encode.md'), text);
} finally {
  await browser?.close();
  await dataset.close();
  rmSync(folder, { recursive: true, force: true });
}

async function trained(data: Dataset, model: object) {
  const request = { name: 'bench', dataset: 'mnist', model, training: { epochs: Number(options.epochs), seed: 1 } };
  const { spec } = resolveJobSpec(request, { dataset: data.info });
  const engine = await openEngine({ engine: 'onnx', device: 'cpu', threads: 2 });
  try {
    const { files, inputShape, codeShape } = await trainJob({ spec, dataset: data, engine });
    const [encoder, decoder] = [files['encoder.onnx'], files['decoder.onnx']];
    if (!encoder || !decoder) throw new Error('a trained model has an encoder and a decoder');
    const published = await buildBundle({ name: 'bench', dataset: data, inputShape, codeShape, encoder, decoder });
    return { encoder, decoder, inputShape, codeShape, bundle: published.files['bundle.tar'] };
  } finally {
    await engine.dispose();
  }
}

async function timings(bundle: Uint8Array, weights: Weights, rows: Float32Array): Promise<Timing[]> {
  const runtime = onnxRuntime(ort as unknown as OnnxRuntimeModule);
  const found = [
    await inNode('built in, Node', () => loadEncoder(bundle, { weights }), rows),
    await inNode('onnxruntime-node', () => loadEncoder(bundle, { weights, runtime }), rows),
  ];
  if (!browser) return found;
  const device = await openDevice(browser.context, { bundle, rows: rows.subarray(0, 784 * timed) });
  try {
    for (const [where, kind] of [
      ['built in, Chromium', 'built-in'],
      ['onnxruntime-web', 'onnxruntime'],
    ] as const) {
      found.push({ where, ...(await device.run({ runtime: kind, weights, timed })) });
    }
  } finally {
    await device.close();
  }
  return found;
}

async function inNode(where: string, load: () => Promise<Encoder>, rows: Float32Array): Promise<Timing> {
  const started = performance.now();
  const encoder = await load();
  await encoder.encode(rows.subarray(0, 784));
  const loadMs = performance.now() - started;
  const rowMs: number[] = [];
  for (let i = 0; i < timed; i++) {
    const row = rows.slice(i * 784, (i + 1) * 784);
    const begun = performance.now();
    await encoder.encode(row);
    rowMs.push(performance.now() - begun);
  }
  return { where, loadMs, rowMs };
}

function quantile(values: readonly number[], share: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor(share * sorted.length)] ?? Number.NaN).toFixed(2);
}

async function sizeLines(): Promise<string> {
  const script = Buffer.from(await browserScript('../../src/sdk/index.ts'));
  const web = ortFiles.map(ortFile);
  const line = (what: string, parts: readonly Uint8Array[]): string => {
    const [plain, zipped] = [parts, parts.map((part) => gzipSync(part))].map((files) =>
      files.reduce((sum, { length }) => sum + length, 0),
    );
    return `| ${what} | ${((plain ?? 0) / 1000).toFixed(0)} | ${((zipped ?? 0) / 1000).toFixed(0)} |`;
  };
  return [line('SDK with the built-in runtime', [script]), line('onnxruntime-web besides', web)].join('\n');
}
