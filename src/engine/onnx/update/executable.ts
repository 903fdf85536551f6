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
import { CheckedExecutable } from '../../checked-executable.ts';
import type { Executable, MemoryReport, Program } from '../../engine.ts';
import { inBlocks } from '../blocks/rewrite.ts';
import { reachable, type Value } from '../graph.ts';
import { functionModel, type Metadata, type ModelPort, type RecordedStep, trainingOptimization } from '../model.ts';
import type { PoolGradient } from '../ops/pooling.ts';
import { Layout, updateFunction } from './kernel.ts';
import { planUpdate, type UpdatePlan } from './plan.ts';
import { poolFunction } from './pool-loop.ts';
import { canCut, stagesOf } from './stages.ts';
import { partialBytes, totalGroups, totalsReader } from './total-loop.ts';
import { evaluate } from './totals.ts';
import { moduleOf } from './wasm.ts';

const within = (folder: string, ports: readonly ModelPort[]): ModelPort[] =>
  ports.map((port) => ({ ...port, name: `${folder}/${port.name}` }));

/** A part of what ONNX Runtime computes of a step, and the passes that follow it. */
interface StageModel {
  readonly model: Uint8Array;
  readonly inputs: readonly ModelPort[];
  readonly outputs: readonly ModelPort[];
  readonly passes: readonly PoolGradient[];
}

/**
 * What ONNX Runtime computes of a step, in stages: handed/…, moved/…, outputs/… and for later stages between/…, from those
 * inputs and values of earlier stages that these need.
 */
export function gradientModels(step: RecordedStep, plan: UpdatePlan, metadata: Metadata): StageModel[] {
  const results = [
    ...within('handed', plan.handed),
    ...within('moved', plan.moved),
    ...within('outputs', plan.outputs),
  ];
  const inputs = [
    ...within('state', step.state),
    ...within('constants', step.constants),
    ...within('feeds', step.feeds),
  ];
  return stagesOf(results.map(({ value }) => value)).map(({ given, makes, passes }) => {
    const between = (value: Value): ModelPort => ({ name: `between/${value.id}`, value });
    const outputs = makes.flatMap((value) => {
      const named = results.filter((port) => port.value === value);
      return named.length > 0 ? named : [between(value)];
    });
    const needed = new Set(reachable(makes, new Set(given)).inputs);
    const ports = [...inputs.filter(({ value }) => needed.has(value)), ...given.map(between)];
    const model = functionModel(step.name, ports, outputs, metadata, { stop: true });
    return { model, inputs: ports, outputs, passes };
  });
}

const passName = ({ gradient }: PoolGradient): string => `pool ${gradient.id}`;

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
  /** channels of a block, where convolutions may run in blocks */
  readonly block: number | undefined;
  readonly onDispose: () => void;
}

/** So many numbers, of new state and of passes, are worth waking other threads for. */
const worthThreads = 2 ** 19;

/** Found out once: onnxruntime-node on Node 20 refuses typed arrays over shared memory, which its Node-API does not know. */
let sharedRefused = false;

/**
 * The step in blocks of channels, where this processor has them. The gradient of a max-pool in blocks has no form in the graph:
 * where the step cannot be cut there, it stays as it is.
 */
function blockedStep(step: RecordedStep, block: number | undefined): RecordedStep {
  const blocked = block === undefined ? step : inBlocks(step, block);
  const { handed, moved, outputs } = planUpdate(blocked);
  return canCut([...handed, ...moved, ...outputs].map(({ value }) => value)) ? blocked : step;
}

