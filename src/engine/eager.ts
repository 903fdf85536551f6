/**
 * The `eager` engine: runs a program op by op on a tfjs backend. Backend `cpu` is the oracle of the tests, `tensorflow`
 * (src/engine/tensorflow.ts) the fast one. State stays in the backend's tensors between steps and between calls.
 */

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { HourglassError } from '../base/errors.ts';
import { type DataOf, type NdArray, type NdArrays, sizeOf, type TensorSpecs, zeros } from '../base/ndarray.ts';
import { checkResult } from './tensor-checks.ts';
import './gen/tfjs-gradients.ts';
import { CheckedExecutable } from './checked-executable.ts';
import type { Engine, MemoryReport, Program, Tensors } from './engine.ts';

// tfjs otherwise greets on stderr, where a worker's log is
tf.enableProdMode();

type OwnedTensors = Record<string, tf.Tensor>;

/**
 * An engine on a tfjs backend that is registered by this name. `device` is what it calls itself. Throws
 * `device-unavailable` when there is no such backend or it does not start.
 */
export async function eagerEngine(backend: string, device = backend): Promise<Engine> {
  const started = tf.findBackendFactory(backend) !== null && (await withBackendReady(backend));
  if (!started) throw new HourglassError('device-unavailable', `tfjs has no working backend called ${backend}.`);
  const live = new Set<EagerExecutable>();
  return {
    name: 'eager',
    device,
    async compile(program) {
      const executable = new EagerExecutable(program, backend, () => live.delete(executable));
      live.add(executable);
      return executable;
    },
    async dispose() {
      for (const executable of live) await executable.dispose();
    },
  };
}

/** Starts a backend (wasm does so asynchronously) and leaves the current one in place. */
async function withBackendReady(backend: string): Promise<boolean> {
  const before = tf.engine().backendName;
  try {
    return await tf.setBackend(backend);
  } finally {
    if (before) await tf.setBackend(before);
  }
}

class EagerExecutable extends CheckedExecutable {
  readonly #backend: string;
  #state: OwnedTensors;
  #constants: OwnedTensors;

  constructor(program: Program, backend: string, onDispose: () => void) {
    super(program, onDispose);
    this.#backend = backend;
    this.#state = this.#upload(zerosOf(program.state));
    this.#constants = this.#upload(zerosOf(program.constants));
  }

  protected override async runSteps(feeds: NdArrays, count: number): Promise<NdArrays> {
    const stacked: Record<string, NdArray> = {};
    for (let step = 0; step < count; step++) {
      const outputs = this.#step(feeds, step);
      try {
        for (const [name, tensor] of Object.entries(outputs)) {
          const { shape } = tensor;
          const dtype = tensor.dtype as NdArray['dtype'];
          stacked[name] ??= zeros(dtype, [count, ...shape]);
          stacked[name].data.set(await valuesOf(tensor), step * sizeOf(shape));
        }
      } finally {
        tf.dispose(outputs);
      }
    }
    return stacked;
  }

  /** Runs one step and takes over its state; the outputs belong to the caller. */
  #step(feeds: NdArrays, step: number): OwnedTensors {
    return this.#onBackend(() => {
      const previous = this.#state;
      const { state, outputs } = tf.tidy(() => {
        const result = this.program.step({
          state: previous,
          constants: this.#constants,
          feeds: slicesOf(this.program.feeds, feeds, step),
        });
        checkResult(this.program, result);
        // a step may hand an input back as it is: clones (no copy, a reference is counted) let all inputs go
        return { state: cloneAll(result.state), outputs: cloneAll(result.outputs) };
      });
      this.#state = state;
      tf.dispose(previous);
      return outputs;
    });
  }

  protected override writeState(state: NdArrays): void {
    tf.dispose(this.#state);
    this.#state = this.#upload(state);
  }

  protected override async readState(): Promise<NdArrays> {
    const state: Record<string, NdArray> = {};
    for (const [name, spec] of Object.entries(this.program.state)) {
      const data = await valuesOf(this.#state[name] as tf.Tensor);
      state[name] = { ...spec, data: data.slice() as DataOf[typeof spec.dtype] };
    }
    return state;
  }

  protected override writeConstants(constants: NdArrays): void {
    tf.dispose(this.#constants);
    this.#constants = this.#upload(constants);
  }

  override memory(): MemoryReport {
    const held = [...Object.values(this.#state), ...Object.values(this.#constants)];
    return {
      residentBytes: held.reduce((sum, t) => sum + t.size * tf.util.bytesPerElement(t.dtype), 0),
      programBytes: 0,
    };
  }

  protected override release(): void {
    tf.dispose([this.#state, this.#constants]);
    this.#state = {};
    this.#constants = {};
  }

  #upload(arrays: NdArrays): OwnedTensors {
    return this.#onBackend(() => mapValues(arrays, (array) => tensorOf({ ...array, data: array.data.slice() })));
  }

  /** tfjs has one current backend for the whole process: it is ours only while this synchronous function runs. */
  #onBackend<T>(body: () => T): T {
    const before = tf.engine().backendName;
    if (before === this.#backend) return body();
    tf.setBackend(this.#backend);
    try {
      return body();
    } finally {
      if (before) tf.setBackend(before);
    }
  }
}

const mapValues = <V, W>(record: Readonly<Record<string, V>>, f: (value: V) => W): Record<string, W> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]));

const cloneAll = (tensors: Tensors): OwnedTensors => mapValues(tensors, (tensor) => tf.clone(tensor));
const zerosOf = (specs: TensorSpecs): NdArrays => mapValues(specs, ({ dtype, shape }) => zeros(dtype, shape));

/** tfjs keeps the array it is given. */
const tensorOf = ({ data, shape, dtype }: NdArray): tf.Tensor => tf.tensor(data, [...shape], dtype);

/** Step number `step` of every feed. */
function slicesOf(specs: TensorSpecs, feeds: NdArrays, step: number): Tensors {
  return Object.fromEntries(
    Object.entries(specs).map(([name, { dtype, shape }]) => {
      const size = sizeOf(shape);
      const data = (feeds[name] as NdArray).data.slice(step * size, (step + 1) * size);
      return [name, tensorOf({ dtype, shape, data })];
    }),
  );
}

/** The backend's own array where it keeps one: copy before handing it out. */
const valuesOf = (tensor: tf.Tensor): Promise<Float32Array | Int32Array | Uint8Array> => tensor.data();
