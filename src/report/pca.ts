/**
 * Principal component analysis, the linear autoencoder of the same code size that every model is held against: the k
 * eigenvectors of the rows' covariance with the largest eigenvalues (Hotelling 1933; Bourlard & Kamp 1988).
 *
 *   z = W·(x − μ)      x̂ = Wᵀ·z + μ      W [k, d] with orthonormal rows
 */

import { RandomStream } from '../base/random.ts';
import type { Split } from '../data/dataset.ts';
import { symmetricEigen } from './eigen.ts';
import type { Gemm, Matrix } from './gemm.ts';

export interface PrincipalComponents {
  readonly mean: Float32Array;
  /** variance along each component, falling */
  readonly variances: Float32Array;
  /** [components, d]: unit rows */
  readonly components: Matrix;
  /** sum of all variances, also of components that are not here */
  readonly totalVariance: number;
  /** rows that mean and covariance are of */
  readonly fittedRows: number;
}

export interface FitOptions {
  readonly split: Split;
  /** components wanted, at most the row size */
  readonly components: number;
  readonly gemm: Gemm;
  /** between blocks; a throw ends the fit */
  readonly onBlock?: () => void | Promise<void>;
  /** multiply-adds for the covariance; a set that needs more is fitted on blocks spread evenly over it */
  readonly work?: number;
}

/** The longest rows whose covariance is computed; longer ones are fitted by the products of rows with each other, of so many rows at most. */
const largestSide = 4096;
/** Values of all rows together, which are held in memory for that. */
const mostValues = 2 ** 27;
/** Whether PCA of so many rows of this size takes acceptable time and memory. */
export const canFit = (rows: number, size: number): boolean =>
  size <= largestSide || (rows <= largestSide && rows * size <= mostValues);
/** Whether all components of rows of this size are found at once: when that is soon done, or a good part of them is wanted. */
export const findsAll = (size: number, components: number): boolean =>
  size <= 256 || (size <= 1024 && 8 * components > size);
const defaultWork = 2e11;
const blockRows = 2048;

/** All components where `findsAll`, else the wanted ones. The rows have to be ones that PCA `canFit`. */
export async function fitPrincipalComponents(options: FitOptions): Promise<PrincipalComponents> {
  if (options.split.rowSize > largestSide) return fitByRows(options);
  const { split, gemm } = options;
  const size = split.rowSize;
  const blocks = chooseBlocks(split.length, size, options.work ?? defaultWork);
  const { mean, fittedRows } = await meanOf(split, blocks, options.onBlock);
  const covariance = await covarianceOf(split, blocks, mean, gemm, options.onBlock);
  for (let i = 0; i < covariance.length; i++) covariance[i]! /= fittedRows;
  let totalVariance = 0;
  for (let i = 0; i < size; i++) totalVariance += covariance[i * size + i]!;
  const count = findsAll(size, options.components) ? size : Math.min(size, options.components);
  const { values, vectors } =
    count === size ? symmetricEigen(covariance, size) : leadingEigen(covariance, size, count, gemm);
  return {
    mean: Float32Array.from(mean),
    variances: Float32Array.from(values, (value) => Math.max(value, 0)),
    components: { rows: count, columns: size, data: Float32Array.from(vectors) },
    totalVariance,
    fittedRows,
  };
}

/**
 * For few long rows: X·Xᵀ has the same eigenvalues as Xᵀ·X, and if u is an eigenvector of it then Xᵀ·u is one of the covariance
 * (Turk & Pentland 1991, "Eigenfaces").
 */
async function fitByRows({ split, components, gemm, onBlock }: FitOptions): Promise<PrincipalComponents> {
  const { rowSize: size, length: rows } = split;
  const blocks = chooseBlocks(rows, size, Number.POSITIVE_INFINITY);
  const { mean } = await meanOf(split, blocks, onBlock);
  const data = new Float32Array(rows * size);
  for (const [start, end] of blocks) {
    const block = data.subarray(start * size, end * size);
    await split.readRange(start, end, block);
    for (let at = 0; at < block.length; at += size) for (let j = 0; j < size; j++) block[at + j]! -= mean[j]!;
  }
  const centred: Matrix = { rows, columns: size, data };
  const products = new Float64Array(rows * rows);
  for (const [start, end] of blocks) {
    await onBlock?.();
    const block = { rows: end - start, columns: size, data: data.subarray(start * size, end * size) };
    products.set(gemm.multiply(block, centred, { b: true }).data, start * rows);
  }
  for (let i = 0; i < products.length; i++) products[i]! /= rows;
  let totalVariance = 0;
  for (let i = 0; i < rows; i++) totalVariance += products[i * rows + i]!;
  const count = Math.min(rows, components);
  const { values, vectors } = leadingEigen(products, rows, count, gemm);
  const axes = gemm.multiply({ rows: count, columns: rows, data: Float32Array.from(vectors) }, centred).data;
  return {
    mean: Float32Array.from(mean),
    variances: Float32Array.from(values, (value) => Math.max(value, 0)),
    components: { rows: count, columns: size, data: orthonormalised(axes, count, size) },
    totalVariance,
    fittedRows: rows,
  };
}

type Block = readonly [start: number, end: number];

