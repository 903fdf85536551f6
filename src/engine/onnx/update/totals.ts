/**
 * Outputs that are totals of a cross-entropy: ONNX Runtime takes a dozen passes over the logits for a number that no gradient
 * needs, the fused pass one.
 *
 *   Σ x·softplus(−a) + (1−x)·softplus(a)  =  Σ (max(a, 0) − a·x)  −  Σ ln σ(|a|)            σ(|a|) = max(σ(a), 1 − σ(a))
 *
 * Recorded, this is a few operators between numbers above a `ReduceSum` of elementwise operators and a `ReduceSum` of the
 * logarithms of products (ops/total.ts). σ(a) is there already: the gradient needs it.
 */

import { sizeOf } from '../../../base/ndarray.ts';
import { splatOf, type Value } from '../graph.ts';
import type { ModelPort } from '../model.ts';
import { fusedOperands, isSingle, nodeOf, unshaped } from './operators.ts';

/** Adds up over all elements: `of` itself, or ln max(of, 1 − of). */
export interface Total {
  readonly kind: 'sum' | 'logarithms';
  readonly of: Value;
}

const arithmetic = {
  Add: (a: number, b: number) => a + b,
  Sub: (a: number, b: number) => a - b,
  Mul: (a: number, b: number) => a * b,
  Div: (a: number, b: number) => a / b,
  Neg: (a: number) => -a,
} as const;
type Arithmetic = keyof typeof arithmetic;

/** How a number follows from totals and from numbers that ONNX Runtime computes. */
export type Expression =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'total'; readonly total: Total }
  | { readonly kind: 'number'; readonly of: Value }
  | { readonly kind: 'operator'; readonly op: Arithmetic; readonly operands: readonly Expression[] };

export interface TotalOutput {
  readonly name: string;
  readonly value: Value;
  readonly expression: Expression;
}

/** A loop adds up whole lines of 16 floats. */
const lineElements = 16;

/** A value under the products that its logarithms are taken of: halves times halves. */
function underProducts(value: Value): Value {
  const [low, high] = nodeOf(value, 'Mul')?.inputs ?? [];
  const split = low && nodeOf(low, 'Split');
  return split && high && nodeOf(high) === split ? underProducts(unshaped(split.inputs[0]!)) : value;
}

/** a of Σ ln σ(|a|). */
function logitsOf(summed: Value): Value | undefined {
  const log = nodeOf(summed, 'Log');
  const sigmoid = log && nodeOf(underProducts(unshaped(log.inputs[0]!)), 'Sigmoid');
  const abs = sigmoid && nodeOf(unshaped(sigmoid.inputs[0]!), 'Abs');
  return abs && unshaped(abs.inputs[0]!);
}

export interface Surroundings {
  /** whether a loop may read a value while state is replaced */
  readonly readable: (value: Value) => boolean;
  /** σ of a value, if the step computes it for something else as well */
  readonly sigmoidOf: (value: Value) => Value | undefined;
}

/** The expression of a number as far down as totals reach. */
function expressionOf(value: Value, step: Surroundings): Expression {
  const constant = splatOf(value);
  if (constant !== undefined) return { kind: 'constant', value: constant };
  const node = nodeOf(value);
  const fits = (x: Value) => x.type === 'float32' && sizeOf(x.shape) % lineElements === 0 && step.readable(x);
  if (node?.op === 'ReduceSum' && isSingle(value)) {
    const summed = unshaped(node.inputs[0]!);
    const logits = logitsOf(summed);
    const sigmoid = logits && step.sigmoidOf(logits);
    if (sigmoid && fits(sigmoid)) return { kind: 'total', total: { kind: 'logarithms', of: sigmoid } };
    if (fusedOperands(summed) && fits(summed)) return { kind: 'total', total: { kind: 'sum', of: summed } };
  }
  if (node && node.op in arithmetic) {
    const operands = node.inputs.map((input) => expressionOf(unshaped(input!), step));
    if (operands.some(({ kind }) => kind === 'total' || kind === 'operator')) {
      return { kind: 'operator', op: node.op as Arithmetic, operands };
    }
  }
  return { kind: 'number', of: value };
}

export function totalsIn(expression: Expression): Total[] {
  if (expression.kind === 'total') return [expression.total];
  return expression.kind === 'operator' ? expression.operands.flatMap(totalsIn) : [];
}

export function numbersIn(expression: Expression): Value[] {
  if (expression.kind === 'number') return [expression.of];
  return expression.kind === 'operator' ? expression.operands.flatMap(numbersIn) : [];
}

/** The output with its expression where a cross-entropy is in it: other totals are as quick in ONNX Runtime. */
export function totalOutput(port: ModelPort, step: Surroundings): TotalOutput | undefined {
  const value = unshaped(port.value);
  if (!isSingle(value) || value.type !== 'float32') return undefined;
  const expression = expressionOf(value, step);
  const found = totalsIn(expression).some(({ kind }) => kind === 'logarithms');
  return found ? { name: port.name, value: port.value, expression } : undefined;
}

/** The number itself, given those that it follows from. */
export function evaluate(
  expression: Expression,
  given: { readonly total: (total: Total) => number; readonly number: (value: Value) => number },
): number {
  switch (expression.kind) {
    case 'constant':
      return expression.value;
    case 'total':
      return given.total(expression.total);
    case 'number':
      return given.number(expression.of);
    case 'operator': {
      const [a, b] = expression.operands.map((operand) => evaluate(operand, given)) as [number, number];
      return arithmetic[expression.op](a, b);
    }
    default:
      return expression satisfies never;
  }
}
