/**
 * `npm run bench:codec`: bytes per image against PSNR on a whole test set, in real frames with all their headers, for a plain
 * dense autoencoder quantised after training and for PCA with the same quantiser and coder; beside image formats. Writes
 * codec.md.
 *
 *   npm run bench:codec -- [--epochs 12] [--dataset mnist] [--code 32] [--components 200] [--dry]
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openCoder } from '../src/bundle/coder.ts';
import { fitLadder } from '../src/bundle/ladder.ts';
import { bytesPerRow } from '../src/codec/fit.ts';
import { decodeFrame, encodeFrame } from '../src/codec/frame.ts';
import { dequantise, type Profile, quantise } from '../src/codec/profile.ts';
import { createDatasetStore } from '../src/data/store.ts';
import { Gemm } from '../src/report/gemm.ts';
import { fitPrincipalComponents } from '../src/report/pca.ts';
import { resolveJobSpec } from '../src/spec/resolve.ts';
import { trainJob } from '../src/train/job.ts';
import { openEngine } from '../src/worker/engine-choice.ts';
import { picturePoints } from './codec/pictures.ts';

const { values: options } = parseArgs({
  options: {
    epochs: { type: 'string', default: '12' },
    dataset: { type: 'string', default: 'mnist' },
    code: { type: 'string', default: '32' },
    components: { type: 'string', default: '200' },
    dry: { type: 'boolean', default: false },
  },
});
const size = 784;
const batch = 64;
type Coder = Parameters<typeof fitLadder>[0]['coder'];

const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-bench-codec-'));
const dataset = await createDatasetStore({ folder }).open(options.dataset);
const engine = await openEngine({ engine: 'onnx', device: 'cpu', threads: 2 });
try {
  const test = new Float32Array(dataset.info.rows.test * size);
  await dataset.split('test').readRange(0, dataset.info.rows.test, test);
  const held = new Float32Array(2000 * size);
  await dataset.split('train').readRange(dataset.info.rows.train - 2000, dataset.info.rows.train, held);
  const lines = [...(await learned(held, test)), ...(await linear(held, test))];
  for (const quality of [1, 30, 60]) {
    for (const { name, bytes, psnr } of await picturePoints(test.subarray(0, 640 * size), 28, quality)) {
      lines.push(`| ${name} | – | ${bytes.toFixed(1)} | – | ${Number.isFinite(psnr) ? psnr.toFixed(2) : 'lossless'} |`);
    }
  }
  const text = `# Codec: bytes per image on the test set of ${options.dataset}

Written by \`npm run bench:codec -- --epochs ${options.epochs} --dataset ${options.dataset} --code ${options.code} --components ${options.components}\`. Frames hold all their headers; image
formats are measured on the first 640 pictures, alone or as 8 × 8 pictures in one file.

| codec | payload, batches of 64 | frame, batches of 64 | compact frame of one | PSNR, dB |
| --- | --- | --- | --- | --- |
${[...new Set(lines)].join('\n')}
`;
  console.log(text);
  if (!options.dry) writeFileSync(path.join(import.meta.dirname, 'codec.md'), text);
} finally {
  await engine.dispose();
  await dataset.close();
  rmSync(folder, { recursive: true, force: true });
}

async function learned(held: Float32Array, rows: Float32Array): Promise<string[]> {
  const request = {
    name: 'bench',
    dataset: options.dataset,
    model: { type: 'dense', hidden: [512, 128], code: Number(options.code), loss: 'mse' },
    training: { epochs: Number(options.epochs), batchSize: 128, seed: 1 },
  };
  const { spec } = resolveJobSpec(request, { dataset: dataset.info });
  const trained = await trainJob({ spec, dataset, engine });
  const coder = openCoder({
    encoder: trained.files['encoder.onnx'] as Uint8Array,
    decoder: trained.files['decoder.onnx'] as Uint8Array,
    inputShape: trained.inputShape,
    codeShape: trained.codeShape,
  });
  const lines = await pointsOf(`dense 512-128-${options.code}`, coder, [...trained.codeShape], held, rows);
  coder.dispose();
  return lines;
}

async function linear(held: Float32Array, rows: Float32Array): Promise<string[]> {
  const k = Number(options.components);
  const gemm = new Gemm(2);
  const { mean, components } = await fitPrincipalComponents({
    split: dataset.split('train'),
    components: k,
    gemm,
    work: 1e10,
  });
  gemm.dispose();
  const basis = components.data;
  const coder: Coder = {
    async encode(x) {
      const z = new Float32Array((x.length / size) * k);
      for (let row = 0; row < x.length / size; row++) {
        for (let j = 0; j < k; j++) {
          let sum = 0;
          for (let i = 0; i < size; i++) sum += basis[j * size + i]! * (x[row * size + i]! - mean[i]!);
          z[row * k + j] = sum;
        }
      }
      return z;
    },
    async decode(z) {
      const x = new Float32Array((z.length / k) * size);
      for (let row = 0; row < z.length / k; row++) {
        const out = x.subarray(row * size, (row + 1) * size);
        out.set(mean);
        for (let j = 0; j < k; j++) {
          const value = z[row * k + j]!;
          for (let i = 0; i < size; i++) out[i]! += value * basis[j * size + i]!;
        }
        for (let i = 0; i < size; i++) out[i] = Math.min(1, Math.max(0, out[i]!));
      }
      return x;
    },
    dispose() {},
  };
  return pointsOf(`PCA ${k}`, coder, [k], held, rows);
}

/** Real frames of all rows, decoded again; symbols must come back exactly. */
async function pointsOf(name: string, coder: Coder, codeShape: number[], held: Float32Array, rows: Float32Array) {
  const pick = (keep: boolean): Float32Array => {
    const chosen = Array.from({ length: held.length / size }, (_, i) => i).filter((i) => (i % 4 !== 3) === keep);
    return Float32Array.from(chosen.flatMap((i) => Array.from(held.subarray(i * size, (i + 1) * size))));
  };
  const ladder = await fitLadder({
    coder,
    fitRows: pick(true),
    measureRows: pick(false),
    rowSize: size,
    codeShape,
    span: 1,
  });
  const profile: Profile = { hash: new Uint8Array(32), ...ladder.body };
  const codes = await coder.encode(rows);
  const units = codeShape[0] as number;
  const count = rows.length / size;
  const lines: string[] = [];
  for (const [index, quality] of profile.qualities.entries()) {
    const symbols = quantise(quality, codes);
    let [batched, single] = [0, 0];
    for (let row = 0; row < count; row += batch) {
      const part = symbols.subarray(row * units, Math.min(count, row + batch) * units);
      const frame = encodeFrame(profile, part, { kind: 'batch', quality: index });
      if (decodeFrame(profile, frame).symbols.join() !== part.join()) throw new Error('a frame came back different');
      batched += frame.length;
    }
    for (let row = 0; row < count; row++) {
      const part = symbols.subarray(row * units, (row + 1) * units);
      single += encodeFrame(profile, part, { kind: 'compact', quality: index }).length;
    }
    const decoded = await coder.decode(dequantise(quality, symbols));
    const mse = decoded.reduce((sum, value, i) => sum + (value - rows[i]!) ** 2, 0) / rows.length;
    const cells = [bytesPerRow(quality, codes), batched / count, single / count].map((bytes) => bytes.toFixed(2));
    lines.push(`| ${name}, quality ${index} | ${cells.join(' | ')} | ${(-10 * Math.log10(mse)).toFixed(2)} |`);
  }
  return lines;
}
