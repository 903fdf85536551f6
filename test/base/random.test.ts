// Random numbers: the published vectors, the distributions, checkpoints, streams that do not disturb each other.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type RandomState, RandomStream } from '../../src/base/random.ts';
import { fnv1a, jump, splitMix64, splitMixGamma, type Words4 } from '../../src/base/random-seed.ts';

/** xoshiro128++ as published, one lane, the slow way: the oracle of the WebAssembly lanes. */
function reference(start: Words4, count: number): number[] {
  let [a, b, c, d] = start;
  const rotl = (x: number, k: number) => (x << k) | (x >>> (32 - k));
  return Array.from({ length: count }, () => {
    const result = (rotl((a + d) | 0, 7) + a) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11);
    return result;
  });
}

const lane = (state: RandomState, l: number): Words4 => [0, 1, 2, 3].map((k) => state[4 * k + l]) as unknown as Words4;

/** the words that the next fill is made from, lanes in turn */
function expectedWords(stream: RandomStream, count: number): number[] {
  const lanes = [0, 1, 2, 3].map((l) => reference(lane(stream.state, l), count / 4));
  return Array.from({ length: count }, (_, i) => lanes[i % 4]?.[Math.floor(i / 4)] as number);
}

const moments = (values: Float32Array) => {
  const n = values.length;
  const mean = values.reduce((s, x) => s + x, 0) / n;
  const central = (k: number) => values.reduce((s, x) => s + (x - mean) ** k, 0) / n;
  const variance = central(2);
  return { mean, variance, skewness: central(3) / variance ** 1.5, kurtosis: central(4) / variance ** 2 };
};

/** Kolmogorov–Smirnov statistic √n · sup |F_n − F| */
function kolmogorov(values: Float32Array, cdf: (x: number) => number): number {
  const sorted = values.slice().sort();
  let sup = 0;
  sorted.forEach((x, i) => {
    const f = cdf(x);
    sup = Math.max(sup, Math.abs(f - i / sorted.length), Math.abs(f - (i + 1) / sorted.length));
  });
  return sup * Math.sqrt(values.length);
}

