/**
 * The executable of the `onnx` engine on a CPU: ONNX Runtime computes each step's gradients, the fused pass updates the state
 * in place. All that either of them reads or writes lies in one linear memory; only what a step is fed and puts out is copied.
 */

import { type NdArray, type NdArrays, sizeOf, zeros } from '../../../base/ndarray.ts';
import {
  instantiate,
  type LinearMemory,
  linearMemory,
  pageBytes,
  type SharedMemory,
  sharedMemory,
} from '../../../base/webassembly.ts';
import { Session } from '../../../runtime/session.ts';
import { type PartedModule, ThreadTeam } from '../../../runtime/thread-team.ts';
import type { Executable, MemoryReport, Program } from '../../engine.ts';
import { checkArrays, checkFeeds } from '../../tensor-checks.ts';
import { reachable, type Value } from '../graph.ts';
import { functionModel, type Metadata, type ModelPort, type RecordedStep } from '../model.ts';
import { Layout, updateModule } from './kernel.ts';
import { planUpdate, type UpdatePlan } from './plan.ts';
import { partialBytes, totalGroups, totalsReader } from './total-loop.ts';
import { evaluate } from './totals.ts';

const within = (folder: string, ports: readonly ModelPort[]): ModelPort[] =>
  ports.map((port) => ({ ...port, name: `${folder}/${port.name}` }));

/** What ONNX Runtime computes of a step: handed/…, moved/… and outputs/… from those inputs that these need. */
export function gradientModel(step: RecordedStep, plan: UpdatePlan, metadata: Metadata): Uint8Array {
  const results = [
    ...within('handed', plan.handed),
    ...within('moved', plan.moved),
    ...within('outputs', plan.outputs),
  ];
  const needed = new Set(reachable(results.map(({ value }) => value)).inputs);
  const inputs = [
    ...within('state', step.state),
    ...within('constants', step.constants),
    ...within('feeds', step.feeds),
  ];
  return functionModel(
    step.name,
    inputs.filter(({ value }) => needed.has(value)),
    results,
    metadata,
    { stop: true },
  );
}

type Views = Readonly<Record<string, NdArray>>;

/** A view of linear memory for each port, by name. */
function viewsOf(ports: readonly ModelPort[], buffer: ArrayBufferLike, layout: Layout): Views {
  const view = ({ value }: ModelPort): NdArray => {
    const { type, shape } = value;
    const [address, size] = [layout.addressOf(value), sizeOf(shape)];
    if (type === 'float32') return { dtype: type, shape, data: new Float32Array(buffer, address, size) };
    if (type === 'int32') return { dtype: type, shape, data: new Int32Array(buffer, address, size) };
    return { dtype: 'bool', shape, data: new Uint8Array(buffer, address, size) };
  };
  return Object.fromEntries(ports.map((port) => [port.name, view(port)]));
}

const copyInto = (held: Views, given: NdArrays): void => {
  for (const [name, { data }] of Object.entries(given)) held[name]!.data.set(data);
};

const copyOf = (held: Views): Views =>
  Object.fromEntries(
    Object.entries(held).map(([name, array]) => [name, { ...array, data: array.data.slice() }]),
  ) as Views;

export interface UpdateOptions {
  readonly program: Program;
  readonly step: RecordedStep;
  readonly metadata: Metadata;
  readonly threads: number;
  readonly onDispose: () => void;
}

/** So many new numbers of state are worth waking other threads for. */
const worthThreads = 2 ** 19;

/** Found out once: onnxruntime-node on Node 20 refuses typed arrays over shared memory, which its Node-API does not know. */
let sharedRefused = false;

