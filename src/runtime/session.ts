/**
 * The only door to ONNX Runtime: one loaded model with typed, named inputs and outputs. Loading and running block the
 * thread they are called on; src/runtime/pool.ts moves them to worker threads.
 */

import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { env, listSupportedBackends, Tensor } from 'onnxruntime-node';
import { HourglassError } from '../base/errors.ts';
import { type DType, type NdArray, type NdArrays, type Shape, showShape } from '../base/ndarray.ts';
import { brokenDevice, type Device, probeModel, unknownDevice } from './device.ts';
import { stopOutput } from './stop-output.ts';
import { findTrouble } from './webgpu-trouble.ts';

export type { Device } from './device.ts';

export interface SessionOptions {
  /** default `cpu` */
  readonly device?: Device;
  /** threads that one run may use (the calling thread is one of them); default 1 */
  readonly threads?: number;
  /** how far ONNX Runtime may rewrite the graph when it loads; `extended`: all but the order of pixels and channels in memory */
  readonly optimize?: 'all' | 'extended' | 'none';
  /** threads wait for the next run by sleeping, not by spinning for a while: when others have work between the runs */
  readonly sleepBetweenRuns?: boolean;
  /** outputs that stay in the device's memory (webgpu only); such a session is run by `runHeld` */
  readonly held?: readonly string[];
}

/** A tensor in a device's memory. It takes that memory until it is disposed. */
export interface DeviceTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  dispose(): void;
}
export type DeviceTensors = Readonly<Record<string, DeviceTensor>>;

const rawOf = new WeakMap<DeviceTensor, Tensor>();

