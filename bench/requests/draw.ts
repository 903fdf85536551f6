// Random numbers from a seed, and what is drawn with them: a generator for millions of requests, so without the trees that fast-check
// keeps to shrink what it found.

export class Draw {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ x < 1 (mulberry32) */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  }

  /** 0 … limit − 1 */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.below(16).toString(16);
    return text;
  }
}

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

/** Values of the wrong kind, and those of the right one that break programs. */
export const junk: readonly unknown[] = [
  ...[null, true, false, 0, -0, 1, -1, 0.5, 1e308, -1e308, 5e-324, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 63)],
  ...[
    '',
    ' ',
    'x',
    '0',
    'NaN',
    'null',
    '\u0000',
    '\ud800',
    '\u202e',
    '😀',
    '../../etc/passwd',
    '%00',
    'x'.repeat(1000),
  ],
  ...['constructor', '__proto__', 'toString', "' OR 1=1 --", '{{7*7}}', '*', '2026-02-31T25:61:61Z'],
  ...[[], {}, [[]], [null], [[1], [1, 2]], nested(60), Array(200).fill(0), { constructor: { prototype: 1 } }],
  JSON.parse('{"__proto__":{"admin":true}}'),
];

/** As UTF-8 sends it: half a surrogate pair becomes U+FFFD. */
export const wellFormed = (text: string): string => Buffer.from(text).toString();

export const anyJunk = (draw: Draw): unknown => draw.pick(junk);

/** Bytes flipped, cut off or repeated, at one to three places. */
export function damaged(draw: Draw, original: Buffer): Buffer {
  let bytes = original;
  for (let left = 1 + draw.below(3); left > 0 && bytes.length > 0; left--) {
    const place = draw.below(bytes.length);
    const kind = draw.below(4);
    if (kind === 0) bytes = bytes.subarray(0, place);
    else if (kind === 1) bytes = Buffer.concat([bytes, bytes.subarray(place, place + draw.below(256))]);
    else {
      bytes = Buffer.from(bytes);
      bytes[place] = draw.below(256);
    }
  }
  return bytes;
}