/** Undefined where nothing can be fused, or where state and gradients do not fit into one linear memory (4 GiB). */
export async function updateExecutable(given: UpdateOptions): Promise<Executable | undefined> {
  const options = { ...given, step: blockedStep(given.step, given.block) };
  const plan = planUpdate(options.step);
  const computed = plan.handed.length + plan.moved.length + plan.outputs.length;
  if (plan.groups.length === 0 || computed === 0) return undefined;
  const updated = plan.groups.reduce((sum, { size, targets }) => sum + size * targets.length, 0);
  const models = gradientModels(options.step, plan, options.metadata);
  const passed = models.flatMap(({ passes }) => passes).reduce((sum, { gradient }) => sum + sizeOf(gradient.shape), 0);
  const numbers = updated + passed;
  try {
    if (options.threads > 1 && plan.parallel && numbers >= worthThreads && !sharedRefused) {
      const executable = new UpdateExecutable(options, plan, models, true);
      if (await executable.join(options.threads)) return executable;
      sharedRefused = true;
    }
    return new UpdateExecutable(options, plan, models, false);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

class UpdateExecutable extends CheckedExecutable {
  readonly #step: RecordedStep;
  readonly #report: MemoryReport;
  readonly #sessions: readonly Session[];
  /** the stages of ONNX Runtime and the passes between them, in order */
  readonly #gradients: readonly (() => void)[];
  readonly #kernel: Uint8Array;
  readonly #memory: LinearMemory | SharedMemory;
  /** runs a function of the kernel, all its parts */
  #pass: (name: string) => void;
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

  constructor(
    { program, step, threads, onDispose }: UpdateOptions,
    plan: UpdatePlan,
    models: readonly StageModel[],
    shared: boolean,
  ) {
    super(program, onDispose);
    this.#step = step;
    const layout = new Layout();
    const ports = [...step.state, ...step.constants, ...step.feeds, ...plan.handed, ...plan.moved, ...plan.outputs];
    for (const { value } of ports) layout.place(value);
    const passes = models.flatMap((stage) => stage.passes);
    for (const { value } of models.flatMap(({ outputs }) => outputs)) layout.place(value);
    for (const { gradient } of passes) layout.place(gradient);
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
    const functions = Object.fromEntries(passes.map((pass) => [passName(pass), poolFunction(pass, layout)]));
    const update = updateFunction({ plan, layout, totals, targetOf });
    const kernel = moduleOf({ update, ...functions }, memoryPages, shared);
    const own = instantiate<PartedModule>(kernel, { host: { memory } });
    this.#pass = (name) => own[name]?.(0, 1);
    const handed = new Map(plan.handed.map((port) => [port.value, views([port])[port.name]!]));
    const total = totalsReader(totals, memory.buffer);
    const number = (value: Value) => handed.get(value)!.data[0]!;
    this.#totals = Object.fromEntries(
      plan.totals.map(({ name, expression }) => [name, () => evaluate(expression, { total, number })]),
    );
    this.#kernel = kernel;
    this.#memory = memory;

    // a session's threads would go on spinning while another session or a pass is at work
    const sleepBetweenRuns = shared || models.length > 1;
    const options = { threads, sleepBetweenRuns, optimize: trainingOptimization } as const;
    this.#sessions = models.map(({ model }) => Session.create(model, options));
    this.#gradients = models.flatMap(({ inputs, outputs, passes }, i) => {
      const session = this.#sessions[i]!;
      const used = new Set(session.inputs.map(({ name }) => name));
      const run = session.bind(views(inputs.filter(({ name }) => used.has(name))), views(outputs));
      return [run, ...passes.map((pass) => () => this.#pass(passName(pass)))];
    });
    const modelBytes = models.reduce((sum, { model }) => sum + model.byteLength, 0);
    this.#report = { residentBytes: layout.bytes, programBytes: modelBytes + kernel.byteLength };
  }

  /** Lets other threads take part in the update. Where ONNX Runtime refuses shared memory: false, and the end of this. */
  async join(threads: number): Promise<boolean> {
    try {
      this.#gradients[0]?.();
    } catch {
      for (const session of this.#sessions) session.dispose();
      return false;
    }
    this.#team = await ThreadTeam.start(this.#kernel, this.#memory as SharedMemory, threads);
    this.#pass = (name) => this.#team?.run(name);
    return true;
  }

  protected override async runSteps(feeds: NdArrays, count: number): Promise<NdArrays> {
    await new Promise(setImmediate);
    const outputs = this.#emptyOutputs(count);
    for (let step = 0; step < count; step++) {
      for (const [name, { shape, data }] of Object.entries(this.#feeds)) {
        const size = sizeOf(shape);
        data.set(feeds[name]!.data.subarray(step * size, (step + 1) * size));
      }
      for (const compute of this.#gradients) compute();
      // before the update: an output may be a value of the old state
      for (const [name, { data }] of Object.entries(this.#outputs)) outputs[name]!.data.set(data, step * data.length);
      this.#pass('update');
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

  protected override writeState(state: NdArrays): void {
    copyInto(this.#state, state);
  }

  protected override readState(): NdArrays {
    return copyOf(this.#state);
  }

  protected override writeConstants(constants: NdArrays): void {
    copyInto(this.#constants, constants);
  }

  override memory(): MemoryReport {
    return this.#report;
  }

  protected override async release(): Promise<void> {
    await this.#team?.dispose();
    for (const session of this.#sessions) session.dispose();
  }
}
