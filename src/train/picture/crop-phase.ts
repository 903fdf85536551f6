/** The one phase of jobs that are trained on crops: on rows that are drawn from pictures in place of a data set's own. */

import { createHash } from 'node:crypto';
import type { Dataset, Pictures } from '../../data/dataset.ts';
import { somePictures } from '../../data/pictures.ts';
import type { JobSpec } from '../../jobspec/job.ts';
import type { Phase } from '../../models/objective.ts';
import { initialise } from '../../models/parameters.ts';
import { Checkpoints } from '../checkpoint.ts';
import { stepCost } from '../evaluation.ts';
import type { TrainOptions } from '../job.ts';
import { type PhaseStart, trainPhase } from '../phase.ts';
import { ProgressMeter } from '../progress.ts';
import { TrainingCallbacks } from '../training-callbacks.ts';
import type { DrawnCrops } from './drawn-crops.ts';

export interface CropTraining extends Omit<TrainOptions, 'dataset'> {
  readonly dataset: Pick<Dataset, 'info'>;
}

/** Held-out crops a picture, and at most. */
const heldOutCrops = 4;
const mostHeldOutCrops = 128;

export interface DividedPictures {
  readonly pictures: Pictures;
  /** pictures that are not trained on; those of the training where none are held out */
  readonly heldOut: Pictures;
  /** crops of held-out pictures that are looked at after each epoch */
  readonly crops: number;
}

/** Pictures of the training split, with those at its end held out as the job says. */
export function dividePictures(all: Pictures, { maxSamples, validation }: JobSpec['training']): DividedPictures {
  const count = Math.min(maxSamples ?? all.length, all.length);
  const kept = count - Math.floor(count * validation.fraction);
  const pictures = somePictures(all, 0, kept);
  if (kept === count) return { pictures, heldOut: pictures, crops: 0 };
  const heldOut = somePictures(all, kept, count);
  return { pictures, heldOut, crops: Math.min(mostHeldOutCrops, heldOutCrops * heldOut.length) };
}

/** `count`: crops of an epoch. Throws what `trainJob` throws. */
export async function trainOnCrops(
  phase: Phase,
  crops: DrawnCrops,
  count: number,
  options: CropTraining,
): Promise<PhaseStart> {
  const { spec, dataset, engine } = options;
  const { seed, earlyStopping } = spec.training;
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([spec, dataset.info.hash]))
    .digest('hex');
  const checkpoints = options.checkpoints && new Checkpoints(options.checkpoints, fingerprint);
  const batchSize = Math.min(phase.batchSize, count);
  const work = { ...phase, batchSize, stepsPerEpoch: Math.floor(count / batchSize) };
  const meter = new ProgressMeter([{ ...work, costPerStep: stepCost(phase, batchSize) }]);
  const callbacks = new TrainingCallbacks({ ...options, meter, checkpoints });
  const resumed = await checkpoints?.newest();
  const start: PhaseStart = resumed ?? {
    progress: { position: { phase: 0, epoch: 0, chunk: 0 }, epochs: [], sums: {}, best: null, seconds: 0 },
    weights: initialise(phase.trainable, seed),
    moments: {},
    best: {},
  };
  const rows: Dataset = {
    info: { ...dataset.info, shape: [crops.rowSize], rows: { train: crops.length, test: 0 } },
    split: () => crops,
    close: async () => {},
  };
  const context = {
    ...{ engine, dataset: rows, seed, earlyStopping },
    training: { start: 0, end: count },
    heldOut: { start: count, end: crops.length },
    afterChunk: (
      running: Parameters<TrainingCallbacks['afterChunk']>[0],
      chunk: Parameters<TrainingCallbacks['afterChunk']>[1],
    ) => callbacks.afterChunk(running, chunk),
    afterEpoch: (running: Parameters<TrainingCallbacks['afterEpoch']>[0]) => callbacks.afterEpoch(running),
    tick: () => callbacks.stopIfAsked(),
  };
  const ended = start.progress.position.phase > 0 ? start : await trainPhase(phase, context, start);
  await callbacks.trained();
  return ended;
}
