/**
 * Splits a recorded step: ONNX Runtime computes up to the gradients, one fused pass over memory does the rest. The rest is
 * every elementwise float operator between the new state and what only ONNX Runtime can compute, whatever the optimizer:
 *
 *   state, constants, feeds ─► ONNX Runtime ─► outputs
 *            │                      └► gradients, statistics …   (handed over)
 *            └──────────────────────────┴► elementwise operators ─► state, in place
 */

import { sameShape, sizeOf } from '../../../base/ndarray.ts';
import { type Node, splatOf, type Value } from '../graph.ts';
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
  /** inputs of the step that the fused pass reads where they are */
  readonly leaves: ReadonlySet<Value>;
}

export const isSingle = (value: Value): boolean => sizeOf(value.shape) === 1;

/** The operands of a node that the fused pass can compute, or undefined. */
export function fusedOperands(value: Value): readonly Value[] | undefined {
  const node = value.source.kind === 'node' ? value.source.node : undefined;
  if (!node || !isFusible(node)) return undefined;
  const operands = node.inputs.filter((input) => input !== undefined);
  const aligned = operands.every((input) => isSingle(input) || sameShape(input.shape, value.shape));
  // a boolean is a mask in a register: it cannot be handed over as bytes
  const masks = operands.filter((input) => input.type === 'bool');
  return aligned && masks.every((mask) => fusedOperands(mask)) ? operands : undefined;
}

function isFusible({ op, inputs }: Node): boolean {
  const all = (type: string) => inputs.every((input) => input === undefined || input.type === type);
  if (op === 'Where') return inputs[0]?.type === 'bool' && inputs[1]?.type === 'float32';
  return (ofFloats.has(op) && all('float32')) || (ofBools.has(op) && all('bool'));
}

export function planUpdate(step: RecordedStep): UpdatePlan {
  // a feed of more than one number is somewhere else in each step: ONNX Runtime passes it on
  const inputs = [...step.state, ...step.constants, ...step.feeds.filter(({ value }) => isSingle(value))];
  const readable = new Set(inputs.map(({ value }) => value).filter(({ type }) => type === 'float32'));
  const handed = new Map<Value, string>();
  const leaves = new Set<Value>();

  function collect(value: Value, reads: Set<Value>): void {
    if (splatOf(value) !== undefined || reads.has(value)) return;
    if (readable.has(value)) {
      leaves.add(value);
      reads.add(value);
      return;
    }
    const operands = fusedOperands(value);
    for (const operand of operands ?? []) collect(operand, reads);
    if (!operands && !handed.has(value)) handed.set(value, String(handed.size));
  }

  const moved: ModelPort[] = [];
  const updates: Update[] = [];
  for (const port of step.next) {
    const state = step.state.find(({ name }) => name === port.name)!.value;
    if (port.value === state) continue;
    if (port.value.type === 'float32') {
      const reads = new Set<Value>();
      collect(port.value, reads);
      updates.push({ port, touched: reads.add(state) });
    } else {
      moved.push(port);
    }
  }
  const ports = [...handed].map(([value, name]) => ({ name, value }));
  return { groups: grouped(updates), handed: ports, moved, leaves };
}

interface Update {
  readonly port: ModelPort;
  /** the state it writes, and what it reads */
  readonly touched: ReadonlySet<Value>;
}

/** Joins updates that touch the same value of their own size. Single numbers come last: larger groups read their old values. */
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
  return groups
    .sort((a, b) => Number(a.size === 1) - Number(b.size === 1))
    .map(({ size, targets }) => ({ size, targets }));
}
