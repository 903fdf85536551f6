/** What happens between two chunks: progress is told, a checkpoint is due, or the job was asked to stop. */

import { HourglassError } from '../base/errors.ts';
import type { EpochMetrics, JobProgress } from '../jobspec/job.ts';
import type { Checkpoints, Position } from './checkpoint.ts';
import { CheckpointSaver } from './checkpoint-saver.ts';
import type { RunningPhase } from './phase.ts';
import type { ProgressMeter } from './progress.ts';
import { type EpochSampler, isShown, type SampleSink } from './samples.ts';

export interface TrainingCallbackOptions {
  readonly checkpoints: Checkpoints | undefined;
  readonly meter: ProgressMeter;
  readonly checkpointSeconds?: number | undefined;
  readonly onCheckpoint?: ((position: Position) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: JobProgress) => void) | undefined;
  readonly onEpoch?: ((epoch: EpochMetrics) => void) | undefined;
  readonly sampler?: EpochSampler | undefined;
  readonly onSample?: SampleSink | undefined;
  readonly log?: ((message: string) => void) | undefined;
}

const progressMilliseconds = 100;

export class TrainingCallbacks {
  readonly #options: TrainingCallbackOptions;
  readonly #saver: CheckpointSaver | undefined;
  #savedAt = performance.now();
  #toldAt = 0;
  #isEvaluating = false;
  #isBlind = false;
  /** of the training, whose numbers stay to be seen while the model is looked at */
  #last: JobProgress = { phase: '', epoch: 0, epochs: 0, step: 0, steps: 0, percent: 0 };

  constructor(options: TrainingCallbackOptions) {
    this.#options = options;
    const { checkpoints, onCheckpoint = () => {} } = options;
    this.#saver = checkpoints && new CheckpointSaver(checkpoints, onCheckpoint);
  }

  async afterChunk(running: RunningPhase, chunk: { steps: number; seconds: number; loss: number }): Promise<void> {
    const { meter, signal, checkpointSeconds = 15 } = this.#options;
    meter.ran(running.progress.position.phase, chunk.steps, chunk.seconds);
    this.#tell(running, chunk.loss, false);
    const due = performance.now() - this.#savedAt >= checkpointSeconds * 1000;
    if (due || signal?.aborted) await this.#save(running);
    // Whoever goes on begins where this one stopped; if the store is away or full, at an earlier checkpoint.
    if (signal?.aborted) await this.#saver?.finish({ patience: 0 }).catch(() => undefined);
    else await this.#saver?.advance();
    this.stopIfAsked();
  }

  /** Throws `cancelled` when the signal was aborted. */
  stopIfAsked(): void {
    if (this.#options.signal?.aborted) throw new HourglassError('cancelled', 'The training was cancelled.');
  }

  /** Tells that the trained model is being looked at. */
  evaluating(): void {
    this.stopIfAsked();
    const now = performance.now();
    if (this.#isEvaluating && now - this.#toldAt < progressMilliseconds) return;
    this.#isEvaluating = true;
    this.#toldAt = now;
    this.#options.onProgress?.({ ...this.#last, phase: 'evaluate', percent: 100 });
  }

  async afterEpoch(running: RunningPhase): Promise<void> {
    const epoch = running.progress.epochs.at(-1);
    if (epoch) this.#options.onEpoch?.(epoch);
    this.#tell(running, epoch?.metrics.loss, true);
    await this.#save(running);
    if (epoch) await this.#sample(running, epoch);
  }

  /** Samples are for people who watch: what goes wrong with them ends them, not the training. */
  async #sample(running: RunningPhase, { phase, epoch }: EpochMetrics): Promise<void> {
    const { sampler, onSample, meter, log } = this.#options;
    if (!sampler || !onSample || this.#isBlind || !isShown(epoch, meter.epochsOf(running.progress.position.phase)))
      return;
    try {
      const { weights } = await running.snapshot();
      await sampler.look(weights, phase, epoch, onSample);
    } catch (error) {
      this.#isBlind = true;
      log?.(`no samples of this training can be shown: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Waits until the last checkpoint is in the store. Throws what `CheckpointFiles.save` throws. */
  async trained(): Promise<void> {
    const { signal } = this.#options;
    await this.#saver?.finish(signal && { signal });
    this.stopIfAsked();
  }

  #tell(running: RunningPhase, loss: number | undefined, always: boolean): void {
    const now = performance.now();
    if (!always && now - this.#toldAt < progressMilliseconds) return;
    this.#toldAt = now;
    const { phase } = running.progress.position;
    this.#last = this.#options.meter.at(phase, running.stepsDone, loss);
    this.#options.onProgress?.(this.#last);
  }

  /** Copies the state and saves the copy; a large one, or one for a bucket, while the training goes on. */
  async #save(running: RunningPhase): Promise<void> {
    if (!this.#saver) return;
    this.#savedAt = performance.now();
    await this.#saver.save(await running.snapshot());
  }
}
