/** What an objective measures on rows that were not trained on: a forward pass, averaged over all of them. */

import { type NdArrays, sizeOf } from '../base/ndarray.ts';
import type { Dataset, SplitName } from '../data/dataset.ts';
import type { Engine, Executable } from '../engine/engine.ts';
import type { Phase } from '../models/objective.ts';
import { countOf } from '../models/parameters.ts';
import { Feeder, type RowRange } from './feeder.ts';
import { feedSpecs, heldOutProgram } from './step.ts';

/** Most steps per call of the engine, and the bytes of feeds and multiply-adds that a chunk may take. */
const maxChunk = 16;
const chunkBytes = 32 << 20;
const chunkCost = 5e9;

/** Multiply-adds of one training step, about: forward, and backward for inputs and parameters. */
export const stepCost = ({ cost, trainable, frozen }: Phase, batch: number): number =>
  3 * batch * (cost ?? countOf(trainable) + countOf(frozen));

/** Steps per chunk. Follows from the job alone, never from the clock. */
export function chunkSize(phase: Phase, batch: number, row: readonly number[]): number {
  const specs = Object.values(feedSpecs(phase, { batch, row }));
  const bytes = specs.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
  const most = Math.min(maxChunk, chunkBytes / bytes, chunkCost / stepCost(phase, batch));
  return Math.max(1, Math.floor(most));
}

export interface EvaluationOptions {
  readonly engine: Engine;
  readonly dataset: Dataset;
  readonly split: SplitName;
  readonly range: RowRange;
  readonly batch: number;
  readonly seed: number;
  /** called between chunks; a throw ends the evaluation */
  readonly tick?: (() => void) | undefined;
}

export class Evaluation {
  readonly #phase: Phase;
  readonly #executable: Executable;
  readonly #feeder: Feeder;
  readonly #rows: number;
  readonly #tick: (() => void) | undefined;

  private constructor(phase: Phase, executable: Executable, feeder: Feeder, { range, tick }: EvaluationOptions) {
    this.#phase = phase;
    this.#executable = executable;
    this.#feeder = feeder;
    this.#rows = range.end - range.start;
    this.#tick = tick;
  }

  static async compile(phase: Phase, options: EvaluationOptions): Promise<Evaluation> {
    const { engine, dataset, split, range, batch, seed } = options;
    const row = dataset.info.shape;
    const labels = await dataset.split(split).labels();
    const feeder = new Feeder({
      stream: `${phase.name}/${split}/evaluate`,
      seed,
      feeds: phase.objective.feeds,
      specs: feedSpecs(phase, { batch, row }),
      split: dataset.split(split),
      ...(labels && { labels }),
      range,
      batch,
      chunk: chunkSize(phase, batch, row),
      shuffle: false,
    });
    const executable = await engine.compile(heldOutProgram(phase, { batch, row }));
    return new Evaluation(phase, executable, feeder, options);
  }

  /** Means over the rows, with the same noise every time. */
  async measure(weights: NdArrays): Promise<Record<string, number>> {
    const { frozen, statistics, trainable } = this.#phase;
    await this.#executable.setConstants(pick(weights, { ...frozen, ...statistics, ...trainable }));
    const sums: Record<string, number> = {};
    let left = this.#rows;
    for (let chunk = 0; chunk < this.#feeder.chunks; chunk++) {
      this.#tick?.();
      const outputs = await this.#executable.run(await this.#feeder.chunk(0, chunk));
      let values = 0;
      for (const [name, { data }] of Object.entries(outputs)) {
        // the last batch was filled up: its surplus does not count
        for (const value of data.subarray(0, left)) sums[name] = (sums[name] ?? 0) + value;
        values = data.length;
      }
      left -= values;
    }
    return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / this.#rows]));
  }

  dispose(): Promise<void> {
    return this.#executable.dispose();
  }
}

export const pick = (arrays: NdArrays, names: object): NdArrays =>
  Object.fromEntries(Object.keys(names).map((name) => [name, arrays[name] as NdArrays[string]]));
