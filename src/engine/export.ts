/** Exports a function of a batch, such as an encoder, as an ONNX file. The same function gives the same bytes. */

import * as tf from '@tensorflow/tfjs-core';
import type { TensorSpecs } from '../base/ndarray.ts';
import type { BatchFunction, Tensors } from './engine.ts';
import { batchSizes, mergeBatches } from './onnx/batch.ts';
import { functionModel, type Metadata } from './onnx/model.ts';
import { type Recording, record } from './onnx/record.ts';

export type { Metadata } from './onnx/model.ts';

function recordAt(fn: BatchFunction, batch: number): Recording {
  const specs: TensorSpecs = Object.fromEntries(
    Object.entries(fn.inputs).map(([name, { dtype, shape }]) => [name, { dtype, shape: [batch, ...shape] }]),
  );
  return record(fn.name, specs, (inputs) => {
    const weights: Tensors = Object.fromEntries(
      Object.entries(fn.weights).map(([name, { dtype, shape, data }]) => [name, tf.tensor(data, [...shape], dtype)]),
    );
    return fn.call(inputs, weights);
  });
}

/**
 * An ONNX model with the function's names of inputs and outputs, each with a leading dimension `batch` of any size, and its
 * weights inside. `metadata` is stamped into the file. Throws RecordingError when an op has no ONNX form or when rows depend
 * on each other.
 */
export function exportOnnx(fn: BatchFunction, metadata: Metadata): Uint8Array {
  const recordings = batchSizes.map((batch) => ({ batch, recording: recordAt(fn, batch) }));
  const { inputs, outputs } = mergeBatches(fn.name, recordings);
  return functionModel(fn.name, inputs, outputs, metadata);
}
