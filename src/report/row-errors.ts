/** The error of each test row: which rows come back best and worst, and how classes differ. */

import type { Static } from 'typebox';
import type { ClassScore } from '../figures/report.ts';

/** An error of exactly 0 has no PSNR; this is what it counts as. */
const bestPsnr = 100;

export class RowErrors {
  readonly #rowSize: number;
  readonly #peak: number;
  readonly #errors: number[] = [];

  constructor(rowSize: number, [low, high]: readonly [number, number]) {
    this.#rowSize = rowSize;
    this.#peak = high > low ? high - low : 1;
  }

  /** Mean squared errors of rows, in order. */
  add(targets: Float32Array, answers: Float32Array): void {
    for (let start = 0; start < targets.length; start += this.#rowSize) {
      let squared = 0;
      for (let i = start; i < start + this.#rowSize; i++) squared += (targets[i]! - answers[i]!) ** 2;
      this.#errors.push(squared / this.#rowSize);
    }
  }

  get length(): number {
    return this.#errors.length;
  }

  /** Row numbers: some with the least error, some around the median, some with the largest, each from better to worse. */
  extremes(each: number): readonly number[] {
    const order = this.#errors.map((_, row) => row).sort((a, b) => this.#errors[a]! - this.#errors[b]! || a - b);
    if (order.length < 3 * each) return [];
    const middle = Math.floor((order.length - each) / 2);
    return [...order.slice(0, each), ...order.slice(middle, middle + each), ...order.slice(-each)];
  }

  /** Classes without a row are left out. */
  byClass(labels: ArrayLike<number>, names: readonly string[]): Static<typeof ClassScore>[] {
    const sums = new Map<number, { rows: number; psnr: number }>();
    for (const [row, error] of this.#errors.entries()) {
      const one = labels[row] ?? 0;
      const sum = sums.get(one) ?? { rows: 0, psnr: 0 };
      sum.rows++;
      sum.psnr += Math.min(bestPsnr, 10 * Math.log10(this.#peak ** 2 / error));
      sums.set(one, sum);
    }
    return [...sums]
      .sort(([a], [b]) => a - b)
      .map(([one, { rows, psnr }]) => ({ name: names[one] ?? String(one), rows, psnr: psnr / rows }));
  }
}
