/** What the model and PCA answer to the same inputs, scored against the same clean rows. */

import type { Scores } from '../figures/report.ts';
import type { Gemm } from './gemm.ts';
import { type PrincipalComponents, reconstructByPca } from './pca.ts';
import type { Reconstruction } from './reconstruction.ts';
import { ScoreKeeper } from './scores.ts';

export interface Baseline {
  readonly pca: PrincipalComponents;
  readonly components: number;
  readonly gemm: Gemm;
}

export interface Answered {
  readonly model: Float32Array;
  /** unclipped */
  readonly pca?: Float32Array;
}

export class Answers {
  readonly #rowSize: number;
  readonly #range: readonly [number, number];
  readonly #reconstruction: Reconstruction;
  readonly #baseline: Baseline | undefined;
  readonly #model: ScoreKeeper;
  readonly #pca: ScoreKeeper;
  readonly #pcaClipped: ScoreKeeper;

  constructor(
    rowSize: number,
    range: readonly [number, number],
    reconstruction: Reconstruction,
    baseline: Baseline | undefined,
  ) {
    this.#rowSize = rowSize;
    this.#range = range;
    this.#reconstruction = reconstruction;
    this.#baseline = baseline;
    this.#model = new ScoreKeeper(rowSize, range, true);
    this.#pca = new ScoreKeeper(rowSize, range, false);
    this.#pcaClipped = new ScoreKeeper(rowSize, range, true);
  }

  async add(inputs: Float32Array, targets: Float32Array): Promise<Answered> {
    const model = await this.#reconstruction.reconstruct(inputs, inputs.length / this.#rowSize);
    this.#model.add(targets, model);
    if (!this.#baseline) return { model };
    const [low, high] = this.#range;
    const pca = reconstructByPca(this.#baseline.pca, this.#baseline.components, inputs, this.#baseline.gemm);
    this.#pca.add(targets, pca);
    const clipped = new Float32Array(pca.length);
    for (let i = 0; i < pca.length; i++) clipped[i] = Math.min(Math.max(pca[i] as number, low), high);
    this.#pcaClipped.add(targets, clipped);
    return { model, pca };
  }

  scores(): { model: Scores; pca?: Scores; pcaClipped?: Scores } {
    const model = this.#model.result();
    return this.#baseline ? { model, pca: this.#pca.result(), pcaClipped: this.#pcaClipped.result() } : { model };
  }
}
