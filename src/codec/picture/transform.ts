/** Pixels → coefficients of the linear transform, in integers: the same on every device. */

import { instantiate, type LinearMemory } from '../../base/webassembly.ts';
import { hex } from './analysis-module.ts';
import { analysisShift, blockSide, coefficientsOf, type PictureCodec, pixelOffset } from './picture-codec.ts';

/** 8-bit values, rows from the top, channels together; `channels` of the data may be more than the model's, which then takes the first ones. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

export const blocksOf = (pixels: number): number => Math.ceil(pixels / blockSide);

/** One coefficient is one 8-bit value times this. */
export const coefficientScale = 2 ** analysisShift;

interface AnalysisModule {
  readonly memory: LinearMemory;
  analyse(size: number, count: number): void;
}

/** Where analysis.wat has its matrix, its blocks and its sums, and how many blocks it takes at a time. */
const blocksAt = 131_072;
const sumsAt = 163_840;
const blocksAtOnce = 64;

class Analysis {
  readonly #module: AnalysisModule | undefined;
  readonly #matrix: Int16Array;
  readonly #size: number;
  readonly blocks: Int16Array;
  readonly sums: Int32Array;

  constructor(matrix: Int16Array, size: number, vectors: boolean) {
    this.#module = vectors ? instance() : undefined;
    this.#matrix = matrix;
    this.#size = size;
    const memory = this.#module?.memory.buffer;
    this.blocks = memory ? new Int16Array(memory, blocksAt, blocksAtOnce * size) : new Int16Array(blocksAtOnce * size);
    this.sums = memory ? new Int32Array(memory, sumsAt, blocksAtOnce * size) : new Int32Array(blocksAtOnce * size);
    if (memory) new Int16Array(memory, 0, size * size).set(matrix);
  }

  run(count: number): void {
    if (this.#module) return this.#module.analyse(this.#size, count);
    for (let b = 0; b < count; b++) multiply(this.#matrix, this.blocks, b * this.#size, this.#size, this.sums);
  }
}

let made: AnalysisModule | undefined | null;

/** Undefined where there is no WebAssembly with vectors: the loop in JavaScript gives the same numbers. */
function instance(): AnalysisModule | undefined {
  if (made === undefined) {
    try {
      made = instantiate<AnalysisModule>(Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)));
    } catch {
      made = null;
    }
  }
  return made ?? undefined;
}

/**
 * Coefficients [height, width, coefficients] of a rectangle of blocks, in units of 2^-14; beyond the edge the picture goes on
 * with its last row and column.
 * @param vectors false: in JavaScript alone
 */
export function analyse(codec: AnalysisOf, raster: Raster, area: BlockArea, vectors = true): Int32Array {
  const size = coefficientsOf(codec);
  const total = area.height * area.width;
  const out = new Int32Array(total * size);
  const analysis = new Analysis(codec.analysis, size, vectors);
  for (let first = 0; first < total; first += blocksAtOnce) {
    const count = Math.min(blocksAtOnce, total - first);
    for (let i = 0; i < count; i++) {
      const row = area.row + Math.floor((first + i) / area.width);
      const column = area.column + ((first + i) % area.width);
      gather(raster, codec.channels, row * blockSide, column * blockSide, analysis.blocks, i * size);
    }
    analysis.run(count);
    out.set(analysis.sums.subarray(0, count * size), first * size);
  }
  return out;
}

/** A rectangle of blocks of a picture. */
export interface BlockArea {
  readonly row: number;
  readonly column: number;
  readonly height: number;
  readonly width: number;
}

type AnalysisOf = Pick<PictureCodec, 'channels' | 'analysis'>;

function gather(raster: Raster, channels: number, top: number, left: number, blocks: Int16Array, at: number): void {
  const { data, width, height, channels: stride } = raster;
  let i = at;
  for (let y = 0; y < blockSide; y++) {
    const start = Math.min(top + y, height - 1) * width;
    for (let x = 0; x < blockSide; x++) {
      const pixel = (start + Math.min(left + x, width - 1)) * stride;
      for (let c = 0; c < channels; c++) blocks[i++] = (data[pixel + c] as number) - pixelOffset;
    }
  }
}

/** Sums stay below 2^31: rows of the matrix have norm one. */
function multiply(matrix: Int16Array, blocks: Int16Array, at: number, size: number, sums: Int32Array): void {
  for (let k = 0, m = 0; k < size; k++) {
    let sum = 0;
    for (let i = 0; i < size; i++, m++) sum = (sum + (matrix[m] as number) * (blocks[at + i] as number)) | 0;
    sums[at + k] = sum;
  }
}
