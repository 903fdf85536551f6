/**
 * Rows of a split in a new order each epoch, a pure function of (seed, stream, epoch) and the data set: any position can be
 * asked for at any time, so training resumes exactly. A small set has one permutation. A large one is shuffled in two levels,
 * which needs memory for two windows only:
 *
 *   file     │ block 0 │ block 1 │ block 2 │ …           consecutive rows, read at once
 *   window 0 │ block 7 │ block 2 │ block 9 │             blocks in random order, then all rows of a window
 *   window 1 │ block 0 │ block 4 │ …                     in random order; the next one is read ahead
 */

import { RandomStream } from '../base/random.ts';
import { type Split, smallSplitBytes } from './dataset.ts';

/** An order of the rows of an epoch, counted from the first: all that it needs of chance comes from `random`. */
export type RowOrder = (random: RandomStream) => Uint32Array;

export interface ShuffledRowsOptions {
  readonly split: Split;
  readonly seed: number;
  /** tells apart orders of the same seed */
  readonly stream: string;
  /** rows [start, end) of the split; default all */
  readonly start?: number;
  readonly end?: number;
  /** default: a permutation; of sets that are small */
  readonly order?: RowOrder | undefined;
  /**
   * Sizes of the two-level shuffle, for tests. They belong to the order: by default they follow from the data set alone, never
   * from a machine's memory, so that every machine trains the same.
   */
  readonly windowed?: { readonly blockRows: number; readonly windowBlocks: number };
}

const blockBytes = 2 ** 18;
const windowBytes = 64 * 2 ** 20;

interface Window {
  /** position in the epoch of its first row */
  readonly first: number;
  readonly order: Uint32Array;
  /** of each position: the row's number in the split */
  readonly rows: Uint32Array;
  readonly values: Float32Array;
}

export class ShuffledRows {
  readonly length: number;
  readonly #options: ShuffledRowsOptions;
  readonly #start: number;
  readonly #blockRows: number;
  readonly #windowBlocks: number;
  readonly #windowed: boolean;
  #permutation: { readonly epoch: number; readonly rows: Uint32Array } | undefined;
  #plan: { readonly epoch: number; readonly blocks: Uint32Array; readonly firsts: number[] } | undefined;
  /** at most two, by `epoch/window` */
  readonly #windows = new Map<string, Promise<Window>>();

  constructor(options: ShuffledRowsOptions) {
    const { split, start = 0, end = split.length, windowed } = options;
    this.#options = options;
    this.#start = start;
    this.length = end - start;
    this.#windowed = windowed !== undefined || (!options.order && split.storedBytes > smallSplitBytes);
    const rowBytes = 4 * split.rowSize;
    this.#blockRows = windowed?.blockRows ?? Math.max(1, Math.floor(blockBytes / rowBytes));
    this.#windowBlocks = windowed?.windowBlocks ?? Math.max(2, Math.floor(windowBytes / (rowBytes * this.#blockRows)));
  }

