/** What a job will do, as data: the autoencoder it publishes and the phases that train it. */

import type { Shape } from '../base/ndarray.ts';
import type { JobSpec } from '../spec/job.ts';
import type { DatasetFacts } from '../spec/resolve.ts';
import type { Autoencoder } from './autoencoder.ts';
import type { Phase } from './objective.ts';
import type { Parameters } from './parameters.ts';

export interface Plan {
  /** what gets published */
  readonly autoencoder: Autoencoder;
  /** every parameter that some phase uses, the published ones among them */
  readonly parameters: Parameters;
  readonly phases: readonly Phase[];
  readonly denoises: boolean;
}

export interface PlanContext {
  readonly spec: JobSpec;
  readonly data: DatasetFacts & { readonly shape: Shape };
}
