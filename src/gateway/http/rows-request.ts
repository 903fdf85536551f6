/** What a prediction's body says: which model, and the rows in any of their forms. */

import { HourglassError } from '../../base/errors.ts';
import type { NdArray } from '../../base/ndarray.ts';
import type { RowOperation } from '../../registry/manifest.ts';
import type { RowSource } from '../../serve/prediction-service.ts';
import type { PredictTarget } from '../../serve/predictor.ts';
import { type PictureOptions, rowsOfBytes, rowsOfPictures } from '../row-conversion.ts';
import type { RowsBody } from './body.ts';
import { refuseSeveral } from './rows-answer.ts';

export const inputOf = (operation: RowOperation): 'codes' | 'inputs' => (operation === 'decode' ? 'codes' : 'inputs');

/** Of a JSON body, whose tensors are read already. Throws `invalid-request`, `unknown-field`, `invalid-type`. */
function rowsMembers(value: unknown, operation: RowOperation): { model: string | undefined; rows: NdArray<'float32'> } {
  const name = inputOf(operation);
  const fields = ['model', name];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HourglassError('invalid-request', `The body must be an object with "${name}": {"${name}": [[…], […]]}.`, {
      expected: fields,
      found: value === undefined ? 'no body' : Array.isArray(value) ? 'an array' : String(value).slice(0, 20),
    });
  }
  const members = value as Record<string, unknown>;
  for (const key of Object.keys(members)) {
    if (fields.includes(key)) continue;
    const field = `/${key.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`;
    throw new HourglassError(
      'unknown-field',
      `There is no field ${JSON.stringify(key.slice(0, 100))} here; there are ${fields.join(' and ')}.`,
      {
        field,
        expected: fields,
        found: key.slice(0, 100),
      },
    );
  }
  const { model } = members;
  const rows = members[name];
  if (model !== undefined && typeof model !== 'string') {
    throw new HourglassError(
      'invalid-type',
      '"model" must be a text such as "digits", "digits@2" or "digits:stable".',
      {
        field: '/model',
        expected: 'a string',
        found: model === null ? 'null' : typeof model,
      },
    );
  }
  if (rows === undefined) {
    throw new HourglassError('invalid-request', `The body has no "${name}": {"${name}": [[…], […]]}.`, {
      field: `/${name}`,
      expected: 'a list of rows of numbers',
    });
  }
  return { model, rows: rows as NdArray<'float32'> };
}

/** The model that the path or query and the body agree on. Throws `invalid-request`. */
function oneModel(inRequest: string | undefined, inBody: string | undefined): string | undefined {
  if (inRequest !== undefined && inBody !== undefined && inRequest !== inBody) {
    throw new HourglassError('invalid-request', 'The request and its body name different models. Name one.', {
      field: '/model',
      expected: inRequest.slice(0, 200),
      found: inBody.slice(0, 200),
    });
  }
  return inRequest ?? inBody;
}

export interface RowsContext extends PictureOptions {
  /** the model that the path or the query names */
  readonly named: string | undefined;
  /** the answer is a picture, which holds one row */
  readonly isPicture: boolean;
}

export type NumbersBody = Extract<RowsBody, { readonly form: 'json' | 'octets' }>;

/** Rows of numbers; those that come as bytes have no shape of their own. */
type NumberRows = NdArray<'float32'> | ((target: PredictTarget) => NdArray<'float32'>);

/** Rows for the version that `target` names. */
export const madeFor = (target: PredictTarget, rows: NumberRows): NdArray<'float32'> =>
  typeof rows === 'function' ? rows(target) : rows;

/** Which model is asked with which rows. `named` is the model that the path or the query names. */
export function numbersOf(
  body: NumbersBody,
  operation: RowOperation,
  named: string | undefined,
): { readonly model: string | undefined; readonly rows: NumberRows } {
  if (body.form === 'octets') return { model: named, rows: (target) => rowsOfBytes(body.bytes, target) };
  const { model, rows } = rowsMembers(body.value, operation);
  return { model: oneModel(named, model), rows };
}

/** The same for pictures as well. Throws `not-acceptable` when several rows are to become one picture. */
export function rowsOf(
  body: Exclude<RowsBody, { readonly form: 'frame' }>,
  operation: RowOperation,
  { named, isPicture, ...options }: RowsContext,
): { readonly model: string | undefined; readonly rows: RowSource } {
  const one = <R extends NdArray<'float32'>>(rows: R): R => {
    if (isPicture) refuseSeveral(rows);
    return rows;
  };
  if (body.form === 'picture') {
    return { model: named, rows: async (target) => one(await rowsOfPictures([body.bytes], target, options)) };
  }
  const { model, rows } = numbersOf(body, operation, named);
  // A picture of a model that is not there is first of all a model that is not there.
  return { model, rows: isPicture ? (target) => one(madeFor(target, rows)) : rows };
}
