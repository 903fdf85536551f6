/**
 * Gives recordings dynamic axes: the batch, and of pictures height and width. tfjs only knows numbers, so a function is recorded
 * at several sizes and the graphs are compared node by node. Where a number in a shape differs it must be
 * `base + Σ slope · size` for all of them; then it is computed from the input's shape at run time. Anything else that differs
 * means that the function does not treat the rows alike, and is refused.
 */

import { sizeOf } from '../../base/ndarray.ts';
import { constantData, Graph, type Node, reachable, showAttributes, type Value } from './graph.ts';
import type { ModelPort } from './model.ts';
import { binary, mul } from './nodes.ts';
import { type Recording, RecordingError } from './record.ts';

/** An axis of any size: where it is in the first input, and the sizes that it is recorded at. */
export interface DynamicAxis {
  readonly name: string;
  readonly axis: number;
  /** primes, so that no product of other dimensions looks like one of them */
  readonly sizes: readonly [first: number, changed: number, checked: number];
}

export const batchAxis: DynamicAxis = { name: 'batch', axis: 0, sizes: [9949, 9967, 9973] };

/** The sizes to record at, one for each axis: all first ones, each axis changed alone, and all at once to check. */
export function recordedSizes(axes: readonly DynamicAxis[]): number[][] {
  return [
    axes.map(({ sizes }) => sizes[0]),
    ...axes.map((changed) => axes.map((axis) => axis.sizes[axis === changed ? 1 : 0])),
    axes.map(({ sizes }) => sizes[2]),
  ];
}

export interface SizedRecording {
  /** of each dynamic axis */
  readonly sizes: readonly number[];
  readonly recording: Recording;
}

interface Affine {
  readonly base: number;
  readonly slopes: readonly number[];
}

/** @param sizes as `recordedSizes` gives them; @param numbers what stands there in each recording */
function affine(sizes: readonly (readonly number[])[], numbers: readonly number[]): Affine | undefined {
  const first = sizes[0]!;
  const slopes = first.map((size, axis) => (numbers[axis + 1]! - numbers[0]!) / (sizes[axis + 1]![axis]! - size));
  const grown = (at: readonly number[]): number => slopes.reduce((sum, slope, axis) => sum + slope * at[axis]!, 0);
  const base = numbers[0]! - grown(first);
  const exact = slopes.every(Number.isInteger) && numbers.every((x, i) => x === base + grown(sizes[i]!));
  return exact ? { base, slopes } : undefined;
}

