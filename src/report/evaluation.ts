/** What every evaluation of a trained model is told, and what comes of it, whatever the model answers. */

import type { Static } from 'typebox';
import type { Origin, Report } from '../figures/report.ts';
import type { EpochMetrics, JobSpec } from '../jobspec/job.ts';

export interface EvaluationFacts {
  /** resolved */
  readonly spec: JobSpec;
  readonly epochs: readonly EpochMetrics[];
  /** where the version comes from; absent: the report does not say */
  readonly origin?: Static<typeof Origin>;
  readonly threads: number;
  /** aborting throws the signal's reason */
  readonly signal?: AbortSignal;
}

export interface Evaluation {
  readonly report: Report;
  /** by file name, to be published with the version */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** `test.mse`, `test.pca.sse`, `test.denoised.psnr` …: see `metricsOf` */
  readonly metrics: Readonly<Record<string, number>>;
}
