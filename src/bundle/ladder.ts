/**
 * The qualities that a published model offers: profiles fitted at prices λ from coarse to fine, each measured on rows that
 * its tables were not fitted on.
 *
 *   codes ─► sensitivity of each unit through the decoder ─► λ ladder ─► fitted units ─► bytes and PSNR measured ─► monotone
 */

import { fitClusters } from '../codec/clusters.ts';
import { bytesPerRow, fitUnits, importanceOrder } from '../codec/fit.ts';
import { dequantise, type Quality, quantise } from '../codec/profile.ts';
import type { ProfileBody } from '../codec/profile-bytes.ts';
import type { Coder } from './coder.ts';

export interface LadderOptions {
  readonly coder: Coder;
  /** rows to fit on and rows to measure on, [n, values]; neither should have been trained on */
  readonly fitRows: Float32Array;
  readonly measureRows: Float32Array;
  /** values of a row */
  readonly rowSize: number;
  readonly codeShape: readonly number[];
  /** width of the data's range, PSNR's peak */
  readonly span: number;
  /** where the model was trained with its codes quantised */
  readonly quantiser?: TrainedQuantiser | undefined;
  /** kinds of rows to find, each with tables of its own; default none, which takes less time and a smaller file */
  readonly clusters?: number;
}

/** What codes were quantised with in training. */
export interface TrainedQuantiser {
  /** of each unit */
  readonly steps: ArrayLike<number>;
  /** squared error, summed over a row, that one bit was worth */
  readonly lambda: number;
}

export interface Ladder {
  readonly body: ProfileBody;
  /** of each quality: squared error, summed over a row, that one bit is worth */
  readonly lambdas: readonly number[];
}

/** Decoder runs that sensitivities may take, in rows. */
const sensitivityRows = 4096;
/** The finest quality adds at most these shares of the model's own error and of the code's energy; the coarsest loses this. */
const finestShare = 0.03;
const finestEnergyShare = 0.01;
const coarsestShare = 0.4;
/** No quality is finer than this, dB. */
const finestPsnr = 50;
/** Rows for each cluster at least. */
const leastClusterRows = 250;
/** Qualities of a model trained for compression to either side of the λ it was trained at, where it is at its best. */
const aroundTrained = 4;
const ln2 = Math.LN2;

/** Empty of qualities when the codes say nothing: the decoder ignores them, or they never move. */
export async function fitLadder(options: LadderOptions): Promise<Ladder> {
  const { coder, fitRows, measureRows, rowSize, codeShape, span, quantiser, clusters = 0 } = options;
  const codes = await coder.encode(fitRows);
  const measured = await coder.encode(measureRows);
  const units = codes.length / (fitRows.length / rowSize);
  const variances = variancesOf(codes, units);
  const sensitivity = await sensitivityOf(coder, codes, variances, rowSize);
  const order = importanceOrder(codes, units, sensitivity);
  const ownError = meanSquaredError(await coder.decode(measured), measureRows) * rowSize;
  const energies = variances.map((variance, j) => variance * (sensitivity[j] as number));
  const qualities: Quality[] = [];
  const lambdas: number[] = [];
  const cluster = clusterer(codes, measured, Math.min(clusters, Math.floor(codes.length / units / leastClusterRows)));
  const all = quantiser ? pricesAround(quantiser.lambda) : prices(energies, ownError, rowSize * span * span);
  for (const lambda of all) {
    const steps = quantiser && stepsAt(quantiser, lambda);
    const plain: Quality = { units: fitUnits({ codes, units, sensitivity, lambda, steps }), bytesPerRow: 0, psnr: 0 };
    const fitted = cluster(plain);
    const decoded = await coder.decode(dequantise(fitted, quantise(fitted, measured)));
    const psnr = Math.min(99, 10 * Math.log10(span ** 2 / meanSquaredError(decoded, measureRows)));
    const bytes = bytesPerRow(fitted, measured);
    const last = qualities.at(-1);
    const worthwhile = bytes >= 1 / 8 && (!last || (bytes > last.bytesPerRow && psnr > last.psnr));
    if (!worthwhile) continue;
    qualities.push({ ...fitted, bytesPerRow: Math.fround(bytes), psnr: Math.fround(psnr) });
    lambdas.push(lambda);
  }
  return { body: { codeShape, order, qualities }, lambdas };
}

