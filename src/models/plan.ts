/** What a job will do, as data: the autoencoder it publishes and the phases that train it. */

import type { NdArrays, Shape } from '../base/ndarray.ts';
import type { JobSpec } from '../jobspec/job.ts';
import type { DatasetFacts } from '../jobspec/resolve.ts';
import { type Autoencoder, allParameters } from './autoencoder.ts';
import { type Classifier, classifier, classifierPhase } from './classifier.ts';
import type { TrainedQuantiser } from './compression.ts';
import type { Phase } from './objective.ts';
import type { Parameters } from './parameters.ts';
import type { Recommender } from './recommender.ts';
import type { Slots, Translator } from './sequence-to-sequence.ts';

/** What codes of a model of documents are: a mixture of topics, or bits. */
export type TextCode = 'topics' | 'bits';

export interface Plan {
  /** what gets published */
  readonly autoencoder: Autoencoder;
  readonly classifier?: Classifier;
  /** every parameter that some phase uses; the published ones are among them */
  readonly parameters: Parameters;
  readonly phases: readonly Phase[];
  readonly denoises: boolean;
  /** codes drawn from N(0, I) decode to new inputs */
  readonly generates: boolean;
  /** what codes are to be quantised with, from all trained weights; absent where they were not quantised in training */
  readonly quantiser?: (weights: NdArrays) => TrainedQuantiser;
  /** measures −ln p(x) by importance sampling; not for training */
  readonly likelihoodPhase?: (samples: number) => Phase;
  /** of documents: what its codes are */
  readonly text?: TextCode;
  /** of ratings: published instead of encoder and decoder */
  readonly recommends?: Recommender;
  /** of pairs: published instead of encoder and decoder */
  readonly translates?: Translator;
}

export interface PlanContext {
  readonly spec: JobSpec;
  readonly data: DatasetFacts & { readonly shape: Shape };
  /** of pairs: how long the rows of a training batch are at most; absent where nothing is trained */
  readonly slots?: Slots | undefined;
}

/** The phases of an autoencoder, and of the classifier on top where the job asks for one. */
export function planOf(
  { spec, data }: PlanContext,
  autoencoder: Autoencoder,
  phases: readonly Phase[],
  abilities: Partial<Pick<Plan, 'denoises' | 'generates' | 'likelihoodPhase' | 'quantiser'>> = {},
): Plan {
  const head = 'head' in spec.model ? spec.model.head : undefined;
  const onTop = head && classifier(autoencoder, head, { classes: data.classes ?? 0, range: data.range });
  const all = onTop ? [...phases, classifierPhase(autoencoder, onTop, head, spec.training.batchSize)] : phases;
  return {
    autoencoder,
    ...(onTop && { classifier: onTop }),
    parameters: Object.assign(
      { ...allParameters(autoencoder) },
      ...all.map(({ trainable, statistics }) => ({ ...trainable, ...statistics })),
    ),
    phases: all,
    denoises: false,
    generates: false,
    ...abilities,
  };
}
