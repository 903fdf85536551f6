/**
 * One phase of a schedule: compile its step, feed it chunk after chunk, look at held-out rows after each epoch. The next
 * chunk is prepared while the current one runs. Chunks never depend on the clock, so that a repeated run is the same run.
 *
 *   epoch ──► chunk 0 │ chunk 1 │ … │ held-out rows ──► checkpoint ──► next epoch
 *               └─ abort? diverged? 15 s since the last checkpoint?
 */

import { HourglassError } from '../base/errors.ts';
import { float32, type NdArrays, zeros } from '../base/ndarray.ts';
import type { Dataset } from '../data/dataset.ts';
import type { RowOrder } from '../data/shuffled-rows.ts';
import type { Engine, Executable } from '../engine/engine.ts';
import type { EarlyStopping } from '../jobspec/training.ts';
import type { Phase } from '../models/objective.ts';
import { type Parameters, specsOf } from '../models/parameters.ts';
import type { Progress } from './checkpoint.ts';
import { chunkSize, Evaluation, pick } from './evaluation.ts';
import { Feeder, type RowRange } from './feeder.ts';
import { type Optimizer, optimizer } from './optimizers.ts';
import { feedSpecs, scalarsFeed, trainingProgram } from './step.ts';

/** What a phase works on, and what it tells. */
export interface PhaseContext {
  readonly engine: Engine;
  readonly dataset: Dataset;
  readonly labels?: Uint8Array | Int32Array;
  readonly seed: number;
  readonly training: RowRange;
  readonly heldOut: RowRange;
  /** of training rows, where it is not by chance alone */
  readonly order?: RowOrder | undefined;
  readonly earlyStopping?: EarlyStopping | undefined;
  /** after each chunk: position and sums are those of the work that comes next */
  afterChunk(state: RunningPhase, chunk: { steps: number; seconds: number; loss: number }): Promise<void>;
  afterEpoch(state: RunningPhase): Promise<void>;
  /** between chunks of an evaluation; a throw ends the phase */
  readonly tick?: () => void;
}

/** Where a phase begins: fresh, or as a checkpoint left it. */
export interface PhaseStart {
  readonly progress: Progress;
  /** all parameters of the plan */
  readonly weights: NdArrays;
  /** empty at the beginning of a phase */
  readonly moments: NdArrays;
  readonly best: NdArrays;
}

/** A phase in the middle of its work, for whoever writes checkpoints. */
export interface RunningPhase {
  readonly progress: Progress;
  /** of this phase */
  readonly stepsDone: number;
  snapshot(): Promise<PhaseStart>;
}

/** Values beyond it diverge at any useful learning rate. */
const largeValue = 1e4;

/** Batches are never larger than the rows there are. */
export const batchOf = (phase: Phase, rows: RowRange): number => Math.min(phase.batchSize, rows.end - rows.start);

/** Trains to the phase's end and answers all weights. Throws `diverged`, and whatever the callbacks throw. */
export async function trainPhase(phase: Phase, context: PhaseContext, start: PhaseStart): Promise<PhaseStart> {
  const running = await PhaseRun.begin(phase, context, start);
  try {
    return await running.run();
  } finally {
    await running.dispose();
  }
}

/** What a phase changes: parameters and statistics. */
const learned = (phase: Phase): Parameters => ({ ...phase.trainable, ...phase.statistics });

interface Compiled {
  readonly train: Executable;
  readonly evaluation: Evaluation | undefined;
  readonly optimizer: Optimizer;
}

class PhaseRun implements RunningPhase {
  progress: Progress;
  readonly #phase: Phase;
  readonly #context: PhaseContext;
  readonly #optimizer: Optimizer;
  readonly #weights: NdArrays;
  readonly #feeder: Feeder;
  readonly #train: Executable;
  readonly #evaluation: Evaluation | undefined;
  readonly #chunkSize: number;
  #best: NdArrays;
  /** a copy of the state, until the next chunk runs */
  #state: Promise<NdArrays> | undefined;

