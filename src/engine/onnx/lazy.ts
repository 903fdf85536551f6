/**
 * A tfjs backend on ONNX Runtime for eager code: kernels are recorded, and reading a tensor compiles and runs what it
 * depends on. Made for conformance, not for speed: every read loads a model of its own.
 */

import type * as tf from '@tensorflow/tfjs-core';
import type { DType, NdArray } from '../../base/ndarray.ts';
import { Session } from '../../runtime/session.ts';
import { type Entry, GraphBackend, type KernelInputs, registerGraphBackend } from './backend.ts';
import { Graph, reachable, type Value } from './graph.ts';
import { functionModel } from './model.ts';
import { RecordingError } from './record.ts';

/** Hears of what happens: kernels as they are called, and ops without an ONNX form. */
export interface Watch {
  readonly kernel?: (name: string) => void;
  readonly refusal?: (what: string) => void;
}

const inputName = (value: Value): string => `x${value.id}`;

class LazyBackend extends GraphBackend {
  // values outlive each other here, so equal nodes are not shared
  readonly graph = new Graph({ share: false });
  readonly #hosts = new WeakMap<Value, tf.BackendValues>();
  readonly #watch: Watch;

  constructor(watch: Watch) {
    super();
    this.#watch = watch;
  }

  override run(kernel: string, inputs: KernelInputs, attrs: unknown) {
    this.#watch.kernel?.(kernel);
    return super.run(kernel, inputs, attrs);
  }

  protected adopt(entry: Entry): Value {
    const value = this.graph.input('', entry.dtype as DType, entry.shape);
    this.#hosts.set(value, entry.host!);
    return value;
  }

  protected compute(entry: Entry): tf.BackendValues {
    const result = entry.value!;
    const known = this.#hosts.get(result);
    if (known) return known;
    const { inputs } = reachable([result]);
    const feeds: Record<string, NdArray> = {};
    for (const value of inputs) {
      const dtype = value.type as DType;
      const host = this.#hosts.get(value) as Float32Array;
      // tfjs tensors may hold plain arrays
      const data =
        dtype === 'float32'
          ? Float32Array.from(host)
          : dtype === 'int32'
            ? Int32Array.from(host)
            : Uint8Array.from(host);
      feeds[inputName(value)] = { dtype, shape: value.shape, data } as NdArray;
    }
    const ports = inputs.map((value) => ({ name: inputName(value), value }));
    const session = Session.create(
      functionModel('lazy', ports, [{ name: 'y', value: result }], { producer: 'hourglass', version: '1' }),
    );
    try {
      const { y } = session.runSync(feeds);
      // what is read once is an input of what follows
      entry.value = undefined;
      return y!.data;
    } finally {
      session.dispose();
    }
  }

  refuse(what: string): never {
    this.#watch.refusal?.(what);
    throw new RecordingError(what);
  }
}

/** Registers the backend with tfjs under a name. */
export function registerLazyBackend(name: string, watch: Watch = {}): void {
  registerGraphBackend(name, new LazyBackend(watch));
}
