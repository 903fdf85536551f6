/**
 * Splits a recorded step: ONNX Runtime computes up to the gradients, one fused pass over memory does the rest. The rest is
 * every elementwise float operator between the new state and what only ONNX Runtime can compute, whatever the optimizer:
 *
 *   state, constants, feeds ─► ONNX Runtime ─► outputs
 *            │                      └► gradients, statistics …   (handed over)
 *            └──────────────────────────┴► elementwise operators ─► state, in place
 */

import { sameShape, sizeOf } from '../../../base/ndarray.ts';
import { constantData, type Node, splatOf, type Value } from '../graph.ts';
import type { ModelPort, RecordedStep } from '../model.ts';

/** Operators whose result a fused pass computes bit for bit as ONNX Runtime does, by the type of their operands. */
const ofFloats: ReadonlySet<string> = new Set([
  ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sqrt', 'Neg', 'Abs', 'Reciprocal', 'Clip'],
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'IsNaN'],
]);
const ofBools: ReadonlySet<string> = new Set(['And', 'Or', 'Not']);

/** New values of state that must be computed in the same loop, because one reads the old value of another. */
export interface UpdateGroup {
  /** elements of each value */
  readonly size: number;
  readonly targets: readonly ModelPort[];
}

export interface UpdatePlan {
  readonly groups: readonly UpdateGroup[];
  /** what ONNX Runtime hands to the fused pass: float32 of the size of a group, or single numbers; named 0, 1, … */
  readonly handed: readonly ModelPort[];
  /** new state that the fused pass cannot write, integers and booleans: copied */
  readonly moved: readonly ModelPort[];
  /** values that the fused pass reads where they are: inputs of the step and numbers inside them */
  readonly leaves: ReadonlyMap<Value, Element>;
  /** whether threads may do parts of the arrays at the same time: no array is computed from a number that is replaced */
  readonly parallel: boolean;
}

export const isSingle = (value: Value): boolean => sizeOf(value.shape) === 1;

/** A value without the reshapes on top: the same numbers in the same order. */
export function unshaped(value: Value): Value {
  const { source } = value;
  return source.kind === 'node' && source.node.op === 'Reshape' ? unshaped(source.node.inputs[0]!) : value;
}

/** The operands, reshapes stripped, of a node that the fused pass can compute, or undefined. */
export function fusedOperands(value: Value): readonly Value[] | undefined {
  const node = value.source.kind === 'node' ? value.source.node : undefined;
  if (!node || !isFusible(node)) return undefined;
  const operands = node.inputs.filter((input) => input !== undefined);
  const aligned = operands.every((input) => isSingle(input) || sameShape(input.shape, value.shape));
  // a boolean is a mask in a register: it cannot be handed over as bytes
  const masks = operands.filter((input) => input.type === 'bool');
  return aligned && masks.every((mask) => fusedOperands(unshaped(mask))) ? operands.map(unshaped) : undefined;
}

function isFusible({ op, inputs }: Node): boolean {
  const all = (type: string) => inputs.every((input) => input === undefined || input.type === type);
  if (op === 'Where') return inputs[0]?.type === 'bool' && inputs[1]?.type === 'float32';
  return (ofFloats.has(op) && all('float32')) || (ofBools.has(op) && all('bool'));
}

/** A number inside a value that lies in memory. */
export interface Element {
  readonly of: Value;
  readonly index: number;
}

/** Where a single number lies that is a slice of a vector, such as one of the optimizer's scalars. */
function elementOf(value: Value): Element | undefined {
  const node = value.source.kind === 'node' ? value.source.node : undefined;
  if (node?.op !== 'Slice' || !isSingle(value)) return undefined;
  const [of, start, , , steps] = node.inputs as Value[];
  const index = constantData(start!)?.[0];
  if (of!.shape.length !== 1 || steps || index === undefined || index < 0) return undefined;
  return { of: unshaped(of!), index };
}

/** Feeds up to this length are copied to where the fused pass reads them; longer ones pass through ONNX Runtime. */
const copiedFeed = 64;

export function planUpdate(step: RecordedStep): UpdatePlan {
  const feeds = step.feeds.filter(({ value }) => sizeOf(value.shape) <= copiedFeed);
  const inputs = [...step.state, ...step.constants, ...feeds].map(({ value }) => value);
  const readable = new Set(inputs.filter(({ type }) => type === 'float32'));
  const handed = new Map<Value, string>();
  const leaves = new Map<Value, Element>();

  function collect(value: Value, reads: Set<Value>, numbers: Set<Value>): void {
    if (splatOf(value) !== undefined || reads.has(value)) return;
    const element = readable.has(value) ? { of: value, index: 0 } : elementOf(value);
    if (element && readable.has(element.of)) {
      leaves.set(value, element);
      reads.add(element.of);
      if (isSingle(value)) numbers.add(element.of);
      return;
    }
    const operands = fusedOperands(value);
    for (const operand of operands ?? []) collect(operand, reads, numbers);
    if (!operands && !handed.has(value)) handed.set(value, String(handed.size));
  }

  const moved: ModelPort[] = [];
  const updates: Update[] = [];
  for (const port of step.next) {
    const state = step.state.find(({ name }) => name === port.name)!.value;
    const value = unshaped(port.value);
    if (value === state) continue;
    if (value.type === 'float32') {
      const reads = new Set<Value>();
      const numbers = new Set<Value>();
      collect(value, reads, numbers);
      updates.push({ port: { name: port.name, value }, state, touched: reads.add(state), numbers });
    } else {
      moved.push(port);
    }
  }
  const ports = [...handed].map(([value, name]) => ({ name, value }));
  const replaced = new Set(updates.map(({ state }) => state));
  const arrays = updates.filter(({ state }) => !isSingle(state));
  const parallel = !arrays.some(({ numbers }) => [...numbers].some((number) => replaced.has(number)));
  return { groups: grouped(updates), handed: ports, moved, leaves, parallel };
}

interface Update {
  readonly port: ModelPort;
  /** the value that it replaces */
  readonly state: Value;
  /** that, and the values that it reads or reads a number of */
  readonly touched: ReadonlySet<Value>;
  /** the values that it reads a number of */
  readonly numbers: ReadonlySet<Value>;
}

/** Joins updates that touch the same value of their own size; single numbers are read before any group is written. */
function grouped(updates: readonly Update[]): UpdateGroup[] {
  const groups: { size: number; targets: ModelPort[]; touched: Set<Value> }[] = [];
  for (const { port, touched } of updates) {
    const size = sizeOf(port.value.shape);
    const joined = { size, targets: [port], touched: new Set([...touched].filter((v) => sizeOf(v.shape) === size)) };
    for (const group of groups.filter((other) => [...other.touched].some((value) => joined.touched.has(value)))) {
      joined.targets.unshift(...group.targets);
      for (const value of group.touched) joined.touched.add(value);
      groups.splice(groups.indexOf(group), 1);
    }
    groups.push(joined);
  }
  return groups.map(({ size, targets }) => ({ size, targets }));
}
