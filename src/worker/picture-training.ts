/** One attempt at a codec for pictures: train, measure what its qualities cost, report. The caller publishes. */

import { HourglassError } from '../base/errors.ts';
import { writeSafetensors } from '../base/safetensors.ts';
import { buildPictureBundle, measure, openPictureDecoder } from '../bundle/picture.ts';
import type { Dataset, Pictures } from '../data/dataset.ts';
import { picturesOf } from '../data/pictures.ts';
import { engineRevision } from '../engine/engine.ts';
import type { JobProgress, JobSpec } from '../jobspec/job.ts';
import type { ModelOf } from '../jobspec/model.ts';
import type { Publication } from '../registry/registry.ts';
import { pictureReport } from '../report/picture-report.ts';
import type { Fence, Stores } from '../store/contract.ts';
import { trainPicture } from '../train/picture/job.ts';
import { openEngine } from './engine-choice.ts';
import type { Assignment, FromChild } from './protocol.ts';

export interface PictureTrainingOptions {
  readonly assignment: Assignment;
  readonly model: ModelOf<'picture'>;
  readonly stores: Stores;
  readonly fence: Fence;
  readonly dataset: Dataset;
  readonly signal: AbortSignal;
  readonly tell: (message: FromChild) => void;
  readonly advance: (to: Partial<JobProgress>) => void;
}

/** Share of the whole in percent. */
export const trainingShare = 90;
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
  const { assignment, model, stores, fence, dataset, signal, tell, advance } = options;
  const { id, spec, run, checkpoints, release, isTrial } = assignment;
  const pictures = requirePictures(dataset, spec);
  const engine = await openEngine(assignment.engine);
  try {
    const trained = await trainPicture({
      ...{ spec, model, dataset, pictures, engine, release, signal },
      checkpoints: stores.jobs.checkpoints(checkpoints.job, checkpoints.run, fence),
      checkpointSeconds: assignment.checkpointSeconds,
      onCheckpoint: (position) => tell({ type: 'checkpoint', mark: `${run}/${JSON.stringify(position)}` }),
      onProgress: (progress) => advance({ ...progress, percent: (progress.percent * trainingShare) / 100 }),
      onEpoch: (epoch) => tell({ type: 'epoch', epoch }),
      log: (message) => console.log(message),
    });
    if (isTrial) return { metrics: trained.metrics };
    const tick = (): void => {
      signal.throwIfAborted();
      advance({ phase: 'evaluate', percent: trainingShare });
    };
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
    const test = picturesOf(dataset, 'test');
    const shown = await someOf(test && test.length > 0 ? test : heldOut);
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
          operations: [],
          inputShape: [...dataset.info.shape],
          codeShape: [64 * codec.channels],
          inputRange: [dataset.info.range[0], dataset.info.range[1]],
          inputScaling: { ...dataset.info.scaling },
          lineage: {
            ...{ jobId: id, spec, seed: spec.training.seed, hourglass: release, engineRevision },
            dataset: { name: dataset.info.name, hash: dataset.info.hash },
            engine: `${engine.name}/${engine.device}`,
          },
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

/** Pictures for a report, evenly over all of them; of large ones a part. */
export async function someOf(pictures: Pictures): Promise<Awaited<ReturnType<Pictures['read']>>[]> {
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
