/**
 * Encoder-side rate–distortion search where the decoder is at hand: symbols are moved by whole steps as long as
 * squared error + λ · bits falls. Decoder and stream are unchanged; only the encoder works harder.
 *
 *   J = one-symbol responses of the decoder ─► descend on ‖r − Jδ‖² + λ·bits(s + δ) ─► decode, keep if truly better ─► again
 */

import { maxSymbol } from './frequency-table.ts';
import { dequantise, type Quality, type Unit } from './profile.ts';

export interface SearchOptions {
  readonly quality: Quality;
  /** [rows, units]; not changed */
  readonly symbols: Int32Array;
  /** the rows to come close to, [rows, values] */
  readonly targets: Float32Array;
  /** decodes codes [n, units] to rows [n, values] */
  readonly decode: (codes: Float32Array) => Promise<Float32Array>;
  /** squared error, summed over a row, that one bit is worth */
  readonly lambda: number;
  /** linearisations of the decoder per row at most; default 4 */
  readonly rounds?: number;
}

/** Symbols [rows, units] whose squared error + λ · bits is nowhere above that of the symbols given. */
export async function searchSymbols(options: SearchOptions): Promise<Int32Array> {
  const { quality, targets, decode, lambda, rounds = 4 } = options;
  const units = quality.units.length;
  const symbols = options.symbols.slice();
  const rows = symbols.length / units;
  const values = targets.length / rows;
  if (!Number.isInteger(rows) || !Number.isInteger(values)) throw new RangeError('symbols and targets are whole rows');
  for (let row = 0; row < rows; row++) {
    const target = targets.subarray(row * values, (row + 1) * values);
    let current: Int32Array = symbols.slice(row * units, (row + 1) * units);
    let responses = await respond(quality, current, decode);
    let cost = trueCost(quality, current, responses.subarray(0, values), target, lambda);
    for (let round = 0; round < rounds; round++) {
      const moved = descend(quality, current, responses, target, lambda);
      if (moved.every((symbol, j) => symbol === current[j])) break;
      const movedResponses = await respond(quality, moved, decode);
      const movedCost = trueCost(quality, moved, movedResponses.subarray(0, values), target, lambda);
      if (movedCost >= cost) break;
      [current, responses, cost] = [moved, movedResponses, movedCost];
    }
    symbols.set(current, row * units);
  }
  return symbols;
}

/** What the decoder gives for the symbols, then for each unit's symbol raised by one: [1 + units, values]. */
function respond(quality: Quality, symbols: Int32Array, decode: SearchOptions['decode']): Promise<Float32Array> {
  const units = quality.units.length;
  const tried = new Int32Array((1 + units) * units);
  for (let i = 0; i <= units; i++) {
    tried.set(symbols, i * units);
    if (i > 0) tried[i * units + i - 1] = (tried[i * units + i - 1] as number) + 1;
  }
  return decode(dequantise(quality, tried));
}

/** Coordinate descent on the linearised decoder, on the normal equations G = JᵀJ, g = Jᵀr. */
function descend(
  quality: Quality,
  symbols: Int32Array,
  responses: Float32Array,
  target: Float32Array,
  lambda: number,
): Int32Array {
  const units = quality.units.length;
  const values = target.length;
  const jacobian = new Float32Array(units * values);
  for (let j = 0; j < units; j++) {
    const from = (1 + j) * values;
    for (let i = 0; i < values; i++)
      jacobian[j * values + i] = (responses[from + i] as number) - (responses[i] as number);
  }
  const gram = new Float64Array(units * units);
  const gradient = new Float64Array(units);
  for (let j = 0; j < units; j++) {
    for (let k = j; k < units; k++) {
      let sum = 0;
      for (let i = 0; i < values; i++)
        sum += (jacobian[j * values + i] as number) * (jacobian[k * values + i] as number);
      gram[j * units + k] = sum;
      gram[k * units + j] = sum;
    }
    for (let i = 0; i < values; i++) {
      gradient[j] =
        (gradient[j] as number) +
        (jacobian[j * values + i] as number) * ((target[i] as number) - (responses[i] as number));
    }
  }
  const moved = symbols.slice();
  for (let sweep = 0, changed = true; changed && sweep < 8; sweep++) {
    changed = false;
    for (let j = 0; j < units; j++) {
      const { table } = quality.units[j] as Unit;
      if (table.constant) continue;
      const symbol = moved[j] as number;
      const bits = table.bits(symbol);
      let best = 0;
      let bestChange = -1e-9;
      for (const delta of [-1, 1]) {
        if (Math.abs(symbol + delta) > maxSymbol) continue;
        const error = (gram[j * units + j] as number) - 2 * delta * (gradient[j] as number);
        const change = error + lambda * (table.bits(symbol + delta) - bits);
        if (change < bestChange) {
          best = delta;
          bestChange = change;
        }
      }
      if (best === 0) continue;
      moved[j] = symbol + best;
      for (let k = 0; k < units; k++) gradient[k] = (gradient[k] as number) - best * (gram[k * units + j] as number);
      changed = true;
    }
  }
  return moved;
}

function trueCost(
  quality: Quality,
  symbols: Int32Array,
  decoded: Float32Array,
  target: Float32Array,
  lambda: number,
): number {
  let cost = 0;
  for (let i = 0; i < target.length; i++) cost += ((decoded[i] as number) - (target[i] as number)) ** 2;
  for (let j = 0; j < symbols.length; j++) cost += lambda * (quality.units[j] as Unit).table.bits(symbols[j] as number);
  return cost;
}
