/**
 * Adds up totals in the fused pass: over blocks of a fixed size, so that the number of threads changes no bit, to one partial
 * sum a block and lane; these are added up in float64.
 *
 * A sum of logarithms is kept as the product that it is the logarithm of, 2^exponent · mantissa: one logarithm a block and lane.
 */

import { sizeOf } from '../../../base/ndarray.ts';
import type { Value } from '../graph.ts';
import { type Total, type TotalOutput, totalsIn } from './totals.ts';
import { type Local, lineBytes, type UpdateFunction } from './wasm.ts';

const lanes = 4;
const vectorBytes = 16;
const blockLines = 128;

/** Totals over values of one size, which one loop computes. */
export interface TotalGroup {
  readonly lines: number;
  readonly totals: readonly Total[];
}

const linesOf = ({ of }: Total): number => (4 * sizeOf(of.shape)) / lineBytes;

/** Groups of all totals, each named once. */
export function totalGroups(outputs: readonly TotalOutput[]): TotalGroup[] {
  const groups = new Map<number, Map<string, Total>>();
  for (const total of outputs.flatMap(({ expression }) => totalsIn(expression))) {
    const lines = linesOf(total);
    const group = groups.get(lines) ?? new Map<string, Total>();
    groups.set(lines, group.set(keyOf(total), total));
  }
  return [...groups].map(([lines, totals]) => ({ lines, totals: [...totals.values()] }));
}

const keyOf = ({ kind, of }: Total): string => `${kind} ${of.id}`;

/** Vectors that a block of a group leaves: a sum, or a product and its exponent. */
const vectorsOf = ({ kind }: Total): number => (kind === 'logarithms' ? 2 : 1);
const groupVectors = ({ totals }: TotalGroup): number => totals.reduce((sum, total) => sum + vectorsOf(total), 0);
const blocksOf = ({ lines }: TotalGroup): number => Math.ceil(lines / blockLines);

/** Bytes of the partial sums of a group. */
export const partialBytes = (group: TotalGroup): number => blocksOf(group) * groupVectors(group) * vectorBytes;

/** A group and where its partial sums go. */
export interface PlacedTotals {
  readonly group: TotalGroup;
  readonly address: number;
}

/**
 * Writes the loop of a group. `evaluate` writes a value at an offset from the counter. A NaN is lost in an exponent, but not in
 * the sum of max(a, 0) that is a part of every cross-entropy.
 */
export function writeTotals(
  f: UpdateFunction,
  { group, address }: PlacedTotals,
  evaluate: (offset: number) => (value: Value) => Local,
): void {
  const [zero, one] = [f.constant(0), f.constant(1)];
  const [mantissa, minusBias] = [f.integer(0x7fffff), f.integer(-127)];
  const states = group.totals.map((total) => ({ total, sum: f.variable(), exponent: f.variable() }));
  f.blocks(group.lines, blockLines, {
    before() {
      for (const { total, sum, exponent } of states) {
        f.assign(sum, total.kind === 'logarithms' ? one : zero);
        f.assign(exponent, zero);
      }
    },
    body() {
      const terms = states.map(() => [] as Local[]);
      for (let offset = 0; offset < lineBytes; offset += vectorBytes) {
        const at = evaluate(offset);
        for (const [i, { total }] of states.entries()) {
          const value = at(total.of);
          terms[i]!.push(total.kind === 'sum' ? value : f.compute('max', value, f.compute('sub', one, value)));
        }
      }
      for (const [i, { total, sum, exponent }] of states.entries()) {
        const [a, b, c, d] = terms[i] as [Local, Local, Local, Local];
        const join = total.kind === 'sum' ? 'add' : 'mul';
        const joined = f.compute(join, sum, f.compute(join, f.compute(join, a, b), f.compute(join, c, d)));
        f.assign(sum, joined);
        if (total.kind === 'sum') continue;
        const biased = f.shift('shiftRight', joined, 23);
        f.assign(exponent, f.compute('addIntegers', exponent, f.compute('addIntegers', biased, minusBias)));
        f.assign(sum, f.compute('or', f.compute('and', joined, mantissa), one));
      }
    },
    after() {
      let at = address;
      for (const { total, sum, exponent } of states) {
        for (const local of total.kind === 'logarithms' ? [sum, exponent] : [sum]) {
          f.storeForBlock(at, groupVectors(group) * vectorBytes, local);
          at += vectorBytes;
        }
      }
    },
  });
}

/** Adds up what the loops left. */
export function totalsReader(placed: readonly PlacedTotals[], buffer: ArrayBufferLike): (total: Total) => number {
  const readers = new Map<string, () => number>();
  for (const { group, address } of placed) {
    const stride = groupVectors(group) * lanes;
    const floats = new Float32Array(buffer, address, blocksOf(group) * stride);
    const integers = new Int32Array(buffer, address, floats.length);
    let first = 0;
    for (const total of group.totals) {
      const start = first;
      readers.set(keyOf(total), () => {
        let sum = 0;
        for (let block = start; block < floats.length; block += stride) {
          for (let i = block; i < block + lanes; i++) {
            sum += total.kind === 'sum' ? floats[i]! : integers[i + lanes]! * Math.LN2 + Math.log(floats[i]!);
          }
        }
        return sum;
      });
      first += vectorsOf(total) * lanes;
    }
  }
  return (total) => readers.get(keyOf(total))!();
}