/** Φ by its power series, to 1e-12 for |x| < 6 */
function normalCdf(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-17; k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

/** 99.9 % of samples of the true distribution stay below */
const kolmogorovLimit = 1.95;

describe('the published algorithms', () => {
  it('xoshiro128++ gives the words of its reference implementation in every lane', () => {
    // state {1, 2, 3, 4} in each lane
    const stream = RandomStream.restore([1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4]);
    const published = [641, 1573767, 3222811527, 3517856514, 836907274, 4247214768, 3867114732, 1355841295];
    const uniforms = stream.uniform(new Float32Array(32));
    expect([...uniforms]).toEqual(published.flatMap((w) => Array(4).fill((w >>> 8) / 2 ** 24)));
    expect(reference([1, 2, 3, 4], 8)).toEqual(published);
  });

  it('the jump is the published one', () => {
    expect(jump([1, 2, 3, 4])).toEqual([2843103750, 2038079848, 1533207345, 44816753]);
  });

  it('SplitMix64 and FNV-1a give their published values', () => {
    const outputs = [1n, 2n, 3n].map((n) => splitMix64(1234567n + n * splitMixGamma));
    expect(outputs).toEqual([6457827717110365317n, 3203168211198807973n, 9817491932198370423n]);
    // "a" as the bytes 61 00: one more FNV round than the published af63dc4c8601ec8c of the single byte
    expect(fnv1a('a')).toBe(BigInt.asUintN(64, 0xaf63dc4c8601ec8cn * 0x100000001b3n));
  });

  it('the four lanes of a stream are jumps apart', () => {
    const { state } = new RandomStream(7, 'noise');
    for (const l of [0, 1, 2]) expect(lane(state, l + 1)).toEqual(jump(lane(state, l)));
  });

  it('the assembled bytes are those of the text', () => {
    execFileSync(process.execPath, [path.resolve(import.meta.dirname, '../../scripts/assemble-wasm.mjs'), '--check']);
  });
});

describe('distributions', () => {
  const n = 400_000;

  it('uniform: the top 24 bits of each word, flat', () => {
    const stream = new RandomStream(1, 'uniform');
    const words = expectedWords(stream, 4096);
    const values = stream.uniform(new Float32Array(n));
    expect([...values.subarray(0, 2048)]).toEqual(words.slice(0, 2048).map((w) => (w >>> 8) / 2 ** 24));
    expect(kolmogorov(values, (x) => x)).toBeLessThan(kolmogorovLimit);
    const scaled = stream.uniform(new Float32Array(n), -3, 5);
    expect(kolmogorov(scaled, (x) => (x + 3) / 8)).toBeLessThan(kolmogorovLimit);
    expect(Math.min(...scaled.subarray(0, 50_000))).toBeGreaterThanOrEqual(-3);
  });

  it('normal: Box and Muller of each pair of words', () => {
    const stream = new RandomStream(2, 'normal');
    const words = expectedWords(stream, 2048);
    const values = stream.normal(new Float32Array(2048));
    for (let i = 0; i < 2048; i++) {
      const block = 8 * Math.floor(i / 8);
      const [u, angle] = [words[block + (i % 4)] as number, words[block + 4 + (i % 4)] as number];
      const radius = Math.sqrt(-2 * Math.log(((u >>> 1) | 1) / 2 ** 31));
      const theta = ((angle & 0xffffff) / 2 ** 24) * (Math.PI / 4);
      const swap = (angle >>> 29) & 1;
      const cosine = i % 8 < 4;
      const magnitude = cosine === (swap === 0) ? Math.cos(theta) : Math.sin(theta);
      const sign = (angle >>> (cosine ? 31 : 30)) & 1 ? -1 : 1;
      expect(values[i]).toBeCloseTo(sign * radius * magnitude, 5);
    }
  });

  it('normal: moments, shape and tails', () => {
    const values = new RandomStream(3, 'normal').normal(new Float32Array(n));
    const { mean, variance, skewness, kurtosis } = moments(values);
    // four standard errors: 1, √2, √6, √24 over √n
    const error = 4 / Math.sqrt(n);
    expect(Math.abs(mean)).toBeLessThan(error);
    expect(Math.abs(variance - 1)).toBeLessThan(error * Math.sqrt(2));
    expect(Math.abs(skewness)).toBeLessThan(error * Math.sqrt(6));
    expect(Math.abs(kurtosis - 3)).toBeLessThan(error * Math.sqrt(24));
    expect(kolmogorov(values, normalCdf)).toBeLessThan(kolmogorovLimit);
    const beyond = values.filter((x) => Math.abs(x) > 3).length;
    expect(Math.abs(beyond - n * 0.0026998)).toBeLessThan(4 * Math.sqrt(n * 0.0027));
    expect(values.filter((x) => Math.abs(x) > 4).length).toBeGreaterThan(5);
    const moved = new RandomStream(4, 'normal').normal(new Float32Array(n), 10, 0.5);
    expect(kolmogorov(moved, (x) => normalCdf((x - 10) / 0.5))).toBeLessThan(kolmogorovLimit);
  });

  it('normal: neighbours are uncorrelated, also the two of a pair', () => {
    const values = new RandomStream(5, 'normal').normal(new Float32Array(n));
    for (const lag of [1, 2, 3, 4, 8]) {
      let sum = 0;
      for (let i = lag; i < n; i++) sum += (values[i] as number) * (values[i - lag] as number);
      expect(Math.abs(sum / n), `lag ${lag}`).toBeLessThan(4 / Math.sqrt(n));
    }
  });

  it('bernoulli: the share of ones, and only ones and zeros', () => {
    for (const p of [0.001, 0.2, 0.5, 0.9]) {
      const mask = new RandomStream(6, `p=${p}`).bernoulli(new Float32Array(n), p);
      const ones = mask.reduce((s, x) => s + x, 0);
      expect(Math.abs(ones - n * p)).toBeLessThan(4 * Math.sqrt(n * p * (1 - p)));
      expect(mask.every((x) => x === 0 || x === 1)).toBe(true);
      const bytes = new RandomStream(6, `p=${p}`).bernoulli(new Uint8Array(n), p);
      expect(mask.every((x, i) => x === bytes[i])).toBe(true);
    }
    expect(new RandomStream(6, 'p').bernoulli(new Uint8Array(1000), 0)).toEqual(new Uint8Array(1000));
    expect(new RandomStream(6, 'p').bernoulli(new Uint8Array(1000), 1)).toEqual(new Uint8Array(1000).fill(1));
  });

  it('below: every integer equally often', () => {
    const stream = new RandomStream(8, 'below');
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 60_000; i++) counts[stream.below(6)]!++;
    const chiSquare = counts.reduce((s, c) => s + (c - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(20.5); // 99.9 %, 5 degrees of freedom
    expect(stream.below(1)).toBe(0);
    expect(stream.below(2 ** 32)).toBeLessThan(2 ** 32);
    for (const wrong of [0, -1, 1.5, 2 ** 33, Number.NaN]) expect(() => stream.below(wrong)).toThrow(RangeError);
  });

  it('permutation: all orders equally often, every number once', () => {
    const stream = new RandomStream(9, 'order');
    const counts = new Map<string, number>();
    for (let i = 0; i < 24_000; i++) {
      const order = stream.permutation(4).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquare = [...counts.values()].reduce((s, c) => s + (c - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThan(49.7); // 99.9 %, 23 degrees of freedom
    expect([...stream.permutation(70_001)].sort((a, b) => a - b)).toEqual([...Array(70_001).keys()]);
    expect(stream.permutation(0)).toEqual(new Uint32Array(0));
  });
});

describe('streams', () => {
  const draw = (stream: RandomStream) => [
    ...stream.normal(new Float32Array(1003)),
    ...stream.uniform(new Float32Array(5000), -1, 2),
    ...stream.permutation(777),
    stream.below(1000),
    ...stream.bernoulli(new Uint8Array(99), 0.3),
  ];

  it('the same seed and name give the same numbers', () => {
    expect(draw(new RandomStream(11, 'noise'))).toEqual(draw(new RandomStream(11, 'noise')));
  });

  it('a checkpoint that went through JSON continues with the next number', () => {
    const stream = new RandomStream(12, 'noise');
    draw(stream);
    const saved = JSON.stringify(stream.state);
    const next = draw(stream);
    expect(draw(RandomStream.restore(JSON.parse(saved)))).toEqual(next);
    expect(draw(RandomStream.restore(JSON.parse(saved)))).not.toEqual(draw(stream));
  });

  it('drawing from one stream does not disturb another', () => {
    const alone = draw(new RandomStream(13, 'data'));
    const [data, noise] = [new RandomStream(13, 'data'), new RandomStream(13, 'noise')];
    const mixed: number[] = [];
    noise.normal(new Float32Array(10_000));
    mixed.push(...data.normal(new Float32Array(1003)));
    noise.below(17);
    mixed.push(...data.uniform(new Float32Array(5000), -1, 2));
    noise.permutation(100);
    mixed.push(...data.permutation(777), data.below(1000), ...data.bernoulli(new Uint8Array(99), 0.3));
    expect(mixed).toEqual(alone);
  });

  it('names and seeds give independent streams', () => {
    const n = 100_000;
    const starts: [number, string][] = [
      [0, 'a'],
      [0, 'b'],
      [1, 'a'],
      [2, 'a'],
      [12, 'a'],
      [0xffff_ffff, 'a'],
    ];
    const drawn = starts.map(([seed, name]) => new RandomStream(seed, name).normal(new Float32Array(n)));
    drawn.forEach((x, i) => {
      drawn.slice(i + 1).forEach((y, j) => {
        const correlation = x.reduce((s, v, k) => s + v * (y[k] as number), 0) / n;
        expect(Math.abs(correlation), `${starts[i]} and ${starts[i + 1 + j]}`).toBeLessThan(4.5 / Math.sqrt(n));
      });
    });
  });

  it('fixed numbers: a change of these breaks every stored checkpoint and golden', () => {
    const stream = new RandomStream(42, 'golden');
    expect([...stream.uniform(new Float32Array(4))]).toMatchInlineSnapshot(`
      [
        0.7956165671348572,
        0.4606415033340454,
        0.6916789412498474,
        0.01805168390274048,
      ]
    `);
    expect([...stream.normal(new Float32Array(4))]).toMatchInlineSnapshot(`
      [
        -0.019293326884508133,
        -0.3018025755882263,
        -0.8287574648857117,
        -0.8592908382415771,
      ]
    `);
    expect([...stream.permutation(10)]).toMatchInlineSnapshot(`
      [
        3,
        5,
        8,
        6,
        0,
        1,
        4,
        2,
        9,
        7,
      ]
    `);
  });

  it('a bad seed or state is refused', () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => new RandomStream(seed, 'x')).toThrow(/seed is an integer/);
    }
    for (const state of [[], Array(16).fill(0), Array(15).fill(1), Array(16).fill(-1), Array(16).fill(2 ** 32)]) {
      expect(() => RandomStream.restore(state)).toThrow(/random state/);
    }
  });
});
