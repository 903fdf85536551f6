/**
 * Nested JSON arrays of numbers read straight into float32, without a JavaScript value per number. The shape comes out of
 * the nesting. Reading can be interrupted, so that a large body does not keep others waiting.
 *
 * A number takes the value that JSON.parse and then Math.fround would give it. Up to 15 digits are exact in a double, and
 * m / 10^k is then correctly rounded (Clinger 1990, "How to read floating point numbers accurately"). Of more digits the
 * first 15 bound the value from both sides, which nearly always settles the float32; else the text is read by Number().
 */

import { HourglassError } from '../../base/errors.ts';
import type { NdArray } from '../../base/ndarray.ts';
import { ascii, type Cursor, longestNumber } from './cursor.ts';

export interface NumbersOptions {
  /** the member that holds the numbers, for messages */
  readonly name: string;
  /** most entries of the outermost array */
  readonly maxRows: number;
  /** a single list of numbers is taken as well, also an empty one */
  readonly flat?: boolean;
}

/** [batch, height, width, channels] and some more */
const maxRank = 8;
const exactDigits = 15;
/** so many digits fit in an int32, whose arithmetic is faster than that of doubles */
const headDigits = 9;
const powers = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** what may come next */
const anyValue = 0;
const anyValueOrEnd = 1;
const commaOrEnd = 2;
type Next = typeof anyValue | typeof anyValueOrEnd | typeof commaOrEnd;

export class NumbersReader {
  readonly #cursor: Cursor;
  readonly #options: NumbersOptions;
  #data: Float32Array;
  #length = 0;
  /** numbers stand at this depth; 0 until the first one is met */
  #rank = 0;
  #depth = 0;
  #next: Next = anyValue;
  /** entries so far of the open array at each depth, and of the first closed one */
  readonly #counts: number[] = new Array(maxRank).fill(0);
  readonly #dims: number[] = new Array(maxRank).fill(-1);

  /** The cursor stands before the first bracket. */
  constructor(cursor: Cursor, options: NumbersOptions) {
    this.#cursor = cursor;
    this.#options = options;
    // every number but the last of a row takes at least two bytes
    this.#data = new Float32Array(Math.min(1024, (cursor.bytes.length >> 1) + 1));
  }

  /**
   * Reads on for about `bytes` bytes; undefined when there is more to read. Throws `malformed-json`, `invalid-type`,
   * `non-finite`, `shape-mismatch`, `empty-batch`, `batch-too-large`.
   */
  read(bytes: number): NdArray<'float32'> | undefined {
    const cursor = this.#cursor;
    const pauseAt = cursor.at + bytes;
    do {
      const byte = cursor.peek();
      if (this.#next === commaOrEnd) {
        cursor.at++;
        if (byte === ascii.comma) this.#next = anyValue;
        else if (byte === ascii.close) this.#closeArray();
        else throw this.#unexpectedAt(cursor.at - 1, '"," or "]"');
      } else if ((byte >= ascii.zero && byte <= ascii.nine) || byte === ascii.minus) {
        this.#enterNumber();
        this.#numbers(pauseAt);
        this.#next = commaOrEnd;
      } else if (byte === ascii.open) {
        this.#openArray();
      } else if (byte === ascii.close && this.#next === anyValueOrEnd) {
        cursor.at++;
        this.#closeArray();
      } else {
        throw this.#notANumber(byte);
      }
      if (this.#depth === 0) return this.#finish();
    } while (cursor.at < pauseAt);
    return undefined;
  }

  #openArray(): void {
    if (this.#rank > 0 && this.#depth === this.#rank) throw this.#ragged('an array', 'a number');
    if (this.#depth === maxRank) {
      throw this.#mismatch(
        `${this.#name()} is nested more than ${maxRank} deep. ${this.#wanted()}`,
        `at most ${maxRank} dimensions`,
        'more',
      );
    }
    this.#cursor.at++;
    this.#counts[this.#depth++] = 0;
    this.#next = anyValueOrEnd;
  }

