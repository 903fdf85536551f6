/**
 * The only door to ONNX Runtime: one loaded model with typed, named inputs and outputs. Loading and running block the
 * thread they are called on; src/runtime/pool.ts moves them to worker threads.
 */

import { createRequire } from 'node:module';
import { env, listSupportedBackends, Tensor } from 'onnxruntime-node';
import { HourglassError } from '../base/errors.ts';
import { type DType, type NdArray, type NdArrays, showShape } from '../base/ndarray.ts';

/** What runs the numbers: an execution provider of ONNX Runtime. */
export const devices = ['cpu', 'webgpu', 'cuda'] as const;
export type Device = (typeof devices)[number];

export interface SessionOptions {
  /** default `cpu` */
  readonly device?: Device;
  /** threads that one run may use (the calling thread is one of them); default 1 */
  readonly threads?: number;
  /** `all` (default) or `none`: whether ONNX Runtime may rewrite the graph when it loads */
  readonly optimize?: 'all' | 'none';
}

/** An input or output of a model. A symbolic dimension such as `batch` is its name. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
}

interface RawPort {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type: number;
  readonly shape: readonly number[];
  readonly symbolicDimensions: readonly string[];
}

type RawTensors = Readonly<Record<string, Tensor>>;

/** The native class below onnxruntime-node's asynchronous wrapper: its calls are synchronous there as well. */
interface RawSession {
  readonly inputMetadata: readonly RawPort[];
  readonly outputMetadata: readonly RawPort[];
  loadModel(path: string, options: object): void;
  loadModel(bytes: ArrayBufferLike, offset: number, length: number, options: object): void;
  run(feeds: RawTensors, fetches: Readonly<Record<string, Tensor | null>>, options: object): RawTensors;
  dispose(): void;
}

const { binding, initOrt } = createRequire(import.meta.url)('onnxruntime-node/dist/binding.js') as {
  readonly binding: { readonly InferenceSession: new () => RawSession };
  readonly initOrt: () => void;
};

/** ONNX element types that cross this door, by TensorProto.DataType. */
const dtypes: Readonly<Record<number, DType>> = { 1: 'float32', 6: 'int32', 9: 'bool' };

function portOf(raw: RawPort): Port {
  const dtype = raw.isTensor ? dtypes[raw.type] : undefined;
  if (!dtype) {
    throw new HourglassError(
      'model-corrupt',
      `The model's port ${raw.name} has an element type that is not served; allowed are float32, int32 and bool.`,
      { field: raw.name, expected: Object.values(dtypes), found: raw.type },
    );
  }
  const shape = raw.shape.map((dim, i) => (dim >= 0 ? dim : raw.symbolicDimensions[i] || '?'));
  return { name: raw.name, dtype, shape };
}

/** Throws `device-unavailable` with what is missing when this machine's ONNX Runtime has no such provider. */
export function requireDevice(device: Device): void {
  const found = listSupportedBackends().map((backend) => backend.name);
  if (found.includes(device)) return;
  const remedy =
    device === 'cuda'
      ? 'CUDA needs the provider libraries of onnxruntime-node (run its install script with --onnxruntime-node-install=cuda12) and an NVIDIA driver with CUDA 12 and cuDNN 9'
      : 'WebGPU needs a platform for which onnxruntime-node ships it, and a GPU driver';
  throw new HourglassError(
    'device-unavailable',
    `ONNX Runtime has no ${device} provider here, only ${found.join(', ')}. ${remedy}; or choose the device cpu.`,
    { field: 'device', expected: found, found: device },
  );
}

export class Session {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly #fetches: Readonly<Record<string, null>>;
  readonly #inputNames: ReadonlySet<string>;
  #raw: RawSession | undefined;

  private constructor(raw: RawSession) {
    this.#raw = raw;
    this.inputs = raw.inputMetadata.map(portOf);
    this.outputs = raw.outputMetadata.map(portOf);
    this.#inputNames = new Set(this.inputs.map((port) => port.name));
    this.#fetches = Object.fromEntries(this.outputs.map((port) => [port.name, null]));
  }

