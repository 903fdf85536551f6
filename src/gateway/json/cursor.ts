/** A position in the bytes of a JSON text, and the errors that name it. */

import { HourglassError } from '../../base/errors.ts';

export const ascii = {
  tab: 0x09,
  newline: 0x0a,
  return: 0x0d,
  space: 0x20,
  quote: 0x22,
  plus: 0x2b,
  comma: 0x2c,
  minus: 0x2d,
  dot: 0x2e,
  zero: 0x30,
  nine: 0x39,
  colon: 0x3a,
  upperE: 0x45,
  open: 0x5b,
  backslash: 0x5c,
  close: 0x5d,
  lowerE: 0x65,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

/** Numbers as texts are never longer than this; 64-bit floats need 25 characters. */
export const longestNumber = 256;

/** bytes of names and single values, which take about a millisecond */
const stretch = 16 * 1024;

/** Digits, signs, the point and the exponent. */
const isOfNumber = (byte: number): boolean =>
  (byte >= ascii.zero && byte <= ascii.nine) ||
  byte === ascii.minus ||
  byte === ascii.plus ||
  byte === ascii.dot ||
  byte === ascii.lowerE ||
  byte === ascii.upperE;

export class Cursor {
  readonly bytes: Buffer;
  at = 0;
  #dueAt = stretch;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Whether so much was read since it was last due that others should have their turn. */
  isDue(): boolean {
    if (this.at < this.#dueAt) return false;
    this.#dueAt = this.at + stretch;
    return true;
  }

  /** The next byte that is not white space, without passing it; NaN at the end. */
  peek(): number {
    const { bytes } = this;
    let at = this.at;
    let byte = bytes[at];
    while (byte === ascii.space || byte === ascii.newline || byte === ascii.return || byte === ascii.tab) {
      byte = bytes[++at];
    }
    this.at = at;
    return byte ?? Number.NaN;
  }

  /** Passes that byte, after white space. Throws `malformed-json` when there is another one. */
  expect(byte: number): void {
    if (this.peek() !== byte) throw this.unexpected(`"${String.fromCharCode(byte)}"`);
    this.at++;
  }

  /** Passes the word when it is next. */
  skipWord(word: string): boolean {
    for (let i = 0; i < word.length; i++) if (this.bytes[this.at + i] !== word.charCodeAt(i)) return false;
    this.at += word.length;
    return true;
  }

  /** Passes a number and returns its text. Throws `malformed-json`. */
  number(): string {
    const most = Math.min(this.bytes.length, this.at + longestNumber + 1);
    let end = this.at;
    while (end < most && isOfNumber(this.bytes[end] as number)) end++;
    const text = this.bytes.toString('latin1', this.at, end);
    const match = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/.exec(text);
    if (!match) throw this.unexpected('a value');
    if (match[0].length > longestNumber) {
      throw this.malformed(`The number at byte ${this.at} has more than ${longestNumber} characters.`);
    }
    this.at += match[0].length;
    return match[0];
  }

  unexpected(expected: string): HourglassError {
    if (this.at >= this.bytes.length) {
      return this.malformed(
        `The body ends after ${this.bytes.length} bytes where ${expected} should follow.`,
        expected,
      );
    }
    const found = JSON.stringify(
      String.fromCodePoint(this.bytes.toString('utf8', this.at, this.at + 4).codePointAt(0) ?? 0),
    );
    return this.malformed(`Byte ${this.at} of the body is ${found} where ${expected} should be.`, expected);
  }

  malformed(message: string, expected?: string): HourglassError {
    return new HourglassError('malformed-json', message, {
      ...(expected !== undefined && { expected }),
      found: { byte: this.at },
    });
  }
}