  #closeArray(): void {
    const depth = --this.#depth;
    const count = this.#counts[depth] as number;
    if (count === 0 && depth > 0)
      throw this.#mismatch(`${this.#path()} is an empty array. ${this.#wanted()}`, 'numbers', []);
    const dim = this.#dims[depth];
    if (dim === -1) this.#dims[depth] = count;
    else if (dim !== count) {
      throw this.#mismatch(
        `${this.#path()} has ${count} entries, but those before it have ${dim}. All rows must be alike.`,
        dim,
        count,
      );
    }
    if (depth > 0) this.#countEntry(depth - 1);
    this.#next = commaOrEnd;
  }

  #enterNumber(): void {
    if (this.#rank === 0) {
      if (this.#depth === 0) throw this.#wrongType('a number');
      this.#rank = this.#depth;
    } else if (this.#depth !== this.#rank) throw this.#ragged('a number', 'an array');
  }

  /** The number that is next and those that follow it in its array, a comma and at most one space apart. */
  #numbers(pauseAt: number): void {
    const cursor = this.#cursor;
    const { bytes } = cursor;
    for (;;) {
      this.#append(this.#number());
      let at = cursor.at;
      if (at >= pauseAt || bytes[at] !== ascii.comma) return;
      at++;
      if (bytes[at] === ascii.space) at++;
      const byte = bytes[at] ?? 0;
      // What is no number is left, with the comma before it, to the caller.
      if (byte !== ascii.minus && !(byte >= ascii.zero && byte <= ascii.nine)) return;
      cursor.at = at;
    }
  }

  #append(value: number): void {
    if (this.#length === this.#data.length) {
      const larger = new Float32Array(this.#length * 2);
      larger.set(this.#data);
      this.#data = larger;
    }
    this.#data[this.#length++] = value;
    this.#countEntry(this.#depth - 1);
  }

  #countEntry(depth: number): void {
    const count = (this.#counts[depth] as number) + 1;
    this.#counts[depth] = count;
    if (depth === 0 && count > this.#options.maxRows) {
      throw new HourglassError(
        'batch-too-large',
        `${this.#name()} has more than ${this.#options.maxRows} rows. Send them in several requests.`,
        { field: `/${this.#options.name}`, expected: this.#options.maxRows },
      );
    }
  }

  #number(): number {
    const { bytes } = this.#cursor;
    const start = this.#cursor.at;
    let at = start;
    const end = bytes.length;
    const negative = bytes[at] === ascii.minus;
    if (negative) at++;
    const firstDigit = at;
    let byte = at < end ? bytes[at]! : 0;
    // significant digits: the first nine, those up to the fifteenth, and how many there are of both
    let head = 0;
    let tail = 0;
    let digits = 0;
    let dropped = 0;
    let exponent = 0;
    while (byte >= ascii.zero && byte <= ascii.nine) {
      if (digits < headDigits) {
        head = (Math.imul(head, 10) + (byte - ascii.zero)) | 0;
        if (head > 0) digits++;
      } else if (digits < exactDigits) {
        tail = (Math.imul(tail, 10) + (byte - ascii.zero)) | 0;
        digits++;
      } else {
        dropped++;
        exponent++;
      }
      byte = ++at < end ? bytes[at]! : 0;
    }
    if (at === firstDigit) return this.#oddNumber(start);
    if (bytes[firstDigit] === ascii.zero && at > firstDigit + 1)
      throw this.#unexpectedAt(firstDigit + 1, '"." or the end of the number');
    if (byte === ascii.dot) {
      const firstDecimal = ++at;
      byte = at < end ? bytes[at]! : 0;
      while (byte >= ascii.zero && byte <= ascii.nine) {
        if (digits < headDigits) {
          head = (Math.imul(head, 10) + (byte - ascii.zero)) | 0;
          if (head > 0) digits++;
          exponent--;
        } else if (digits < exactDigits) {
          tail = (Math.imul(tail, 10) + (byte - ascii.zero)) | 0;
          digits++;
          exponent--;
        } else dropped++;
        byte = ++at < end ? bytes[at]! : 0;
      }
      if (at === firstDecimal) throw this.#unexpectedAt(at, 'a digit');
    }
    if (byte === ascii.lowerE || byte === ascii.upperE) {
      const sign = bytes[++at] ?? 0;
      if (sign === ascii.plus || sign === ascii.minus) at++;
      const firstOfExponent = at;
      let power = 0;
      byte = bytes[at] ?? 0;
      while (byte >= ascii.zero && byte <= ascii.nine) {
        power = power * 10 + (byte - ascii.zero);
        byte = bytes[++at] ?? 0;
      }
      if (at === firstOfExponent) throw this.#unexpectedAt(at, 'a digit');
      exponent += sign === ascii.minus ? -power : power;
    }
    if (at - start > longestNumber) return this.#slowNumber(start);
    this.#cursor.at = at;
    if (exponent < -22 || exponent > 22) return this.#slowNumber(start);
    const mantissa = digits > headDigits ? head * powers[digits - headDigits]! + tail : head;
    const low = Math.fround(exponent < 0 ? mantissa / powers[-exponent]! : mantissa * powers[exponent]!);
    if (dropped > 0) {
      const high = exponent < 0 ? (mantissa + 1) / powers[-exponent]! : (mantissa + 1) * powers[exponent]!;
      if (low !== Math.fround(high)) return this.#slowNumber(start);
    }
    // 10^15 · 10^22 is below the largest float32
    return negative ? -low : low;
  }

  #slowNumber(start: number): number {
    this.#cursor.at = start;
    const text = this.#cursor.number();
    const value = Math.fround(Number(text));
    if (Number.isFinite(value)) return value;
    throw this.#nonFinite(text.length > 40 ? `${text.slice(0, 40)}…` : text);
  }

  /** A minus sign without a digit. */
  #oddNumber(start: number): never {
    this.#cursor.at = start;
    if (this.#cursor.skipWord('-Infinity')) throw this.#nonFinite('-Infinity');
    throw this.#unexpectedAt(start + 1, 'a digit');
  }

  #notANumber(byte: number): HourglassError {
    const cursor = this.#cursor;
    for (const word of ['NaN', 'Infinity']) if (cursor.skipWord(word)) return this.#nonFinite(word);
    for (const word of ['null', 'true', 'false']) if (cursor.skipWord(word)) return this.#wrongType(word);
    if (byte === ascii.quote) return this.#wrongType('a string');
    if (byte === ascii.openBrace) return this.#wrongType('an object');
    return cursor.unexpected('a number');
  }

  #finish(): NdArray<'float32'> {
    const field = `/${this.#options.name}`;
    const { flat = false } = this.#options;
    if (this.#dims[0] === 0 && !flat) {
      throw new HourglassError('empty-batch', `${this.#name()} has no rows. Send at least one.`, {
        field,
        expected: 'at least one row',
        found: [],
      });
    }
    const shape = this.#dims.slice(0, this.#rank);
    if (this.#rank === 1 && !flat) {
      throw this.#mismatch(
        `${this.#name()} is a single list of numbers. Put each row into a list of its own: [[…], […]].`,
        '[batch, …row]',
        shape,
        field,
      );
    }
    return { dtype: 'float32', shape, data: this.#data.subarray(0, this.#length) };
  }

  #unexpectedAt(at: number, expected: string): HourglassError {
    this.#cursor.at = at;
    return this.#cursor.unexpected(expected);
  }

  /** JSON pointer of the value that is being read. */
  #path(): string {
    return `/${[this.#options.name, ...this.#counts.slice(0, this.#depth)].join('/')}`;
  }

  #name = (): string => `"${this.#options.name}"`;
  #wanted = (): string => 'Send a list of rows of numbers: [[…], […]].';

  #mismatch(message: string, expected: unknown, found: unknown, field = this.#path()): HourglassError {
    return new HourglassError('shape-mismatch', message, { field, expected, found });
  }

  #ragged(found: string, expected: string): HourglassError {
    return this.#mismatch(
      `${this.#path()} is ${found}, where ${expected} stood in the rows before it.`,
      expected,
      found,
    );
  }

  #wrongType(found: string): HourglassError {
    const expected = this.#depth === 0 ? 'an array' : 'a number';
    const message = `${this.#path()} must be ${expected}, but is ${found}. Values are not converted.`;
    return new HourglassError('invalid-type', message, { field: this.#path(), expected, found });
  }

  #nonFinite(found: string): HourglassError {
    const message = `${this.#path()} is ${found}. Numbers must be finite and within the range of float32.`;
    return new HourglassError('non-finite', message, { field: this.#path(), expected: 'a finite float32', found });
  }
}
