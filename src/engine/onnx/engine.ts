/**
 * The `onnx` engine: records a program and runs it with ONNX Runtime. On a CPU the new state is computed beside it in one
 * pass over memory (update/); on WebGPU state is held in the device's memory (resident.ts); on CUDA, and for programs
 * without state, the step is wrapped in a Scan over K steps.
 */

import { type NdArray, type NdArrays, type TensorSpecs, zeros } from '../../base/ndarray.ts';
import { type Device, requireDevice, Session } from '../../runtime/session.ts';
import { CheckedExecutable } from '../checked-executable.ts';
import type { Engine, Executable, MemoryReport, Program } from '../engine.ts';
import { checkResult } from '../tensor-checks.ts';
import { blockSize } from './blocks/block-size.ts';
import type { Value } from './graph.ts';
import { clockName, type ModelPort, type RecordedStep, stepModel, trainingOptimization } from './model.ts';
import { record } from './record.ts';
import { ResidentExecutable } from './resident.ts';
import { updateExecutable } from './update/executable.ts';

export interface OnnxEngineOptions {
  /** default `cpu` */
  readonly device?: Device;
  /** threads of one run; default 1 */
  readonly threads?: number;
  /** whether the elementwise end of a step runs as one pass beside ONNX Runtime (default on the CPU) or inside its Scan */
  readonly fuse?: boolean;
  /** whether fused steps convolve in ONNX Runtime's blocks of channels where that is faster (default) */
  readonly blocks?: boolean;
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

/** Records one step of a program. Throws `shape-mismatch` when its state does not keep names, shapes and types. */
export function recordStep(program: Program): RecordedStep {
  const specs = Object.assign({}, ...folders.map((folder) => within(folder, program[folder]))) as TensorSpecs;
  const { inputs, outputs } = record(program.name, specs, (tensors) => {
    const [state, constants, feeds] = folders.map((folder) => take(folder, tensors));
    const result = program.step({ state: state!, constants: constants!, feeds: feeds! });
    checkResult(program, result);
    return { ...within('state', result.state), ...within('outputs', result.outputs) };
  });
  const ports = (folder: string, values: Readonly<Record<string, Value>>): ModelPort[] =>
    Object.entries(take(folder, values)).map(([name, value]) => ({ name, value }));
  const next = take('state', outputs);
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

/** Copies `given` over `held`, by name. */
function assign(held: NdArrays, given: NdArrays): void {
  for (const [name, { data }] of Object.entries(given)) (held[name]!.data as Float32Array).set(data as Float32Array);
}

/** Holds state twice: a run reads one copy and ONNX Runtime writes the other in place, then they change roles. */
class ScanExecutable extends CheckedExecutable {
  readonly #session: Session;
  readonly #programBytes: number;
  readonly #constants: NdArrays;
  #state: NdArrays;
  #spare: NdArrays;

  constructor(program: Program, session: Session, programBytes: number, onDispose: () => void) {
    super(program, onDispose);
    this.#session = session;
    this.#programBytes = programBytes;
    this.#constants = allocate(program.constants);
    this.#state = allocate(program.state);
    this.#spare = allocate(program.state);
  }

  protected override async runSteps(feeds: NdArrays, count: number): Promise<NdArrays> {
    const clock: NdArray = { dtype: 'bool', shape: [count], data: new Uint8Array(count) };
    const inputs: NdArrays = {
      ...(Object.keys(feeds).length > 0 ? within('feeds', feeds) : { [clockName]: clock }),
      ...within('state', this.#state),
      ...within('constants', this.#constants),
    };
    const results = await this.#session.run(inputs, within('next', this.#spare));
    [this.#state, this.#spare] = [this.#spare, this.#state];
    return take('outputs', results);
  }

  protected override writeState(state: NdArrays): void {
    assign(this.#state, state);
  }

  protected override readState(): NdArrays {
    return Object.fromEntries(
      Object.entries(this.#state).map(([name, array]) => [name, { ...array, data: array.data.slice() } as NdArray]),
    );
  }

  protected override writeConstants(constants: NdArrays): void {
    assign(this.#constants, constants);
  }

  override memory(): MemoryReport {
    const residentBytes = bytesOf(this.#state) + bytesOf(this.#spare) + bytesOf(this.#constants);
    return { residentBytes, programBytes: this.#programBytes };
  }

  protected override release(): void {
    this.#session.dispose();
  }
}

/** Throws `device-unavailable` when the device cannot be used on this machine; the message names what is missing. */
export function createOnnxEngine({
  device = 'cpu',
  threads = 1,
  fuse = device === 'cpu',
  blocks = true,
}: OnnxEngineOptions = {}): Engine {
  requireDevice(device);
  const open = new Set<Executable>();
  return {
    name: 'onnx',
    device,
    async compile(program) {
      const step = recordStep(program);
      const metadata = { producer: 'hourglass', version: '1' };
      const onDispose = () => open.delete(executable);
      const scanned = (): Executable => {
        const bytes = stepModel(step, metadata);
        return new ScanExecutable(
          program,
          Session.create(bytes, { device, threads, optimize: trainingOptimization }),
          bytes.byteLength,
          onDispose,
        );
      };
      const beside = async (): Promise<Executable | undefined> => {
        if (device === 'webgpu') return new ResidentExecutable(program, step, device, metadata, onDispose);
        if (!fuse) return undefined;
        return await updateExecutable({
          program,
          step,
          metadata,
          threads,
          onDispose,
          block: blocks ? blockSize() : undefined,
        });
      };
      const executable: Executable = (await beside()) ?? scanned();
      open.add(executable);
      return executable;
    },
    async dispose() {
      for (const executable of open) await executable.dispose();
    },
  };
}
