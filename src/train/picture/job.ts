/**
 * A job for a codec of pictures: fit the transform, its contexts and tables, then train the decoder on crops that were coded with them.
 *
 *   pictures ─► codec ─► crops ─► phase `train` (checkpoints, resumes) ─► decoder.onnx
 *
 * The codec follows from the pictures alone and is fitted again when a job goes on.
 */

import type { NdArrays } from '../../base/ndarray.ts';
import { coefficientsOf, type PictureCodec, pixelOffset } from '../../codec/picture/picture-codec.ts';
import { synthesisOf } from '../../codec/picture/synthesis.ts';
import type { Pictures } from '../../data/dataset.ts';
import { exportPictureOnnx } from '../../engine/export.ts';
import type { EpochMetrics } from '../../jobspec/job.ts';
import type { ModelOf } from '../../jobspec/model.ts';
import type { Phase } from '../../models/objective.ts';
import { countOf } from '../../models/parameters.ts';
import { PictureDecoder, pictureDecoderFunction, pictureObjective } from '../../models/picture-decoder.ts';
import { type CropTraining, dividePictures, trainOnCrops } from './crop-phase.ts';
import { CodedCrops } from './crops.ts';
import { fitCodec } from './fit-codec.ts';

export interface TrainPictureOptions extends CropTraining {
  readonly model: ModelOf<'picture'>;
  /** of the training split */
  readonly pictures: Pictures;
  /** fitted before; default: fitted to the pictures */
  readonly codec?: PictureCodec;
}

export interface TrainedPictureModel {
  readonly codec: PictureCodec;
  readonly decoder: Uint8Array;
  /** blocks that the decoder needs around each block */
  readonly margin: number;
  readonly weights: NdArrays;
  /** pictures that were not trained on; those of the training where none were held out */
  readonly heldOut: Pictures;
  readonly metrics: Readonly<Record<string, number>>;
  readonly epochs: readonly EpochMetrics[];
}

/** Numbers of the steps that crops are coded with: from 2.8 to 128. */
const trainedSteps = [12, 56] as const;

/** Throws what `trainJob` throws. */
export async function trainPicture(options: TrainPictureOptions): Promise<TrainedPictureModel> {
  const { spec, model, signal } = options;
  const { training } = spec;
  const { pictures, heldOut, crops: held } = dividePictures(options.pictures, training);
  options.onProgress?.({ phase: 'codec', epoch: 0, epochs: training.epochs, step: 0, steps: 0, percent: 0 });
  const codec = options.codec ?? (await fitCodec(pictures, () => signal?.throwIfAborted()));

  const { channels } = codec;
  const decoder = new PictureDecoder({ channels, coefficients: coefficientsOf(codec), ...model });
  const layout = { side: model.crop, margin: decoder.margin, coefficients: coefficientsOf(codec) };
  const crops = new CodedCrops({
    ...layout,
    codec,
    seed: training.seed,
    steps: trainedSteps,
    training: { pictures, crops: model.crops },
    heldOut: { pictures: heldOut, crops: held },
  });
  const phase: Phase = {
    name: 'train',
    begin: [],
    objective: pictureObjective(decoder, model.crop),
    trainable: decoder.parameters,
    statistics: {},
    frozen: {},
    cost: decoder.cost * (model.crop + decoder.margin) ** 2,
    epochs: training.epochs,
    batchSize: training.batchSize,
    optimizer: training.optimizer,
  };
  const ended = await trainOnCrops(phase, crops, model.crops, options);
  options.log?.(`${countOf(decoder.parameters)} parameters, ${decoder.cost / 64} multiply-adds a pixel`);
  const last = ended.progress.epochs.at(-1)?.metrics ?? {};
  const fn = pictureDecoderFunction(decoder, ended.weights, synthesisOf(codec), pixelOffset);
  return {
    codec,
    decoder: exportPictureOnnx(fn, { producer: 'hourglass', version: options.release ?? '0' }),
    margin: decoder.margin,
    weights: ended.weights,
    heldOut,
    metrics: {
      ...(last.loss !== undefined && { 'train.loss': last.loss }),
      ...(last['heldOut.loss'] !== undefined && { 'heldOut.loss': last['heldOut.loss'] }),
      'train.seconds': ended.progress.seconds,
      parameters: countOf(decoder.parameters),
      'decoder.macPerPixel': Math.round(decoder.cost / 64),
    },
    epochs: ended.progress.epochs,
  };
}
