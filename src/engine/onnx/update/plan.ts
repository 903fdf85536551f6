/**
 * Splits a recorded step: ONNX Runtime computes up to the gradients, one fused pass over memory does the rest. The rest is
 * every elementwise float operator between the new state and what only ONNX Runtime can compute, whatever the optimizer, and
 * the totals of a cross-entropy (totals.ts):
 *
 *   state, constants, feeds ─► ONNX Runtime ─► outputs
 *            │                      └► gradients, statistics, logits …   (handed over)
 *            └──────────────────────────┴► elementwise operators ─► state, in place
 *                                                              └──► totals ─► outputs
 */

import { sizeOf } from '../../../base/ndarray.ts';
import { constantData, reachable, splatOf, type Value } from '../graph.ts';
import type { ModelPort, RecordedStep } from '../model.ts';
import { fusedOperands, isSingle, nodeOf, unshaped } from './operators.ts';
import { numbersIn, type TotalOutput, totalOutput, totalsIn } from './totals.ts';

/** New values of state that must be computed in the same loop, because one reads the old value of another. */
export interface UpdateGroup {
  /** elements of each value */
  readonly size: number;
  readonly targets: readonly ModelPort[];
}

export interface UpdatePlan {
  readonly groups: readonly UpdateGroup[];
  /** what ONNX Runtime hands to the fused pass: float32 of the size of a group or of a total, or numbers; named 0, 1, … */
  readonly handed: readonly ModelPort[];
  /** new state that the fused pass cannot write, integers and booleans: copied */
  readonly moved: readonly ModelPort[];
  /** outputs that ONNX Runtime computes */
  readonly outputs: readonly ModelPort[];
  /** outputs that follow from totals of the fused pass */
  readonly totals: readonly TotalOutput[];
  /** values that the fused pass reads where they are: inputs of the step and numbers inside them */
  readonly leaves: ReadonlyMap<Value, Element>;
  /** whether threads may do parts of the arrays at the same time: no array is computed from a number that is replaced */
  readonly parallel: boolean;
}

/** A number inside a value that lies in memory. */
export interface Element {
  readonly of: Value;
  readonly index: number;
}

/** Where a single number lies that is a slice of a vector, such as one of the optimizer's scalars. */
function elementOf(value: Value): Element | undefined {
  const node = nodeOf(value, 'Slice');
  if (!node || !isSingle(value)) return undefined;
  const [of, start, , , steps] = node.inputs as Value[];
  const index = constantData(start!)?.[0];
  if (of!.shape.length !== 1 || steps || index === undefined || index < 0) return undefined;
  return { of: unshaped(of!), index };
}

export function planUpdate(step: RecordedStep): UpdatePlan {
  const inputs = [...step.state, ...step.constants, ...step.feeds].map(({ value }) => value);
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
  const state = new Set(step.state.map(({ value }) => value));
  const readsState = (value: Value): boolean =>
    state.has(value) || state.has(elementOf(value)?.of as Value) || (fusedOperands(value)?.some(readsState) ?? false);
  // threads may be done with their part of the totals, and replace state, before others
  const surroundings = { readable: (value: Value) => !readsState(value), sigmoidOf: sigmoids(step) };
  const totals = step.outputs
    .flatMap((port) => totalOutput(port, surroundings) ?? [])
    // numbers are read after the update
    .filter(({ expression }) => !numbersIn(expression).some((number) => state.has(number)));
  for (const { expression } of totals) {
    for (const { of } of totalsIn(expression)) collect(of, new Set(), new Set());
    for (const number of numbersIn(expression)) handed.set(number, handed.get(number) ?? String(handed.size));
  }
  const outputs = step.outputs.filter(({ name }) => !totals.some((total) => total.name === name));
  const ports = [...handed].map(([value, name]) => ({ name, value }));
  const replaced = new Set(updates.map(({ state }) => state));
  const arrays = updates.filter(({ state }) => !isSingle(state));
  const parallel = !arrays.some(({ numbers }) => [...numbers].some((number) => replaced.has(number)));
  return { groups: grouped(updates), handed: ports, moved, outputs, totals, leaves, parallel };
}

/** Finds σ of a value among what the new state is computed from. */
function sigmoids(step: RecordedStep): (value: Value) => Value | undefined {
  const { nodes } = reachable(step.next.map(({ value }) => value));
  const found = nodes
    .filter(({ op }) => op === 'Sigmoid')
    .map(({ inputs, outputs }) => [unshaped(inputs[0]!), outputs[0]!] as const);
  const known = new Map(found);
  return (value) => known.get(value);
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
