/**
 * One training job from its specification to what gets published: the door that the worker's child process calls.
 *
 *   spec ─► plan (model, phases) ─► phase after phase ─► weights ─► encoder.onnx, decoder.onnx
 */

import { createHash } from 'node:crypto';
import { HourglassError } from '../base/errors.ts';
import { float32, type NdArray, type NdArrays, type Shape } from '../base/ndarray.ts';
import type { Dataset } from '../data/dataset.ts';
import { rowsOfClasses } from '../data/rows-of-classes.ts';
import type { Engine } from '../engine/engine.ts';
import type { EpochMetrics, JobProgress, JobSpec } from '../jobspec/job.ts';
import { allParameters } from '../models/autoencoder.ts';
import { planJob } from '../models/catalog.ts';
import type { TrainedQuantiser } from '../models/compression.ts';
import type { Phase, WeightChange } from '../models/objective.ts';
import { countOf, initialise } from '../models/parameters.ts';
import type { TextCode } from '../models/plan.ts';
import type { CheckpointFiles } from '../store/contract.ts';
import { assess } from './assess.ts';
import { Checkpoints, type Position } from './checkpoint.ts';
import { pick, stepCost } from './evaluation.ts';
import type { RowRange } from './feeder.ts';
import { fitOutliers } from './outliers.ts';
import { pairOrder } from './pair-order.ts';
import { batchOf, type PhaseStart, trainPhase } from './phase.ts';
import { type PhaseWork, ProgressMeter } from './progress.ts';
import { modelFiles, outlierFiles, recommenderFiles, translatorFiles } from './publish.ts';
import { ratingRows } from './rating-rows.ts';
import { EpochSampler, type SampleSink } from './samples.ts';
import { TrainingCallbacks } from './training-callbacks.ts';

export interface TrainOptions {
  /** resolved */
  readonly spec: JobSpec;
  readonly dataset: Dataset;
  readonly engine: Engine;
  /** of Hourglass, stamped into the ONNX files */
  readonly release?: string;
  /** of this job alone; training resumes from the newest valid one. Absent: none are written */
  readonly checkpoints?: CheckpointFiles;
  /** default 15; one is written at each epoch's end as well */
  readonly checkpointSeconds?: number;
  /** called when a checkpoint is safe in the store; `position` is the work that comes next */
  readonly onCheckpoint?: (position: Position) => void;
  /** aborting stops the job within one chunk, after a last checkpoint, with `cancelled` */
  readonly signal?: AbortSignal;
  /** after a chunk, at most every 100 ms */
  readonly onProgress?: (progress: JobProgress) => void;
  readonly onEpoch?: (epoch: EpochMetrics) => void;
  /** what the model makes of a few held-out rows after some of the epochs */
  readonly onSample?: SampleSink;
  readonly log?: (message: string) => void;
}

export interface TrainedModel {
  /** by parameter name, as in weights.safetensors */
  readonly weights: NdArrays;
  /**
   * By file name: `encoder.onnx` (x → z), `decoder.onnx` (z → x); with a head `classifier.onnx` (x → probabilities); with
   * held-out rows `outliers.onnx` (x → score) and `outliers.json` (its calibration: src/base/outliers.ts).
   */
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly operations: readonly (
    | 'encode'
    | 'decode'
    | 'denoise'
    | 'reconstruct'
    | 'classify'
    | 'generate'
    | 'outliers'
    | 'recommend'
    | 'analyse'
    | 'series'
    | 'translate'
  )[];
  /** one row's shape as the ONNX files take it */
  readonly inputShape: Shape;
  readonly codeShape: Shape;
  /** of a model that recommends: whether its scores are ratings, or only an order */
  readonly scores?: 'ratings' | 'preferences';
  /** of a model of documents: what its codes are */
  readonly text?: TextCode;
  /** of a training for compression: what its codes are to be quantised with */
  readonly quantiser?: TrainedQuantiser;
  /** `train.loss`, `heldOut.loss`, `train.seconds`, `parameters` */
  readonly metrics: Readonly<Record<string, number>>;
  /** every epoch of every phase, those before a resume too */
  readonly epochs: readonly EpochMetrics[];
}

/**
 * Trains, or goes on from a checkpoint. The same spec, data and engine give the same weights bit for bit on the CPU, however
 * often it was stopped. Throws `cancelled`, `diverged` (the loss is not finite), and what `CheckpointFiles.save` throws.
 */
