/** Triples of row, column and value that are collected without an object for each, and numbers for names. */

import { type SparseMatrix, sparseFromTriples } from '../base/sparse.ts';

/** Numbers of names, in the order of their first appearance. */
export class Numbering {
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();

  of(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.names.length);
    return this.names.push(name) - 1;
  }
}

export class TripleList {
  #rows = new Uint32Array(1024);
  #columns = new Uint32Array(1024);
  #values = new Float32Array(1024);
  length = 0;

  add(row: number, column: number, value: number): void {
    if (this.length === this.#rows.length) {
      this.#rows = grown(this.#rows, new Uint32Array(2 * this.length));
      this.#columns = grown(this.#columns, new Uint32Array(2 * this.length));
      this.#values = grown(this.#values, new Float32Array(2 * this.length));
    }
    this.#rows[this.length] = row;
    this.#columns[this.length] = column;
    this.#values[this.length++] = value;
  }

  matrix(rows: number, columns: number): SparseMatrix {
    const of = <T extends Uint32Array | Float32Array>(values: T) => values.subarray(0, this.length) as T;
    return sparseFromTriples(
      { rows: of(this.#rows), columns: of(this.#columns), values: of(this.#values) },
      rows,
      columns,
    );
  }
}

function grown<T extends Uint32Array | Float32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
