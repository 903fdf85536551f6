/**
 * Produces what each step is fed: rows in a seeded order, labels, noise. Everything follows from (seed, phase, epoch, chunk)
 * alone, so a chunk can be made again after a crash, and ahead of time, without any state to carry along.
 */

import { type NdArray, type NdArrays, sizeOf, type TensorSpec } from '../base/ndarray.ts';
import { RandomStream } from '../base/random.ts';
import type { Split } from '../data/dataset.ts';
import type { Distribution, Feed } from '../models/objective.ts';

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
}

export class Feeder {
  readonly steps: number;
  readonly chunks: number;
  readonly #options: FeederOptions;
  #order: Uint32Array = new Uint32Array(0);
  #orderEpoch = -1;

  constructor(options: FeederOptions) {
    const rows = options.range.end - options.range.start;
    this.#options = options;
    this.steps = options.shuffle ? Math.floor(rows / options.batch) : Math.ceil(rows / options.batch);
    this.chunks = Math.ceil(this.steps / options.chunk);
  }

  stepsIn(chunk: number): number {
    return Math.min(this.#options.chunk, this.steps - chunk * this.#options.chunk);
  }

  /** The feeds of all steps of a chunk, each with a leading axis of `stepsIn(chunk)`. */
  async chunk(epoch: number, chunk: number): Promise<NdArrays> {
    const { feeds, specs, stream, seed } = this.#options;
    const steps = this.stepsIn(chunk);
    const rows = this.#rowsOf(epoch, chunk);
    const made: Record<string, NdArray> = {};
    for (const [name, feed] of Object.entries(feeds)) {
      const spec = specs[name] as TensorSpec;
      const shape = [steps, ...spec.shape];
      switch (feed.from) {
        case 'rows': {
          const data = new Float32Array(sizeOf(shape));
          await this.#options.split.readRows(rows, data);
          made[name] = { dtype: 'float32', shape, data };
          break;
        }
        case 'labels': {
          const { labels } = this.#options;
          if (!labels) throw new Error('a phase needs labels, but the data set has none');
          made[name] = { dtype: 'int32', shape, data: Int32Array.from(rows, (row) => labels[row] as number) };
          break;
        }
        case 'noise': {
          const random = new RandomStream(seed, `noise/${stream}/${name}/${epoch}/${chunk}`);
          made[name] = { dtype: 'float32', shape, data: draw(random, feed.distribution, sizeOf(shape)) };
          break;
        }
        default:
          feed satisfies never;
      }
    }
    return made;
  }

  #rowsOf(epoch: number, chunk: number): Uint32Array {
    const { range, batch, chunk: perChunk, shuffle, seed, stream } = this.#options;
    const count = range.end - range.start;
    const first = chunk * perChunk * batch;
    const rows = new Uint32Array(this.stepsIn(chunk) * batch);
    if (!shuffle) return rows.map((_, i) => range.start + ((first + i) % count));
    if (this.#orderEpoch !== epoch) {
      this.#order = new RandomStream(seed, `order/${stream}/${epoch}`).permutation(count);
      this.#orderEpoch = epoch;
    }
    return rows.map((_, i) => range.start + (this.#order[first + i] as number));
  }
}

function draw(random: RandomStream, distribution: Distribution, size: number): Float32Array {
  const values = new Float32Array(size);
  switch (distribution.type) {
    case 'uniform':
      return random.uniform(values);
    case 'normal':
      return random.normal(values);
    case 'bernoulli':
      return random.bernoulli(values, distribution.probability);
    default:
      return distribution satisfies never;
  }
}