export async function trainJob(options: TrainOptions): Promise<TrainedModel> {
  const { spec, engine } = options;
  const { seed, earlyStopping } = spec.training;
  const ratings = options.dataset.ratings && (await ratingRows(spec, options.dataset, options.dataset.ratings));
  const dataset = ratings?.dataset ?? (await ordinaryRows(spec, options.dataset));
  const rows = ratings
    ? { training: ratings.training, heldOut: ratings.heldOut }
    : splitRows(spec, dataset.info.rows.train);
  const { pairs } = dataset.info;
  const ordered = pairs && (await pairOrder(dataset, pairs, rows.training, spec.training.batchSize));
  const plan = planJob({ spec, data: options.dataset.info, slots: ordered?.slots });
  const checkpoints = options.checkpoints && new Checkpoints(options.checkpoints, fingerprint(spec, dataset));
  const meter = new ProgressMeter(plan.phases.map((phase) => workOf(phase, rows.training)));
  const sampler =
    options.onSample && !ratings && !plan.text && !pairs
      ? new EpochSampler({ plan, engine, dataset, seed, ...rows })
      : undefined;
  const callbacks = new TrainingCallbacks({ ...options, meter, checkpoints, sampler });
  const labels = await dataset.split('train').labels();

  const resumed = await checkpoints?.newest();
  if (resumed) options.log?.(`going on from a checkpoint at ${JSON.stringify(resumed.progress.position)}`);
  let state: PhaseStart = resumed ?? {
    progress: { position: { phase: 0, epoch: 0, chunk: 0 }, epochs: [], sums: {}, best: null, seconds: 0 },
    weights: initialise(plan.parameters, seed),
    moments: {},
    best: {},
  };
  for (const [index, phase] of plan.phases.entries()) {
    if (index < state.progress.position.phase) continue;
    options.log?.(`phase ${phase.name}: ${countOf(phase.trainable)} parameters, ${phase.epochs} epochs`);
    if (isAtBeginning(state)) state = { ...state, weights: changeWeights(state.weights, phase.begin) };
    const ended = await trainPhase(
      phase,
      {
        engine,
        dataset,
        ...(labels && { labels }),
        seed,
        ...rows,
        earlyStopping,
        order: ordered?.order,
        afterChunk: (running, chunk) => callbacks.afterChunk(running, chunk),
        afterEpoch: (running) => callbacks.afterEpoch(running),
        tick: () => callbacks.stopIfAsked(),
      },
      state,
    );
    const position = { phase: index + 1, epoch: 0, chunk: 0 };
    state = { ...ended, progress: { ...ended.progress, position, best: null } };
  }

  await callbacks.trained();
  await sampler?.dispose();

  const { autoencoder, classifier } = plan;
  const main = plan.phases.find(({ report }) => report !== undefined)?.name;
  const last = state.progress.epochs.findLast(({ phase }) => phase === main)?.metrics ?? {};
  const published = { ...allParameters(autoencoder), ...classifier?.parameters, ...classifier?.statistics };
  const weights = pick(state.weights, published);
  const metadata = { producer: 'hourglass', version: options.release ?? '0' };
  const tick = () => callbacks.evaluating();
  if (plan.recommends && ratings) {
    const { recommends } = plan;
    const complete = recommends.complete(weights, ratings.kept, tick);
    return {
      weights: complete,
      files: recommenderFiles(recommends, complete, metadata),
      operations: [...(recommends.encoder ? (['encode'] as const) : []), 'recommend'],
      inputShape: autoencoder.inputShape,
      codeShape: autoencoder.codeShape,
      scores: recommends.scores,
      metrics: { ...lossesOf(last), 'train.seconds': state.progress.seconds, parameters: countOfArrays(complete) },
      epochs: state.progress.epochs,
    };
  }
  if (plan.translates) {
    const assessed = await assess({
      plan,
      spec,
      dataset,
      engine,
      weights: state.weights,
      training: rows.training,
      tick,
    });
    return {
      weights,
      files: translatorFiles(plan.translates, weights, metadata),
      operations: ['encode', 'translate'],
      inputShape: autoencoder.inputShape,
      codeShape: autoencoder.codeShape,
      metrics: {
        ...{ ...lossesOf(last), ...assessed.metrics },
        ...{ 'train.seconds': state.progress.seconds, parameters: countOf(autoencoder.parameters) },
      },
      epochs: state.progress.epochs,
    };
  }
  const assessed = await assess({ plan, spec, dataset, engine, weights: state.weights, training: rows.training, tick });
  const isSeries = dataset.info.series !== undefined;
  const outliers =
    plan.text || isSeries
      ? undefined
      : await fitOutliers({ engine, dataset, model: autoencoder, weights, tick, ...rows });
  return {
    weights,
    files: {
      ...modelFiles(plan, weights, metadata),
      ...(outliers && outlierFiles(autoencoder, weights, outliers, metadata)),
      ...assessed.files,
    },
    operations: [
      'encode',
      'decode',
      'reconstruct',
      ...(plan.denoises ? (['denoise'] as const) : []),
      ...(classifier ? (['classify'] as const) : []),
      ...(plan.generates ? (['generate'] as const) : []),
      ...(outliers ? (['outliers'] as const) : []),
      ...(plan.text ? (['analyse'] as const) : []),
      ...(isSeries ? (['series'] as const) : []),
    ],
    inputShape: autoencoder.inputShape,
    codeShape: autoencoder.codeShape,
    ...(plan.text && { text: plan.text }),
    ...(plan.quantiser && { quantiser: plan.quantiser(state.weights) }),
    metrics: {
      ...lossesOf(last),
      ...assessed.metrics,
      'train.seconds': state.progress.seconds,
      parameters: countOf(autoencoder.parameters),
    },
    epochs: state.progress.epochs,
  };
}

