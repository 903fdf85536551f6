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

  /** Exactly as the source has it; blanks alone are no name. */
  add(split: SplitName, label: string): void {
    const name = label.trim() === '' ? '' : label;
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
    const numeric = names.every((name) => name.trim() !== '' && Number.isFinite(Number(name)));
    names.sort(numeric ? byValue : byText);
    const position = new Map(names.map((name, i) => [this.#numbers.get(name), i]));
    const column = (split: SplitName) => this.#columns[split].values().map((number) => position.get(number)!);
    return { names, labels: { train: column('train'), test: column('test') } };
  }
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Beyond 2^53 different numbers may be the same double: then the longer text is the larger one. */
function byValue(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  return difference || (Number(a) < 0 ? -1 : 1) * (a.length - b.length || byText(a, b));
}

/** Numbers that come one by one. */
export class NumberColumn {
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
