/** Whether a model of pairs can work with a data set. */

import { HourglassError } from '../base/errors.ts';
import { type DatasetFacts, kindOf, usualTypes } from './derived.ts';
import type { SequenceToSequenceModel } from './pair-model.ts';
import type { TrainingSpec } from './training.ts';

const invalid = (field: string, message: string, expected: unknown, found: unknown): HourglassError =>
  new HourglassError('invalid-spec', message, { field, expected, found });

/** Throws `invalid-spec` for a data set of another kind. */
export function checkPairModel(model: SequenceToSequenceModel, dataset: DatasetFacts | undefined): void {
  if (!dataset || dataset.pairs) return;
  const found = kindOf(dataset);
  throw invalid(
    '/dataset',
    `A model of type "${model.type}" is trained on pairs of sources and targets, but the data set holds ${found}. Upload pairs with "kind": "pairs", or use "${usualTypes[found]}".`,
    'a data set of kind "pairs"',
    found,
  );
}

/** Throws `invalid-spec`: the figures of codes are of rows with classes. */
export function checkPairTraining({ type }: SequenceToSequenceModel, { evaluation }: TrainingSpec): void {
  const { linearProbe, neighbours, codes } = evaluation;
  if (!linearProbe && neighbours === 0 && codes === 'none') return;
  throw invalid(
    '/training/evaluation',
    `A model of type "${type}" is measured by its translations. Leave linearProbe, neighbours and codes out.`,
    'no evaluation of codes',
    evaluation,
  );
}

/** Throws `invalid-spec`: rows of pairs are numbers of symbols, which are no quantities. */
export function refusePairs(type: string, dataset: DatasetFacts | undefined): void {
  if (!dataset?.pairs) return;
  throw invalid(
    '/model/type',
    `The data set holds pairs, numbers of symbols, which a model of type "${type}" would take for quantities. Use "sequence-to-sequence".`,
    'sequence-to-sequence',
    type,
  );
}