const lossesOf = (last: EpochMetrics['metrics']): Record<string, number> => ({
  ...(last.loss !== undefined && { 'train.loss': last.loss }),
  ...(last['heldOut.loss'] !== undefined && { 'heldOut.loss': last['heldOut.loss'] }),
});

const countOfArrays = (weights: NdArrays): number =>
  Object.values(weights).reduce((sum, { data }) => sum + data.length, 0);

/** A checkpoint is never taken here: what `begin` does to the weights is done once. */
const isAtBeginning = ({ progress: { position } }: PhaseStart): boolean => position.epoch === 0 && position.chunk === 0;

function changeWeights(weights: NdArrays, changes: readonly WeightChange[]): NdArrays {
  const changed: Record<string, NdArray> = { ...weights };
  for (const { type, from, to } of changes) {
    const source = weights[from] as NdArray<'float32'>;
    changed[to] = type === 'copy' ? source : transpose(source);
  }
  return changed;
}

function transpose({ shape, data }: NdArray<'float32'>): NdArray {
  const [rows = 0, columns = 0] = shape;
  const values = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) values[j * rows + i] = data[i * columns + j] as number;
  }
  return float32([columns, rows], values);
}

/** Without the series of classes that are anomalies. Throws `invalid-dataset` where less than two are left. */
export async function ordinaryRows({ model }: JobSpec, dataset: Dataset): Promise<Dataset> {
  if (model.type !== 'sequence' || !model.normal) return dataset;
  const ordinary = await rowsOfClasses(dataset, model.normal);
  const { train } = ordinary.info.rows;
  if (train >= 2) return ordinary;
  throw new HourglassError(
    'invalid-dataset',
    `${train} of the series to train on are of the classes that "model.normal" names; at least 2 are needed.`,
    { field: '/model/normal', expected: 2, found: train },
  );
}

/** Held-out rows come from the end of the training split, the rows to train on from its beginning. */
function splitRows({ training }: JobSpec, rows: number): { training: RowRange; heldOut: RowRange } {
  const kept = rows - Math.floor(rows * training.validation.fraction);
  return {
    training: { start: 0, end: Math.min(training.maxSamples ?? kept, kept) },
    heldOut: { start: kept, end: rows },
  };
}

function workOf(phase: Phase, rows: RowRange): PhaseWork {
  const batchSize = batchOf(phase, rows);
  return {
    name: phase.name,
    epochs: phase.epochs,
    stepsPerEpoch: Math.floor((rows.end - rows.start) / batchSize),
    batchSize,
    costPerStep: stepCost(phase, batchSize),
  };
}

/** A checkpoint of another specification or other data is not gone on from. */
const fingerprint = (spec: JobSpec, dataset: Dataset): string =>
  createHash('sha256')
    .update(JSON.stringify([spec, dataset.info.hash]))
    .digest('hex');
