/** The published files of a model of series, asked for whole blocks of rows; and what stands beside them. */

import { float32 } from '../base/ndarray.ts';
import type { Split } from '../data/dataset.ts';
import { Session } from '../runtime/session.ts';

/** Rows of one shape, NaN where nothing was observed. */
export interface SeriesRows {
  readonly count: number;
  readonly values: Float32Array;
}

export async function readSeries(split: Split, start = 0, end = split.length): Promise<SeriesRows> {
  const values = new Float32Array((end - start) * split.rowSize);
  await split.readRange(start, end, values);
  return { count: end - start, values };
}

export interface SeriesFiles {
  readonly encoder: Uint8Array;
  readonly decoder: Uint8Array;
  readonly steps: number;
  readonly channels: number;
  readonly threads: number;
}

const batch = 256;

export class SeriesModel {
  readonly #encoder: Session;
  readonly #decoder: Session;
  readonly #shape: readonly [steps: number, channels: number];

  constructor({ encoder, decoder, steps, channels, threads }: SeriesFiles) {
    this.#encoder = Session.create(encoder, { threads });
    this.#decoder = Session.create(decoder, { threads });
    this.#shape = [steps, channels];
  }

  /** Whole rows, as far as the model goes. `tick` is called between batches; a throw ends it. */
  async reconstruct({ count, values }: SeriesRows, tick: () => void): Promise<Float32Array> {
    const [steps, channels] = this.#shape;
    const size = steps * channels;
    const out = new Float32Array(values.length);
    for (let start = 0; start < count; start += batch) {
      await new Promise(setImmediate);
      tick();
      const end = Math.min(count, start + batch);
      const x = float32([end - start, steps, channels], values.slice(start * size, end * size));
      const { z } = this.#encoder.runSync({ x });
      if (!z) throw new Error('an encoder gives codes');
      out.set(this.#decoder.runSync({ z }).x?.data as Float32Array, start * size);
    }
    return out;
  }

  dispose(): void {
    this.#encoder.dispose();
    this.#decoder.dispose();
  }
}

/** Time steps up to the last observed value of each row. */
export function lengthsOf({ count, values }: SeriesRows, steps: number, channels: number): Uint32Array {
  const size = steps * channels;
  return Uint32Array.from({ length: count }, (_, row) => {
    const last = values.subarray(row * size, (row + 1) * size).findLastIndex((value) => !Number.isNaN(value));
    return Math.floor(last / channels) + 1;
  });
}

/** Mean over the rows of each place of a row; where nothing was observed the mean of its channel. */
export function meanRow({ count, values }: SeriesRows, means: readonly number[]): Float32Array {
  const size = values.length / Math.max(1, count);
  const mean = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let [sum, seen] = [0, 0];
    for (let at = i; at < values.length; at += size) {
      const value = values[at] as number;
      if (Number.isNaN(value)) continue;
      sum += value;
      seen++;
    }
    mean[i] = seen > 0 ? sum / seen : (means[i % means.length] as number);
  }
  return mean;
}

/** Rows with something in place of what was not observed. */
export const fillRows = ({ values }: SeriesRows, filling: Float32Array): Float32Array =>
  values.map((value, i) => (Number.isNaN(value) ? (filling[i % filling.length] as number) : value));

/**
 * Time steps after which series resemble themselves: where the mean autocorrelation of their first channel has its highest peak.
 * 0 where there is none above 0.3.
 */
export function seasonOf({ count, values }: SeriesRows, steps: number, channels: number): number {
  const rows = Math.min(count, 200);
  const size = steps * channels;
  const correlation = Array.from({ length: Math.floor(steps / 2) + 1 }, (_, lag) => {
    let [product, power] = [0, 0];
    for (let row = 0; row < rows; row++) {
      for (let t = 0; t + lag < steps; t++) {
        const [a, b] = [t, t + lag].map((step) => values[row * size + step * channels] as number) as [number, number];
        if (Number.isNaN(a) || Number.isNaN(b)) continue;
        product += a * b;
        power += (a * a + b * b) / 2;
      }
    }
    return power > 0 ? product / power : 0;
  });
  let [season, best] = [0, 0.3];
  for (let lag = 2; lag + 1 < correlation.length; lag++) {
    const value = correlation[lag] as number;
    const isPeak = value > (correlation[lag - 1] as number) && value >= (correlation[lag + 1] as number);
    if (isPeak && value > best) [season, best] = [lag, value];
  }
  return season;
}

const shorter = (value: number): number => Number(value.toPrecision(4));

/** What a report shows of a series and of what the model makes of it. */
export function firstChannel(
  values: Float32Array,
  answers: Float32Array,
  row: number,
  steps: number,
  channels: number,
): { values: (number | null)[]; model: number[] } {
  const at = (step: number): number => (row * steps + step) * channels;
  const numbers = Array.from({ length: steps }, (_, step) => step);
  return {
    values: numbers.map((step) => {
      const value = values[at(step)] as number;
      return Number.isNaN(value) ? null : shorter(value);
    }),
    model: numbers.map((step) => shorter(answers[at(step)] as number)),
  };
}
