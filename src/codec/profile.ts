/**
 * A profile is what sender and receiver share about one published decoder: for each quality, how its code units are
 * quantised and how their symbols are coded. Fixed when the model is published.
 *
 *   z ──(z − offset)/step, rounded──► symbols ──tables──► bits        symbols·step + offset ──► ẑ
 */

import { type FrequencyTable, maxSymbol, minBits } from './frequency-table.ts';

/** How code unit j is quantised and coded at one quality. */
export interface Unit {
  /** > 0; ignored where the table is constant */
  readonly step: number;
  readonly offset: number;
  readonly table: FrequencyTable;
  /** encoder only: squared code distance that one bit is worth; 0 rounds to the nearest symbol */
  readonly bitWeight: number;
}

export interface Quality {
  /** one per code unit, in the code's own order */
  readonly units: readonly Unit[];
  /** tables for kinds of rows, where they save something; the units' own are of all rows */
  readonly clusters?: Clusters;
  /** expected on held-out data: payload bytes of one row in a batch, PSNR in dB */
  readonly bytesPerRow: number;
  readonly psnr: number;
}

/**
 * Rows fall into kinds, such as digits, in each of which the units are distributed in their own way. Naming the kind costs less
 * than it saves.
 */
export interface Clusters {
  /** of cluster numbers 0, 1, … */
  readonly table: FrequencyTable;
  /** [cluster][unit], in the code's own order */
  readonly units: readonly (readonly FrequencyTable[])[];
}

export interface Profile {
  /** sha256 over the decoder's file and the profile's own bytes; frames carry its beginning */
  readonly hash: Uint8Array;
  /** shape of one row's code */
  readonly codeShape: readonly number[];
  /** code units from the most to the least important: the order on the wire, and of progressive parts */
  readonly order: Uint16Array;
  /** at most 16, from coarse to fine: bytesPerRow and psnr never fall */
  readonly qualities: readonly Quality[];
}

/**
 * Symbols of codes [rows, units], row-major: the nearest one or its neighbour, whichever has the smaller
 * (z − ẑ)² + bitWeight · bits (entropy-constrained scalar quantisation, Chou, Lookabaugh & Gray 1989).
 */
export function quantise(quality: Quality, codes: Float32Array): Int32Array {
  const { units } = quality;
  const symbols = new Int32Array(codes.length);
  for (let i = 0; i < codes.length; i++) symbols[i] = quantiseUnit(units[i % units.length] as Unit, codes[i] as number);
  return symbols;
}

export function quantiseUnit({ step, offset, table, bitWeight }: Unit, code: number): number {
  if (table.constant) return table.min;
  const exact = (code - offset) / step;
  const nearest = Math.max(-maxSymbol, Math.min(maxSymbol, Math.round(exact)));
  if (bitWeight === 0) return nearest;
  let best = nearest;
  let bestCost = Number.POSITIVE_INFINITY;
  // the nearest first: it wins a tie
  for (const symbol of [nearest, nearest - 1, nearest + 1]) {
    if (symbol < -maxSymbol || symbol > maxSymbol) continue;
    const cost = ((exact - symbol) * step) ** 2 + bitWeight * table.bits(symbol);
    if (cost >= bestCost) continue;
    best = symbol;
    bestCost = cost;
  }
  return best;
}

/** ẑ = symbol · step + offset, [rows, units]. */
export function dequantise(quality: Quality, symbols: Int32Array): Float32Array {
  const { units } = quality;
  const codes = new Float32Array(symbols.length);
  for (let i = 0; i < symbols.length; i++) {
    const { step, offset } = units[i % units.length] as Unit;
    codes[i] = (symbols[i] as number) * step + offset;
  }
  return codes;
}

/** How one row is coded: its cluster, 0 where there are none, the tables of its units, and what all of it costs. */
export interface RowCoding {
  readonly cluster: number;
  /** in the code's own order */
  readonly tables: readonly FrequencyTable[];
  readonly bits: number;
}

/** The cheapest way to code a row, its symbols beginning at `from`; the first of equals. */
export function cheapestCoding(quality: Quality, symbols: Int32Array, from = 0): RowCoding {
  let best: RowCoding | undefined;
  for (let cluster = 0; cluster < (quality.clusters?.units.length ?? 1); cluster++) {
    const tables = tablesOf(quality, cluster);
    let bits = quality.clusters?.table.bits(cluster) ?? 0;
    for (let j = 0; j < tables.length; j++) bits += (tables[j] as FrequencyTable).bits(symbols[from + j] as number);
    if (!best || bits < best.bits) best = { cluster, tables, bits };
  }
  return best as RowCoding;
}

/** Tables of a cluster's units, in the code's own order. */
export const tablesOf = ({ units, clusters }: Quality, cluster: number): readonly FrequencyTable[] =>
  clusters?.units[cluster] ?? units.map(({ table }) => table);

/** Ideal payload bits of the symbols [rows, units], without any framing. */
export function idealBits(quality: Quality, symbols: Int32Array): number {
  let bits = 0;
  for (let row = 0; row < symbols.length; row += quality.units.length)
    bits += cheapestCoding(quality, symbols, row).bits;
  return bits;
}

/** Fewest bits that any row can take: what bounds a header's row count by its payload's length. */
export function leastBitsPerRow({ units, clusters }: Quality): number {
  const sum = (tables: readonly FrequencyTable[]): number => tables.reduce((bits, table) => bits + minBits(table), 0);
  if (!clusters) return sum(units.map(({ table }) => table));
  return minBits(clusters.table) + Math.min(...clusters.units.map(sum));
}
