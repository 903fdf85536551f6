/** One attempt at a model that restores pictures: train, measure on pictures of the test split, report. The caller publishes. */

import { writeSafetensors } from '../base/safetensors.ts';
import { openRestorer } from '../bundle/restorer.ts';
import type { ModelOf } from '../jobspec/model.ts';
import { restorePicture } from '../picture/restore.ts';
import type { Publication } from '../registry/registry.ts';
import { restorationReport } from '../report/restoration-report.ts';
import { trainRestoration } from '../train/picture/restoration-job.ts';
import { openEngine } from './engine-choice.ts';
import {
  type AttemptParts,
  metaOf,
  type PictureTraining,
  requirePictures,
  runOf,
  shownOf,
  tickOf,
} from './picture-training.ts';

export interface RestorationTrainingOptions extends AttemptParts {
  readonly model: ModelOf<'restoration'>;
}

/** Throws what `trainRestoration` throws. */
export async function trainRestorations(options: RestorationTrainingOptions): Promise<PictureTraining> {
  const { assignment, model, dataset } = options;
  const { spec } = assignment;
  const pictures = requirePictures(dataset, spec);
  const engine = await openEngine(assignment.engine);
  try {
    const trained = await trainRestoration({ model, pictures, engine, ...runOf(options) });
    if (assignment.isTrial) return { metrics: trained.metrics };
    const { restorer, shape, heldOut, weights, metrics } = trained;
    const open = openRestorer(restorer, assignment.engine.threads);
    try {
      const report = await restorationReport({
        name: spec.name,
        corruption: model.corruption,
        pictures: await shownOf(dataset, heldOut),
        restore: ({ raster, holes }) => restorePicture(shape, raster, open.run, holes),
        tick: tickOf(options),
      });
      const publication: Publication = {
        files: { ...report.files, 'restorer.onnx': restorer, 'weights.safetensors': writeSafetensors(weights) },
        meta: {
          ...metaOf(options, engine),
          codeShape: [],
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
