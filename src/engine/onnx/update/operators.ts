/** What the fused pass can compute: elementwise operators on floats, and on the masks between them. */

import { sameShape, sizeOf } from '../../../base/ndarray.ts';
import type { Node, Value } from '../graph.ts';

/** Operators whose result a fused pass computes bit for bit as ONNX Runtime does, by the type of their operands. */
const ofFloats: ReadonlySet<string> = new Set([
  ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sqrt', 'Neg', 'Abs', 'Reciprocal', 'Clip', 'Relu'],
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'IsNaN'],
]);
const ofBools: ReadonlySet<string> = new Set(['And', 'Or', 'Not']);

/** The node that computes a value, where there is one and it is the operator that is asked for. */
export function nodeOf({ source }: Value, op?: string): Node | undefined {
  const node = source.kind === 'node' ? source.node : undefined;
  return op === undefined || node?.op === op ? node : undefined;
}

export const isSingle = (value: Value): boolean => sizeOf(value.shape) === 1;

/** A value without the reshapes on top: the same numbers in the same order. */
export function unshaped(value: Value): Value {
  const node = nodeOf(value, 'Reshape');
  return node ? unshaped(node.inputs[0]!) : value;
}

/** The operands, reshapes stripped, of a node that the fused pass can compute, or undefined. */
export function fusedOperands(value: Value): readonly Value[] | undefined {
  const node = nodeOf(value);
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
