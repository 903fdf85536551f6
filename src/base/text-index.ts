/**
 * The codes of a model's training documents, among which the nearest of a code are found: `documents.bin`, one code after the other,
 * and `documents.json`, what the documents are called.
 *
 *   mixtures of topics   little-endian float32; similarity Σ √(θᵢ·φᵢ), from 0 to 1 (Bhattacharyya)
 *   bits                 packed, the first bit lowest; similarity is the share of equal bits
 */

import { bestOf } from './recommender.ts';

export type TextCodeKind = 'topics' | 'bits';

/** What a version of a model of documents says of itself: `text.json`. */
export interface TextFacts {
  readonly codes: TextCodeKind;
  /** of one code: topics or bits */
  readonly size: number;
  /** words of each topic, the most probable first; of models of topics */
  readonly topics?: readonly (readonly string[])[];
}

/** A document of the index. */
export interface IndexedDocument {
  readonly document: string;
  readonly begins?: string;
  readonly class?: string;
}

export interface Neighbour {
  /** number of the document */
  readonly row: number;
  readonly similarity: number;
}

export const textFiles = { facts: 'text.json', codes: 'documents.bin', names: 'documents.json' } as const;

export const packBits = (bits: ArrayLike<number>): Uint8Array<ArrayBuffer> => {
  const packed = new Uint8Array(Math.ceil(bits.length / 8));
  for (let i = 0; i < bits.length; i++)
    if ((bits[i] as number) > 0.5) packed[i >> 3] = (packed[i >> 3] as number) | (1 << (i & 7));
  return packed;
};

const onesOf = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

export class TextIndex {
  readonly rows: number;
  readonly #kind: TextCodeKind;
  readonly #size: number;
  readonly #bytes: Uint8Array;
  /** √θ of mixtures */
  readonly #roots: Float32Array;

  /** Throws RangeError for bytes that are no whole number of codes. */
  constructor({ codes, size }: Pick<TextFacts, 'codes' | 'size'>, bytes: Uint8Array) {
    const each = codes === 'bits' ? Math.ceil(size / 8) : 4 * size;
    if (bytes.length % each !== 0) throw new RangeError('an index of codes of another size');
    this.rows = bytes.length / each;
    this.#kind = codes;
    this.#size = size;
    this.#bytes = bytes;
    this.#roots = codes === 'bits' ? new Float32Array(0) : new Float32Array(bytes.slice().buffer).map(Math.sqrt);
  }

  /** As it is stored: codes [rows, size]. */
  static bytesOf(kind: TextCodeKind, codes: Float32Array, size: number): Uint8Array {
    if (kind === 'topics')
      return new Uint8Array(codes.buffer.slice(codes.byteOffset, codes.byteOffset + codes.byteLength));
    const packed = new Uint8Array((codes.length / size) * Math.ceil(size / 8));
    for (let row = 0; row * size < codes.length; row++) {
      packed.set(packBits(codes.subarray(row * size, (row + 1) * size)), row * Math.ceil(size / 8));
    }
    return packed;
  }

  /** The nearest first; of equals the first one. */
  nearest(code: ArrayLike<number>, count: number): Neighbour[] {
    const similarities = this.#kind === 'bits' ? this.#equalBits(packBits(code)) : this.#affinities(code);
    return bestOf(similarities, count, () => false).map((row) => ({ row, similarity: similarities[row] as number }));
  }

  #equalBits(code: Uint8Array): Float32Array {
    const found = new Float32Array(this.rows);
    for (let row = 0, at = 0; row < this.rows; row++) {
      let differing = 0;
      for (let i = 0; i < code.length; i++)
        differing += onesOf[(code[i] as number) ^ (this.#bytes[at++] as number)] as number;
      found[row] = 1 - differing / this.#size;
    }
    return found;
  }

  #affinities(mixture: ArrayLike<number>): Float32Array {
    const found = new Float32Array(this.rows);
    const own = Float32Array.from(mixture, (share) => Math.sqrt(Math.max(share, 0)));
    for (let row = 0, at = 0; row < this.rows; row++) {
      let sum = 0;
      for (let i = 0; i < own.length; i++) sum += (own[i] as number) * (this.#roots[at++] as number);
      found[row] = sum;
    }
    return found;
  }
}
