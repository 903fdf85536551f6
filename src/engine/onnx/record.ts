/** Records a tfjs function: runs it once on tensors without values and returns the graph of what it did. */

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { DType, TensorSpecs } from '../../base/ndarray.ts';
import type { Tensors } from '../engine.ts';
import { type Entry, GraphBackend, registerGraphBackend } from './backend.ts';
import { elementsOf, Graph, type Value } from './graph.ts';

/** The program did something that cannot be recorded. Names the place in the program. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}

/** The first line of the stack that is neither tfjs nor this engine: where the user's program asked for it. */
function callerOutside(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  const frames = new Error().stack?.split('\n').slice(1) ?? [];
  Error.stackTraceLimit = limit;
  const own = /[\\/]node_modules[\\/]|[\\/]engine[\\/](onnx|gen)[\\/]|node:internal/;
  return frames.find((frame) => !own.test(frame))?.trim() ?? 'at an unknown place';
}

class Recorder extends GraphBackend {
  graph = new Graph();
  program = '';

  protected adopt(entry: Entry): Value {
    if (!entry.host) throw new Error('a tensor of an earlier recording was used');
    const data = entry.host as Float32Array;
    const uniform = data.length > 0 && data.every((x) => Object.is(x, data[0]));
    return this.graph.constant(entry.dtype as DType, entry.shape, uniform ? data.subarray(0, 1) : data);
  }

  protected compute(entry: Entry): tf.BackendValues {
    const elements = entry.value && elementsOf(entry.value);
    if (elements) {
      if (entry.dtype === 'float32') return Float32Array.from(elements);
      return entry.dtype === 'int32' ? Int32Array.from(elements) : Uint8Array.from(elements);
    }
    return this.refuse(
      `The value of a ${entry.dtype} [${entry.shape}] tensor was read (data, dataSync, array, print …). While a program is ` +
        'recorded its tensors have no values; return the tensor as an output, or decide with tf.where instead of if.',
    );
  }

  refuse(what: string): never {
    throw new RecordingError(`Program ${this.program}: ${what} ${callerOutside()}`);
  }

  /** Tensors that came from outside keep their values; what was kept from the last recording is gone. */
  restart(program: string): void {
    for (const [dataId, entry] of this.entries) {
      entry.value = undefined;
      if (!entry.host) this.entries.delete(dataId);
    }
    this.graph = new Graph();
    this.program = program;
  }
}

const recorder = new Recorder();
const backendName = 'onnx-recorder';
let registered = false;

export interface Recording {
  readonly inputs: Readonly<Record<string, Value>>;
  readonly outputs: Readonly<Record<string, Value>>;
}

/** Makes a tensor of the backend in use from a value; for programs that are recorded only. */
function placeholders(inputs: Readonly<Record<string, Value>>): Tensors {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => {
      const { dataId, shape, dtype } = recorder.infoOf(value);
      return [name, tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype }, recorder)];
    }),
  );
}

/**
 * Runs `program` on placeholders of the given specs. Synchronous: the backend in use before is back when it returns, and
 * no tensor stays behind. Throws RecordingError for ops without an ONNX form and for reading a value.
 */
export function record(name: string, specs: TensorSpecs, program: (inputs: Tensors) => Tensors): Recording {
  if (!registered) {
    registerGraphBackend(backendName, recorder);
    registered = true;
  }
  const before = tf.engine().backendName as string | undefined;
  recorder.restart(name);
  void tf.setBackend(backendName);
  tf.engine().startScope(name);
  try {
    const inputs = Object.fromEntries(
      Object.entries(specs).map(([key, spec]) => [key, recorder.graph.input(key, spec.dtype, spec.shape)]),
    );
    const results = program(placeholders(inputs));
    const outputs = Object.fromEntries(
      Object.entries(results).map(([key, tensor]) => [key, recorder.graphValue(tensor)]),
    );
    return { inputs, outputs };
  } finally {
    tf.engine().endScope();
    recorder.restart('');
    void tf.setBackend(before && before !== backendName ? before : 'cpu');
  }
}