function deviceTensor(dtype: DType, raw: Tensor): DeviceTensor {
  const tensor = { dtype, shape: raw.dims, dispose: () => raw.dispose() };
  rawOf.set(tensor, raw);
  return tensor;
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

/** The native class below onnxruntime-node's asynchronous wrapper: its calls are synchronous in 1.30, which package.json keeps. */
interface RawSession {
  readonly inputMetadata: readonly RawPort[];
  readonly outputMetadata: readonly RawPort[];
  loadModel(path: string, options: object): void;
  loadModel(bytes: ArrayBufferLike, offset: number, length: number, options: object): void;
  run(feeds: RawTensors, fetches: Readonly<Record<string, Tensor | null>>, options: object): RawTensors;
  dispose(): void;
}

const require = createRequire(import.meta.url);
const { binding, initOrt } = require('onnxruntime-node/dist/binding.js') as {
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

const stopped = `Tensor type (${stopOutput.elementType}) is not supported.`;

const settingsOf = ({ device = 'cpu', threads = 1, optimize = 'all', held, sleepBetweenRuns }: SessionOptions) => ({
  executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: optimize === 'none' ? 'disabled' : optimize,
  logSeverityLevel: 4,
  ...(held && { preferredOutputLocation: Object.fromEntries(held.map((name) => [name, 'gpu-buffer'])) }),
  extra: {
    session: {
      // On Intel each operation on a denormal number takes some hundred cycles: a row of them took 180 times as long.
      set_denormal_as_zero: '1',
      ...(sleepBetweenRuns && { force_spinning_stop: '1' }),
    },
  },
});

function load(model: Uint8Array | string, options: SessionOptions): RawSession {
  // what goes wrong is thrown; ONNX Runtime would also write it to stderr
  env.logLevel = 'fatal';
  initOrt();
  const raw = new binding.InferenceSession();
  if (typeof model === 'string') raw.loadModel(model, settingsOf(options));
  else raw.loadModel(model.buffer, model.byteOffset, model.byteLength, settingsOf(options));
  return raw;
}

/** Whether the files of a provider that is not bundled lie beside the ones that are. */
function hasFilesOf(device: Device): boolean {
  const bundled = path.join(path.dirname(require.resolve('onnxruntime-node/package.json')), 'bin');
  const files = readdirSync(bundled, { recursive: true, encoding: 'utf8' });
  return files.some((file) => file.includes(`onnxruntime_providers_${device}.`));
}

/**
 * Makes this thread, and every thread that it starts from now on, take denormal numbers as zero. ONNX Runtime sets a
 * session's own threads, but of the threads that call `run` only the one that creates the first session of the process; threads
 * inherit the mode of the thread that starts them. So call it before you start threads that run models.
 */
export function takeDenormalsAsZero(): void {
  requireDevice('cpu');
}

const working = new Set<Device>();

/** Loads a small model on the device. Throws what ONNX Runtime throws. */
export const tryDevice = (device: Device): void => load(probeModel, { device }).dispose();

/** Throws `device-unavailable` with what is missing when the device cannot be used on this machine. */
export function requireDevice(device: Device): void {
  if (working.has(device)) return;
  const supported = listSupportedBackends().map((backend) => backend.name);
  if (!supported.includes(device)) throw unknownDevice(device, supported);
  try {
    tryDevice(device);
  } catch (cause) {
    if (device === 'webgpu') throw brokenDevice(device, cause, findTrouble());
    const hasNoFiles = device === 'cuda' && !hasFilesOf(device);
    throw brokenDevice(device, cause, hasNoFiles ? { missing: 'its CUDA files are not installed' } : undefined);
  }
  working.add(device);
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
    const stops = ({ name, type }: RawPort) => name === stopOutput.name && type === stopOutput.elementType;
    this.outputs = raw.outputMetadata.filter((port) => !stops(port)).map(portOf);
    this.#inputNames = new Set(this.inputs.map((port) => port.name));
    this.#fetches = Object.fromEntries(raw.outputMetadata.map(({ name }) => [name, null]));
  }

  /**
   * Loads a model from its bytes or from a file. Blocks while ONNX Runtime optimises the graph.
   * Throws `device-unavailable` when the device cannot be used, `model-corrupt` when the model cannot be loaded.
   */
  static create(model: Uint8Array | string, options: SessionOptions = {}): Session {
    const device = options.device ?? 'cpu';
    requireDevice(device);
    let raw: RawSession;
    try {
      raw = load(model, options);
    } catch (cause) {
      if (device !== 'cpu') throw brokenDevice(device, cause);
      throw new HourglassError(
        'model-corrupt',
        'ONNX Runtime cannot load the model. Its file may be damaged or of a newer release; publish it again.',
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
   * Fixes all inputs and outputs to memory that stays where it is; the function that comes back runs the model on what lies
   * there by then. With `stopOutput` in the model it allocates and copies nothing.
   */
  bind(feeds: NdArrays, into: NdArrays): () => void {
    for (const port of this.inputs) checkFeed(port, feeds[port.name]);
    const given = toTensors(feeds, this.#inputNames);
    const results = { ...this.#fetches, ...toTensors(into, new Set(Object.keys(into))) };
    return () => {
      if (!this.#raw) throw new HourglassError('internal', 'The session was disposed.');
      try {
        this.#raw.run(given, results, {});
      } catch (error) {
        if (!(error instanceof Error) || error.message !== stopped) throw error;
      }
    };
  }

  /** Runs with inputs from the host and from the device; the outputs that the session holds come back as device tensors. */
  runHeld(feeds: NdArrays, held: DeviceTensors): { readonly outputs: NdArrays; readonly held: DeviceTensors } {
    if (!this.#raw) throw new HourglassError('internal', 'The session was disposed.');
    const given: Record<string, Tensor> = {};
    for (const port of this.inputs) {
      const tensor = held[port.name];
      if (tensor) given[port.name] = rawOf.get(tensor)!;
      else checkFeed(port, feeds[port.name]);
    }
    const others = this.inputs.map((port) => port.name).filter((name) => !(name in given));
    const raw = this.#raw.run({ ...given, ...toTensors(feeds, new Set(others)) }, this.#fetches, {});
    const outputs: Record<string, NdArray> = {};
    const stays: Record<string, DeviceTensor> = {};
    for (const port of this.outputs) {
      const tensor = raw[port.name]!;
      if (tensor.location === 'gpu-buffer') stays[port.name] = deviceTensor(port.dtype, tensor);
      else outputs[port.name] = fromTensor(port, tensor);
    }
    return { outputs, held: stays };
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
