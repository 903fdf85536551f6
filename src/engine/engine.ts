/**
 * The engine contract. A program is one step written in tfjs ops; an engine compiles it; the executable runs K steps per
 * call with its state (weights, optimizer moments) held inside the runtime between calls.
 *
 *   feeds [K, …] ─►┌─────────────── executable ───────────────┐
 *                  │ state ─► step ─► state ─► step ─► …  (K×) │─► outputs [K, …]
 *   constants ────►└───────────────────────────────────────────┘
 *
 * Engines: `onnx` (recorded into an ONNX graph, run by ONNX Runtime) and `eager` (any tfjs backend). Both must give the
 * same numbers; test/conformance holds them to it.
 */

import type { Tensor } from '@tensorflow/tfjs-core';
import type { NdArrays, TensorSpecs } from '../base/ndarray.ts';

/**
 * Counts changes of what a training computes, so that the lineage of a version says which arithmetic gave its bits. Checkpoints
 * of earlier revisions are gone on from.
 *
 *   2   numbers of the state below 2⁻¹²⁰ become zero, denormal numbers are taken as zero
 *   3   convolutions of the onnx engine on a CPU add up in another order (blocks of channels)
 */
export const engineRevision = 3;

export type Tensors = Readonly<Record<string, Tensor>>;

export interface StepInputs {
  readonly state: Tensors;
  readonly constants: Tensors;
  readonly feeds: Tensors;
}

export interface StepResult {
  /** every name of `Program.state`, same shape and dtype */
  readonly state: Tensors;
  readonly outputs: Tensors;
}

/** One step. Pure: randomness, data and schedules (learning rate …) arrive as feeds; reading a value is an error. */
export interface Program {
  readonly name: string;
  /** carried from step to step */
  readonly state: TensorSpecs;
  /** the same in every step until set again (frozen weights, tables) */
  readonly constants: TensorSpecs;
  /** shape of one step's slice, without the leading K */
  readonly feeds: TensorSpecs;
  step(inputs: StepInputs): StepResult;
}

export interface MemoryReport {
  /** bytes of state and constants held by the executable */
  readonly residentBytes: number;
  /** bytes of the compiled form (model bytes), 0 where nothing is compiled */
  readonly programBytes: number;
}

/** Not re-entrant: await each call before the next. */
export interface Executable {
  /**
   * Runs K steps; K is the leading axis of every feed (any K ≥ 1; the same K for all feeds). A program without feeds runs
   * `steps` times. Returns every output stacked on a leading axis K.
   */
  run(feeds: NdArrays, steps?: number): Promise<NdArrays>;
  setState(state: NdArrays): Promise<void>;
  getState(): Promise<NdArrays>;
  setConstants(constants: NdArrays): Promise<void>;
  memory(): MemoryReport;
  dispose(): Promise<void>;
}

export interface Engine {
  readonly name: 'onnx' | 'eager';
  /** `cpu`, `webgpu`, `cuda`, `tensorflow`: what runs the numbers */
  readonly device: string;
  compile(program: Program): Promise<Executable>;
  dispose(): Promise<void>;
}

/**
 * A stateless function of a batch, such as an encoder: its inputs and outputs carry a leading batch axis of any size,
 * `weights` are baked in. Exported as an ONNX file and run by src/runtime.
 */
export interface BatchFunction {
  readonly name: string;
  /** one row's shape, without the batch axis */
  readonly inputs: TensorSpecs;
  readonly weights: NdArrays;
  /** inputs arrive as [batch, …]; outputs must have batch as leading axis */
  call(inputs: Tensors, weights: Tensors): Tensors;
}
