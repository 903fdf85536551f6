/**
 * Fits a profile to a trained model: how finely to quantise each code unit, and the integer tables, chosen on held-out codes
 * for a ladder of prices λ (squared error that one bit is worth, in the data's own units).
 *
 *   minimise  Σ_j s_j (z_j − ẑ_j)²  +  λ · bits        s_j: squared error at the output per squared error of unit j
 */

import { constantTable, type FrequencyTable, fitTable, maxSymbol } from './frequency-table.ts';
import { idealBits, type Quality, quantise, quantiseUnit, type Unit } from './profile.ts';

export interface FitOptions {
  /** held-out codes, [rows, units] row-major */
  readonly codes: Float32Array;
  readonly units: number;
  /** s_j > 0 for each unit; 0 where the decoder ignores the unit */
  readonly sensitivity: ArrayLike<number>;
  /** squared error, summed over a row's values, that one bit is worth; larger is coarser */
  readonly lambda: number;
  /** of each unit, where they are known from training; default: those that are optimal at high rate */
  readonly steps?: ArrayLike<number> | undefined;
  /** of the step that is optimal at high rate; smaller steps leave more to the choice of symbols. Default 0.9 */
  readonly stepScale?: number;
}

const rounds = 6;

/** Entropy-constrained scalar quantiser per unit: steps from λ and s_j, then symbols and tables refitted in turn. */
export function fitUnits({ codes, units, sensitivity, lambda, steps, stepScale = 0.9 }: FitOptions): Unit[] {
  const rows = codes.length / units;
  if (!Number.isInteger(rows) || rows < 1) throw new RangeError('codes are whole rows, at least one');
  return Array.from({ length: units }, (_, j) => {
    const values = Float32Array.from({ length: rows }, (_, row) => codes[row * units + j] as number);
    // at high rate D = sΔ²/12 and R = h − log2 Δ, so D + λR is least at Δ² = 6λ / (s ln 2)
    const step = steps?.[j] ?? stepScale * Math.sqrt((6 * lambda) / ((sensitivity[j] as number) * Math.LN2));
    return fitUnit(values, sensitivity[j] as number, lambda, step);
  });
}

function fitUnit(values: Float32Array, sensitivity: number, lambda: number, wanted: number): Unit {
  const offset = Math.fround(values.reduce((a, b) => a + b, 0) / values.length);
  const constant: Unit = { step: 1, offset, table: constantTable(0), bitWeight: 0 };
  if (!(sensitivity > 0)) return constant;
  const reach = values.reduce((most, value) => Math.max(most, Math.abs(value - offset)), 0);
  const step = Math.fround(Math.max(wanted, reach / 1000));
  const bitWeight = lambda / sensitivity;
  let unit: Unit = { step, offset, table: tableOf(values.map((v) => Math.round((v - offset) / step))), bitWeight };
  let before: Float32Array | undefined;
  for (let round = 0; round < rounds && !unit.table.constant; round++) {
    const symbols = values.map((value) => quantiseUnit(unit, value));
    if (before?.every((symbol, i) => symbol === symbols[i])) break;
    before = symbols;
    unit = { ...unit, table: tableOf(symbols) };
  }
  if (!unit.table.constant) return unit;
  return { ...constant, offset: Math.fround(offset + unit.table.min * step) };
}

/** Frequencies of observed symbols; neighbours that were not seen keep a small share, all else is escaped. */
function tableOf(symbols: ArrayLike<number>): FrequencyTable {
  const counts = new Map<number, number>();
  let min = maxSymbol;
  let max = -maxSymbol;
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i] as number;
    counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
    min = Math.min(min, symbol);
    max = Math.max(max, symbol);
  }
  if (min === max) return constantTable(min);
  const weights = Array.from({ length: max - min + 1 }, (_, i) => (counts.get(min + i) ?? 0) + 0.05);
  // Good–Turing: what was seen once tells how much was not seen
  const once = [...counts.values()].filter((n) => n === 1).length;
  return fitTable(min, weights, Math.max(0.5, 0.5 * once));
}

/** Order of the units on the wire: first those whose loss would cost most, s_j · variance. */
export function importanceOrder(codes: Float32Array, units: number, sensitivity: ArrayLike<number>): Uint16Array {
  const rows = codes.length / units;
  const importance = Array.from({ length: units }, (_, j) => {
    let sum = 0;
    let squares = 0;
    for (let i = j; i < codes.length; i += units) {
      sum += codes[i] as number;
      squares += (codes[i] as number) ** 2;
    }
    return (sensitivity[j] as number) * (squares / rows - (sum / rows) ** 2);
  });
  return Uint16Array.from(importance.keys()).sort(
    (a, b) => (importance[b] as number) - (importance[a] as number) || a - b,
  );
}

/** Mean payload bytes of a row that joins a batch. */
export function bytesPerRow(quality: Quality, codes: Float32Array): number {
  const symbols = quantise(quality, codes);
  return idealBits(quality, symbols) / 8 / (codes.length / quality.units.length);
}
