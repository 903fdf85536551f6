// A linear autoencoder finds the subspace of the first principal components.
import { expect, it } from 'vitest';
import { type NdArray, zeros } from '../../src/base/ndarray.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { trainJob } from '../../src/train/job.ts';
import { digits } from '../train/digits.ts';

const rows = 400;
const size = 196;
const k = 2;

/** Orthonormal first k principal directions, by orthogonal iteration on the covariance. */
function principal(data: Float32Array): number[][] {
  const mean = Array.from({ length: size }, (_, i) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += data[row * size + i] as number;
    return sum / rows;
  });
  const centred = Array.from({ length: rows }, (_, row) => mean.map((m, i) => (data[row * size + i] as number) - m));
  let basis = Array.from({ length: k }, (_, j) => mean.map((_, i) => Math.sin((i + 1) * (j + 1))));
  for (let round = 0; round < 200; round++) {
    basis = orthonormal(
      basis.map((v) => {
        const next = new Array<number>(size).fill(0);
        for (const row of centred) {
          const along = dot(row, v);
          for (let i = 0; i < size; i++) next[i] = (next[i] as number) + along * (row[i] as number);
        }
        return next;
      }),
    );
  }
  return basis;
}

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);

function orthonormal(vectors: number[][]): number[][] {
  const done: number[][] = [];
  for (const v of vectors) {
    let rest = v;
    for (const u of done) {
      const along = dot(rest, u);
      rest = rest.map((value, i) => value - along * (u[i] as number));
    }
    const length = Math.sqrt(dot(rest, rest));
    done.push(rest.map((value) => value / length));
  }
  return done;
}

it('spans the principal components', async () => {
  const dataset = digits({ train: rows, small: true });
  const engine = createOnnxEngine();
  const { spec } = resolveJobSpec(
    {
      name: 'digits',
      dataset: 'digits',
      model: { type: 'linear', code: k },
      training: {
        epochs: 300,
        batchSize: 100,
        validation: { fraction: 0 },
        optimizer: { learningRate: 0.01, schedule: { type: 'cosine' } },
      },
    },
    { dataset: dataset.info },
  );
  const { weights } = await trainJob({ spec, dataset, engine });
  await engine.dispose();
  const data = zeros('float32', [rows, size]).data;
  await dataset.split('train').readRange(0, rows, data);
  const decoder = weights['decoder/0/weight'] as NdArray<'float32'>;
  const span = orthonormal(Array.from({ length: k }, (_, j) => [...decoder.data.subarray(j * size, (j + 1) * size)]));
  // every principal direction lies in the decoder's span
  for (const direction of principal(data)) {
    const cosine = Math.sqrt(span.reduce((sum, u) => sum + dot(u, direction) ** 2, 0));
    expect(cosine).toBeGreaterThan(0.999);
  }
});
