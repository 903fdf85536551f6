/** Whether a model of series can work with a data set. */

import { HourglassError } from '../base/errors.ts';
import { type DatasetFacts, kindOf, usualTypes } from './derived.ts';
import { mostPatches, type SequenceModel } from './sequence-model.ts';

const invalid = (field: string, message: string, expected: unknown, found: unknown): HourglassError =>
  new HourglassError('invalid-spec', message, { field, expected, found });

/** Throws `invalid-spec` for a data set of another kind, for more patches than are unrolled, and for classes that are not there. */
export function checkSequenceModel(model: SequenceModel, dataset: DatasetFacts | undefined): void {
  if (!dataset) return;
  const { series, classNames = [], shape } = dataset;
  if (!series) {
    const found = kindOf(dataset);
    throw invalid(
      '/dataset',
      `A model of type "sequence" is trained on series, but the data set holds ${found}. Upload series with "kind": "series", or use "${usualTypes[found]}".`,
      'a data set of kind "series"',
      found,
    );
  }
  const [steps = 1] = shape;
  const patches = Math.ceil(steps / model.patch);
  if (patches > mostPatches) {
    throw invalid(
      '/model/patch',
      `"model.patch" is ${model.patch}, so the longest series, of ${steps} steps, has ${patches} patches; at most ${mostPatches} are unrolled. Use at least ${Math.ceil(steps / mostPatches)}.`,
      Math.ceil(steps / mostPatches),
      model.patch,
    );
  }
  const missing = model.normal?.filter((name) => !classNames.includes(name)) ?? [];
  if (missing.length > 0) {
    const there =
      classNames.length > 0 ? `its classes are ${classNames.slice(0, 20).join(', ')}` : 'the data set has no labels';
    throw invalid(
      '/model/normal',
      `"model.normal" names ${JSON.stringify(missing[0])}, but ${there}. Name classes of the data set, or leave it out.`,
      classNames.slice(0, 20),
      missing,
    );
  }
}

/** Throws `invalid-spec`: rows of series have gaps, which other models would take for numbers. */
export function refuseSeries(type: string, dataset: DatasetFacts | undefined): void {
  if (!dataset?.series) return;
  throw invalid(
    '/model/type',
    `The data set holds series, which may differ in length and have gaps; a model of type "${type}" needs complete rows. Use "sequence", or upload the series as rows.`,
    'sequence',
    type,
  );
}
