/**
 * How near answers are to the rows they should equal. Each figure says what it averages, because the literature does not agree:
 *
 *   SSE   Σ over the values of a row, mean over rows (Hinton & Salakhutdinov's "squared error")
 *   MSE   SSE / values of a row
 *   PSNR  10·log₁₀(peak² / MSE) in dB, as the mean over rows of each row's PSNR, and once of the mean MSE (always lower)
 *   BCE   −x·ln x̂ − (1 − x)·ln(1 − x̂), mean over values, in nats; x̂ is kept 1e-7 away from 0 and 1
 */

import type { Scores } from '../figures/report.ts';

/** An error of exactly 0 has no PSNR; this is what it counts as. */
const bestPsnr = 100;
const bceMargin = 1e-7;

/** Adds up rows as they come. */
export class ScoreKeeper {
  readonly #rowSize: number;
  readonly #peak: number;
  readonly #withBce: boolean;
  #rows = 0;
  #squared = 0;
  #psnr = 0;
  #crossEntropy = 0;

  /**
   * `range` is the data's; its width is the peak of PSNR. `withBce`: the answers are meant as probabilities, so that there is a
   * cross-entropy where the data is in [0, 1].
   */
  constructor(rowSize: number, [low, high]: readonly [number, number], withBce: boolean) {
    this.#rowSize = rowSize;
    this.#peak = high > low ? high - low : 1;
    this.#withBce = withBce && low >= 0 && high <= 1;
  }

  /** Both hold the same whole number of rows. */
  add(targets: Float32Array, answers: Float32Array): void {
    if (answers.length !== targets.length) {
      throw new RangeError(`${answers.length} values were answered for ${targets.length}`);
    }
    for (let start = 0; start < targets.length; start += this.#rowSize) {
      let squared = 0;
      for (let i = start; i < start + this.#rowSize; i++) {
        const error = targets[i]! - answers[i]!;
        squared += error * error;
      }
      this.#squared += squared;
      this.#psnr += this.#psnrOf(squared / this.#rowSize);
      this.#rows++;
    }
    if (this.#withBce) this.#crossEntropy += crossEntropy(targets, answers);
  }

  result(): Scores {
    const sse = this.#squared / this.#rows;
    const mse = sse / this.#rowSize;
    return {
      mse,
      sse,
      psnr: this.#psnr / this.#rows,
      psnrOfMean: this.#psnrOf(mse),
      ...(this.#withBce && { bce: this.#crossEntropy / (this.#rows * this.#rowSize) }),
    };
  }

  #psnrOf(mse: number): number {
    return Math.min(bestPsnr, 10 * Math.log10((this.#peak * this.#peak) / mse));
  }
}

function crossEntropy(targets: Float32Array, answers: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < targets.length; i++) {
    const x = targets[i]!;
    const answer = Math.min(Math.max(answers[i]!, bceMargin), 1 - bceMargin);
    // most pixels are exactly 0 or 1, which need one logarithm
    if (x > 0) sum -= x * Math.log(answer);
    if (x < 1) sum -= (1 - x) * Math.log(1 - answer);
  }
  return sum;
}
