/** Class names as they come to class numbers: sorted at the end, by value when all are numbers, so that `0 … 9` stay 0 … 9. */

import { HourglassError } from '../../base/errors.ts';
import type { SplitName } from '../dataset.ts';

export class LabelTable {
  readonly #limit: number;
  /** name → number by first appearance */
  readonly #numbers = new Map<string, number>();
  readonly #columns: Record<SplitName, NumberColumn> = { train: new NumberColumn(), test: new NumberColumn() };

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(split: SplitName, name: string): void {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.#numbers.size;
      if (number >= this.#limit) {
        throw new HourglassError(
          'invalid-dataset',
          `The labels have more than ${this.#limit} different values: that is not a column of classes.`,
          { expected: this.#limit },
        );
      }
      this.#numbers.set(name, number);
    }
    this.#columns[split].push(number);
  }

  get classes(): number {
    return this.#numbers.size;
  }

  count(split: SplitName): number {
    return this.#columns[split].length;
  }

  has(name: string): boolean {
    return this.#numbers.has(name);
  }

  finish(): { readonly names: string[]; readonly labels: Record<SplitName, Int32Array> } {
    const names = [...this.#numbers.keys()];
    const numeric = names.every((name) => name !== '' && Number.isFinite(Number(name)));
    names.sort(numeric ? (a, b) => Number(a) - Number(b) : (a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const position = new Map(names.map((name, i) => [this.#numbers.get(name), i]));
    const column = (split: SplitName) => this.#columns[split].values().map((number) => position.get(number)!);
    return { names, labels: { train: column('train'), test: column('test') } };
  }
}

class NumberColumn {
  #values = new Int32Array(1024);
  #length = 0;

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = new Int32Array(2 * this.#length);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#length++] = value;
  }

  get length(): number {
    return this.#length;
  }

  values(): Int32Array {
    return this.#values.slice(0, this.#length);
  }
}
