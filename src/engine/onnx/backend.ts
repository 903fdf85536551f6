/**
 * A tfjs backend whose kernels append to a graph instead of computing. Two share it: the recorder (record.ts), in which
 * inputs have no values, and the lazy backend (lazy.ts), which computes what is read.
 */

import * as tf from '@tensorflow/tfjs-core';
import '../gen/tfjs-gradients.ts';
import type { DType } from '../../base/ndarray.ts';
import type { Graph, Value } from './graph.ts';
import { lowerings, NoOnnxForm } from './lowering.ts';
import './ops/index.ts';

/** What a tensor is: values from the host, a value of the graph, or both. */
export interface Entry {
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
  host: tf.BackendValues | undefined;
  value: Value | undefined;
  refs: number;
}

export type KernelInputs = Readonly<Record<string, tf.TensorInfo | undefined>>;

const dtypes: ReadonlySet<string> = new Set<DType>(['float32', 'int32', 'bool']);

export abstract class GraphBackend extends tf.KernelBackend {
  protected readonly entries = new Map<object, Entry>();

  abstract readonly graph: Graph;

  /** The graph's value of a tensor that so far only has host values. */
  protected abstract adopt(entry: Entry): Value;

  protected abstract compute(entry: Entry): tf.BackendValues;

  /** Tells where in the user's program a kernel cannot be recorded. */
  abstract refuse(what: string): never;

  entryOf(info: tf.TensorInfo): Entry {
    let entry = this.entries.get(info.dataId);
    if (!entry) {
      // tfjs moves a tensor of another backend here when it is asked for
      tf.engine().moveData(this, info.dataId as tf.Tensor['dataId']);
      entry = this.entries.get(info.dataId)!;
    }
    return entry;
  }

  /** The value of a tensor, in the tensor's own shape (a reshape shares its data). */
  graphValue(info: tf.TensorInfo): Value {
    const entry = this.entryOf(info);
    entry.value ??= this.adopt(entry);
    return entry.value;
  }

  infoOf(value: Value, host?: tf.BackendValues): tf.TensorInfo {
    if (value.type === 'int64') throw new Error('a lowering returned int64');
    const shape = [...value.shape];
    const dataId = {};
    this.entries.set(dataId, { shape, dtype: value.type, host, value, refs: 1 });
    return { dataId, shape, dtype: value.type };
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const dataId = {};
    this.entries.set(dataId, { shape, dtype, host: values, value: undefined, refs: 1 });
    return dataId;
  }

  override move(dataId: object, values: tf.BackendValues, shape: number[], dtype: tf.DataType, refs: number): void {
    this.entries.set(dataId, { shape, dtype, host: values, value: undefined, refs });
  }

  override readSync(dataId: object): tf.BackendValues {
    const entry = this.entries.get(dataId)!;
    entry.host ??= this.compute(entry);
    return entry.host;
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    return this.readSync(dataId);
  }

  override refCount(dataId: object): number {
    return this.entries.get(dataId)?.refs ?? 0;
  }

  override incRef(dataId: object): void {
    const entry = this.entries.get(dataId);
    if (entry) entry.refs++;
  }

  override disposeData(dataId: object, force = false): boolean {
    const entry = this.entries.get(dataId);
    if (!entry) return true;
    entry.refs--;
    if (!force && entry.refs > 0) return false;
    this.entries.delete(dataId);
    return true;
  }

  override numDataIds(): number {
    return this.entries.size;
  }

  override memory(): { unreliable: boolean; reasons: string[] } {
    return { unreliable: true, reasons: ['Tensors of a recorded program hold no memory.'] };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return false;
  }

  override dispose(): void {
    this.entries.clear();
  }

  run(kernel: string, inputs: KernelInputs, attrs: unknown): tf.TensorInfo | tf.TensorInfo[] {
    const lowering = lowerings.get(kernel);
    const given = Object.entries(inputs).filter((input): input is [string, tf.TensorInfo] => input[1] != null);
    const show = () => given.map(([name, { dtype, shape }]) => `${name}: ${dtype} [${shape}]`).join(', ');
    if (!lowering) {
      return this.refuse(`The op ${kernel}(${show()}) has no ONNX form here. Write it with other ops.`);
    }
    const odd = given.find(([, info]) => !dtypes.has(info.dtype));
    if (odd)
      this.refuse(`The op ${kernel}(${show()}) works on ${odd[1].dtype}; only float32, int32 and bool can be used.`);
    const values = given.map(([name, info]) => [name, this.graphValue(info)] as const);
    let output: Value | readonly Value[];
    try {
      output = lowering({ g: this.graph, inputs: Object.fromEntries(values), attrs: attrs ?? {} });
    } catch (error) {
      if (error instanceof NoOnnxForm) this.refuse(`The op ${kernel}(${show()}) has no ONNX form: ${error.message}.`);
      throw error;
    }
    if (Array.isArray(output)) return output.map((value: Value) => this.infoOf(value));
    // what changes nothing shares the input's data, as on every backend of tfjs
    const same = values.findIndex(([, value]) => value === output);
    if (same < 0) return this.infoOf(output as Value);
    const [, { dataId, shape, dtype }] = given[same]!;
    this.incRef(dataId);
    return { dataId, shape, dtype };
  }
}

/** Registers a backend under a name, with a kernel for every op that tfjs has: those without a lowering refuse precisely. */
export function registerGraphBackend(name: string, backend: GraphBackend): void {
  tf.registerBackend(name, () => backend, 0);
  const known = Object.entries(tf).filter(([key, value]) => key === value);
  for (const kernelName of new Set([...known.map(([key]) => key), ...lowerings.keys()])) {
    tf.registerKernel({
      kernelName,
      backendName: name,
      kernelFunc: ({ inputs, attrs }) => backend.run(kernelName, inputs as KernelInputs, attrs),
    });
  }
}
