// PCA as a codec: the same quantiser, tables and frames as for a learned code.
import type { Coder } from '../../src/bundle/coder.ts';
import { fitLadder } from '../../src/bundle/ladder.ts';
import type { Profile } from '../../src/codec/profile.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { Gemm } from '../../src/report/gemm.ts';
import { fitPrincipalComponents } from '../../src/report/pca.ts';

/** Decoded values are clipped to the data's range. */
export async function linearModel(dataset: Dataset, components: number): Promise<{ coder: Coder; profile: Profile }> {
  const size = dataset.split('train').rowSize;
  const [low, high] = dataset.info.range;
  const gemm = new Gemm(2);
  const fitted = await fitPrincipalComponents({ split: dataset.split('train'), components, gemm, work: 1e10 });
  const mean = fitted.mean;
  const basis = { rows: components, columns: size, data: fitted.components.data.subarray(0, components * size) };
  const coder: Coder = {
    async encode(x) {
      const rows = x.length / size;
      const centred = x.map((value, i) => value - mean[i % size]!);
      return gemm.multiply({ rows, columns: size, data: centred }, basis, { b: true }).data;
    },
    async decode(z) {
      const { data } = gemm.multiply({ rows: z.length / components, columns: components, data: z }, basis);
      return data.map((value, i) => Math.min(high, Math.max(low, value + mean[i % size]!)));
    },
    dispose: () => gemm.dispose(),
  };
  const { fitRows, measureRows } = await lastRows(dataset, size);
  const { body } = await fitLadder({
    coder,
    fitRows,
    measureRows,
    rowSize: size,
    codeShape: [components],
    span: high - low,
    clusters: 32,
  });
  return { coder, profile: { hash: new Uint8Array(32), ...body } };
}

/** As a published model's tables are fitted: on the last rows, every fourth of the last 2,000 kept for measuring. */
async function lastRows(dataset: Dataset, size: number): Promise<{ fitRows: Float32Array; measureRows: Float32Array }> {
  const split = dataset.split('train');
  const rows = new Float32Array(20_000 * size);
  await split.readRange(split.length - 20_000, split.length, rows);
  const pick = (measured: boolean): Float32Array => {
    const chosen = Array.from({ length: 20_000 }, (_, i) => i).filter((i) => (i >= 18_000 && i % 4 === 3) === measured);
    const out = new Float32Array(chosen.length * size);
    for (const [i, row] of chosen.entries()) out.set(rows.subarray(row * size, (row + 1) * size), i * size);
    return out;
  };
  return { fitRows: pick(false), measureRows: pick(true) };
}