/**
 * λ from coarse to fine, geometric. At high rate n units of a uniform quantiser have the error n·λ / (2 ln 2), so λ follows from
 * the error that a quality may add (Gish & Pierce 1968).
 */
function prices(energies: readonly number[], ownError: number, peak: number): number[] {
  const energy = energies.reduce((a, b) => a + b, 0);
  const floor = peak * 10 ** (-finestPsnr / 10);
  const finest = Math.min(Math.max(finestShare * ownError, floor), finestEnergyShare * energy);
  const coarsest = coarsestShare * energy;
  const lambdaAt = (error: number): number => {
    const active = energies.filter((e) => e > error / energies.length).length;
    return (2 * ln2 * error) / Math.max(1, active);
  };
  const [low, high] = [lambdaAt(finest), lambdaAt(coarsest)];
  const count = energies.length > 256 ? 4 : 8;
  return Array.from({ length: count }, (_, i) => high * (low / high) ** (i / (count - 1)));
}

/** λ from coarse to fine, each half as much as the one before the last: steps of about 0.7 dB. */
const pricesAround = (lambda: number): number[] =>
  Array.from({ length: 2 * aroundTrained + 1 }, (_, i) => lambda * 2 ** ((aroundTrained - i) / 2));

/** Δ grows with √λ, as it does at high rate. */
const stepsAt = ({ steps, lambda: trained }: TrainedQuantiser, lambda: number): Float32Array =>
  Float32Array.from(steps, (step) => step * Math.sqrt(lambda / trained));

/** Adds clusters to qualities of the same codes, where they save bytes on rows that they were not fitted on. */
function clusterer(codes: Float32Array, measured: Float32Array, count: number): (quality: Quality) => Quality {
  let members: Uint16Array | undefined;
  return (quality) => {
    if (count < 2) return quality;
    const found = fitClusters({ quality, symbols: quantise(quality, codes), count, members });
    members = found.members;
    const clustered = { ...quality, clusters: found.clusters };
    return bytesPerRow(clustered, measured) < bytesPerRow(quality, measured) ? clustered : quality;
  };
}

/** s_j: mean squared change of the output per squared change of unit j, by central steps of a fifth of its deviation. */
async function sensitivityOf(
  coder: Coder,
  codes: Float32Array,
  variances: readonly number[],
  rowSize: number,
): Promise<Float64Array> {
  const units = variances.length;
  const rows = Math.max(2, Math.min(32, codes.length / units, Math.floor(sensitivityRows / (2 * units))));
  const spacing = Math.max(1, Math.floor(codes.length / units / rows));
  const sensitivity = new Float64Array(units);
  for (let i = 0; i < rows; i++) {
    const from = (i * spacing * units) % codes.length;
    const code = codes.subarray(from, from + units);
    const tried = new Float32Array(2 * units * units);
    for (let j = 0; j < 2 * units; j++) {
      tried.set(code, j * units);
      const unit = j >> 1;
      const at = j * units + unit;
      tried[at] = (tried[at] as number) + (j % 2 === 0 ? 1 : -1) * stepOf(variances[unit] as number);
    }
    const decoded = await coder.decode(tried);
    for (let j = 0; j < units; j++) {
      const step = stepOf(variances[j] as number);
      if (step === 0) continue;
      let change = 0;
      for (let k = 0; k < rowSize; k++) {
        const up = decoded[2 * j * rowSize + k] as number;
        change += (up - (decoded[(2 * j + 1) * rowSize + k] as number)) ** 2;
      }
      sensitivity[j] = (sensitivity[j] as number) + change / (2 * step) ** 2 / rows;
    }
  }
  return sensitivity;
}

const stepOf = (variance: number): number => 0.2 * Math.sqrt(variance);

function variancesOf(codes: Float32Array, units: number): number[] {
  const rows = codes.length / units;
  return Array.from({ length: units }, (_, j) => {
    let sum = 0;
    for (let i = j; i < codes.length; i += units) sum += codes[i] as number;
    let squares = 0;
    for (let i = j; i < codes.length; i += units) squares += ((codes[i] as number) - sum / rows) ** 2;
    return squares / rows;
  });
}

/** Of the values that are there: gaps of series are NaN. */
export function meanSquaredError(decoded: Float32Array, rows: Float32Array): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < rows.length; i++) {
    const value = rows[i] as number;
    if (Number.isNaN(value)) continue;
    sum += ((decoded[i] as number) - value) ** 2;
    count++;
  }
  return sum / count;
}
