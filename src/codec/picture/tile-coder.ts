/**
 * The symbols of one tile ↔ range-coded bytes: blocks in raster order, of each the number of coded coefficients, then those.
 * A tile needs no other tile, so that tiles decode in parallel, alone, and when their neighbours are lost.
 */

import { decodeSymbol } from '../decode-symbol.ts';
import { maxSymbol } from '../frequency-table.ts';
import { RangeDecoder, RangeEncoder } from '../range-coder.ts';
import { countLevelOf, decodeCount, encodeCount, TileContexts } from './contexts.ts';
import { type Band, coefficientsOf, type PictureCodec } from './picture-codec.ts';

/** Symbols [height, width, coefficients] of a tile's blocks. */
export interface TileSymbols {
  readonly width: number;
  readonly height: number;
  readonly symbols: Int16Array;
  /** as the search for symbols found them; absent: see `contextsOf` */
  readonly contexts?: SymbolContexts;
}

/** Which table each coded symbol is coded with, and each block's count. */
export interface SymbolContexts {
  readonly tables: Uint8Array;
  readonly countLevels: Uint8Array;
}

/** Predicted coefficients of a block from the decoded blocks around it. */
export class Predictor {
  readonly #predictions: PictureCodec['predictions'];
  readonly #size: number;
  readonly #width: number;
  readonly #symbols: Int16Array;
  /** of the block at hand, by coefficient; 0 where nothing is predicted */
  readonly values: Int32Array;

  constructor(codec: PictureCodec, { width, symbols }: TileSymbols) {
    this.#predictions = codec.predictions;
    this.#size = coefficientsOf(codec);
    this.#width = width;
    this.#symbols = symbols;
    this.values = new Int32Array(this.#size);
  }

  /** Where a block is missing the nearest one that is there stands for it. */
  at(row: number, column: number): void {
    const symbols = this.#symbols;
    const size = this.#size;
    const line = this.#width * size;
    const here = row * line + column * size;
    const hasLeft = column > 0;
    const hasTop = row > 0;
    const hasRight = column + 1 < this.#width;
    for (const { coefficient, weights } of this.#predictions) {
      const i = here + coefficient;
      let predicted = 0;
      if (hasTop || hasLeft) {
        const left = symbols[hasLeft ? i - size : i - line] as number;
        const top = symbols[hasTop ? i - line : i - size] as number;
        const topLeft = hasTop && hasLeft ? (symbols[i - line - size] as number) : hasLeft ? left : top;
        const topRight = hasTop && hasRight ? (symbols[i - line + size] as number) : top;
        predicted = (weights[0] * left + weights[1] * top + weights[2] * topLeft + weights[3] * topRight + 128) >> 8;
      }
      this.values[coefficient] = predicted;
    }
  }
}

/** Number of coefficients up to the last one that differs from what is predicted. */
export function codedCount(symbols: Int16Array, at: number, size: number, predicted: Int32Array): number {
  let count = size;
  while (count > 0 && (symbols[at + count - 1] as number) === (predicted[count - 1] as number)) count--;
  return count;
}

function contextsOf(codec: PictureCodec, band: Band, tile: TileSymbols): SymbolContexts {
  const { width, height, symbols } = tile;
  const size = coefficientsOf(codec);
  const contexts = new TileContexts(codec, band, width);
  const predictor = new Predictor(codec, tile);
  const predicted = predictor.values;
  const tables = new Uint8Array(symbols.length);
  const countLevels = new Uint8Array(width * height);
  for (let row = 0, block = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, block++, at += size) {
      predictor.at(row, column);
      const count = codedCount(symbols, at, size, predicted);
      countLevels[block] = countLevelOf(contexts.expectedCount());
      contexts.begin(count);
      for (let k = 0; k < count; k++) {
        tables[at + k] = contexts.tableOf(k);
        contexts.set(k, (symbols[at + k] as number) - (predicted[k] as number));
      }
      contexts.end();
    }
  }
  return { tables, countLevels };
}

export function encodeTile(codec: PictureCodec, band: Band, tile: TileSymbols): Uint8Array {
  const { width, height, symbols } = tile;
  const size = coefficientsOf(codec);
  const coder = new RangeEncoder();
  const { tables, countLevels } = tile.contexts ?? contextsOf(codec, band, tile);
  const predictor = new Predictor(codec, tile);
  const predicted = predictor.values;
  for (let row = 0, block = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, block++, at += size) {
      predictor.at(row, column);
      const count = codedCount(symbols, at, size, predicted);
      encodeCount(coder, band, countLevels[block] as number, count);
      for (let k = 0; k < count; k++) {
        const value = (symbols[at + k] as number) - (predicted[k] as number);
        (band.tables[tables[at + k] as number] as Band['tables'][number]).encode(coder, value);
      }
    }
  }
  return coder.finish();
}

/** False when the bytes are not what an encoder wrote: they end too early or hold impossible symbols. */
export function decodeTile(codec: PictureCodec, band: Band, payload: Uint8Array, tile: TileSymbols): boolean {
  const { width, height, symbols } = tile;
  const size = coefficientsOf(codec);
  const coder = new RangeDecoder(payload);
  const contexts = new TileContexts(codec, band, width);
  const predictor = new Predictor(codec, tile);
  const predicted = predictor.values;
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at += size) {
      predictor.at(row, column);
      const count = decodeCount(coder, band, countLevelOf(contexts.expectedCount()));
      if (count < 0 || count > size) return false;
      contexts.begin(count);
      for (let k = 0; k < count; k++) {
        const value = decodeSymbol(band.tables[contexts.tableOf(k)] as Band['tables'][number], coder);
        const symbol = value + (predicted[k] as number);
        if (symbol > maxSymbol || symbol < -maxSymbol) return false;
        symbols[at + k] = symbol;
        contexts.set(k, value);
      }
      for (let k = count; k < size; k++) symbols[at + k] = predicted[k] as number;
      contexts.end();
      if (coder.overrun) return false;
    }
  }
  return true;
}
