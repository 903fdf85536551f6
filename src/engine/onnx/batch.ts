/**
 * Gives recordings a dynamic batch axis. tfjs only knows numbers, so a function is recorded at three batch sizes and the
 * graphs are compared node by node. Where a number in a shape differs it must be `base + slope · batch` for all three;
 * then it is computed from the input's batch at run time. Anything else that differs means that the function does not
 * treat the rows alike, and is refused.
 */

import { sizeOf } from '../../base/ndarray.ts';
import { constantData, Graph, type Node, reachable, showAttributes, type Value } from './graph.ts';
import type { ModelPort } from './model.ts';
import { binary, mul } from './nodes.ts';
import { type Recording, RecordingError } from './record.ts';

export interface BatchRecording {
  readonly batch: number;
  readonly recording: Recording;
}

/** The batch sizes to record at: primes, so that no product of other dimensions looks like one of them. */
export const batchSizes = [9949, 9967, 9973] as const;

interface Affine {
  readonly base: number;
  readonly slope: number;
}

function affine(batches: readonly number[], numbers: readonly number[]): Affine | undefined {
  const slope = (numbers[1]! - numbers[0]!) / (batches[1]! - batches[0]!);
  const base = numbers[0]! - slope * batches[0]!;
  const exact = Number.isInteger(slope) && numbers.every((x, i) => x === base + slope * batches[i]!);
  return exact ? { base, slope } : undefined;
}

class Merger {
  readonly #name: string;
  readonly #batches: readonly number[];
  readonly #graph = new Graph();
  readonly #merged = new Map<Value, Value>();
  /** Where each value stands in its own recording. */
  readonly #places: readonly Map<Value, string>[];
  #batchOf: Value | undefined;

  constructor(name: string, recordings: readonly BatchRecording[]) {
    this.#name = name;
    this.#batches = recordings.map((r) => r.batch);
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
    this.#batchOf ??= this.#graph.node('Shape', [made], { type: 'int64', shape: [1] }, { start: 0, end: 1 });
    return made;
  }

  /** A vector of int64 that may depend on the batch. */
  #vector(rows: readonly ArrayLike<number>[]): Value {
    const entries = Array.from(rows[0]!, (_, i) =>
      affine(
        this.#batches,
        rows.map((row) => row[i]!),
      ),
    );
    if (entries.some((entry) => !entry)) this.refuse('a shape in it is not proportional to the batch.');
    const g = this.#graph;
    const slopes = g.int64(entries.map((entry) => entry!.slope));
    const bases = g.int64(entries.map((entry) => entry!.base));
    if (entries.every((entry) => entry!.slope === 0)) return bases;
    const grown = mul(g, slopes, this.#batchOf!);
    return binary(g, 'Add', grown, bases);
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
    const same = data.every(
      (d) => d.length === data[0]!.length && Array.prototype.every.call(d, (x, i) => Object.is(x, data[0]![i])),
    );
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
    return this.#constant(values, isTarget);
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

/** The merged function: ports whose leading dimension is named `batch`. */
export function mergeBatches(
  name: string,
  recordings: readonly BatchRecording[],
): { inputs: ModelPort[]; outputs: ModelPort[] } {
  const merger = new Merger(name, recordings);
  const [first] = recordings as [BatchRecording];
  const inputs = Object.entries(first.recording.inputs).map(([key, value]) => ({
    name: key,
    value: merger.input(key, value),
    shape: ['batch', ...value.shape.slice(1)],
  }));
  const lists = recordings.map(({ recording }) => reachable(Object.values(recording.outputs)).nodes);
  if (lists.some((list) => list.length !== lists[0]!.length)) merger.refuse('it takes another way for another batch.');
  lists[0]!.forEach((_, i) => {
    merger.node(lists.map((list) => list[i]!));
  });
  const outputs = Object.keys(first.recording.outputs).map((key) => {
    const values = recordings.map(({ recording }) => recording.outputs[key]!);
    const [head] = values as [Value];
    const grows = values.every(
      (value, i) =>
        value.shape[0] === recordings[i]!.batch && value.shape.slice(1).join() === head.shape.slice(1).join(),
    );
    if (!grows) merger.refuse(`its output ${key} has the shape [${head.shape}] for a batch of ${first.batch}.`);
    return { name: key, value: merger.value(values), shape: ['batch', ...head.shape.slice(1)] };
  });
  return { inputs, outputs };
}
