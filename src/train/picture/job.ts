/**
 * A job for a codec of pictures: fit the transform, its contexts and tables, then train the decoder on crops that were coded with them.
 *
 *   pictures ─► codec ─► crops ─► phase `train` (checkpoints, resumes) ─► decoder.onnx
 *
 * The codec follows from the pictures alone and is fitted again when a job goes on.
 */

import { createHash } from 'node:crypto';
import type { NdArrays } from '../../base/ndarray.ts';
import { coefficientsOf, type PictureCodec, pixelOffset } from '../../codec/picture/picture-codec.ts';
import { coefficientScale } from '../../codec/picture/transform.ts';
import type { Dataset, Pictures } from '../../data/dataset.ts';
import { somePictures } from '../../data/pictures.ts';
import { exportPictureOnnx } from '../../engine/export.ts';
import type { EpochMetrics } from '../../jobspec/job.ts';
import type { ModelOf } from '../../jobspec/model.ts';
import type { Phase } from '../../models/objective.ts';
import { countOf, initialise } from '../../models/parameters.ts';
import { PictureDecoder, pictureDecoderFunction, pictureObjective } from '../../models/picture-decoder.ts';
import { Checkpoints } from '../checkpoint.ts';
import { stepCost } from '../evaluation.ts';
import type { TrainOptions } from '../job.ts';
import { type PhaseStart, trainPhase } from '../phase.ts';
import { ProgressMeter } from '../progress.ts';
import { TrainingCallbacks } from '../training-callbacks.ts';
import { Crops } from './crops.ts';
import { fitCodec } from './fit-codec.ts';

export interface TrainPictureOptions extends Omit<TrainOptions, 'dataset'> {
  readonly model: ModelOf<'picture'>;
  readonly dataset: Pick<Dataset, 'info'>;
  /** of the training split */
  readonly pictures: Pictures;
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
/** Held-out crops a picture, and at most. */
const heldOutCrops = 4;
const mostHeldOutCrops = 128;

/** Throws what `trainJob` throws. */
export async function trainPicture(options: TrainPictureOptions): Promise<TrainedPictureModel> {
  const { spec, model, signal } = options;
  const { training } = spec;
  const count = Math.min(training.maxSamples ?? options.pictures.length, options.pictures.length);
  const kept = count - Math.floor(count * training.validation.fraction);
  const pictures = somePictures(options.pictures, 0, kept);
  const heldOut = kept < count ? somePictures(options.pictures, kept, count) : pictures;
  options.onProgress?.({ phase: 'codec', epoch: 0, epochs: training.epochs, step: 0, steps: 0, percent: 0 });
  const codec = await fitCodec(pictures, () => signal?.throwIfAborted());

  const { channels } = codec;
  const decoder = new PictureDecoder({ channels, coefficients: coefficientsOf(codec), ...model });
  const layout = { side: model.crop, margin: decoder.margin, coefficients: coefficientsOf(codec) };
  const held = kept < count ? Math.min(mostHeldOutCrops, heldOutCrops * heldOut.length) : 0;
  const crops = new Crops({
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
  const ended = await run(phase, crops, options);
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

/** The phase on the crops in place of a data set's rows. */
async function run(phase: Phase, crops: Crops, options: TrainPictureOptions): Promise<PhaseStart> {
  const { spec, model, dataset, engine } = options;
  const { seed, earlyStopping } = spec.training;
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([spec, dataset.info.hash]))
    .digest('hex');
  const checkpoints = options.checkpoints && new Checkpoints(options.checkpoints, fingerprint);
  const batchSize = Math.min(phase.batchSize, model.crops);
  const work = { ...phase, batchSize, stepsPerEpoch: Math.floor(model.crops / batchSize) };
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
    training: { start: 0, end: model.crops },
    heldOut: { start: model.crops, end: crops.length },
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

/** The transposed transform, as a 1 × 1 convolution: [1, 1, coefficients, pixels of a block]. */
const synthesisOf = ({ analysis }: PictureCodec): Float32Array =>
  Float32Array.from(analysis, (weight) => weight / coefficientScale);
