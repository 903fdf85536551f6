/**
 * Encoder-side rate–distortion search where the decoder is at hand: symbols are moved by whole steps as long as
 * squared error + λ · bits falls. Decoder and stream are unchanged; only the encoder works harder.
 *
 *   J = one-symbol responses of the decoder ─► descend on ‖r − Jδ‖² + λ·bits(s + δ) ─► decode ─► truly better? again
 *                                                 └──◄── more damped, where the decoder is not as linear ──◄── no
 */

import { type FrequencyTable, maxSymbol } from './frequency-table.ts';
import { cheapestCoding, dequantise, type Quality } from './profile.ts';

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

/** Of moves that look good, ever fewer: a decoder bends, and the more units move the less their responses add up. */
const dampings = [0, 1, 4];

/** Symbols [rows, units] whose squared error + λ · bits is nowhere above that of the symbols given. */
export async function searchSymbols(options: SearchOptions): Promise<Int32Array> {
  const { quality, targets, rounds = 4 } = options;
  const units = quality.units.length;
  const symbols = options.symbols.slice();
  const rows = symbols.length / units;
  const values = targets.length / rows;
  if (!Number.isInteger(rows) || !Number.isInteger(values)) throw new RangeError('symbols and targets are whole rows');
  for (let row = 0; row < rows; row++) {
    const target = targets.subarray(row * values, (row + 1) * values);
    let current: Int32Array = symbols.slice(row * units, (row + 1) * units);
    for (let round = 0; round < rounds; round++) {
      const better = await improve(options, current, target);
      if (!better) break;
      current = better;
    }
    symbols.set(current, row * units);
  }
  return symbols;
}

/** Symbols of one row that are truly better; undefined where none were found. */
async function improve(
  { quality, decode, lambda }: SearchOptions,
  current: Int32Array,
  target: Float32Array,
): Promise<Int32Array | undefined> {
  const active = quality.units.flatMap(({ table }, j) => (table.constant ? [] : [j]));
  const responses = await respond(quality, current, active, decode);
  const cost = trueCost(quality, current, responses.subarray(0, target.length), target, lambda);
  const linear = linearise(responses, active.length, target);
  const { tables } = cheapestCoding(quality, current);
  for (const damping of dampings) {
    const moved = descend({ tables, symbols: current, active, linear, lambda, damping });
    if (moved.every((symbol, j) => symbol === current[j])) return undefined;
    const decoded = await decode(dequantise(quality, moved));
    if (trueCost(quality, moved, decoded, target, lambda) < cost) return moved;
  }
  return undefined;
}

/** What the decoder gives for the symbols, then for each active unit's symbol raised by one: [1 + active, values]. */
function respond(
  quality: Quality,
  symbols: Int32Array,
  active: readonly number[],
  decode: SearchOptions['decode'],
): Promise<Float32Array> {
  const units = quality.units.length;
  const tried = new Int32Array((1 + active.length) * units);
  tried.set(symbols);
  for (const [i, unit] of active.entries()) {
    tried.set(symbols, (i + 1) * units);
    tried[(i + 1) * units + unit] = (symbols[unit] as number) + 1;
  }
  return decode(dequantise(quality, tried));
}

/** The normal equations of the linearised decoder: G = JᵀJ [active, active], g = Jᵀ(target − output) [active]. */
interface Linear {
  readonly gram: Float64Array;
  readonly gradient: Float64Array;
}

function linearise(responses: Float32Array, active: number, target: Float32Array): Linear {
  const values = target.length;
  const jacobian = new Float32Array(active * values);
  for (let j = 0; j < active; j++) {
    const from = (1 + j) * values;
    for (let i = 0; i < values; i++)
      jacobian[j * values + i] = (responses[from + i] as number) - (responses[i] as number);
  }
  const gram = new Float64Array(active * active);
  const gradient = new Float64Array(active);
  for (let j = 0; j < active; j++) {
    for (let k = j; k < active; k++) {
      let sum = 0;
      for (let i = 0; i < values; i++)
        sum += (jacobian[j * values + i] as number) * (jacobian[k * values + i] as number);
      gram[j * active + k] = sum;
      gram[k * active + j] = sum;
    }
    let sum = 0;
    for (let i = 0; i < values; i++)
      sum += (jacobian[j * values + i] as number) * ((target[i] as number) - (responses[i] as number));
    gradient[j] = sum;
  }
  return { gram, gradient };
}

interface DescendOptions {
  /** of the row's units */
  readonly tables: readonly FrequencyTable[];
  /** of one row */
  readonly symbols: Int32Array;
  /** units that are coded at all */
  readonly active: readonly number[];
  readonly linear: Linear;
  readonly lambda: number;
  /** share by which a move's own error counts more than the linear decoder has it */
  readonly damping: number;
}

/** Coordinate descent on the linearised decoder: single steps, each the better one of ±1, as long as some unit gains. */
function descend({ tables, symbols, active, linear, lambda, damping }: DescendOptions): Int32Array {
  const { gram } = linear;
  const count = active.length;
  const gradient = linear.gradient.slice();
  const moved = symbols.slice();
  for (let sweep = 0, changed = true; changed && sweep < 8; sweep++) {
    changed = false;
    for (const [j, unit] of active.entries()) {
      const table = tables[unit] as FrequencyTable;
      const symbol = moved[unit] as number;
      const bits = table.bits(symbol);
      let best = 0;
      let bestChange = -1e-9;
      for (const delta of [-1, 1]) {
        if (Math.abs(symbol + delta) > maxSymbol) continue;
        const error = (1 + damping) * (gram[j * count + j] as number) - 2 * delta * (gradient[j] as number);
        const change = error + lambda * (table.bits(symbol + delta) - bits);
        if (change < bestChange) {
          best = delta;
          bestChange = change;
        }
      }
      if (best === 0) continue;
      moved[unit] = symbol + best;
      for (let k = 0; k < count; k++) gradient[k] = (gradient[k] as number) - best * (gram[k * count + j] as number);
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
  return cost + lambda * cheapestCoding(quality, symbols).bits;
}