/** Undefined where nothing can be fused, or where state and gradients do not fit into one linear memory (4 GiB). */
export async function updateExecutable(options: UpdateOptions): Promise<Executable | undefined> {
  const plan = planUpdate(options.step);
  const computed = plan.handed.length + plan.moved.length + plan.outputs.length;
  if (plan.groups.length === 0 || computed === 0) return undefined;
  const numbers = plan.groups.reduce((sum, { size, targets }) => sum + size * targets.length, 0);
  try {
    if (options.threads > 1 && plan.parallel && numbers >= worthThreads && !sharedRefused) {
      const executable = new UpdateExecutable(options, plan, true);
      if (await executable.join(options.threads)) return executable;
      sharedRefused = true;
    }
    return new UpdateExecutable(options, plan, false);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

class UpdateExecutable implements Executable {
  readonly #program: Program;
  readonly #step: RecordedStep;
  readonly #onDispose: () => void;
  readonly #report: MemoryReport;
  readonly #session: Session;
  readonly #runGradients: () => void;
  readonly #kernel: Uint8Array;
  readonly #memory: LinearMemory | SharedMemory;
  #update: () => void;
  #team: ThreadTeam | undefined;
  readonly #state: Views;
  readonly #constants: Views;
  /** of one step */
  readonly #feeds: Views;
  /** of one step, from ONNX Runtime */
  readonly #outputs: Views;
  readonly #moved: Views;
  /** outputs that follow from what the fused pass added up */
  readonly #totals: Readonly<Record<string, () => number>>;
  #disposed = false;

  constructor({ program, step, metadata, threads, onDispose }: UpdateOptions, plan: UpdatePlan, shared: boolean) {
    this.#program = program;
    this.#step = step;
    this.#onDispose = onDispose;
    const layout = new Layout();
    const ports = [...step.state, ...step.constants, ...step.feeds, ...plan.handed, ...plan.moved, ...plan.outputs];
    for (const { value } of ports) layout.place(value);
    const totals = totalGroups(plan.totals).map((group) => ({ group, address: layout.reserve(partialBytes(group)) }));
    const memory = shared ? sharedMemory(layout.bytes) : linearMemory(layout.bytes);
    const views = (ports: readonly ModelPort[]) => viewsOf(ports, memory.buffer, layout);
    this.#state = views(step.state);
    this.#constants = views(step.constants);
    this.#feeds = views(step.feeds);
    this.#outputs = views(plan.outputs);
    this.#moved = views(plan.moved);

    const targetOf = (name: string): Value => step.state.find((port) => port.name === name)!.value;
    const memoryPages = memory.buffer.byteLength / pageBytes;
    const kernel = updateModule({ plan, layout, totals, targetOf, memoryPages, shared });
    const { update } = instantiate<PartedModule>(kernel, { host: { memory } });
    this.#update = () => update(0, 1);
    const handed = new Map(plan.handed.map((port) => [port.value, views([port])[port.name]!]));
    const total = totalsReader(totals, memory.buffer);
    const number = (value: Value) => handed.get(value)!.data[0]!;
    this.#totals = Object.fromEntries(
      plan.totals.map(({ name, expression }) => [name, () => evaluate(expression, { total, number })]),
    );
    this.#kernel = kernel;
    this.#memory = memory;

    const model = gradientModel(step, plan, metadata);
    this.#session = Session.create(model, { threads, sleepBetweenRuns: shared });
    const used = new Set(this.#session.inputs.map(({ name }) => name));
    const inputs = [
      ...within('state', step.state),
      ...within('constants', step.constants),
      ...within('feeds', step.feeds),
    ];
    this.#runGradients = this.#session.bind(
      views(inputs.filter(({ name }) => used.has(name))),
      views([...within('handed', plan.handed), ...within('moved', plan.moved), ...within('outputs', plan.outputs)]),
    );
    this.#report = { residentBytes: layout.bytes, programBytes: model.byteLength + kernel.byteLength };
  }

  /** Lets other threads take part in the update. Where ONNX Runtime refuses shared memory: false, and the end of this. */
  async join(threads: number): Promise<boolean> {
    try {
      this.#runGradients();
    } catch {
      this.#session.dispose();
      return false;
    }
    this.#team = await ThreadTeam.start(this.#kernel, this.#memory as SharedMemory, threads);
    this.#update = () => this.#team?.run();
    return true;
  }

  async run(feeds: NdArrays, steps?: number): Promise<NdArrays> {
    this.#checkAlive();
    const count = checkFeeds(this.#program, feeds, steps);
    await new Promise(setImmediate);
    const outputs = this.#emptyOutputs(count);
    for (let step = 0; step < count; step++) {
      for (const [name, { shape, data }] of Object.entries(this.#feeds)) {
        const size = sizeOf(shape);
        data.set(feeds[name]!.data.subarray(step * size, (step + 1) * size));
      }
      this.#runGradients();
      // before the update: an output may be a value of the old state
      for (const [name, { data }] of Object.entries(this.#outputs)) outputs[name]!.data.set(data, step * data.length);
      this.#update();
      for (const [name, total] of Object.entries(this.#totals)) outputs[name]!.data[step] = total();
      copyInto(this.#state, copyOf(this.#moved));
    }
    return outputs;
  }

  #emptyOutputs(count: number): NdArrays {
    const empty = ({ name, value: { type, shape } }: ModelPort) =>
      [name, zeros(type === 'int64' ? 'int32' : type, [count, ...shape])] as const;
    return Object.fromEntries(this.#step.outputs.map(empty));
  }

  async setState(state: NdArrays): Promise<void> {
    this.#checkAlive();
    checkArrays('state', this.#program.state, state);
    copyInto(this.#state, state);
  }

  async getState(): Promise<NdArrays> {
    this.#checkAlive();
    return copyOf(this.#state);
  }

  async setConstants(constants: NdArrays): Promise<void> {
    this.#checkAlive();
    checkArrays('constants', this.#program.constants, constants);
    copyInto(this.#constants, constants);
  }

  memory(): MemoryReport {
    return this.#report;
  }

  async dispose(): Promise<void> {
    await this.#team?.dispose();
    this.#session.dispose();
    this.#disposed = true;
    this.#onDispose();
  }

  #checkAlive(): void {
    if (this.#disposed) throw new Error(`The executable of ${this.#program.name} was disposed.`);
  }
}
