/** One attempt at a model that restores pictures: train, measure on pictures of the test split, report. The caller publishes. */

import { writeSafetensors } from '../base/safetensors.ts';
import { openRestorer } from '../bundle/restorer.ts';
import { picturesOf } from '../data/pictures.ts';
import { engineRevision } from '../engine/engine.ts';
import type { ModelOf } from '../jobspec/model.ts';
import { restorePicture } from '../picture/restore.ts';
import type { Publication } from '../registry/registry.ts';
import { restorationReport } from '../report/restoration-report.ts';
import { trainRestoration } from '../train/picture/restoration-job.ts';
import { openEngine } from './engine-choice.ts';
import {
  type PictureTraining,
  type PictureTrainingOptions,
  requirePictures,
  someOf,
  trainingShare,
} from './picture-training.ts';

export interface RestorationTrainingOptions extends Omit<PictureTrainingOptions, 'model'> {
  readonly model: ModelOf<'restoration'>;
}

/** Throws what `trainRestoration` throws. */
export async function trainRestorations(options: RestorationTrainingOptions): Promise<PictureTraining> {
  const { assignment, model, stores, fence, dataset, signal, tell, advance } = options;
  const { id, spec, run, checkpoints, release, isTrial } = assignment;
  const pictures = requirePictures(dataset, spec);
  const engine = await openEngine(assignment.engine);
  try {
    const trained = await trainRestoration({
      ...{ spec, model, dataset, pictures, engine, release, signal },
      checkpoints: stores.jobs.checkpoints(checkpoints.job, checkpoints.run, fence),
      checkpointSeconds: assignment.checkpointSeconds,
      onCheckpoint: (position) => tell({ type: 'checkpoint', mark: `${run}/${JSON.stringify(position)}` }),
      onProgress: (progress) => advance({ ...progress, percent: (progress.percent * trainingShare) / 100 }),
      onEpoch: (epoch) => tell({ type: 'epoch', epoch }),
      log: (message) => console.log(message),
    });
    if (isTrial) return { metrics: trained.metrics };
    const { restorer, shape, heldOut, weights, metrics } = trained;
    const test = picturesOf(dataset, 'test');
    const open = openRestorer(restorer, assignment.engine.threads);
    try {
      const report = await restorationReport({
        name: spec.name,
        corruption: model.corruption,
        pictures: await someOf(test && test.length > 0 ? test : heldOut),
        restore: ({ raster, holes }) => restorePicture(shape, raster, open.run, holes),
        tick() {
          signal.throwIfAborted();
          advance({ phase: 'evaluate', percent: trainingShare });
        },
      });
      const publication: Publication = {
        files: { ...report.files, 'restorer.onnx': restorer, 'weights.safetensors': writeSafetensors(weights) },
        meta: {
          operations: [],
          inputShape: [...dataset.info.shape],
          codeShape: [],
          inputRange: [dataset.info.range[0], dataset.info.range[1]],
          inputScaling: { ...dataset.info.scaling },
          lineage: {
            ...{ jobId: id, spec, seed: spec.training.seed, hourglass: release, engineRevision },
            dataset: { name: dataset.info.name, hash: dataset.info.hash },
            engine: `${engine.name}/${engine.device}`,
          },
          metrics: { ...metrics, ...report.metrics },
          restorer: shape,
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
