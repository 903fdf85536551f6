/** Whether a model of documents can work with a data set. */

import { HourglassError } from '../base/errors.ts';
import { type DatasetFacts, kindOf, usualTypes } from './derived.ts';
import type { TextModel } from './text-model.ts';

const invalid = (field: string, message: string, expected: unknown, found: unknown): HourglassError =>
  new HourglassError('invalid-spec', message, { field, expected, found });

/** Throws `invalid-spec` for a data set that holds no documents, or a code that is no whole number of bytes. */
export function checkTextModel(model: TextModel, dataset: DatasetFacts | undefined): void {
  if (model.type === 'semantic-hashing' && model.code % 8 !== 0) {
    const near = Math.max(32, Math.round(model.code / 8) * 8);
    throw invalid(
      '/model/code',
      `"model.code" is ${model.code}, but codes of a model of type "semantic-hashing" are whole bytes. Use ${near}.`,
      'a multiple of 8',
      model.code,
    );
  }
  if (!dataset || dataset.documents) return;
  throw invalid(
    '/dataset',
    `A model of type "${model.type}" is trained on counts of words, but the data set holds ${kindOf(dataset)}. Upload texts with "kind": "documents", or use "${usualTypes[kindOf(dataset)]}".`,
    'a data set of kind "documents"',
    kindOf(dataset),
  );
}

/** Throws `invalid-spec`: squared errors of word counts are those of the few most frequent words. */
export function refuseDocuments(type: string, dataset: DatasetFacts | undefined): void {
  if (!dataset?.documents) return;
  throw invalid(
    '/model/type',
    `The data set holds documents, counts of words, which a model of type "${type}" has no likelihood for. Use "topics" or "semantic-hashing".`,
    ['topics', 'semantic-hashing'],
    type,
  );
}
