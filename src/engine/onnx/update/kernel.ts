/** Writes the fused pass of a plan as a WebAssembly function: one loop for each group, each number in memory touched once a group. */

import { sizeOf } from '../../../base/ndarray.ts';
import { type Node, splatOf, type Value } from '../graph.ts';
import { fusedOperands, isSingle, nodeOf } from './operators.ts';
import type { UpdatePlan } from './plan.ts';
import { type PlacedTotals, writeTotals } from './total-loop.ts';
import { type Local, lineBytes, type Simd, UpdateFunction } from './wasm.ts';

const instructions: Readonly<Record<string, Simd>> = {
  ...{ Add: 'add', Sub: 'sub', Mul: 'mul', Div: 'div', Max: 'max', Min: 'min', Sqrt: 'sqrt', Neg: 'neg', Abs: 'abs' },
  ...{ Equal: 'eq', Greater: 'gt', GreaterOrEqual: 'ge', Less: 'lt', LessOrEqual: 'le' },
  ...{ And: 'and', Or: 'or', Not: 'not' },
};

function compute(f: UpdateFunction, { op }: Node, operands: readonly Local[]): Local {
  const [a, b, c] = operands as [Local, Local, Local];
  switch (op) {
    case 'Where':
      return f.compute('bitselect', b, c, a);
    case 'Clip':
      return f.compute('min', f.compute('max', a, b), c);
    case 'Reciprocal':
      return f.compute('div', f.constant(1), a);
    case 'Relu':
      return f.compute('max', a, f.constant(0));
    case 'IsNaN':
      return f.compute('ne', a, a);
    default: {
      const instruction = instructions[op];
      if (!instruction) throw new Error(`no instruction for ${op}`);
      return f.compute(instruction, ...operands);
    }
  }
}

const linesOf = (bytes: number): number => Math.ceil(bytes / lineBytes);

/** Where values live: float32 at 64-byte lines, so that the padding of one never touches another. */
export class Layout {
  readonly #addresses = new Map<Value, number>();
  #end = 0;

  /** Reserves memory for a value; bool and int32 have theirs in the same memory. */
  place(value: Value): void {
    if (this.#addresses.has(value)) return;
    this.#addresses.set(value, this.reserve(sizeOf(value.shape) * (value.type === 'bool' ? 1 : 4)));
  }

  /** Reserves lines of memory; their address. */
  reserve(bytes: number): number {
    const address = this.#end;
    this.#end += linesOf(bytes) * lineBytes;
    return address;
  }

  addressOf(value: Value): number {
    const address = this.#addresses.get(value);
    if (address === undefined) throw new Error(`value ${value.id} has no place`);
    return address;
  }

  has(value: Value): boolean {
    return this.#addresses.has(value);
  }

  get bytes(): number {
    return this.#end;
  }
}

export interface KernelOptions {
  readonly plan: UpdatePlan;
  readonly layout: Layout;
  readonly totals: readonly PlacedTotals[];
  /** the state value that a new value replaces */
  readonly targetOf: (name: string) => Value;
}

/** The function that runs the plan. */
export function updateFunction({ plan, layout, totals, targetOf }: KernelOptions): UpdateFunction {
  const f = new UpdateFunction();
  const addresses = new Map<Value, number>(plan.handed.map(({ value }) => [value, layout.addressOf(value)]));
  for (const [value, { of, index }] of plan.leaves) addresses.set(value, layout.addressOf(of) + 4 * index);

  /** single numbers, computed before the loops: from the old state, whichever loop replaces it */
  const singles = new Map<Value, Local>();
  function single(value: Value): Local {
    const known = singles.get(value);
    if (known !== undefined) return known;
    const splat = splatOf(value);
    const made =
      splat !== undefined
        ? f.constant(splat)
        : addresses.has(value)
          ? f.scalar(addresses.get(value)!)
          : compute(f, nodeOf(value)!, fusedOperands(value)!.map(single));
    singles.set(value, made);
    return made;
  }

  /** finds the single numbers below a value */
  function prepare(value: Value, seen: Set<Value>): void {
    if (seen.has(value)) return;
    seen.add(value);
    if (isSingle(value) || splatOf(value) !== undefined) single(value);
    else if (!addresses.has(value)) for (const operand of fusedOperands(value)!) prepare(operand, seen);
  }
  const seen = new Set<Value>();
  for (const { group } of totals) for (const { of } of group.totals) prepare(of, seen);
  for (const { targets } of plan.groups) for (const { value } of targets) prepare(value, seen);

  /** writes values as they are at an offset from the counter, each once */
  function evaluator(offset = 0): (value: Value) => Local {
    const local = new Map<Value, Local>(singles);
    const evaluate = (value: Value): Local => {
      const known = local.get(value);
      if (known !== undefined) return known;
      const made = addresses.has(value)
        ? f.load(addresses.get(value)! + offset)
        : compute(f, nodeOf(value)!, fusedOperands(value)!.map(evaluate));
      local.set(value, made);
      return made;
    };
    return evaluate;
  }

  for (const placed of totals) writeTotals(f, placed, evaluator);
  for (const { size, targets } of plan.groups) {
    f.loop(linesOf(4 * size), () => {
      const evaluate = evaluator();
      // every old value is read before the first new one is written
      const results = targets.map(({ name, value }) => [targetOf(name), evaluate(value)] as const);
      for (const [target, result] of results) f.store(layout.addressOf(target), result);
    });
  }
  return f;
}
