/**
 * Random numbers: named streams split from one seed, checkpointable, the same bits on every machine.
 *
 *   seed, name ─► FNV-1a ─► SplitMix64 ─► xoshiro128++ state ─► jump, jump, jump ─► four lanes, 2^64 words apart
 *
 * Generator and distributions run in WebAssembly SIMD (random.wat), whose float arithmetic is bit-exact everywhere; Math.log
 * and Math.cos are not. Each call draws from the start of a fresh round of four words and drops what it does not need, so a
 * stream's numbers depend on the sizes of the calls made, not on how they fall on buffers.
 */

import { HourglassError } from './errors.ts';
import { hex } from './random-module.ts';
import { jump, seedWords } from './random-seed.ts';
import { instantiate, type LinearMemory } from './webassembly.ts';

/** Sixteen unsigned 32-bit words, word k of lane l at 4k + l. Plain JSON. */
export type RandomState = readonly number[];

interface RandomModule {
  readonly memory: LinearMemory;
  words(end: number): void;
  uniform(end: number, low: number, high: number): void;
  normal(end: number, mean: number, deviation: number): void;
  bernoulli(end: number, threshold: number): void;
}

const lanes = 4;
const stateWords = 4 * lanes;
const bufferAt = 64;
/** words per turn: 8 KiB stay in the first-level cache */
const chunk = 2048;

const wasm = instantiate<RandomModule>(Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)));
const generatorState = new Uint32Array(wasm.memory.buffer, 0, stateWords);
const words = new Uint32Array(wasm.memory.buffer, bufferAt, chunk);
const floats = new Float32Array(wasm.memory.buffer, bufferAt, chunk);

/** One deterministic sequence of random numbers. */
export class RandomStream {
  #state: Uint32Array;

  /**
   * `seed` is an integer from 0 to 2^53 − 1. Streams of one seed with different names (`data`, `noise`, `init/encoder`) are
   * independent of each other: drawing from one leaves the others as they are.
   */
  constructor(seed: number, name: string) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new HourglassError('invalid-spec', `A seed is an integer from 0 to ${Number.MAX_SAFE_INTEGER}.`, {
        field: 'seed',
        found: seed,
      });
    }
    this.#state = new Uint32Array(stateWords);
    let start = seedWords(`${seed}/${name}`);
    for (let lane = 0; lane < lanes; lane++) {
      for (let k = 0; k < 4; k++) this.#state[lanes * k + lane] = start[k] as number;
      start = jump(start);
    }
  }

  /** Continues from a state that was taken with `state`. Throws `invalid-spec` for anything else. */
  static restore(state: RandomState): RandomStream {
    const valid = state.length === stateWords && state.every((w) => Number.isInteger(w) && w >= 0 && w <= 0xffff_ffff);
    if (!valid || state.every((w) => w === 0)) {
      throw new HourglassError('invalid-spec', `A random state is ${stateWords} unsigned 32-bit integers, not all 0.`);
    }
    const stream = new RandomStream(0, '');
    stream.#state = Uint32Array.from(state);
    return stream;
  }

  /** What `restore` needs to go on with the very next number. */
  get state(): RandomState {
    return [...this.#state];
  }

  /** Fills with uniform numbers in [low, high): multiples of 2^-24 of the range. */
  uniform(out: Float32Array, low = 0, high = 1): Float32Array {
    return this.#fill(out, (end) => wasm.uniform(end, low, high));
  }

  /** Fills with normal numbers of this mean and standard deviation, by Box & Muller (1958); |z| stays below 6.56. */
  normal(out: Float32Array, mean = 0, deviation = 1): Float32Array {
    return this.#fill(out, (end) => wasm.normal(end, mean, deviation));
  }

  /** Fills with 1 with this probability (rounded to 2^-30), else 0. */
  bernoulli<T extends Float32Array | Uint8Array>(out: T, probability: number): T {
    const threshold = Math.round(Math.min(Math.max(probability, 0), 1) * 2 ** 30);
    return this.#fill(out, (end) => wasm.bernoulli(end, threshold));
  }

  /** A uniform integer in [0, n), n from 1 to 2^32. */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) throw new RangeError(`below() takes 1 to 2^32, not ${n}`);
    return this.#belowSource(lanes)(n);
  }

  /** The numbers 0 … n−1 in random order: Fisher & Yates as given by Durstenfeld (1964). */
  permutation(n: number): Uint32Array {
    const order = new Uint32Array(n);
    const below = this.#belowSource(chunk);
    for (let i = 0; i < n; i++) {
      const j = below(i + 1);
      order[i] = order[j] as number;
      order[j] = i;
    }
    return order;
  }

  #fill<T extends Float32Array | Uint8Array>(out: T, distribute: (end: number) => void): T {
    generatorState.set(this.#state);
    for (let at = 0; at < out.length; at += chunk) {
      const count = Math.min(chunk, out.length - at);
      const end = bufferAt + 4 * roundUp(count, 2 * lanes);
      wasm.words(end);
      distribute(end);
      out.set(count === chunk ? floats : floats.subarray(0, count), at);
    }
    this.#state.set(generatorState);
    return out;
  }

  /** Draws words `batch` at a time and rejects those beyond n under the smallest covering bit mask: no bias, no rounding. */
  #belowSource(batch: number): (n: number) => number {
    const drawn = new Uint32Array(batch);
    let at = batch;
    return (n) => {
      if (n === 1) return 0;
      const mask = 0xffff_ffff >>> Math.clz32(n - 1);
      for (;;) {
        if (at === batch) {
          generatorState.set(this.#state);
          wasm.words(bufferAt + 4 * batch);
          this.#state.set(generatorState);
          drawn.set(words.subarray(0, batch));
          at = 0;
        }
        const value = ((drawn[at++] as number) & mask) >>> 0;
        if (value < n) return value;
      }
    };
  }
}

const roundUp = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;
