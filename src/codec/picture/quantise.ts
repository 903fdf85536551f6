/**
 * Coefficients → symbols, and back. With `trade` the encoder weighs squared error against the bits of the real tables, symbol by
 * symbol, and drops a block's last coefficients where they cost more than they are worth (RDOQ: Karczewicz, Ye & Chong 2008).
 */

import { maxSymbol } from '../frequency-table.ts';
import { countBits, countLevelOf, TileContexts } from './contexts.ts';
import { BandCosts } from './costs.ts';
import {
  type Band,
  coefficientsOf,
  groupOf,
  mostMagnitude,
  type PictureCodec,
  shiftClasses,
  stepUnits,
} from './picture-codec.ts';
import { Predictor, type TileSymbols } from './tile-coder.ts';
import { coefficientScale } from './transform.ts';

/** Squared error, in units of the squared step, that one bit is worth. Chosen on BSDS500 val: bench/photos.md. */
export const defaultTrade = 0.15;
/** Without a search: values are rounded up from 1 − 0.38 on, for zeros and small magnitudes are cheaper. */
const roundUp = 0.38;

export interface QuantiseOptions {
  readonly step: number;
  /** default `defaultTrade`; 0 rounds with a dead zone and looks at no table */
  readonly trade?: number;
}

/** What decoding adds to a magnitude, in steps: [coefficients, mostMagnitude + 1]. */
function additions(codec: PictureCodec, { shifts }: Band): Float64Array {
  const size = coefficientsOf(codec);
  const out = new Float64Array(size * (mostMagnitude + 1));
  for (let k = 0; k < size; k++) {
    const group = groupOf(k, codec.channels) * shiftClasses;
    for (let m = 1; m <= mostMagnitude; m++) {
      out[k * (mostMagnitude + 1) + m] = (shifts[group + Math.min(m, shiftClasses) - 1] as number) / 256;
    }
  }
  return out;
}

/** Values of symbols in steps, as decoders take them. */
export function dequantise(codec: PictureCodec, band: Band, symbols: Int16Array): Float32Array {
  const size = coefficientsOf(codec);
  const add = additions(codec, band);
  const out = new Float32Array(symbols.length);
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i] as number;
    if (symbol === 0) continue;
    const magnitude = symbol < 0 ? -symbol : symbol;
    const shift = add[(i % size) * (mostMagnitude + 1) + Math.min(magnitude, mostMagnitude)] as number;
    out[i] = symbol < 0 ? symbol - shift : symbol + shift;
  }
  return out;
}

/** The sum over a tile of squared differences between coefficients and what decoders take, in units of squared 8-bit values. */
export function squaredErrors(
  codec: PictureCodec,
  band: Band,
  symbols: Int16Array,
  coefficients: Int32Array,
  step: number,
): number {
  const size = coefficientsOf(codec);
  const add = additions(codec, band);
  const unit = (stepUnits(step) * coefficientScale) / 16;
  let sum = 0;
  for (let at = 0; at < symbols.length; at += size) {
    for (let k = 0; k < size; k++) {
      const symbol = symbols[at + k] as number;
      let error = coefficients[at + k] as number;
      if (symbol !== 0) {
        const magnitude = symbol < 0 ? -symbol : symbol;
        const shift = add[k * (mostMagnitude + 1) + Math.min(magnitude, mostMagnitude)] as number;
        error -= unit * (symbol < 0 ? symbol - shift : symbol + shift);
      }
      sum += error * error;
    }
  }
  return sum / coefficientScale ** 2;
}

/** @param coefficients [height, width, coefficients] of a tile, as `analyse` gives them */
export function quantiseTile(
  codec: PictureCodec,
  band: Band,
  coefficients: Int32Array,
  shape: { readonly width: number; readonly height: number },
  { step, trade = defaultTrade }: QuantiseOptions,
): TileSymbols {
  const symbols = new Int16Array(coefficients.length);
  const unit = (stepUnits(step) * coefficientScale) / 16;
  if (trade === 0) {
    roundAll(codec, coefficients, unit, symbols);
    return { ...shape, symbols };
  }
  const contexts = {
    tables: new Uint8Array(coefficients.length),
    countLevels: new Uint8Array(shape.width * shape.height),
  };
  const tile = { ...shape, symbols, contexts };
  new Search(codec, band, coefficients, unit, trade, tile).run();
  return tile;
}

const clamp = (symbol: number): number => Math.max(-maxSymbol, Math.min(maxSymbol, symbol));

function roundAll(
  { channels, predictions }: PictureCodec,
  coefficients: Int32Array,
  unit: number,
  symbols: Int16Array,
): void {
  const size = coefficientsOf({ channels });
  const up = Float64Array.from({ length: size }, (_, k) =>
    predictions.some(({ coefficient }) => coefficient === k) ? 0.5 : roundUp,
  );
  for (let i = 0; i < coefficients.length; i++) {
    const value = coefficients[i] as number;
    const magnitude = Math.floor((value < 0 ? -value : value) / unit + (up[i % size] as number));
    if (magnitude !== 0) symbols[i] = clamp(value < 0 ? -magnitude : magnitude);
  }
}