  /**
   * Loads a model from its bytes or from a file. Blocks while ONNX Runtime optimises the graph.
   * Throws `device-unavailable` when the device cannot be used, `model-corrupt` when the model cannot be loaded.
   */
  static create(model: Uint8Array | string, options: SessionOptions = {}): Session {
    const device = options.device ?? 'cpu';
    requireDevice(device);
    env.logLevel = 'error';
    initOrt();
    const raw = new binding.InferenceSession();
    const settings = {
      executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
      intraOpNumThreads: options.threads ?? 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: options.optimize === 'none' ? 'disabled' : 'all',
      logSeverityLevel: 3,
    };
    try {
      if (typeof model === 'string') raw.loadModel(model, settings);
      else raw.loadModel(model.buffer, model.byteOffset, model.byteLength, settings);
    } catch (cause) {
      throw new HourglassError(
        device === 'cpu' ? 'model-corrupt' : 'device-unavailable',
        device === 'cpu'
          ? 'ONNX Runtime cannot load the model. Its file may be damaged or of a newer release; publish it again.'
          : `ONNX Runtime cannot start the model on ${device}. Check the driver, or choose the device cpu.`,
        {},
        { cause },
      );
    }
    try {
      return new Session(raw);
    } catch (error) {
      raw.dispose();
      throw error;
    }
  }

  /**
   * Runs the model on named inputs. `into` may hold memory for outputs (dtype and shape must be exact): it is written and
   * returned instead of new arrays. Throws `invalid-type` and `shape-mismatch` for inputs that do not fit.
   */
  runSync(feeds: NdArrays, into: NdArrays = {}): NdArrays {
    if (!this.#raw) throw new HourglassError('internal', 'The session was disposed.');
    for (const port of this.inputs) checkFeed(port, feeds[port.name]);
    const raw = this.#raw.run(
      toTensors(feeds, this.#inputNames),
      { ...this.#fetches, ...toTensors(into, new Set(Object.keys(into))) },
      {},
    );
    const out: Record<string, NdArray> = {};
    for (const port of this.outputs) out[port.name] = into[port.name] ?? fromTensor(port, raw[port.name]!);
    return out;
  }

  /**
   * Fixes inputs and outputs to memory that stays where it is; the function that comes back runs the model with the others.
   * Everything must be given in one of the two: nothing is allocated.
   */
  bind(feeds: NdArrays, into: NdArrays): (feeds: NdArrays, into: NdArrays) => void {
    const given = toTensors(feeds, new Set(Object.keys(feeds)));
    const results = toTensors(into, new Set(Object.keys(into)));
    for (const port of this.inputs) if (port.name in feeds) checkFeed(port, feeds[port.name]);
    const open = this.inputs.filter((port) => !(port.name in feeds));
    return (others, otherResults) => {
      if (!this.#raw) throw new HourglassError('internal', 'The session was disposed.');
      for (const port of open) checkFeed(port, others[port.name]);
      this.#raw.run(
        { ...given, ...toTensors(others, new Set(Object.keys(others))) },
        { ...results, ...toTensors(otherResults, new Set(Object.keys(otherResults))) },
        {},
      );
    };
  }

  /** `runSync` behind a promise, after other events of this thread had their turn. */
  async run(feeds: NdArrays, into?: NdArrays): Promise<NdArrays> {
    await new Promise(setImmediate);
    return this.runSync(feeds, into);
  }

  /** Frees the model. Safe to call twice. */
  dispose(): void {
    this.#raw?.dispose();
    this.#raw = undefined;
  }
}

function checkFeed(port: Port, feed: NdArray | undefined): void {
  const wanted = `${port.dtype} ${showShape(port.shape as readonly number[])}`;
  if (!feed) {
    throw new HourglassError('shape-mismatch', `The input ${port.name} (${wanted}) is missing.`, { field: port.name });
  }
  if (feed.dtype !== port.dtype) {
    throw new HourglassError('invalid-type', `The input ${port.name} must be ${wanted}, got ${feed.dtype}.`, {
      field: port.name,
      expected: port.dtype,
      found: feed.dtype,
    });
  }
  const fits =
    feed.shape.length === port.shape.length &&
    port.shape.every((dim, i) => typeof dim === 'string' || dim === feed.shape[i]);
  if (!fits) {
    throw new HourglassError(
      'shape-mismatch',
      `The input ${port.name} must be ${wanted}, got ${showShape(feed.shape)}.`,
      {
        field: port.name,
        expected: port.shape,
        found: feed.shape,
      },
    );
  }
}

function toTensors(arrays: NdArrays, names: ReadonlySet<string>): Record<string, Tensor> {
  const out: Record<string, Tensor> = {};
  for (const name of names) {
    const { dtype, data, shape } = arrays[name]!;
    out[name] = new Tensor(dtype, data as Float32Array, shape);
  }
  return out;
}

function fromTensor(port: Port, tensor: Tensor): NdArray {
  return { dtype: port.dtype, shape: tensor.dims, data: tensor.data as Float32Array } as NdArray;
}
