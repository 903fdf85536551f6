/** What symbols cost under a band's tables, for encoders that weigh bits: rounded, so that every engine's logarithm gives the same. */

import type { FrequencyTable } from '../frequency-table.ts';
import type { Band } from './picture-codec.ts';

/** Symbols up to this magnitude are looked up. */
const reach = 31;
const width = 2 * reach + 1;

const exact = (table: FrequencyTable, symbol: number): number => Math.round(4096 * table.bits(symbol)) / 4096;

export class BandCosts {
  readonly #tables: Band['tables'];
  readonly #known: Float32Array;

  private constructor({ tables }: Band) {
    this.#tables = tables;
    this.#known = new Float32Array(tables.length * width);
    for (const [i, table] of tables.entries()) {
      if (table.constant) continue;
      for (let symbol = -reach; symbol <= reach; symbol++)
        this.#known[i * width + symbol + reach] = exact(table, symbol);
    }
  }

  static readonly #made = new WeakMap<Band, BandCosts>();

  static of(band: Band): BandCosts {
    const known = BandCosts.#made.get(band);
    if (known) return known;
    const made = new BandCosts(band);
    BandCosts.#made.set(band, made);
    return made;
  }

  /** Bits of a symbol under table number `table`. */
  bits(table: number, symbol: number): number {
    if (symbol >= -reach && symbol <= reach) return this.#known[table * width + symbol + reach] as number;
    return exact(this.#tables[table] as FrequencyTable, symbol);
  }
}