/** Weights have millions of elements, and each recording usually holds the very same array of them. */
function isSame(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  if (a instanceof Float32Array && b instanceof Float32Array) return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
  return Array.prototype.every.call(a, (x, i) => Object.is(x, b[i]));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

class Merger {
  readonly #name: string;
  readonly #axes: readonly DynamicAxis[];
  readonly #sizes: readonly (readonly number[])[];
  readonly #graph = new Graph();
  readonly #merged = new Map<Value, Value>();
  /** by the first recording's value: weights that are used in many places are written once */
  readonly #constants = new Map<Value, { readonly values: readonly Value[]; readonly made: Value }>();
  /** Where each value stands in its own recording. */
  readonly #places: readonly Map<Value, string>[];
  /** of the first input, by axis */
  #dimensions: readonly Value[] | undefined;

  constructor(name: string, axes: readonly DynamicAxis[], recordings: readonly SizedRecording[]) {
    this.#name = name;
    this.#axes = axes;
    this.#sizes = recordings.map((r) => r.sizes);
    this.#places = recordings.map(({ recording }) => {
      const places = new Map<Value, string>();
      for (const [key, value] of Object.entries(recording.inputs)) places.set(value, `input ${key}`);
      reachable(Object.values(recording.outputs)).nodes.forEach((node, i) => {
        node.outputs.forEach((output, j) => {
          places.set(output, `node ${i} ${j}`);
        });
      });
      return places;
    });
  }

  refuse(what: string): never {
    throw new RecordingError(
      `${this.#name} cannot be exported for batches of any size: ${what} Its rows must not depend on each other or on their number.`,
    );
  }

  input(name: string, value: Value): Value {
    const made = this.#graph.input(name, value.type, value.shape);
    this.#merged.set(value, made);
    this.#dimensions ??= this.#axes.map(({ axis }) =>
      this.#graph.node('Shape', [made], { type: 'int64', shape: [1] }, { start: axis, end: axis + 1 }),
    );
    return made;
  }

  /** A vector of int64 that may depend on the sizes. */
  #vector(rows: readonly ArrayLike<number>[]): Value {
    const entries = Array.from(rows[0]!, (_, i) =>
      affine(
        this.#sizes,
        rows.map((row) => row[i]!),
      ),
    );
    if (entries.some((entry) => !entry)) this.refuse('a shape in it is not proportional to the batch.');
    const g = this.#graph;
    let sum = g.int64(entries.map((entry) => entry!.base));
    for (const [axis, dimension] of this.#dimensions!.entries()) {
      const slopes = entries.map((entry) => entry!.slopes[axis]!);
      if (slopes.some((slope) => slope !== 0)) sum = binary(g, 'Add', mul(g, g.int64(slopes), dimension), sum);
    }
    return sum;
  }

  /** The target of a Reshape: a single entry that grows with the batch is left to ONNX to infer. */
  #target(rows: readonly ArrayLike<number>[]): Value {
    const first = Array.from(rows[0]!);
    const growing = first.filter((x, i) => rows.some((row) => row[i] !== x));
    if (growing.length !== 1 || first.includes(0)) return this.#vector(rows);
    return this.#graph.int64(first.map((x, i) => (rows.some((row) => row[i] !== x) ? -1 : x)));
  }

  #constant(values: readonly Value[], isTarget: boolean): Value {
    const [first] = values as [Value];
    const data = values.map((value) => constantData(value)!);
    const same = data.every((other) => isSame(other, data[0]!));
    const rank = first.shape.length;
    const sameShape = values.every((v) => v.shape.length === rank && v.shape.every((dim, i) => dim === first.shape[i]));
    const g = this.#graph;
    if (same && sameShape) return g.constant(first.type, first.shape, data[0]!);
    if (first.type === 'int64' && data.every((d) => d.length === data[0]!.length)) {
      return isTarget ? this.#target(data) : this.#vector(data);
    }
    if (same && data[0]!.length === 1) {
      const shape = this.#vector(values.map((value) => value.shape));
      return g.node('Expand', [g.constant(first.type, [], data[0]!), shape], first);
    }
    const place = sizeOf(first.shape) === 1 ? `the number ${data[0]![0]}` : `a table of shape [${first.shape}]`;
    return this.refuse(`${place} in it changes with the batch.`);
  }

  value(values: readonly Value[], isTarget = false): Value {
    const known = this.#merged.get(values[0]!);
    if (known) {
      const places = values.map((value, i) => this.#places[i]!.get(value));
      if (places.some((place) => place !== places[0])) this.refuse('it takes another way for another batch.');
      return known;
    }
    if (values.some((value) => value.source.kind !== 'constant'))
      this.refuse('it takes another way for another batch.');
    const kept = isTarget ? undefined : this.#constants.get(values[0]!);
    if (kept?.values.every((value, i) => value === values[i])) return kept.made;
    const made = this.#constant(values, isTarget);
    if (!isTarget) this.#constants.set(values[0]!, { values, made });
    return made;
  }

  node(nodes: readonly Node[]): void {
    const [first] = nodes as [Node];
    const form = (node: Node) => `${node.op} ${node.inputs.map((input) => !!input)} ${showAttributes(node.attributes)}`;
    if (nodes.some((node) => form(node) !== form(first))) this.refuse('it takes another way for another batch.');
    const inputs = first.inputs.map((input, i) =>
      input
        ? this.value(
            nodes.map((node) => node.inputs[i]!),
            first.op === 'Reshape' && i === 1,
          )
        : undefined,
    );
    const made = this.#graph.nodes(first.op, inputs, first.outputs, first.attributes, first.domain);
    first.outputs.forEach((output, i) => {
      this.#merged.set(output, made[i]!);
    });
  }
}

/** The merged function. Inputs and outputs begin with the batch; `axes` are those of the first input. */
export function mergeRecordings(
  name: string,
  axes: readonly DynamicAxis[],
  recordings: readonly SizedRecording[],
): { inputs: ModelPort[]; outputs: ModelPort[] } {
  const merger = new Merger(name, axes, recordings);
  const [first] = recordings as [SizedRecording];
  const named = (port: string, values: readonly Value[]): (number | string)[] =>
    values[0]!.shape.map((dim, axis) => {
      const found = axes.find((dynamic, i) => {
        return dynamic.axis === axis && values.every((value, r) => value.shape[axis] === recordings[r]!.sizes[i]);
      });
      if (found) return found.name;
      return values.some((value) => value.shape[axis] !== dim) ? `${port}_${axis}` : dim;
    });
  const inputs = Object.entries(first.recording.inputs).map(([key, value]) => ({
    name: key,
    value: merger.input(key, value),
    shape: named(
      key,
      recordings.map(({ recording }) => recording.inputs[key]!),
    ),
  }));
  const lists = recordings.map(({ recording }) => reachable(Object.values(recording.outputs)).nodes);
  if (lists.some((list) => list.length !== lists[0]!.length)) merger.refuse('it takes another way for another batch.');
  lists[0]!.forEach((_, i) => {
    merger.node(lists.map((list) => list[i]!));
  });
  const outputs = Object.keys(first.recording.outputs).map((key) => {
    const values = recordings.map(({ recording }) => recording.outputs[key]!);
    const [head] = values as [Value];
    const shape = named(key, values);
    const isFree = axes.length > 1;
    if (shape[0] !== batchAxis.name || (!isFree && shape.slice(1).some((dim) => typeof dim === 'string'))) {
      merger.refuse(`its output ${key} has the shape [${head.shape}] for a batch of ${first.sizes[0]}.`);
    }
    return { name: key, value: merger.value(values), shape };
  });
  return { inputs, outputs };
}
