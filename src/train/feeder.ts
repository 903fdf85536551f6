/**
 * Produces what each step is fed: rows in a seeded order, labels, noise. Everything follows from (seed, phase, epoch, chunk)
 * alone, so a chunk can be made again after a crash, and ahead of time, without any state to carry along.
 */

import { float32, type NdArray, type NdArrays, sizeOf, type TensorSpec } from '../base/ndarray.ts';
import { RandomStream } from '../base/random.ts';
import { drawHoles } from '../data/corruption.ts';
import type { Split } from '../data/dataset.ts';
import { type RowOrder, ShuffledRows } from '../data/shuffled-rows.ts';
import type { Feed, NoiseFeed } from '../models/objective.ts';

/** Rows [start, end) of a split. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

export interface FeederOptions {
  /** tells apart the random streams of different phases and uses */
  readonly stream: string;
  readonly seed: number;
  readonly feeds: Readonly<Record<string, Feed>>;
  /** of one step, by feed */
  readonly specs: Readonly<Record<string, TensorSpec>>;
  readonly split: Split;
  readonly labels?: Uint8Array | Int32Array;
  readonly range: RowRange;
  readonly batch: number;
  /** steps per chunk; an epoch's last chunk may be shorter */
  readonly chunk: number;
  /** training: a new order each epoch, an incomplete last batch is left out. Evaluation: in order, the last batch filled up */
  readonly shuffle: boolean;
  /** of training, where it is not by chance alone */
  readonly order?: RowOrder | undefined;
}

export class Feeder {
  readonly steps: number;
  readonly chunks: number;
  readonly #options: FeederOptions;
  readonly #shuffled: ShuffledRows;

  constructor(options: FeederOptions) {
    const { split, seed, stream, range, shuffle, batch, chunk, order } = options;
    const rows = range.end - range.start;
    this.#options = options;
    this.#shuffled = new ShuffledRows({ split, seed, stream, ...range, order });
    this.steps = shuffle ? Math.floor(rows / batch) : Math.ceil(rows / batch);
    this.chunks = Math.ceil(this.steps / chunk);
  }

  stepsIn(chunk: number): number {
    return Math.min(this.#options.chunk, this.steps - chunk * this.#options.chunk);
  }

  /**
   * The feeds of all steps of a chunk, each with a leading axis of `stepsIn(chunk)`. Not re-entrant: await each call before
   * the next.
   */
  async chunk(epoch: number, chunk: number): Promise<NdArrays> {
    const { feeds, specs, stream, seed, labels } = this.#options;
    const steps = this.stepsIn(chunk);
    const { numbers, values } = await this.#read(epoch, chunk);
    const made: Record<string, NdArray> = {};
    for (const [name, feed] of Object.entries(feeds)) {
      const shape = [steps, ...(specs[name] as TensorSpec).shape];
      switch (feed.from) {
        case 'rows':
          made[name] = float32(shape, values);
          break;
        case 'labels':
          if (!labels) throw new Error('a phase needs labels, but the data set has none');
          made[name] = { dtype: 'int32', shape, data: Int32Array.from(numbers, (row) => labels[row] as number) };
          break;
        case 'noise': {
          const random = new RandomStream(seed, `noise/${stream}/${name}/${epoch}/${chunk}`);
          made[name] = float32(shape, draw(random, feed, sizeOf(shape)));
          break;
        }
        default:
          feed satisfies never;
      }
    }
    return made;
  }

  /** Numbers and values of a chunk's rows. */
  async #read(epoch: number, chunk: number): Promise<{ numbers: Uint32Array; values: Float32Array }> {
    const { range, split, batch, chunk: perChunk, shuffle } = this.#options;
    const count = this.stepsIn(chunk) * batch;
    const first = chunk * perChunk * batch;
    const values = new Float32Array(count * split.rowSize);
    if (shuffle) return { numbers: await this.#shuffled.read(epoch, first, count, values), values };
    const rows = range.end - range.start;
    const numbers = new Uint32Array(count).map((_, i) => range.start + ((first + i) % rows));
    await split.readRows(numbers, values);
    return { numbers, values };
  }
}

function draw(random: RandomStream, { distribution, shape }: NoiseFeed, size: number): Float32Array {
  const values = new Float32Array(size);
  switch (distribution.type) {
    case 'uniform':
      return random.uniform(values);
    case 'normal':
      return random.normal(values);
    case 'bernoulli':
      return random.bernoulli(values, distribution.probability);
    case 'hole':
      return drawHoles(random, values, shape, distribution.size);
    default:
      return distribution satisfies never;
  }
}
