/**
 * Which rows are held out for testing: one of every 1/fraction consecutive rows, drawn by the seed. So the share is exact
 * whatever the number of rows, rows sorted by class are held out evenly, and a stream can be split in one pass.
 */

import { RandomStream } from '../base/random.ts';
import type { SplitName } from './dataset.ts';

export class HoldOut {
  readonly #fraction: number;
  readonly #random: RandomStream;
  #group = -1;
  #end = 0;
  #chosen = -1;

  /** `fraction` from 0 (none) to 1 (all) */
  constructor(seed: number, fraction: number) {
    this.#fraction = fraction;
    this.#random = new RandomStream(seed, 'split');
  }

  /** Ask for rows in order; the same row may be asked for again, an earlier one not. */
  split(row: number): SplitName {
    if (this.#fraction === 0) return 'train';
    while (row >= this.#end) {
      this.#group++;
      const start = this.#end;
      this.#end = Math.round((this.#group + 1) / this.#fraction);
      this.#chosen = start + this.#random.below(this.#end - start);
    }
    return row === this.#chosen ? 'test' : 'train';
  }
}