  /**
   * Copies the rows at positions [first, first + count) of the epoch's order to `out` and returns their numbers in the split.
   * Not re-entrant: await each call before the next.
   */
  async read(epoch: number, first: number, count: number, out: Float32Array): Promise<Uint32Array> {
    if (first < 0 || first + count > this.length) {
      throw new RangeError(`Positions ${first} to ${first + count} are beyond the ${this.length} rows of an epoch.`);
    }
    if (this.#windowed) return this.#readWindows(epoch, first, count, out);
    const rows = this.#permute(epoch).slice(first, first + count);
    await this.#options.split.readRows(rows, out);
    return rows;
  }

  #random(name: string): RandomStream {
    return new RandomStream(this.#options.seed, `order/${this.#options.stream}/${name}`);
  }

  #permute(epoch: number): Uint32Array {
    if (this.#permutation?.epoch !== epoch) {
      const random = this.#random(`${epoch}`);
      const rows = this.#options.order?.(random) ?? random.permutation(this.length);
      if (this.#start > 0) for (let i = 0; i < rows.length; i++) rows[i]! += this.#start;
      this.#permutation = { epoch, rows };
    }
    return this.#permutation.rows;
  }

  async #readWindows(epoch: number, first: number, count: number, out: Float32Array): Promise<Uint32Array> {
    const { rowSize } = this.#options.split;
    const numbers = new Uint32Array(count);
    for (let done = 0; done < count; ) {
      const at = this.#windowAt(epoch, first + done);
      const window = await this.#window(epoch, at);
      const from = first + done - window.first;
      const taken = Math.min(count - done, window.order.length - from);
      for (let i = 0; i < taken; i++) {
        const place = window.order[from + i]!;
        numbers[done + i] = window.rows[place]!;
        out.set(window.values.subarray(place * rowSize, (place + 1) * rowSize), (done + i) * rowSize);
      }
      done += taken;
      this.#readAhead(epoch, at + 1);
    }
    return numbers;
  }

  /** Where each window of an epoch begins: all are of one size but for the one that has the last, shorter block. */
  #planOf(epoch: number): { readonly blocks: Uint32Array; readonly firsts: number[] } {
    if (this.#plan?.epoch === epoch) return this.#plan;
    const blocks = this.#random(`${epoch}/blocks`).permutation(Math.ceil(this.length / this.#blockRows));
    const firsts = [0];
    for (let at = 0; at < blocks.length; at += this.#windowBlocks) {
      const rows = blocks.subarray(at, at + this.#windowBlocks).reduce((sum, block) => sum + this.#rowsOf(block), 0);
      firsts.push(firsts[firsts.length - 1]! + rows);
    }
    this.#plan = { epoch, blocks, firsts };
    return this.#plan;
  }

  #rowsOf(block: number): number {
    return Math.min(this.#blockRows, this.length - block * this.#blockRows);
  }

  #windowAt(epoch: number, position: number): number {
    const { firsts } = this.#planOf(epoch);
    let at = Math.min(Math.floor(position / (this.#blockRows * this.#windowBlocks)), firsts.length - 2);
    while (at + 2 < firsts.length && position >= firsts[at + 1]!) at++;
    return at;
  }

  #window(epoch: number, at: number): Promise<Window> {
    const key = `${epoch}/${at}`;
    let window = this.#windows.get(key);
    if (!window) {
      for (const old of [...this.#windows.keys()].slice(0, -1)) this.#windows.delete(old);
      window = this.#load(epoch, at);
      this.#windows.set(key, window);
      // a failed read is tried again; who asked for it gets the error
      window.catch(() => this.#windows.delete(key));
    }
    return window;
  }

  #readAhead(epoch: number, at: number): void {
    if (at + 1 < this.#planOf(epoch).firsts.length) this.#window(epoch, at).catch(() => {});
  }

  async #load(epoch: number, at: number): Promise<Window> {
    const { split } = this.#options;
    const { blocks, firsts } = this.#planOf(epoch);
    const size = firsts[at + 1]! - firsts[at]!;
    const rows = new Uint32Array(size);
    const values = new Float32Array(size * split.rowSize);
    let filled = 0;
    const reads = Array.from(blocks.slice(at * this.#windowBlocks, (at + 1) * this.#windowBlocks).sort(), (block) => {
      const start = this.#start + block * this.#blockRows;
      const read = { start, count: this.#rowsOf(block), place: filled };
      filled += read.count;
      return read;
    });
    // All are asked for at once: the thread that trains looks at what has arrived only between its steps.
    const arriving = reads.map(async ({ start, count, place }) => {
      await split.readRange(start, start + count, values.subarray(place * split.rowSize));
      for (let i = 0; i < count; i++) rows[place + i] = start + i;
    });
    await Promise.all(arriving);
    return { first: firsts[at]!, order: this.#random(`${epoch}/${at}`).permutation(size), rows, values };
  }
}
