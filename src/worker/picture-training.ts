/** One attempt at a codec for pictures: train, measure what its qualities cost, report. The caller publishes. */

import { HourglassError } from '../base/errors.ts';
import { writeSafetensors } from '../base/safetensors.ts';
import { buildPictureBundle, measure, openPictureDecoder } from '../bundle/picture.ts';
import type { Dataset, Pictures } from '../data/dataset.ts';
import { picturesOf } from '../data/pictures.ts';
import { type Engine, engineRevision } from '../engine/engine.ts';
import type { JobProgress, JobSpec } from '../jobspec/job.ts';
import type { ModelOf } from '../jobspec/model.ts';
import type { Publication } from '../registry/registry.ts';
import { pictureReport } from '../report/picture-report.ts';
import type { Fence, Stores } from '../store/contract.ts';
import type { CropTraining } from '../train/picture/crop-phase.ts';
import { trainPicture } from '../train/picture/job.ts';
import { openEngine } from './engine-choice.ts';
import type { Assignment, FromChild } from './protocol.ts';

/** Of an attempt at any model of pictures. */
export interface AttemptParts {
  readonly assignment: Assignment;
  readonly stores: Stores;
  readonly fence: Fence;
  readonly dataset: Dataset;
  readonly signal: AbortSignal;
  readonly tell: (message: FromChild) => void;
  readonly advance: (to: Partial<JobProgress>) => void;
}

export interface PictureTrainingOptions extends AttemptParts {
  readonly model: ModelOf<'picture'>;
}

/** Share of the whole in percent. */
const trainingShare = 90;
/** Pictures of the report, and the most that it takes of a side of each. */
const reportPictures = 8;
const reportSide = 768;

/** What came of an attempt; a trial of a sweep is compared by its metrics and has nothing to publish. */
export interface PictureTraining {
  readonly metrics: Readonly<Record<string, number>>;
  readonly publication?: Publication;
}

/** Throws what `trainPicture` throws. */
export async function trainPictures(options: PictureTrainingOptions): Promise<PictureTraining> {
  const { assignment, model, dataset } = options;
  const { spec } = assignment;
  const pictures = requirePictures(dataset, spec);
  const engine = await openEngine(assignment.engine);
  try {
    const trained = await trainPicture({ model, pictures, engine, ...runOf(options) });
    if (assignment.isTrial) return { metrics: trained.metrics };
    const tick = tickOf(options);
    const { codec, decoder, margin, heldOut, weights, metrics } = trained;
    const { threads } = assignment.engine;
    const bundle = await buildPictureBundle({
      name: spec.name,
      codec,
      decoder,
      margin,
      threads,
      pictures: heldOut,
      tick,
    });
    const shown = await shownOf(dataset, heldOut);
    const open = openPictureDecoder(decoder, codec, threads);
    const profile = { hash: Buffer.from(bundle.hash, 'hex'), codec };
    try {
      const report = await pictureReport({
        name: spec.name,
        pictures: shown,
        qualities: [2, 4, 6, 8, 10, 12],
        encode: (raster, quality) =>
          measure(profile, raster, { margin, run: open.run, step: bundle.qualities[quality]?.step ?? 0 }),
        tick,
      });
      const best = bundle.qualities[8];
      const publication: Publication = {
        files: {
          ...bundle.files,
          ...report,
          'decoder.onnx': decoder,
          'weights.safetensors': writeSafetensors(weights),
        },
        meta: {
          ...metaOf(options, engine),
          codeShape: [64 * codec.channels],
          metrics: { ...metrics, ...(best && { 'heldOut.bpp': best.bpp, 'heldOut.psnr': best.psnr }) },
          picture: { hash: bundle.hash, channels: codec.channels, margin, qualities: [...bundle.qualities] },
        },
      };
      return { metrics, publication };
    } finally {
      open.dispose();
    }
  } finally {
    await engine.dispose();
  }
}

/** What every training on pictures is told of its attempt, and tells of itself. */
export function runOf(parts: AttemptParts): Omit<CropTraining, 'engine'> {
  const { assignment, stores, fence, dataset, signal, tell, advance } = parts;
  const { spec, run, checkpoints, release, checkpointSeconds } = assignment;
  return {
    ...{ spec, dataset, release, signal, checkpointSeconds },
    checkpoints: stores.jobs.checkpoints(checkpoints.job, checkpoints.run, fence),
    onCheckpoint: (position) => tell({ type: 'checkpoint', mark: `${run}/${JSON.stringify(position)}` }),
    onProgress: (progress) => advance({ ...progress, percent: (progress.percent * trainingShare) / 100 }),
    onEpoch: (epoch) => tell({ type: 'epoch', epoch }),
    log: (message) => console.log(message),
  };
}

/** Between pieces of an evaluation: ends it where the job is cancelled, and says that it goes on. */
export function tickOf({ signal, advance }: AttemptParts): () => void {
  return () => {
    signal.throwIfAborted();
    advance({ phase: 'evaluate', percent: trainingShare });
  };
}

/** What is published of every model of pictures. */
export function metaOf({ assignment, dataset: { info } }: AttemptParts, engine: Pick<Engine, 'name' | 'device'>) {
  const { id: jobId, spec, release: hourglass } = assignment;
  return {
    operations: [],
    inputShape: [...info.shape],
    inputRange: [info.range[0], info.range[1]] as [number, number],
    inputScaling: { ...info.scaling },
    lineage: {
      ...{ jobId, spec, seed: spec.training.seed, hourglass, engineRevision },
      dataset: { name: info.name, hash: info.hash },
      engine: `${engine.name}/${engine.device}`,
    },
  };
}

/** Of the training split. Throws `invalid-spec`. */
export function requirePictures(dataset: Dataset, spec: JobSpec): Pictures {
  const pictures = picturesOf(dataset, 'train');
  if (pictures) return pictures;
  throw new HourglassError(
    'invalid-spec',
    `The rows of ${spec.dataset} are not pictures. Upload a zip or tar of pictures.`,
    { field: '/dataset' },
  );
}

/** Pictures for a report: of the test split, or those held out where it has none. */
export function shownOf(dataset: Dataset, heldOut: Pictures): ReturnType<typeof someOf> {
  const test = picturesOf(dataset, 'test');
  return someOf(test && test.length > 0 ? test : heldOut);
}

/** Evenly over all of them; of large ones a part. */
async function someOf(pictures: Pictures): Promise<Awaited<ReturnType<Pictures['read']>>[]> {
  const count = Math.min(reportPictures, pictures.length);
  const rasters: Awaited<ReturnType<Pictures['read']>>[] = [];
  for (let i = 0; i < count; i++) {
    const index = Math.floor((i * pictures.length) / count);
    const size = pictures.size(index);
    const [height, width] = [Math.min(size.height, reportSide), Math.min(size.width, reportSide)];
    rasters.push(await pictures.read(index, { top: 0, left: 0, height, width }));
  }
  return rasters;
}
