/** Whether a model of ratings can work with a data set and the training that is asked for. */

import { mostEaseItems } from '../base/ease.ts';
import { HourglassError } from '../base/errors.ts';
import { type DatasetFacts, kindOf, usualTypes } from './derived.ts';
import type { RecommenderModel } from './recommender.ts';
import type { TrainingSpec } from './training.ts';

const invalid = (field: string, message: string, expected: unknown, found: unknown): HourglassError =>
  new HourglassError('invalid-spec', message, { field, expected, found });

/** Throws `invalid-spec` for a data set that holds no ratings, or that the model cannot take. */
export function checkRecommender(model: RecommenderModel, dataset: DatasetFacts | undefined): void {
  if (!dataset) return;
  if (!dataset.ratings) {
    throw invalid(
      '/dataset',
      `A model of type "${model.type}" recommends from ratings, but the data set holds ${kindOf(dataset)}. Upload lines of person, item and rating with "kind": "ratings", or use "${usualTypes[kindOf(dataset)]}".`,
      'a data set of kind "ratings"',
      kindOf(dataset),
    );
  }
  const [items = 0] = dataset.shape;
  if (model.type === 'ease' && items > mostEaseItems) {
    throw invalid(
      '/model/type',
      `"ease" inverts a matrix of items × items: at most ${mostEaseItems} items, here there are ${items}. Use "mult-vae".`,
      mostEaseItems,
      items,
    );
  }
  if ('positive' in model && model.positive > dataset.ratings.range[1]) {
    throw invalid(
      '/model/positive',
      `"model.positive" is ${model.positive}, but the highest rating is ${dataset.ratings.range[1]}: nothing would be liked.`,
      `at most ${dataset.ratings.range[1]}`,
      model.positive,
    );
  }
}

/** Throws `invalid-spec` for what is measured on rows and codes alone. */
export function checkRecommenderTraining(model: RecommenderModel, training: TrainingSpec): void {
  const { linearProbe, neighbours, codes } = training.evaluation;
  const unfit = { linearProbe, neighbours: neighbours > 0, codes: codes !== 'none' };
  for (const [member, asked] of Object.entries(unfit)) {
    if (!asked) continue;
    const what = `"training.evaluation.${member}" is about classes and codes of rows, which a model of type "${model.type}" is not measured by. Leave it out.`;
    throw invalid(`/training/evaluation/${member}`, what, undefined, asked);
  }
  if (training.maxSamples !== undefined) {
    throw invalid(
      '/training/maxSamples',
      `"training.maxSamples" would leave people or items out, but a model of type "${model.type}" needs all of them. Leave it out, or upload fewer ratings.`,
      undefined,
      training.maxSamples,
    );
  }
}

/** Throws `invalid-spec`: ratings are mostly zeros that mean "not rated", which other models would learn to restore. */
export function refuseRatings(type: string, dataset: DatasetFacts | undefined): void {
  if (!dataset?.ratings) return;
  throw invalid(
    '/model/type',
    `The data set holds ratings, where 0 is "not rated"; a model of type "${type}" would learn to restore that. Use "ease", "autorec" or "mult-vae".`,
    ['ease', 'autorec', 'mult-vae'],
    type,
  );
}
