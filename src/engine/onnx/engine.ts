/** The `onnx` engine: records a program, wraps it in a Scan over K steps, runs it with ONNX Runtime. */

import { HourglassError } from '../../base/errors.ts';
import { type NdArray, type NdArrays, sameShape, showShape, type TensorSpecs, zeros } from '../../base/ndarray.ts';
import { type Device, requireDevice, Session } from '../../runtime/session.ts';
import type { Engine, Executable, MemoryReport, Program } from '../engine.ts';
import type { Value } from './graph.ts';
import { clockName, type ModelPort, type RecordedStep, stepModel } from './model.ts';
import { RecordingError, record } from './record.ts';

export interface OnnxEngineOptions {
  /** default `cpu` */
  readonly device?: Device;
  /** threads of one run; default 1 */
  readonly threads?: number;
}

const folders = ['state', 'constants', 'feeds'] as const;

/** Adds a folder to every name: state/W, feeds/x … */
function within<T>(folder: string, record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [`${folder}/${name}`, value]));
}

/** The part of a record that lies in a folder, without the folder's name. */
function take<T>(folder: string, record: Readonly<Record<string, T>>): Record<string, T> {
  const inside = Object.entries(record).filter(([name]) => name.startsWith(`${folder}/`));
  return Object.fromEntries(inside.map(([name, value]) => [name.slice(folder.length + 1), value]));
}

/** Records one step of a program and checks that its state keeps names, shapes and types. */
export function recordStep(program: Program): RecordedStep {
  const specs = Object.assign({}, ...folders.map((folder) => within(folder, program[folder]))) as TensorSpecs;
  const { inputs, outputs } = record(program.name, specs, (tensors) => {
    const [state, constants, feeds] = folders.map((folder) => take(folder, tensors));
    const result = program.step({ state: state!, constants: constants!, feeds: feeds! });
    return { ...within('state', result.state), ...within('outputs', result.outputs) };
  });
  const ports = (folder: string, values: Readonly<Record<string, Value>>): ModelPort[] =>
    Object.entries(take(folder, values)).map(([name, value]) => ({ name, value }));
  const next = take('state', outputs);
  for (const [name, spec] of Object.entries(program.state)) {
    const value = next[name];
    if (!value || value.type !== spec.dtype || !sameShape(value.shape, spec.shape)) {
      const found = value ? `${value.type} ${showShape(value.shape)}` : 'nothing';
      throw new RecordingError(
        `Program ${program.name}: the new state ${name} must be ${spec.dtype} ${showShape(spec.shape)}, got ${found}.`,
      );
    }
  }
  return {
    name: program.name,
    state: ports('state', inputs),
    constants: ports('constants', inputs),
    feeds: ports('feeds', inputs),
    next: Object.keys(program.state).map((name) => ({ name, value: next[name]! })),
    outputs: ports('outputs', outputs),
  };
}

const bytesOf = (arrays: NdArrays): number => Object.values(arrays).reduce((sum, a) => sum + a.data.byteLength, 0);

const allocate = (specs: TensorSpecs): Record<string, NdArray> =>
  Object.fromEntries(Object.entries(specs).map(([name, { dtype, shape }]) => [name, zeros(dtype, shape)]));

/** Copies `given` over `held`, by name. Throws `shape-mismatch` for names, types and shapes that do not fit. */
function assign(kind: string, held: NdArrays, given: NdArrays): void {
  for (const [name, { dtype, shape, data }] of Object.entries(given)) {
    const target = held[name];
    if (target?.dtype !== dtype || !sameShape(target.shape, shape)) {
      const wanted = target ? `${target.dtype} ${showShape(target.shape)}` : `one of ${Object.keys(held).join(', ')}`;
      throw new HourglassError(
        'shape-mismatch',
        `The ${kind} ${name} must be ${wanted}, got ${dtype} ${showShape(shape)}.`,
      );
    }
    (target.data as Float32Array).set(data as Float32Array);
  }
}

/** Holds state twice: a run reads one copy and ONNX Runtime writes the other in place, then they change roles. */
class OnnxExecutable implements Executable {
  readonly #program: Program;
  readonly #session: Session;
  readonly #programBytes: number;
  readonly #constants: NdArrays;
  #state: NdArrays;
  #spare: NdArrays;

  constructor(program: Program, session: Session, programBytes: number) {
    this.#program = program;
    this.#session = session;
    this.#programBytes = programBytes;
    this.#constants = allocate(program.constants);
    this.#state = allocate(program.state);
    this.#spare = allocate(program.state);
  }

  async run(feeds: NdArrays, steps = 1): Promise<NdArrays> {
    const names = Object.keys(this.#program.feeds);
    const clock: NdArray = { dtype: 'bool', shape: [steps], data: new Uint8Array(steps) };
    const missing = names.find((name) => !feeds[name]);
    if (missing) throw new HourglassError('shape-mismatch', `The feed ${missing} is missing.`, { field: missing });
    const lengths = new Set(names.map((name) => feeds[name]!.shape[0]));
    if (lengths.size > 1 || lengths.has(0) || lengths.has(undefined)) {
      throw new HourglassError('shape-mismatch', 'All feeds need the same number of steps (≥ 1) as leading axis.', {
        found: Object.fromEntries(names.map((name) => [name, feeds[name]!.shape])),
      });
    }
    const inputs: Record<string, NdArray> = names.length > 0 ? within('feeds', feeds) : { [clockName]: clock };
    Object.assign(inputs, within('state', this.#state), within('constants', this.#constants));
    // constants and feeds that the step does not use are not inputs of the model's session; it takes what it knows
    const results = await this.#session.run(inputs, within('next', this.#spare));
    [this.#state, this.#spare] = [this.#spare, this.#state];
    return take('outputs', results);
  }

  async setState(state: NdArrays): Promise<void> {
    assign('state', this.#state, state);
  }

  async getState(): Promise<NdArrays> {
    return Object.fromEntries(
      Object.entries(this.#state).map(([name, array]) => [name, { ...array, data: array.data.slice() } as NdArray]),
    );
  }

  async setConstants(constants: NdArrays): Promise<void> {
    assign('constant', this.#constants, constants);
  }

  memory(): MemoryReport {
    const residentBytes = bytesOf(this.#state) + bytesOf(this.#spare) + bytesOf(this.#constants);
    return { residentBytes, programBytes: this.#programBytes };
  }

  async dispose(): Promise<void> {
    this.#session.dispose();
  }
}

/** Throws `device-unavailable` when the device cannot be used on this machine; the message names what is missing. */
export function createOnnxEngine({ device = 'cpu', threads = 1 }: OnnxEngineOptions = {}): Engine {
  requireDevice(device);
  const open = new Set<Executable>();
  return {
    name: 'onnx',
    device,
    async compile(program) {
      const bytes = stepModel(recordStep(program), { producer: 'hourglass', version: '1' });
      const executable = new OnnxExecutable(program, Session.create(bytes, { device, threads }), bytes.byteLength);
      open.add(executable);
      return executable;
    },
    async dispose() {
      for (const executable of open) await executable.dispose();
      open.clear();
    },
  };
}
