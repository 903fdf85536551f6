/** A job for a model that restores pictures: crops ─► phase `train` (checkpoints, resumes) ─► restorer.onnx. */

import type { NdArrays } from '../../base/ndarray.ts';
import type { Pictures } from '../../data/dataset.ts';
import { exportPictureOnnx } from '../../engine/export.ts';
import type { EpochMetrics } from '../../jobspec/job.ts';
import type { ModelOf } from '../../jobspec/model.ts';
import type { Phase } from '../../models/objective.ts';
import { countOf } from '../../models/parameters.ts';
import { RestorationNetwork, restorationFunction, restorationObjective } from '../../models/restoration.ts';
import type { RestorerShape } from '../../picture/restore.ts';
import { type CropTraining, dividePictures, trainOnCrops } from './crop-phase.ts';
import { RestorationCrops } from './restoration-crops.ts';

export interface TrainRestorationOptions extends CropTraining {
  readonly model: ModelOf<'restoration'>;
  /** of the training split */
  readonly pictures: Pictures;
}

export interface TrainedRestoration {
  readonly restorer: Uint8Array;
  readonly shape: RestorerShape;
  readonly weights: NdArrays;
  /** pictures that were not trained on; those of the training where none were held out */
  readonly heldOut: Pictures;
  readonly metrics: Readonly<Record<string, number>>;
  readonly epochs: readonly EpochMetrics[];
}

/** Throws what `trainJob` throws. */
export async function trainRestoration(options: TrainRestorationOptions): Promise<TrainedRestoration> {
  const { spec, model } = options;
  const { training } = spec;
  const divided = dividePictures(options.pictures, training);
  const { channels } = divided.pictures;
  const network = new RestorationNetwork({ ...model, channels });
  const squares = model.crop / model.stride;
  const crops = new RestorationCrops({
    network,
    side: model.crop,
    hole: model.corruption.type === 'hole' ? model.corruption.size : 0,
    seed: training.seed,
    training: { pictures: divided.pictures, crops: model.crops },
    heldOut: { pictures: divided.heldOut, crops: divided.crops },
  });
  const phase: Phase = {
    name: 'train',
    begin: [],
    objective: restorationObjective(network, squares),
    trainable: network.parameters,
    statistics: {},
    frozen: {},
    cost: network.cost * squares ** 2,
    epochs: training.epochs,
    batchSize: training.batchSize,
    optimizer: training.optimizer,
  };
  const ended = await trainOnCrops(phase, crops, model.crops, options);
  const perPixel = Math.round(network.cost / model.stride ** 2);
  options.log?.(`${countOf(network.parameters)} parameters, ${perPixel} multiply-adds a pixel`);
  const last = ended.progress.epochs.at(-1)?.metrics ?? {};
  const fn = restorationFunction(network, ended.weights);
  return {
    restorer: exportPictureOnnx(fn, { producer: 'hourglass', version: options.release ?? '0' }),
    shape: { channels, stride: model.stride, margin: network.margin, hasMask: network.masked > 0 },
    weights: ended.weights,
    heldOut: divided.heldOut,
    metrics: {
      ...(last.loss !== undefined && { 'train.loss': last.loss }),
      ...(last['heldOut.loss'] !== undefined && { 'heldOut.loss': last['heldOut.loss'] }),
      'train.seconds': ended.progress.seconds,
      parameters: countOf(network.parameters),
      'restorer.macPerPixel': perPixel,
    },
    epochs: ended.progress.epochs,
  };
}
