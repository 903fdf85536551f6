/** Exports a function of a batch, such as an encoder, as an ONNX file. The same function gives the same bytes. */

import * as tf from '@tensorflow/tfjs-core';
import type { TensorSpecs } from '../base/ndarray.ts';
import type { BatchFunction, Tensors } from './engine.ts';
import { batchAxis, type DynamicAxis, mergeRecordings, recordedSizes } from './onnx/batch.ts';
import { functionModel, type Metadata } from './onnx/model.ts';
import { type Recording, record } from './onnx/record.ts';

export type { Metadata } from './onnx/model.ts';

/** `sizes` are those of the axes, which the first input has; of the others only the batch is dynamic. */
function recordAt(fn: BatchFunction, axes: readonly DynamicAxis[], sizes: readonly number[]): Recording {
  const specs: TensorSpecs = Object.fromEntries(
    Object.entries(fn.inputs).map(([name, { dtype, shape }], i) => {
      const whole = [sizes[0]!, ...shape];
      for (const [j, { axis }] of axes.entries()) if (i === 0) whole[axis] = sizes[j]!;
      return [name, { dtype, shape: whole }];
    }),
  );
  return record(fn.name, specs, (inputs) => {
    const weights: Tensors = Object.fromEntries(
      Object.entries(fn.weights).map(([name, { dtype, shape, data }]) => [name, tf.tensor(data, [...shape], dtype)]),
    );
    return fn.call(inputs, weights);
  });
}

function exported(fn: BatchFunction, axes: readonly DynamicAxis[], metadata: Metadata): Uint8Array {
  const recordings = recordedSizes(axes).map((sizes) => ({ sizes, recording: recordAt(fn, axes, sizes) }));
  const { inputs, outputs } = mergeRecordings(fn.name, axes, recordings);
  return functionModel(fn.name, inputs, outputs, metadata);
}

/**
 * An ONNX model with the function's names of inputs and outputs, each with a leading dimension `batch` of any size, and its
 * weights inside. `metadata` is stamped into the file. Throws RecordingError when an op has no ONNX form or when rows depend
 * on each other.
 */
export const exportOnnx = (fn: BatchFunction, metadata: Metadata): Uint8Array => exported(fn, [batchAxis], metadata);

const sides: readonly DynamicAxis[] = [
  { name: 'height', axis: 1, sizes: [7919, 7927, 7933] },
  { name: 'width', axis: 2, sizes: [6983, 6991, 6997] },
];

/**
 * The same for a function whose first input is pictures [batch, height, width, channels] of any size; heights and widths of its
 * outputs follow from those.
 */
export const exportPictureOnnx = (fn: BatchFunction, metadata: Metadata): Uint8Array =>
  exported(fn, [batchAxis, ...sides], metadata);
