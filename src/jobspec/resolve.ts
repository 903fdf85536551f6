/**
 * The one way from what a client sent to a job specification that can work: shape and types, defaults, then the checks
 * that need several fields or the data set. Called by both gateways before anything is queued.
 */

import { type DatasetFacts, derivedMembers, deriveMembers, withTrainingOfType } from './derived.ts';
import { JobSpec } from './job.ts';
import { checkModel, classesOf, invalid } from './model-rules.ts';
import { isPairModel } from './pair-model.ts';
import { checkPairTraining } from './pair-rules.ts';
import { isRecommender } from './recommender.ts';
import { checkRecommenderTraining } from './recommender-rules.ts';
import { checkAgainst } from './schema-check.ts';

export type { DatasetFacts } from './derived.ts';

export interface ResolveContext {
  /** of the data set that the job names; without it the checks that need it are left out */
  readonly dataset?: DatasetFacts;
  /** members that the request may have beside the specification, for messages */
  readonly besides?: readonly string[];
}

export interface ResolvedJob {
  readonly spec: JobSpec;
  /** odd but allowed, one sentence each */
  readonly warnings: string[];
}

/**
 * Everything but `name`, `dataset` and `model.type` has a default. Resolving a resolved spec changes nothing.
 * Throws `unknown-field`, `invalid-type`, `non-finite`, `invalid-request` (something is missing) and `invalid-spec` with
 * the JSON pointer in `facts.field`.
 */
export function resolveJobSpec(raw: unknown, context: ResolveContext = {}): ResolvedJob {
  const given = checkAgainst(JobSpec, withTrainingOfType(raw), {
    mayMiss: (pointer) => derivedMembers.includes(pointer),
    ...(context.besides && { besides: context.besides }),
  }) as JobSpec;
  deriveMembers(given.model, context.dataset);
  const spec = checkAgainst(JobSpec, given) as JobSpec;
  const warnings: string[] = [];
  checkModel(spec.model, context.dataset, warnings);
  checkTraining(spec, context.dataset, warnings);
  return { spec, warnings };
}

function checkTraining({ training, model }: JobSpec, dataset: DatasetFacts | undefined, warnings: string[]): void {
  if (training.evaluation.importanceSamples > 0 && model.type !== 'variational') {
    throw invalid(
      '/training/evaluation/importanceSamples',
      `"training.evaluation.importanceSamples" estimates a likelihood, which a model of type "${model.type}" does not have. Leave it out, or use "variational".`,
      0,
      training.evaluation.importanceSamples,
    );
  }
  if (training.earlyStopping && training.validation.fraction === 0) {
    throw invalid(
      '/training/validation/fraction',
      '"training.earlyStopping" watches the held-out loss, but "training.validation.fraction" is 0. Hold some rows out, such as 0.05.',
      'above 0',
      0,
    );
  }
  const { linearProbe, neighbours, codes } = training.evaluation;
  const isCropped = model.type === 'picture' || model.type === 'restoration';
  if (isCropped && (linearProbe || neighbours > 0 || codes !== 'none')) {
    throw invalid(
      '/training/evaluation',
      `A model of type "${model.type}" has no codes of one size to evaluate. Leave linearProbe, neighbours and codes out.`,
      'no evaluation of codes',
      training.evaluation,
    );
  }
  if (isRecommender(model)) return checkRecommenderTraining(model, training);
  if (isPairModel(model)) checkPairTraining(model, training);
  if (!dataset) return;
  if ((linearProbe || neighbours > 0) && (dataset.classes ?? 0) < 2) {
    const field = `/training/evaluation/${linearProbe ? 'linearProbe' : 'neighbours'}`;
    throw invalid(
      field,
      `"${field.slice(1).replaceAll('/', '.')}" needs classes, but ${classesOf(dataset)}. Use a data set with at least 2 classes, or leave it out.`,
      'a data set with at least 2 classes',
      dataset.classes ?? 0,
    );
  }
  const rows = dataset.rows.train;
  if (rows < 2) {
    throw invalid('/dataset', `The data set has ${rows} training rows; at least 2 are needed.`, 2, rows);
  }
  if (training.maxSamples !== undefined && training.maxSamples > rows) {
    warnings.push(
      `"training.maxSamples" is ${training.maxSamples}, but the data set has ${rows} training rows: all are used.`,
    );
  }
  const heldOut = Math.floor(rows * training.validation.fraction);
  if (training.validation.fraction > 0 && heldOut === 0) {
    const what = `"training.validation.fraction" is ${training.validation.fraction}, of ${rows} rows less than one: no row is held out`;
    const least = Math.ceil(1e4 / rows) / 1e4;
    if (training.earlyStopping) {
      throw invalid(
        '/training/validation/fraction',
        `${what}, so "training.earlyStopping" has nothing to watch. Hold at least one out (${least}), or leave early stopping out.`,
        `at least ${least}`,
        training.validation.fraction,
      );
    }
    warnings.push(`${what}, and no held-out loss is measured.`);
  }
  // Batches of crops, of which there are as many as the model says.
  const used = isCropped ? model.crops : Math.min(training.maxSamples ?? rows, rows - heldOut);
  if (training.batchSize > used) {
    warnings.push(
      `"training.batchSize" is ${training.batchSize}, but there are ${used} rows to train on: batches have ${used} rows.`,
    );
  }
}