class Search {
  readonly #codec: PictureCodec;
  readonly #band: Band;
  readonly #coefficients: Int32Array;
  readonly #unit: number;
  readonly #trade: number;
  readonly #tile: Required<TileSymbols>;
  readonly #size: number;
  readonly #add: Float64Array;
  readonly #costs: BandCosts;
  readonly #contexts: TileContexts;
  readonly #predictor: Predictor;
  readonly #isPredicted: Uint8Array;
  /** of the block: cost of coding each coefficient, and of leaving it at what is predicted */
  readonly #coded: Float64Array;
  readonly #left: Float64Array;

  constructor(
    codec: PictureCodec,
    band: Band,
    coefficients: Int32Array,
    unit: number,
    trade: number,
    tile: Required<TileSymbols>,
  ) {
    this.#codec = codec;
    this.#band = band;
    this.#coefficients = coefficients;
    this.#unit = unit;
    this.#trade = trade;
    this.#tile = tile;
    this.#size = coefficientsOf(codec);
    this.#add = additions(codec, band);
    this.#costs = BandCosts.of(band);
    this.#contexts = new TileContexts(codec, band, tile.width);
    this.#predictor = new Predictor(codec, tile);
    this.#isPredicted = new Uint8Array(this.#size);
    for (const { coefficient } of codec.predictions) this.#isPredicted[coefficient] = 1;
    this.#coded = new Float64Array(this.#size);
    this.#left = new Float64Array(this.#size + 1);
  }

  run(): void {
    const { height, width } = this.#tile;
    for (let row = 0, block = 0, at = 0; row < height; row++) {
      for (let column = 0; column < width; column++, block++, at += this.#size) this.#block(row, column, block, at);
    }
  }

  #block(row: number, column: number, block: number, at: number): void {
    const contexts = this.#contexts;
    const { symbols, contexts: found } = this.#tile;
    this.#predictor.at(row, column);
    const predicted = this.#predictor.values;
    const expected = countLevelOf(contexts.expectedCount());
    found.countLevels[block] = expected;
    const most = this.#mostCoded(at, predicted);
    contexts.begin(most);
    for (let k = 0; k < most; k++) this.#choose(k, at + k, predicted[k] as number);
    const count = this.#cut(at, most, expected, predicted);
    for (const { coefficient: k } of this.#codec.predictions) if (k >= count) symbols[at + k] = predicted[k] as number;
    if (count < most) {
      for (let k = count; k < most; k++) symbols[at + k] = predicted[k] as number;
      contexts.begin(count);
      for (let k = 0; k < count; k++) {
        found.tables[at + k] = contexts.tableOf(k);
        contexts.set(k, (symbols[at + k] as number) - (predicted[k] as number));
      }
    }
    contexts.end();
  }

  /** The number of coefficients up to the last one that plain rounding does not leave at what is predicted. */
  #mostCoded(at: number, predicted: Int32Array): number {
    const coefficients = this.#coefficients;
    const least = (1 - roundUp) * this.#unit;
    for (let k = this.#size - 1; k >= 0; k--) {
      const value = coefficients[at + k] as number;
      if (this.#isPredicted[k] === 0) {
        if (value >= least || value <= -least) return k + 1;
      } else if (Math.round(value / this.#unit) !== predicted[k]) return k + 1;
    }
    return 0;
  }

  /** The cheaper one of the two symbols nearest to a coefficient. */
  #choose(k: number, at: number, predicted: number): void {
    const table = this.#contexts.tableOf(k);
    this.#tile.contexts.tables[at] = table;
    const value = (this.#coefficients[at] as number) / this.#unit;
    const magnitude = value < 0 ? -value : value;
    const near = Math.round(magnitude);
    const sign = value < 0 ? -1 : 1;
    let best = 0;
    let bestCost = Number.POSITIVE_INFINITY;
    for (let m = near; m >= 0 && m >= near - 1; m--) {
      const add = this.#add[k * (mostMagnitude + 1) + Math.min(m, mostMagnitude)] as number;
      const error = magnitude - m - add;
      const cost = error * error + this.#trade * this.#costs.bits(table, clamp(sign * m) - predicted);
      if (cost < bestCost) {
        bestCost = cost;
        best = clamp(sign * m);
      }
    }
    this.#tile.symbols[at] = best;
    this.#coded[k] = bestCost;
    this.#contexts.set(k, best - predicted);
  }

  /** The number of coefficients to code: the one of least cost among those after which a symbol is not what is predicted. */
  #cut(at: number, most: number, expected: number, predicted: Int32Array): number {
    const { symbols } = this.#tile;
    const left = this.#left;
    left[most] = 0;
    for (let k = most - 1; k >= 0; k--) {
      const p = predicted[k] as number;
      const error = (this.#coefficients[at + k] as number) / this.#unit - p;
      left[k] = (left[k + 1] as number) + error * error;
    }
    let count = 0;
    let least = (left[0] as number) + this.#trade * countBits(this.#band, expected, 0);
    let coded = 0;
    for (let k = 0; k < most; k++) {
      coded += this.#coded[k] as number;
      if ((symbols[at + k] as number) === (predicted[k] as number)) continue;
      const cost = coded + (left[k + 1] as number) + this.#trade * countBits(this.#band, expected, k + 1);
      if (cost < least) {
        least = cost;
        count = k + 1;
      }
    }
    return count;
  }
}
