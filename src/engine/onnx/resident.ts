/**
 * The executable of the `onnx` engine on a device with memory of its own that ONNX Runtime lets us hold (WebGPU): state and
 * constants live there, one model runs per step, and only feeds and outputs cross.
 *
 *   host     setState ─► upload ─┐                            ┌─► download ─► getState
 *   device                       └─► state ─► step ─► state ──┘
 */

import { type NdArray, type NdArrays, sizeOf, type TensorSpecs, zeros } from '../../base/ndarray.ts';
import { type Device, type DeviceTensor, type DeviceTensors, Session } from '../../runtime/session.ts';
import { CheckedExecutable } from '../checked-executable.ts';
import type { MemoryReport, Program } from '../engine.ts';
import { Graph } from './graph.ts';
import { functionModel, type Metadata, type ModelPort, type RecordedStep } from './model.ts';

const within = <T>(folder: string, record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [`${folder}/${name}`, value]));

const named = (folder: string, ports: readonly ModelPort[]): ModelPort[] =>
  ports.map((port) => ({ ...port, name: `${folder}/${port.name}` }));

const bytesOf = (specs: TensorSpecs): number =>
  Object.values(specs).reduce((sum, { dtype, shape }) => sum + sizeOf(shape) * (dtype === 'bool' ? 1 : 4), 0);

/** A model that returns what it is given: what moves tensors from the host to the device and back. */
function copyModel(specs: TensorSpecs, metadata: Metadata): Uint8Array {
  const g = new Graph();
  const ports = Object.entries(specs).map(([name, { dtype, shape }]) => ({ name, value: g.input(name, dtype, shape) }));
  const copies = ports.map(({ name, value }) => ({ name: `copy/${name}`, value }));
  return functionModel('copy', ports, copies, metadata);
}

/** Moves tensors of fixed names, shapes and types. */
class Mover {
  readonly #up: Session | undefined;
  readonly #down: Session | undefined;

  constructor(specs: TensorSpecs, device: Device, metadata: Metadata) {
    const names = Object.keys(specs);
    if (names.length === 0) return;
    const model = copyModel(specs, metadata);
    this.#up = Session.create(model, { device, held: names.map((name) => `copy/${name}`) });
    this.#down = Session.create(model, { device });
  }

  upload(arrays: NdArrays): DeviceTensors {
    const held: DeviceTensors = this.#up?.runHeld(arrays, {}).held ?? {};
    return Object.fromEntries(Object.entries(held).map(([name, tensor]) => [name.slice('copy/'.length), tensor]));
  }

  download(tensors: DeviceTensors): NdArrays {
    const outputs: NdArrays = this.#down?.runHeld({}, tensors).outputs ?? {};
    return Object.fromEntries(Object.entries(outputs).map(([name, array]) => [name.slice('copy/'.length), array]));
  }

  dispose(): void {
    this.#up?.dispose();
    this.#down?.dispose();
  }
}

const release = (tensors: DeviceTensors): void => {
  for (const tensor of Object.values(tensors)) tensor.dispose();
};

const zerosOf = (specs: TensorSpecs): NdArrays =>
  Object.fromEntries(Object.entries(specs).map(([name, { dtype, shape }]) => [name, zeros(dtype, shape)]));

export class ResidentExecutable extends CheckedExecutable {
  readonly #session: Session;
  readonly #programBytes: number;
  readonly #stateMover: Mover;
  readonly #constantsMover: Mover;
  #state: DeviceTensors;
  #constants: DeviceTensors;

  constructor(program: Program, step: RecordedStep, device: Device, metadata: Metadata, onDispose: () => void) {
    super(program, onDispose);
    const inputs = [
      ...named('state', step.state),
      ...named('constants', step.constants),
      ...named('feeds', step.feeds),
    ];
    const next = named('next', step.next);
    const model = functionModel(step.name, inputs, [...next, ...named('outputs', step.outputs)], metadata);
    this.#session = Session.create(model, { device, held: next.map((port) => port.name) });
    this.#programBytes = model.byteLength;
    this.#stateMover = new Mover(program.state, device, metadata);
    this.#constantsMover = new Mover(program.constants, device, metadata);
    this.#state = this.#stateMover.upload(zerosOf(program.state));
    this.#constants = this.#constantsMover.upload(zerosOf(program.constants));
  }

  protected override async runSteps(feeds: NdArrays, count: number): Promise<NdArrays> {
    const stacked: Record<string, NdArray> = {};
    for (let k = 0; k < count; k++) {
      for (const [name, array] of Object.entries(this.#step(feeds, k))) {
        stacked[name] ??= zeros(array.dtype, [count, ...array.shape]);
        stacked[name].data.set(array.data as Float32Array, k * sizeOf(array.shape));
      }
      // other work of this thread gets its turn between steps
      await new Promise(setImmediate);
    }
    return stacked;
  }

  /** Runs step `k` of the feeds and takes over its state. Returns its outputs. */
  #step(feeds: NdArrays, k: number): Record<string, NdArray> {
    const slices = Object.entries(this.program.feeds).map(([name, { dtype, shape }]) => {
      const size = sizeOf(shape);
      return [name, { dtype, shape, data: feeds[name]!.data.subarray(k * size, (k + 1) * size) } as NdArray] as const;
    });
    const given = { ...within('state', this.#state), ...within('constants', this.#constants) };
    const { outputs, held } = this.#session.runHeld(within('feeds', Object.fromEntries(slices)), given);
    release(this.#state);
    this.#state = Object.fromEntries(
      Object.entries(held).map(([name, tensor]): [string, DeviceTensor] => [name.slice('next/'.length), tensor]),
    );
    return Object.fromEntries(Object.entries(outputs).map(([name, array]) => [name.slice('outputs/'.length), array]));
  }

  protected override writeState(state: NdArrays): void {
    release(this.#state);
    this.#state = this.#stateMover.upload(state);
  }

  protected override readState(): NdArrays {
    return this.#stateMover.download(this.#state);
  }

  protected override writeConstants(constants: NdArrays): void {
    release(this.#constants);
    this.#constants = this.#constantsMover.upload(constants);
  }

  override memory(): MemoryReport {
    const residentBytes = bytesOf(this.program.state) + bytesOf(this.program.constants);
    return { residentBytes, programBytes: this.#programBytes };
  }

  protected override release(): void {
    release(this.#state);
    release(this.#constants);
    for (const part of [this.#session, this.#stateMover, this.#constantsMover]) part.dispose();
  }
}
