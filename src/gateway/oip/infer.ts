/** One inference of the Open Inference Protocol, for its REST and gRPC forms: named tensors in, one named tensor out. */

import type { Caller } from '../../base/caller.ts';
import { HourglassError } from '../../base/errors.ts';
import { type NdArray, showShape, sizeOf } from '../../base/ndarray.ts';
import type { PredictionService } from '../../serve/prediction-service.ts';
import type { Demand, Prediction } from '../../serve/predictor.ts';
import { inputNameOf, type OipReference, outputNameOf } from './models.ts';

export interface InferTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface InferQuestion {
  readonly reference: OipReference;
  readonly inputs: readonly InferTensor[];
  /** names of the outputs that are wanted; none: all there are */
  readonly outputs: readonly string[];
  readonly demand: Demand;
}

export interface InferAnswer {
  readonly prediction: Prediction;
  readonly outputName: string;
}

/** Throws `invalid-request` for other tensors than the model has, `shape-mismatch`, and what `PredictionService.predict` throws. */
export async function infer(
  predictions: PredictionService,
  caller: Caller,
  { reference, inputs, outputs, demand }: InferQuestion,
): Promise<InferAnswer> {
  const { operation, model } = reference;
  const [input, second] = inputs;
  const wanted = inputNameOf(operation);
  if (!input || second || input.name !== wanted) {
    const found = inputs.map(({ name }) => name.slice(0, 100));
    throw new HourglassError(
      'invalid-request',
      `${reference.name} takes one input, "${wanted}"; the request has ${found.length === 0 ? 'none' : found.join(', ')}.`,
      { field: '/inputs', expected: [wanted], found },
    );
  }
  const outputName = outputNameOf(operation);
  const stray = outputs.find((name) => name !== outputName);
  if (stray !== undefined) {
    throw new HourglassError(
      'invalid-request',
      `${reference.name} has no output "${stray.slice(0, 100)}", only "${outputName}".`,
      {
        field: '/outputs',
        expected: [outputName],
        found: stray.slice(0, 100),
      },
    );
  }
  const rows: NdArray<'float32'> = { dtype: 'float32', shape: input.shape, data: input.data };
  const { prediction } = await predictions.predict(caller, { operation, model, rows, demand });
  return { prediction, outputName };
}

/** Throws `shape-mismatch` when the shape does not fit the number of elements that came. */
export function checkElements(shape: readonly number[], elements: number, field: string): void {
  const isShape = shape.length > 0 && shape.length <= 8 && shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  if (isShape && sizeOf(shape) === elements) return;
  throw new HourglassError(
    'shape-mismatch',
    `The shape ${showShape(shape.slice(0, 8))} does not fit the ${elements} elements of the tensor.`,
    { field: `${field}/shape`, expected: elements, found: shape.slice(0, 8) },
  );
}