function chooseBlocks(rows: number, size: number, work: number): Block[] {
  const all: Block[] = [];
  for (let start = 0; start < rows; start += blockRows) all.push([start, Math.min(start + blockRows, rows)]);
  const wanted = Math.max(1, Math.min(all.length, Math.floor(work / (size * size * blockRows))));
  return Array.from({ length: wanted }, (_, i) => all[Math.floor((i * all.length) / wanted)]!);
}

async function meanOf(split: Split, blocks: readonly Block[], onBlock: FitOptions['onBlock']) {
  const size = split.rowSize;
  const mean = new Float64Array(size);
  const memory = new Float32Array(blockRows * size);
  let fittedRows = 0;
  for (const [start, end] of blocks) {
    await onBlock?.();
    const rows = memory.subarray(0, (end - start) * size);
    await split.readRange(start, end, rows);
    for (let at = 0; at < rows.length; at += size) for (let j = 0; j < size; j++) mean[j]! += rows[at + j]!;
    fittedRows += end - start;
  }
  for (let j = 0; j < size; j++) mean[j]! /= fittedRows;
  return { mean, fittedRows };
}

/** Σ (x − μ)(x − μ)ᵀ: each block's product in float32, their sum in float64. */
async function covarianceOf(
  split: Split,
  blocks: readonly Block[],
  mean: Float64Array,
  gemm: Gemm,
  onBlock: FitOptions['onBlock'],
): Promise<Float64Array> {
  const size = split.rowSize;
  const sum = new Float64Array(size * size);
  const memory = new Float32Array(blockRows * size);
  for (const [start, end] of blocks) {
    await onBlock?.();
    const data = memory.subarray(0, (end - start) * size);
    await split.readRange(start, end, data);
    for (let at = 0; at < data.length; at += size) for (let j = 0; j < size; j++) data[at + j]! -= mean[j]!;
    const block = { rows: end - start, columns: size, data };
    const product = gemm.multiply(block, block, { a: true }).data;
    for (let i = 0; i < sum.length; i++) sum[i]! += product[i]!;
  }
  return sum;
}

const maxIterations = 300;
const convergedAt = 1e-7;

/** The largest eigenvalues by subspace iteration with Rayleigh–Ritz (Golub & Van Loan §8.2.4), to float32's precision. */
function leadingEigen(covariance: Float64Array, size: number, count: number, gemm: Gemm) {
  const width = Math.min(size, count + Math.max(16, count >> 1));
  const matrix: Matrix = { rows: size, columns: size, data: Float32Array.from(covariance) };
  const start = new RandomStream(0, 'pca').normal(new Float32Array(width * size));
  let basis: Matrix = { rows: width, columns: size, data: orthonormalised(start, width, size) };
  let captured = 0;
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const image = gemm.multiply(basis, matrix);
    const ritz = symmetricEigen(Float64Array.from(gemm.multiply(image, basis, { b: true }).data), width);
    const before = captured;
    captured = ritz.values.subarray(0, count).reduce((sum, value) => sum + value, 0);
    const turn: Matrix = { rows: width, columns: width, data: Float32Array.from(ritz.vectors) };
    if (Math.abs(captured - before) <= convergedAt * captured) {
      const vectors = orthonormalised(gemm.multiply(turn, basis).data, width, size);
      return { values: ritz.values.subarray(0, count), vectors: vectors.subarray(0, count * size) };
    }
    const turned = gemm.multiply(turn, image).data;
    basis = { rows: width, columns: size, data: orthonormalised(turned, width, size) };
  }
  throw new Error('the principal components did not converge');
}

/** Gram & Schmidt's method on the rows, twice, which is enough for working precision. */
function orthonormalised(rows: Float32Array, count: number, size: number): Float32Array {
  const out = Float64Array.from(rows);
  for (let i = 0; i < count; i++) {
    const row = out.subarray(i * size, (i + 1) * size);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = out.subarray(j * size, (j + 1) * size);
        let dot = 0;
        for (let c = 0; c < size; c++) dot += row[c]! * other[c]!;
        for (let c = 0; c < size; c++) row[c]! -= dot * other[c]!;
      }
    }
    const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    if (norm > 0) for (let c = 0; c < size; c++) row[c]! /= norm;
  }
  return Float32Array.from(out);
}

/** x̂ of rows [count, d] from their first k components, or all where there are fewer; unclipped. */
export function reconstructByPca(
  pca: PrincipalComponents,
  wanted: number,
  rows: Float32Array,
  gemm: Gemm,
): Float32Array {
  const { mean, components } = pca;
  const size = mean.length;
  const k = Math.min(wanted, components.rows);
  const leading: Matrix = { rows: k, columns: size, data: components.data.subarray(0, k * size) };
  const centred = new Float32Array(rows.length);
  for (let at = 0; at < rows.length; at += size)
    for (let j = 0; j < size; j++) centred[at + j] = rows[at + j]! - mean[j]!;
  const codes = gemm.multiply({ rows: rows.length / size, columns: size, data: centred }, leading, { b: true });
  const { data } = gemm.multiply(codes, leading);
  for (let at = 0; at < data.length; at += size) for (let j = 0; j < size; j++) data[at + j]! += mean[j]!;
  return data;
}