  private constructor(phase: Phase, context: PhaseContext, start: PhaseStart, compiled: Compiled) {
    this.#phase = phase;
    this.#context = context;
    this.#weights = start.weights;
    this.#best = start.best;
    this.progress = start.progress;
    this.#optimizer = compiled.optimizer;
    this.#train = compiled.train;
    this.#evaluation = compiled.evaluation;
    const { seed, dataset, labels, training, order } = context;
    const rows = { batch: batchOf(phase, training), row: dataset.info.shape };
    this.#chunkSize = chunkSize(phase, rows.batch, rows.row);
    this.#feeder = new Feeder({
      stream: phase.name,
      seed,
      feeds: phase.objective.feeds,
      specs: feedSpecs(phase, rows),
      split: dataset.split('train'),
      ...(labels && { labels }),
      range: training,
      batch: rows.batch,
      chunk: this.#chunkSize,
      shuffle: true,
      order,
    });
  }

  static async begin(phase: Phase, context: PhaseContext, start: PhaseStart): Promise<PhaseRun> {
    const { engine, dataset, training, heldOut, seed, tick } = context;
    const batch = batchOf(phase, training);
    const rule = optimizer(phase.optimizer, specsOf(phase.trainable));
    const train = await engine.compile(trainingProgram(phase, { batch, row: dataset.info.shape }, rule));
    const fresh = Object.fromEntries(
      Object.entries(rule.state).map(([name, { dtype, shape }]) => [name, zeros(dtype, shape)]),
    );
    await train.setConstants(pick(start.weights, phase.frozen));
    await train.setState({ ...pick(start.weights, learned(phase)), ...fresh, ...start.moments });
    const evaluation =
      heldOut.end > heldOut.start
        ? await Evaluation.compile(phase, { engine, dataset, split: 'train', range: heldOut, batch, seed, tick })
        : undefined;
    return new PhaseRun(phase, context, start, { train, evaluation, optimizer: rule });
  }

  get stepsDone(): number {
    const { epoch, chunk } = this.progress.position;
    return epoch * this.#feeder.steps + Math.min(chunk * this.#chunkSize, this.#feeder.steps);
  }

  async run(): Promise<PhaseStart> {
    while (this.progress.position.epoch < this.#phase.epochs && !this.#stopsEarly()) {
      await this.#trainEpoch();
      await this.#closeEpoch();
    }
    const { weights } = await this.snapshot();
    return { progress: this.progress, weights: { ...weights, ...this.#best }, moments: {}, best: {} };
  }

  async snapshot(): Promise<PhaseStart> {
    const state = await this.#stateNow();
    return {
      progress: this.progress,
      weights: { ...this.#weights, ...pick(state, learned(this.#phase)) },
      moments: pick(state, this.#optimizer.state),
      best: this.#best,
    };
  }

  /** Held-out rows, the best weights and the checkpoint after an epoch share one copy. */
  #stateNow(): Promise<NdArrays> {
    this.#state ??= this.#train.getState();
    return this.#state;
  }

  async dispose(): Promise<void> {
    await this.#train.dispose();
    await this.#evaluation?.dispose();
  }

  async #trainEpoch(): Promise<void> {
    const { epoch, chunk: first } = this.progress.position;
    let ahead: Promise<NdArrays> | undefined;
    for (let chunk = first; chunk < this.#feeder.chunks; chunk++) {
      const feeds = await (ahead ?? this.#prepare(epoch, chunk));
      const began = performance.now();
      this.#state = undefined;
      const running = this.#train.run(feeds);
      ahead = chunk + 1 < this.#feeder.chunks ? this.#prepare(epoch, chunk + 1) : undefined;
      const outputs = await running;
      const seconds = (performance.now() - began) / 1000;
      const loss = this.#add(outputs, epoch, chunk);
      const position = { ...this.progress.position, chunk: chunk + 1 };
      this.progress = { ...this.progress, position, seconds: this.progress.seconds + seconds };
      await this.#context.afterChunk(this, { steps: this.#feeder.stepsIn(chunk), seconds, loss });
    }
  }

  /** Feeds of a chunk. A failure is kept for whoever awaits it, also when that is never. */
  #prepare(epoch: number, chunk: number): Promise<NdArrays> {
    const prepared = this.#feeder.chunk(epoch, chunk).then((feeds) => ({
      ...feeds,
      [scalarsFeed]: this.#scalars(epoch, chunk),
    }));
    prepared.catch(() => {});
    return prepared;
  }

  #scalars(epoch: number, chunk: number) {
    const { scalarNames } = this.#optimizer;
    const steps = this.#feeder.stepsIn(chunk);
    const values = new Float32Array(steps * scalarNames.length);
    for (let i = 0; i < steps; i++) {
      const step = epoch * this.#feeder.steps + chunk * this.#chunkSize + i;
      const scalars = this.#optimizer.scalars({ step, stepsPerEpoch: this.#feeder.steps, epochs: this.#phase.epochs });
      scalarNames.forEach((name, j) => {
        values[i * scalarNames.length + j] = scalars[name] ?? 0;
      });
    }
    return float32([steps, scalarNames.length], values);
  }

  /** Adds the outputs of a chunk's steps to the epoch's sums; the answer is the chunk's mean loss. */
  #add(outputs: NdArrays, epoch: number, chunk: number): number {
    const sums = { ...this.progress.sums };
    let mean = Number.NaN;
    for (const [name, { data }] of Object.entries(outputs)) {
      let sum = 0;
      for (const value of data) sum += value;
      sums[name] = (sums[name] ?? 0) + sum;
      if (name === 'loss') mean = sum / data.length;
    }
    const step = epoch * this.#feeder.steps + chunk * this.#chunkSize;
    this.#demandFinite(mean, `epoch ${epoch + 1}, around step ${step + 1}`);
    this.progress = { ...this.progress, sums };
    return mean;
  }

  #demandFinite(loss: number, where: string): void {
    if (Number.isFinite(loss)) return;
    const { name, optimizer } = this.#phase;
    const [low, high] = this.#context.dataset.info.range;
    if (Math.max(Math.abs(low), Math.abs(high)) > largeValue) {
      throw new HourglassError(
        'diverged',
        `The loss became ${loss} in phase "${name}", ${where}. The values of the data set go from ${low} to ${high}: scale them, for instance to [0, 1], and upload them again.`,
        { field: '/dataset', found: [low, high] },
      );
    }
    throw new HourglassError(
      'diverged',
      `The loss became ${loss} in phase "${name}", ${where}. Try a smaller learning rate (it is ${optimizer.learningRate}).`,
      { field: '/training/optimizer/learningRate', found: optimizer.learningRate },
    );
  }

  async #closeEpoch(): Promise<void> {
    const { position, sums, epochs, best } = this.progress;
    const means = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / this.#feeder.steps]));
    const metrics = { ...means, ...(await this.#evaluate()) };
    const heldOut = metrics['heldOut.loss'];
    if (heldOut !== undefined) this.#demandFinite(heldOut, `on held-out rows after epoch ${position.epoch + 1}`);
    this.progress = {
      ...this.progress,
      position: { ...position, epoch: position.epoch + 1, chunk: 0 },
      sums: {},
      epochs: [...epochs, { phase: this.#phase.name, epoch: position.epoch + 1, metrics }],
    };
    const { earlyStopping } = this.#context;
    if (earlyStopping && heldOut !== undefined) {
      const better = best === null || heldOut < best.loss - earlyStopping.minDelta;
      this.progress = {
        ...this.progress,
        best: better ? { loss: heldOut, epochsSince: 0 } : { loss: best.loss, epochsSince: best.epochsSince + 1 },
      };
      if (better) this.#best = pick(await this.#stateNow(), learned(this.#phase));
    }
    await this.#context.afterEpoch(this);
  }

  #stopsEarly(): boolean {
    const { best } = this.progress;
    const { earlyStopping } = this.#context;
    return earlyStopping !== undefined && best !== null && best.epochsSince >= earlyStopping.patience;
  }

  async #evaluate(): Promise<Record<string, number>> {
    if (!this.#evaluation) return {};
    const measured = await this.#evaluation.measure((await this.snapshot()).weights);
    return Object.fromEntries(Object.entries(measured).map(([name, value]) => [`heldOut.${name}`, value]));
  }
}
